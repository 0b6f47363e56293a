//! The controller's process against real peers: the board's own firmware logic on pseudo-terminals, a real Mosquitto with
//! certificates and access list, a scripted server and a scripted vision process; and boards in QEMU running their images.

mod alone;
mod boards;
mod broker;
mod building;
mod centre;
mod doors;
mod emulated;
mod faults;
mod firmware;
mod instead;
mod server;
mod standing;
mod vision;
