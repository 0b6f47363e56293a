//! Joins several serial ports to one RS-485 bus.

use std::thread;

use anyhow::ensure;
use board_sim::hub::join;
use board_sim::serial::{Port, announce};
use clap::Parser;

/// One RS-485 bus out of several ports: every byte one says, all others hear. For boards in an emulator whose serial port is a Unix
/// socket, and boards as processes.
#[derive(Parser)]
struct Arguments {
    /// A place on the bus, at least two: pty:LINK (a new pseudo-terminal, for the controller), connect:PATH (a board's socket), unix:PATH
    /// (listens).
    #[arg(required = true)]
    ports: Vec<Port>,
    /// End when the parent process ends.
    #[arg(long)]
    die_with_parent: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.ports.len() >= 2, "a bus has at least two ports");
    if arguments.die_with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    join(&arguments.ports)?;
    announce(&format!("bus with {} ports", arguments.ports.len()))?;
    loop {
        thread::park();
    }
}
