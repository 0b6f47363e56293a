//! The real process with a real broker, and devices that speak `uplink`.
#![expect(clippy::unwrap_used, reason = "a failing test says where it failed")]

mod backup;
mod broker;
mod check;
mod commands;
mod configuration;
mod connections;
mod described;
mod device;
mod enrolled;
mod events;
mod importing;
mod metrics;
mod private;
mod publication;
mod restored;
mod rights;
mod set_up;
mod site;
mod standby;
mod things;
mod upgrade;
