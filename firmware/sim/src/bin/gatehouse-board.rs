//! A Gatehouse board without the board: the firmware's logic as a process.

use std::path::PathBuf;

use anyhow::Context;
use board_sim::board::{Options, run};
use board_sim::script;
use board_sim::serial::Port;
use clap::{Parser, ValueEnum};
use endpoints::vendor::Kind;
use osdp::{Address, Baud};

/// A Gatehouse board as a process. Standard input and the control socket take lines: press rex, fire on, card 26 12:3456, state, …
/// Standard output has one JSON line for each change of an output.
#[derive(Parser)]
struct Arguments {
    /// Which board.
    #[arg(long, value_enum)]
    board: BoardName,
    /// Its OSDP address, 0 to 126.
    #[arg(long)]
    address: u8,
    /// Its bus: pty:LINK (a new pseudo-terminal), PATH or unix:PATH (listens), connect:PATH.
    #[arg(long)]
    serial: Port,
    /// Its flash, a file.
    #[arg(long)]
    flash: PathBuf,
    /// A Unix socket for commands.
    #[arg(long)]
    control: Option<PathBuf>,
    /// The bus's speed in bits a second.
    #[arg(long, default_value_t = 115_200)]
    baud: u32,
    /// Serial number; by default made from the address.
    #[arg(long)]
    serial_number: Option<u32>,
    /// Secure-channel key from the factory, 32 hex digits; a key that a panel installed goes before.
    #[arg(long)]
    key: Option<String>,
    /// Let a panel without secure channel drive it while no key is set.
    #[arg(long)]
    allow_clear: bool,
    /// The maker's public key for firmware, 64 hex digits; twice for two. Without any the board takes none.
    #[arg(long)]
    vendor_key: Vec<String>,
    /// How many readers, 1 or 2; by default as its pin map says.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    readers: Option<u8>,
    /// End when the parent process ends.
    #[arg(long)]
    die_with_parent: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum BoardName {
    Door,
    GateLane,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.die_with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    let key = match &arguments.key {
        Some(text) => {
            let bytes = script::hex(text).context("--key: not hex")?;
            Some(bytes.try_into().ok().context("--key: not 16 bytes")?)
        }
        None => None,
    };
    let vendor_key = |text: &String| {
        let bytes = script::hex(text).context("--vendor-key: not hex")?;
        bytes.try_into().ok().context("--vendor-key: not 32 bytes")
    };
    run(&Options {
        vendor_keys: arguments.vendor_key.iter().map(vendor_key).collect::<anyhow::Result<_>>()?,
        kind: match arguments.board {
            BoardName::Door => Kind::Door,
            BoardName::GateLane => Kind::GateLane,
        },
        address: Address::new(arguments.address).context("--address: not 0 to 126")?,
        baud: Baud::new(arguments.baud).context("--baud: not 0")?,
        serial_number: arguments.serial_number.unwrap_or(1000 + u32::from(arguments.address)),
        port: arguments.serial,
        flash: arguments.flash,
        control: arguments.control,
        key,
        allow_clear: arguments.allow_clear,
        readers: arguments.readers,
    })
}
