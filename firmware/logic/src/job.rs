//! What the board asks of its storage, one job at a time, and what comes back.

use endpoints::vendor::firmware::Unfit;
use endpoints::vendor::whitelist::{ENTRY_LEN, Header};
use endpoints::vendor::{BoardEvent, BoardSettings};
use heapless::Vec;

/// The longest piece of a file in one job, bytes.
pub const MAX_PIECE: usize = 232;
/// The most events read back at once.
pub const MAX_FETCH: usize = 8;

/// Work for the storage. Debug shows no key.
#[derive(Clone, PartialEq, Eq)]
pub enum Job {
    /// Keep this event; it is acknowledged to nobody before.
    Append(BoardEvent),
    /// Read events back, from this number on, at most [`MAX_FETCH`].
    Fetch {
        /// The first number wanted.
        from: u32,
    },
    /// The controller has all up to this number.
    Acked {
        /// The number.
        up_to: u32,
    },
    /// Keep this secure-channel key.
    SaveKey([u8; 16]),
    /// Forget the secure-channel key.
    EraseKey,
    /// Keep these settings.
    SaveSettings(BoardSettings),
    /// A piece of a whitelist file; at offset 0 a new file begins, after its last byte it is checked.
    ListPiece {
        /// Where it belongs.
        offset: u32,
        /// The file's whole length.
        total: u32,
        /// The bytes.
        data: Vec<u8, MAX_PIECE>,
        /// Key that must have signed it.
        key: [u8; 32],
        /// This board's serial number.
        serial: u32,
        /// The number of the list in force, 0 if none: no older one is taken.
        newest: u32,
    },
    /// A piece of a firmware image's file; at offset 0 a new file begins.
    ImagePiece {
        /// Where it belongs.
        offset: u32,
        /// The file's whole length.
        total: u32,
        /// The bytes.
        data: Vec<u8, MAX_PIECE>,
    },
    /// All pieces are there: is it the image that its head says?
    CheckImage,
    /// Have the bootloader start this image next.
    MarkSwap {
        /// Its short name.
        image: u64,
    },
    /// The version on trial stays.
    MarkGood,
    /// The image that is kept is not needed any more.
    ForgetImage,
    /// Is this entry on the list in force?
    Lookup {
        /// The entry.
        entry: [u8; ENTRY_LEN],
    },
}

impl core::fmt::Debug for Job {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Job::Append(event) => write!(f, "Append({event:?})"),
            Job::Fetch { from } => write!(f, "Fetch {{ from: {from} }}"),
            Job::Acked { up_to } => write!(f, "Acked {{ up_to: {up_to} }}"),
            Job::SaveKey(_) => f.write_str("SaveKey"),
            Job::EraseKey => f.write_str("EraseKey"),
            Job::SaveSettings(settings) => write!(f, "SaveSettings({settings:?})"),
            Job::ListPiece { offset, total, data, .. } => {
                write!(f, "ListPiece {{ {} bytes at {offset} of {total} }}", data.len())
            }
            Job::ImagePiece { offset, total, data } => {
                write!(f, "ImagePiece {{ {} bytes at {offset} of {total} }}", data.len())
            }
            Job::CheckImage => f.write_str("CheckImage"),
            Job::MarkSwap { image } => write!(f, "MarkSwap {{ {image:016x} }}"),
            Job::MarkGood => f.write_str("MarkGood"),
            Job::ForgetImage => f.write_str("ForgetImage"),
            Job::Lookup { .. } => f.write_str("Lookup"),
        }
    }
}

/// What became of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and there is no allocator to box it")]
pub enum Done {
    /// The event is kept. `oldest` is the oldest that still is.
    Appended {
        /// The oldest event in the log.
        oldest: u32,
    },
    /// The events, in order; none if there is none from that number on.
    Fetched(Vec<BoardEvent, MAX_FETCH>),
    /// The mark is kept.
    Acked,
    /// The key is kept.
    KeySaved,
    /// No key is kept any more.
    KeyErased,
    /// The settings are kept.
    SettingsSaved,
    /// The piece is kept, more is wanted.
    PieceTaken,
    /// The file is complete, rightly signed, and in force.
    ListInForce(ListHead),
    /// The file is not acceptable; what was in force stays.
    ListRefused,
    /// The image is kept up to here, more is wanted.
    ImagePart {
        /// Its short name.
        image: u64,
        /// Bytes of its file.
        have: u32,
    },
    /// The image is whole, and is what its signed head says.
    ImageWhole {
        /// Its short name.
        image: u64,
        /// Its version.
        firmware: [u8; 3],
    },
    /// The image is not taken, or not started.
    Unfit(Unfit),
    /// The bootloader is told.
    Marked,
    /// No image is kept any more.
    ImageForgotten,
    /// Whether the entry is on the list.
    Looked(bool),
    /// The flash failed; nothing is known of what was asked.
    Failed,
}

/// What the board needs to know of the whitelist in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListHead {
    /// Its header.
    pub header: Header,
}

/// What a start finds of updates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundUpdate {
    /// The running version's security number.
    pub security: u32,
    /// The image that is kept.
    pub slot: Slot,
    /// What became of the last one.
    pub start: Start,
}

/// An image beside the one that runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// There is no place for any.
    Never,
    /// There is none.
    Empty,
    /// It is not all there yet.
    Part {
        /// Its short name.
        image: u64,
        /// The transfer goes on at this byte of its file.
        have: u32,
    },
    /// It was received whole and checked.
    Whole {
        /// Its short name.
        image: u64,
        /// Its version.
        firmware: [u8; 3],
    },
}

/// Why this version runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// It ran before.
    Usual,
    /// The bootloader has put it in place of the one before; unless it is marked good the next start goes back.
    Trial,
    /// It was marked good, and nobody has been told yet.
    Stayed,
    /// It is back in place of this one, which did not stand its trial.
    Returned([u8; 3]),
}

/// What a board knows again after a start.
#[derive(Clone, PartialEq, Eq)]
pub struct Restored {
    /// Which start this is, from 1.
    pub boot: u16,
    /// The event log's epoch.
    pub epoch: u32,
    /// The oldest event kept, 0 if none.
    pub oldest: u32,
    /// The newest event kept, 0 if none.
    pub newest: u32,
    /// Acknowledged up to this one.
    pub acked: u32,
    /// At most so many events are gone with a log that had to be begun anew, 0 if it was not.
    pub lost: u32,
    /// The secure-channel key, if one was set.
    pub key: Option<[u8; 16]>,
    /// One was set and cannot be read any more.
    pub key_lost: bool,
    /// The settings, if any were.
    pub settings: Option<BoardSettings>,
    /// The whitelist in force, if any.
    pub list: Option<ListHead>,
    /// What is found of updates.
    pub update: FoundUpdate,
    /// Differs at each start; seeds the secure channel's random numbers.
    pub seed: [u8; 16],
}

impl core::fmt::Debug for Restored {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Restored")
            .field("boot", &self.boot)
            .field("epoch", &self.epoch)
            .field("oldest", &self.oldest)
            .field("newest", &self.newest)
            .field("acked", &self.acked)
            .field("lost", &self.lost)
            .field("key", &self.key.is_some())
            .field("key_lost", &self.key_lost)
            .field("settings", &self.settings)
            .field("list", &self.list)
            .field("update", &self.update)
            .finish_non_exhaustive()
    }
}
