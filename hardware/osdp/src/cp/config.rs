//! What a panel is told about its bus and its devices.

use crate::secure::Key;
use crate::time::{Baud, Micros, OFFLINE_AFTER, REPLY_TIMEOUT};
use crate::wire::{Address, MAX_FRAME};

/// One bus.
#[derive(Clone, Copy, Debug)]
pub struct BusConfig {
    /// The line's speed.
    pub baud: Baud,
    /// Silence between a reply's last byte and the next command. At least two characters (§5.7).
    pub turnaround: Micros,
    /// How long a reply may take to begin, after the command's last byte. The standard's limit is 200 ms.
    pub reply_timeout: Micros,
    /// Silence inside a frame after which the rest will not come.
    pub frame_gap: Micros,
    /// A device without a valid reply for so long is off-line. The standard's limit is 8 s.
    pub offline_after: Micros,
    /// Shortest time between two polls of one device; 0 polls without pause.
    pub poll_interval: Micros,
    /// Waits before an off-line device is asked again; the last one repeats.
    pub probe_after: [Micros; 3],
    /// Whether an idle mark (0xFF) goes before each command, for converters that lose the first byte.
    pub mark: bool,
    /// Largest reply to expect, told to each device; 128 to 1440 bytes.
    pub receive_size: u16,
    /// Whether inputs, outputs and local status are asked when a device comes on-line.
    pub ask_status: bool,
}

impl BusConfig {
    /// The standard's times for this line.
    pub const fn new(baud: Baud) -> Self {
        Self {
            baud,
            turnaround: baud.characters(2),
            reply_timeout: REPLY_TIMEOUT,
            frame_gap: 20_000,
            offline_after: OFFLINE_AFTER,
            poll_interval: 10_000,
            probe_after: [1_000_000, 5_000_000, 30_000_000],
            mark: false,
            receive_size: MAX_FRAME as u16,
            ask_status: true,
        }
    }
}

/// How a device is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceSecurity {
    /// In clear: an old device that cannot do better. Anyone on the line can open its door.
    Clear,
    /// With this key, never in clear. A device that does not have it is off-line.
    Required(Key),
    /// With this key; until then, a device that only has the default key is given this one. Becomes
    /// [`DeviceSecurity::Required`] when the key is installed or the time is over.
    Install {
        /// The device's own key, to be installed.
        key: Key,
        /// When the window closes by itself.
        until: Micros,
    },
}

/// One device on the bus.
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    /// Its address.
    pub address: Address,
    /// How it is spoken to.
    pub security: DeviceSecurity,
    /// Integrity check of its frames.
    pub check: crate::Check,
}

impl DeviceConfig {
    /// A device that is checked by CRC.
    pub const fn new(address: Address, security: DeviceSecurity) -> Self {
        Self { address, security, check: crate::Check::Crc16 }
    }
}
