//! What a peripheral is told once.

use heapless::Vec;

use crate::secure::Key;
use crate::status::{Capability, Identity, function};
use crate::time::{Baud, Micros, OFFLINE_AFTER};
use crate::wire::Address;

/// Lines of the capability report.
pub const MAX_CAPABILITIES: usize = 20;

/// What a peripheral may say in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PdSecurity {
    /// Everything; a secure channel only if the panel begins one and there is a key.
    Optional(Option<Key>),
    /// A key is set: in clear only who it is, what it can do, and the handshake with this key.
    Required(Key),
    /// No key yet, and somebody stands at the device: the default key is taken, to install a key and to
    /// look, but not to drive anything. Ends when a key is installed.
    Install,
}

/// A peripheral's configuration.
#[derive(Clone, Debug)]
pub struct PdConfig {
    /// Its address on the bus.
    pub address: Address,
    /// The line's speed, for pauses between frames.
    pub baud: Baud,
    /// Who it is.
    pub identity: Identity,
    /// What it can do. Check character, security, buffer size and version are filled in.
    pub capabilities: Vec<Capability, MAX_CAPABILITIES>,
    /// What it may say in clear.
    pub security: PdSecurity,
    /// Silence before a reply, after the command's last byte. At least two characters (§5.7).
    pub turnaround: Micros,
    /// A request not answered by then is put off with `osdp_BUSY`.
    pub busy_after: Micros,
    /// A card or key that no panel fetched for so long is forgotten: nobody stands there any more.
    pub credential_life: Micros,
    /// Silence inside a frame after which its beginning is forgotten.
    pub frame_gap: Micros,
    /// Silence after which the panel counts as gone and the secure channel ends.
    pub offline_after: Micros,
}

impl PdConfig {
    /// The standard's times for this line.
    pub fn new(address: Address, baud: Baud, identity: Identity, security: PdSecurity) -> Self {
        Self {
            address,
            baud,
            identity,
            capabilities: Vec::new(),
            security,
            turnaround: baud.characters(2),
            busy_after: 100_000,
            credential_life: 5_000_000,
            frame_gap: 100_000,
            offline_after: OFFLINE_AFTER,
        }
    }

    /// Adds a line to the capability report; one that is filled in anyway is left out. Returns `None` when
    /// there are [`MAX_CAPABILITIES`].
    #[must_use]
    pub fn with_capability(mut self, function: u8, level: u8, count: u8) -> Option<Self> {
        if !is_implicit(function) {
            self.capabilities.push(Capability { function, level, count }).ok()?;
        }
        Some(self)
    }

    pub(crate) fn report(&self, buffer: usize) -> Vec<Capability, { MAX_CAPABILITIES + 4 }> {
        let [low, high] = u16::try_from(buffer).unwrap_or(u16::MAX).to_le_bytes();
        let installing = u8::from(self.security == PdSecurity::Install);
        let secure = u8::from(self.security != PdSecurity::Optional(None));
        let implicit = [
            Capability { function: function::CHECK_CHARACTER, level: 1, count: 0 },
            Capability { function: function::COMMUNICATION_SECURITY, level: secure, count: installing },
            Capability { function: function::RECEIVE_BUFFER, level: low, count: high },
            Capability { function: function::VERSION, level: 2, count: 0 },
        ];
        let mut report: Vec<Capability, { MAX_CAPABILITIES + 4 }> =
            self.capabilities.iter().copied().filter(|line| !is_implicit(line.function)).collect();
        report.extend(implicit);
        report.sort_unstable_by_key(|line| line.function);
        report
    }
}

fn is_implicit(code: u8) -> bool {
    matches!(
        code,
        function::CHECK_CHARACTER
            | function::COMMUNICATION_SECURITY
            | function::RECEIVE_BUFFER
            | function::VERSION
    )
}
