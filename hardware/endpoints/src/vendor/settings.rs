//! What a controller tells a board once, and the board keeps in flash.

use core::num::NonZeroU8;

use super::codes;
use super::wire::{BadBody, NoRoom, Reader, Writer};
use crate::{door, gate_lane};

/// What a board does with a credential while no controller polls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OfflineRule {
    /// Nobody enters; exits work.
    #[default]
    Refuse,
    /// Who is on the signed, unexpired whitelist enters.
    Whitelist,
}

/// How a board behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BoardSettings {
    /// After so many seconds without a poll of the controller the offline rule holds: 2..=3600 s. OSDP calls a device off-line after 8 s.
    pub offline_after_s: u16,
    /// What holds then.
    pub offline: OfflineRule,
    /// The ed25519 public key that whitelists must be signed with; all zero: none is taken.
    pub whitelist_key: [u8; 32],
    /// The kind's own.
    pub kind: KindSettings,
}

/// The settings of the kind of endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KindSettings {
    /// A door's.
    Door(door::Settings),
    /// A gate lane's.
    GateLane(gate_lane::Settings),
}

impl BoardSettings {
    /// The longest encoding.
    pub const MAX_LEN: usize = 48;

    /// A door that nobody has configured yet.
    pub fn door() -> BoardSettings {
        Self::of(KindSettings::Door(door::Settings::default()))
    }

    /// A lane that nobody has configured yet.
    pub fn gate_lane() -> BoardSettings {
        Self::of(KindSettings::GateLane(gate_lane::Settings::default()))
    }

    fn of(kind: KindSettings) -> BoardSettings {
        BoardSettings { offline_after_s: 8, offline: OfflineRule::Refuse, whitelist_key: [0; 32], kind }
    }

    /// Writes them; also the form in which they are kept in flash.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, NoRoom> {
        let mut w = Writer::new(buffer);
        self.write(&mut w)?;
        Ok(w.used())
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<BoardSettings, BadBody> {
        let mut r = Reader(bytes);
        let settings = Self::read(&mut r)?;
        r.end()?;
        Ok(settings)
    }

    /// A digest by which controller and board know that they hold the same settings (FNV-1a, 64 bit, of the encoding; against
    /// mistakes, not against forgery: the secure channel is for that).
    pub fn digest(&self) -> u64 {
        let mut buffer = [0; Self::MAX_LEN];
        let used = self.encode(&mut buffer).expect("MAX_LEN holds every encoding");
        buffer[..used].iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.u16(self.offline_after_s)?;
        w.u8(match self.offline {
            OfflineRule::Refuse => 0,
            OfflineRule::Whitelist => 1,
        })?;
        w.bytes(&self.whitelist_key)?;
        match self.kind {
            KindSettings::Door(d) => {
                w.bytes(&[1, d.strike_s.get(), d.exit_s.get()])?;
                w.u16(d.held_s)?;
                w.bytes(&[codes::from_relock(d.relock), codes::from_mains_loss(d.mains_loss)])
            }
            KindSettings::GateLane(l) => w.bytes(&[2, l.pass_s.get(), l.travel_ds.get()]),
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<BoardSettings, BadBody> {
        let offline_after_s = r.u16()?;
        if !(2..=3600).contains(&offline_after_s) {
            return Err(BadBody::Range("offline_after_s"));
        }
        let offline = match r.u8()? {
            0 => OfflineRule::Refuse,
            1 => OfflineRule::Whitelist,
            _ => return Err(BadBody::Range("offline rule")),
        };
        let whitelist_key = r.array()?;
        let kind = match r.u8()? {
            1 => KindSettings::Door(door::Settings {
                strike_s: non_zero(r, "strike_s")?,
                exit_s: non_zero(r, "exit_s")?,
                held_s: r.u16()?,
                relock: codes::to_relock(r.u8()?)?,
                mains_loss: codes::to_mains_loss(r.u8()?)?,
            }),
            2 => KindSettings::GateLane(gate_lane::Settings {
                pass_s: non_zero(r, "pass_s")?,
                travel_ds: non_zero(r, "travel_ds")?,
            }),
            _ => return Err(BadBody::Range("kind of endpoint")),
        };
        Ok(BoardSettings { offline_after_s, offline, whitelist_key, kind })
    }
}

fn non_zero(r: &mut Reader<'_>, name: &'static str) -> Result<NonZeroU8, BadBody> {
    NonZeroU8::new(r.u8()?).ok_or(BadBody::Range(name))
}
