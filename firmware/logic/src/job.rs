//! What the board asks of its storage, one job at a time, and what comes back.

use endpoints::vendor::whitelist::{ENTRY_LEN, Header};
use endpoints::vendor::{BoardEvent, BoardSettings};
use heapless::Vec;

/// The longest piece of a file in one job, bytes.
pub const MAX_PIECE: usize = 232;
/// The most events read back at once.
pub const MAX_FETCH: usize = 8;

/// Work for the storage. Debug shows no key.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and there is no allocator to box it")]
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
            .finish_non_exhaustive()
    }
}
