//! A file on its way to a device, block by block.

use heapless::Vec;

use super::event::{Failure, Token};
use crate::control::{FILE_BLOCK_HEADER, FileBlock};
use crate::status::FileStatus;
use crate::time::Micros;

/// Blocks take one part of so many of the bus's time at most: its other devices are polled meanwhile.
pub(super) const SHARE: Micros = 8;
/// Largest block in bytes.
pub(super) const MAX_BLOCK: usize = 240;

#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) token: Token,
    kind: u8,
    total: u32,
    offset: u32,
    limit: usize,
    block: Vec<u8, MAX_BLOCK>,
    stage: Stage,
    /// Not before this again: the bus is for the others.
    rest_until: Micros,
    /// The device wants no other command in between.
    pub(super) exclusive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The caller has to be asked for the block at `offset`.
    Ask,
    /// The caller was asked.
    Asked,
    /// The block (or, at the end, an empty one) may go out from then on.
    Ready(Micros),
    /// It is out.
    Sent,
}

/// What a status means for the transfer.
pub(super) enum Progress {
    Going,
    Done,
    Failed(Failure),
}

impl Transfer {
    /// `from` is where it begins, `room` the largest data of a command to this device, in bytes.
    pub(super) fn new(token: Token, kind: u8, total: u32, from: u32, room: usize) -> Self {
        let limit = room.saturating_sub(FILE_BLOCK_HEADER).clamp(1, MAX_BLOCK);
        let offset = from.min(total);
        let stage = if offset == total { Stage::Ready(0) } else { Stage::Ask };
        Self { token, kind, total, offset, limit, block: Vec::new(), stage, rest_until: 0, exclusive: false }
    }

    /// Offset and length to ask the caller for, once.
    pub(super) fn wanted(&mut self) -> Option<(u32, usize)> {
        if self.stage != Stage::Ask {
            return None;
        }
        self.stage = Stage::Asked;
        let left = usize::try_from(self.total - self.offset).unwrap_or(usize::MAX);
        Some((self.offset, self.limit.min(left)))
    }

    /// The caller's block; `false` if none was asked for or its length is impossible.
    pub(super) fn provide(&mut self, data: &[u8]) -> bool {
        let left = usize::try_from(self.total - self.offset).unwrap_or(usize::MAX);
        let fits = !data.is_empty() && data.len() <= self.limit.min(left);
        if self.stage != Stage::Asked || !fits {
            return false;
        }
        self.block.clear();
        self.block.extend_from_slice(data).expect("the limit is at most the block's capacity");
        self.stage = Stage::Ready(0);
        true
    }

    pub(super) fn due(&self) -> Option<Micros> {
        match self.stage {
            Stage::Ready(at) => Some(at.max(self.rest_until)),
            Stage::Ask | Stage::Asked | Stage::Sent => None,
        }
    }

    /// No block goes out until then.
    pub(super) fn rest(&mut self, until: Micros) {
        self.rest_until = until;
    }

    pub(super) fn take_block(&mut self) -> FileBlock<'_> {
        self.stage = Stage::Sent;
        FileBlock { kind: self.kind, total: self.total, offset: self.offset, data: &self.block }
    }

    pub(super) fn handle_status(&mut self, now: Micros, status: FileStatus) -> Progress {
        if status.status < 0 {
            return Progress::Failed(Failure::File(status.status));
        }
        self.exclusive = status.control & 1 == 0;
        if status.max_message > 0 {
            self.limit =
                usize::from(status.max_message).saturating_sub(FILE_BLOCK_HEADER).clamp(1, MAX_BLOCK);
        }
        self.offset += u32::try_from(self.block.len()).expect("a block is at most 240 bytes");
        self.block.clear();
        let at_end = self.offset >= self.total;
        match status.status {
            FileStatus::PROCESSED | FileStatus::REBOOTING if at_end => return Progress::Done,
            FileStatus::OK if at_end => return Progress::Done,
            _ => {}
        }
        // Behind the last block the device may go on working: empty blocks ask how far it is.
        let wait = now + Micros::from(status.delay_ms) * 1_000;
        self.stage = if at_end { Stage::Ready(wait.max(now + 100_000)) } else { Stage::Ask };
        if !at_end && status.delay_ms > 0 {
            self.stage = Stage::Ready(wait);
        }
        Progress::Going
    }
}
