//! What all boards of one kind have in common, and one board's setup.

use board_logic::{InputSetup, Setup};
use endpoints::vendor::{Kind, Reset};
use heapless::Vec;
use osdp::{Address, Baud};

/// The bus's speed, bits a second.
pub const BAUD: u32 = 115_200;

/// A kind of board as its pin map has it.
pub struct Model {
    /// Which kind of endpoint it serves.
    pub kind: Kind,
    /// Its number in the OSDP identification.
    pub number: u8,
    /// Its inputs.
    pub inputs: &'static [InputSetup],
    /// How many readers are wired.
    pub readers: u8,
    /// Its address with all switches off.
    pub address_base: u8,
}

impl Model {
    /// One board of this kind. `switches` are its address switches as a number.
    ///
    /// # Panics
    /// If the address is beyond 126 or the map has more than 16 inputs: the board was built wrongly.
    pub fn setup(&self, switches: u8, serial: u32, reset: Reset) -> Setup {
        let address = self.address_base.checked_add(switches).and_then(Address::new);
        Setup {
            kind: self.kind,
            address: address.expect("five switches end far below 126"),
            baud: Baud::new(BAUD).expect("not zero"),
            model: self.number,
            serial,
            firmware: FIRMWARE,
            inputs: Vec::from_slice(self.inputs).expect("at most 16 inputs"),
            readers: self.readers,
            display: false,
            allow_clear: false,
            reset,
        }
    }
}

/// This package's version.
const FIRMWARE: [u8; 3] = [
    part(env!("CARGO_PKG_VERSION_MAJOR")),
    part(env!("CARGO_PKG_VERSION_MINOR")),
    part(env!("CARGO_PKG_VERSION_PATCH")),
];

const fn part(digits: &str) -> u8 {
    match u8::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("a version's parts are below 256"),
    }
}
