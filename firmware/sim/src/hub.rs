//! One RS-485 bus out of several ports: every byte one says, all others hear.

use std::io;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::serial::{self, Port, Writer};

/// Joins these ports. It works on threads of its own from then on.
pub fn join(ports: &[Port]) -> io::Result<()> {
    let all: Arc<OnceLock<Vec<Writer>>> = Arc::default();
    let mut writers = Vec::new();
    for (own, port) in ports.iter().enumerate() {
        let bus = Arc::clone(&all);
        let writer = serial::open(port, move |bytes| {
            for (_, other) in bus.wait().iter().enumerate().filter(|(n, _)| *n != own) {
                other.send(bytes);
            }
        })?;
        writers.push(writer);
    }
    all.set(writers).map_err(|_| io::Error::other("the bus is joined once"))
}
