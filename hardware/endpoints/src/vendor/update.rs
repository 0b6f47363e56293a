//! How a board's update stands: asked for, and told.

use super::codes;
use super::firmware::Unfit;
use super::wire::{BadBody, NoRoom, Reader, Writer};

/// An update at a board, in answer to [`super::ToBoard::Update`] and [`super::ToBoard::Install`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Update {
    /// The version that runs.
    pub running: [u8; 3],
    /// That version's security number.
    pub security: u32,
    /// How far it is.
    pub stage: Stage,
    /// Why it does not start anew now though it is told to.
    pub hold_up: Option<HoldUp>,
}

/// How far an update is. Images by their short names ([`super::firmware::Header::image`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The board runs what it runs, and has nothing else.
    Idle,
    /// It cannot be updated over the bus.
    Never,
    /// It has a file up to a place; the transfer goes on there.
    Receiving {
        /// The image.
        image: u64,
        /// Bytes of the file that need not be sent again.
        have: u32,
    },
    /// It has an image whole, checked and rightly signed.
    Ready {
        /// The image.
        image: u64,
    },
    /// It starts anew with the image as soon as its endpoint is at rest.
    Installing {
        /// The image.
        image: u64,
    },
    /// It runs a version on trial: unless it finds that all is well it goes back.
    Trial,
}

/// Why a board does not start anew now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HoldUp {
    /// It has no such image whole.
    NoImage,
    /// Fire or break-glass frees the way.
    LifeSafety,
    /// The lock or the lane lets somebody pass, or is held so.
    Released,
    /// The leaf is not shut, or nobody knows.
    Open,
}

impl Update {
    pub(super) fn write(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.bytes(&self.running)?;
        w.u32(self.security)?;
        let (stage, image, have) = match self.stage {
            Stage::Idle => (0, 0, 0),
            Stage::Never => (1, 0, 0),
            Stage::Receiving { image, have } => (2, image, have),
            Stage::Ready { image } => (3, image, 0),
            Stage::Installing { image } => (4, image, 0),
            Stage::Trial => (5, 0, 0),
        };
        w.u8(stage)?;
        w.u64(image)?;
        w.u32(have)?;
        w.u8(self.hold_up.map_or(0, codes::from_hold_up))
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Update, BadBody> {
        let (running, security) = (r.array()?, r.u32()?);
        let (stage, image, have) = (r.u8()?, r.u64()?, r.u32()?);
        let stage = match stage {
            0 => Stage::Idle,
            1 => Stage::Never,
            2 => Stage::Receiving { image, have },
            3 => Stage::Ready { image },
            4 => Stage::Installing { image },
            5 => Stage::Trial,
            _ => return Err(BadBody::Range("stage")),
        };
        let hold_up = match r.u8()? {
            0 => None,
            other => Some(codes::to_hold_up(other)?),
        };
        Ok(Update { running, security, stage, hold_up })
    }
}

impl Unfit {
    /// Its number, as on the wire.
    pub const fn number(self) -> u8 {
        codes::from_unfit(self)
    }
}
