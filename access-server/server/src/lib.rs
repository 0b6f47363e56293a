//! The access server: composes the slices into one process.
//!
//! Speaks MQTT with the devices, HTTPS with browsers, and holds no rule of its own: what an event means is for the
//! slices' reactions, what a page shows for the console. Nobody calls it but its own binary and tests.

pub mod active;
pub mod answers;
pub mod backup;
pub mod broker;
pub mod certificates;
pub mod check;
pub mod config;
pub mod connections;
pub mod health;
pub mod listening;
pub mod mqtt;
pub mod private;
pub mod serve;
pub mod set_up;
pub mod slices;
pub mod sync;
pub mod tls;
