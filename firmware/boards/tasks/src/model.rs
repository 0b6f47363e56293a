//! What all boards of one kind have in common, and one board's setup.

use core::ops::Range;

use board_logic::{InputSetup, Setup, Updates};
use endpoints::vendor::firmware::{Fits, Running, Text};
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
    /// Its revision: another one's pins are elsewhere.
    pub revision: u8,
    /// Which target of the pin map it is built for.
    pub target: &'static str,
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

impl Model {
    /// What images it takes, and where they go. None where the firmware was built without a key of its maker.
    ///
    /// # Panics
    /// If the target's name is too long: the board was built wrongly.
    pub fn updates(&self, place: Range<u32>, marks: Range<u32>) -> Option<Updates> {
        let keys = VENDOR_KEYS.into_iter().flatten().collect::<Vec<_, 2>>();
        let target = Text::new(self.target).expect("a target's name is short");
        let fits = Fits { kind: self.kind, model: self.number, revision: self.revision, target };
        let running = Running { fits, firmware: FIRMWARE, security: SECURITY };
        (!keys.is_empty()).then_some(Updates { place, marks, keys, running })
    }
}

/// Boards that run this take no version with a lower one. Raise it with a version whose predecessors must not come back.
const SECURITY: u32 = 1;

/// The maker's public keys, from the variable `GATEHOUSE_VENDOR_KEYS` at build time: 64 hexadecimal digits, or two of them with a comma between.
const VENDOR_KEYS: [Option<[u8; 32]>; 2] = match option_env!("GATEHOUSE_VENDOR_KEYS") {
    None => [None, None],
    Some(text) => {
        let text = text.as_bytes();
        match text.len() {
            0 => [None, None],
            64 => [Some(key(text, 0)), None],
            129 => [Some(key(text, 0)), Some(key(text, 65))],
            _ => panic!("GATEHOUSE_VENDOR_KEYS: a key is 64 hexadecimal digits"),
        }
    }
};

const fn key(text: &[u8], from: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut at = 0;
    while at < 32 {
        bytes[at] = digit(text[from + 2 * at]) << 4 | digit(text[from + 2 * at + 1]);
        at += 1;
    }
    bytes
}

const fn digit(character: u8) -> u8 {
    match character {
        b'0'..=b'9' => character - b'0',
        b'a'..=b'f' => character - b'a' + 10,
        b'A'..=b'F' => character - b'A' + 10,
        _ => panic!("GATEHOUSE_VENDOR_KEYS: a key is 64 hexadecimal digits"),
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
