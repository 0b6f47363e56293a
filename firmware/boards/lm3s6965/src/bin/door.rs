//! The door board in the emulator.
#![no_std]
#![no_main]

use board_logic::InputSetup;
use board_tasks::Model;
use endpoints::supervision::{Contact, Windows};
use endpoints::vendor::Kind;
use lm3s6965::{Map, Pin, Port, start};

include!(concat!(env!("OUT_DIR"), "/door.rs"));

#[cortex_m_rt::entry]
fn main() -> ! {
    start(&MAP)
}
