//! What devices say they look like now: held in memory, each with the time it was heard, never older than it says.
//!
//! Not durable and not journaled: after a start everything is unknown until it speaks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use uplink::live::Live;

use crate::clock::Micros;

/// Devices held at most; more than any site has. A further one is not taken in, and the caller is told.
pub const DEVICES: usize = 4096;

/// One device as it was last heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// When the server heard it: UTC, microseconds, by the server's clock.
    pub heard_at: Micros,
    /// The device's clock minus the server's, in microseconds, transport included.
    pub clock_error: i64,
    /// What it said.
    pub live: Arc<Live>,
}

/// The table of all devices. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LiveTable(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    devices: Mutex<BTreeMap<String, Heard>>,
    changes: watch::Sender<u64>,
}

impl Default for LiveTable {
    fn default() -> Self {
        Self(Arc::new(Inner { devices: Mutex::default(), changes: watch::Sender::new(0) }))
    }
}

impl LiveTable {
    /// Takes in what a device (its certificate's common name) says. `false` when the table is full.
    pub fn hear(&self, device: &str, live: Live, now: Micros) -> bool {
        let heard = Heard { heard_at: now, clock_error: live.at.saturating_sub(now), live: Arc::new(live) };
        {
            let mut devices = self.0.devices.lock().unwrap_or_else(PoisonError::into_inner);
            if devices.len() >= DEVICES && !devices.contains_key(device) {
                return false;
            }
            devices.insert(device.to_owned(), heard);
        }
        self.0.changes.send_modify(|changes| *changes += 1);
        true
    }

    /// Every device, by name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Heard> {
        self.0.devices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Told after each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}
