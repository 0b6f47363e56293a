//! Boards in QEMU, from power on. Needs `qemu-system-arm` and the images (`cargo xtask test` builds them).

mod bus;
mod door;
mod instructions;
mod l475;
mod lane;
mod loopback;
mod panel;
mod support;
