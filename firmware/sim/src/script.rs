//! The world around a board, as lines of text.
//!
//! ```text
//! press rex [ms]        operate an input, for so long if given      release rex    let it go
//! fire on | fire off    the same by any input's name                cut fire       cut a supervised line
//! open contact          the door opens                              short fire     short it
//! close contact         the door closes                             mend fire      whole again, at rest
//! card 26 12:3456 [reader]   a card by facility and number; or hex of its bits, left-aligned
//! pin 1234# [reader]    keys                                        pass [ms]      the door opens and closes again
//! walk in | walk out    somebody walks through the lane             leaf stuck | leaf free
//! power cut | power on  RAM is lost, flash stays                    serial cut | serial mend
//! state                 outputs and link in one line                watch          copies of all lines
//! quit
//! ```

use board_logic::Read;

/// A line, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// An input's level, and for how long in ms.
    Input {
        /// Its name.
        name: String,
        /// Operated or not.
        active: bool,
        /// Then the opposite.
        for_ms: Option<u64>,
    },
    /// A supervised line reads so many per mille.
    Reading {
        /// Its name.
        name: String,
        /// Per mille of the reference.
        per_mille: u16,
    },
    /// A reader reads.
    Reads {
        /// Which reader.
        reader: u8,
        /// What, in order.
        reads: Vec<Read>,
    },
    /// The door opens and closes after so many ms.
    Pass(u64),
    /// Somebody walks through the lane, inwards or outwards.
    Walk {
        /// Inwards.
        inward: bool,
    },
    /// The lane's leaf follows its drive, or not.
    Leaf {
        /// It follows.
        moves: bool,
    },
    /// Power.
    Power {
        /// There is power.
        on: bool,
    },
    /// The bus.
    Serial {
        /// It is connected.
        connected: bool,
    },
    /// Say how things are.
    State,
    /// Copy all lines to this connection.
    Watch,
    /// End.
    Quit,
}

/// Why a line was not understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Misread {
    /// Nothing on it.
    #[error("an empty line")]
    Empty,
    /// Not a command.
    #[error("no such command: {0}")]
    Command(String),
    /// Its arguments are wrong.
    #[error("wrong arguments for {0}")]
    Arguments(&'static str),
}

/// Reads a line.
pub fn read(line: &str) -> Result<Command, Misread> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let input = |name: &str, active, for_ms| Command::Input { name: name.to_owned(), active, for_ms };
    match *words.as_slice() {
        [] => Err(Misread::Empty),
        ["press", name] => Ok(input(name, true, None)),
        ["press", name, ms] => Ok(input(name, true, Some(number(ms, "press")?))),
        ["release", name] => Ok(input(name, false, None)),
        ["open", name] => Ok(input(name, true, None)),
        ["close", name] => Ok(input(name, false, None)),
        ["cut", name] => Ok(Command::Reading { name: name.to_owned(), per_mille: 1000 }),
        ["short", name] => Ok(Command::Reading { name: name.to_owned(), per_mille: 0 }),
        ["mend", name] => Ok(input(name, false, None)),
        ["card", bits, what] => card(bits, what, "0"),
        ["card", bits, what, reader] => card(bits, what, reader),
        ["pin", keys] => pin(keys, "0"),
        ["pin", keys, reader] => pin(keys, reader),
        ["pass"] => Ok(Command::Pass(1000)),
        ["pass", ms] => Ok(Command::Pass(number(ms, "pass")?)),
        ["walk", way @ ("in" | "out")] => Ok(Command::Walk { inward: way == "in" }),
        ["leaf", how @ ("stuck" | "free")] => Ok(Command::Leaf { moves: how == "free" }),
        ["power", how @ ("cut" | "on")] => Ok(Command::Power { on: how == "on" }),
        ["serial", how @ ("cut" | "mend")] => Ok(Command::Serial { connected: how == "mend" }),
        ["state"] => Ok(Command::State),
        ["watch"] => Ok(Command::Watch),
        ["quit"] => Ok(Command::Quit),
        [name, level @ ("on" | "off")] => Ok(input(name, level == "on", None)),
        [other, ..] => Err(Misread::Command(other.to_owned())),
    }
}

fn number<T: std::str::FromStr>(word: &str, of: &'static str) -> Result<T, Misread> {
    word.parse().map_err(|_| Misread::Arguments(of))
}

fn card(bits: &str, what: &str, reader: &str) -> Result<Command, Misread> {
    let bad = Misread::Arguments("card");
    let bits: u16 = number(bits, "card")?;
    let data = match what.split_once(':') {
        Some((facility, number)) if bits == 26 => {
            let facility: u8 = facility.parse().map_err(|_| bad.clone())?;
            let number: u16 = number.parse().map_err(|_| bad.clone())?;
            standard_26(facility, number)
        }
        Some(_) => return Err(bad),
        None => {
            let bytes = hex(what).ok_or_else(|| bad.clone())?;
            if bytes.len() != usize::from(bits.div_ceil(8)) || bits == 0 || bits > 64 {
                return Err(bad);
            }
            let mut data = [0; 8];
            data[..bytes.len()].copy_from_slice(&bytes);
            data
        }
    };
    Ok(Command::Reads { reader: number(reader, "card")?, reads: vec![Read::Card { bits, data }] })
}

/// The usual card of 26 bits: even parity, facility, number, odd parity.
pub fn standard_26(facility: u8, number: u16) -> [u8; 8] {
    let payload = u32::from(facility) << 16 | u32::from(number);
    let even = (payload >> 12).count_ones() & 1;
    let odd = !(payload & 0xFFF).count_ones() & 1;
    let bits = even << 25 | payload << 1 | odd;
    let mut data = [0; 8];
    data[..4].copy_from_slice(&(bits << 6).to_be_bytes());
    data
}

fn pin(keys: &str, reader: &str) -> Result<Command, Misread> {
    let reads = keys
        .bytes()
        .map(|key| match key {
            b'0'..=b'9' => Ok(Read::Key(key)),
            b'*' => Ok(Read::Key(0x7F)),
            b'#' => Ok(Read::Key(0x0D)),
            _ => Err(Misread::Arguments("pin")),
        })
        .collect::<Result<_, _>>()?;
    Ok(Command::Reads { reader: number(reader, "pin")?, reads })
}

/// Bytes from hex.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood_or_said_to_be_wrong() {
        let input = |name: &str, active, for_ms| Command::Input { name: name.into(), active, for_ms };
        assert_eq!(read("press rex 400"), Ok(input("rex", true, Some(400))));
        assert_eq!(read("fire on"), Ok(input("fire", true, None)));
        assert_eq!(read("  close contact "), Ok(input("contact", false, None)));
        assert_eq!(read("power cut"), Ok(Command::Power { on: false }));
        assert_eq!(read(""), Err(Misread::Empty));
        assert_eq!(read("dance"), Err(Misread::Command("dance".into())));
        assert_eq!(read("card 26 zz"), Err(Misread::Arguments("card")));
        assert_eq!(read("card 34 1:2"), Err(Misread::Arguments("card")));
        assert_eq!(read("pin 12a"), Err(Misread::Arguments("pin")));
    }

    #[test]
    fn a_card_by_facility_and_number_is_the_card_by_its_bits() {
        // The card of the captured OSDP frame: 26 bits, 00 12 34 56 80 is facility 0x24, number 0x68AD shifted by its parity bit.
        let by_number = read("card 26 18:13398").unwrap();
        let Command::Reads { reads, reader: 0 } = &by_number else { panic!("a card") };
        let [Read::Card { bits: 26, data }] = reads[..] else { panic!("a card") };
        let hex: String = data[..4].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(read(&format!("card 26 {hex}")), Ok(by_number));
        assert_eq!(data[4..], [0; 4]);
        assert_eq!(data[3] & 0x3F, 0, "left-aligned, zero-padded");
    }
}
