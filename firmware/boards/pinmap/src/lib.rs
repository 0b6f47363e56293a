//! Reads `hardware/boards/<kind>/pinmap.toml` and checks what a type cannot say: numbers without gaps, a pin for each function, each
//! pin once. [`build_boards`] is what the boards' build scripts share; each writes constants in its own words.

mod build;
mod stm32;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use build::{Generate, build_boards};
pub use stm32::generate_stm32;

/// One board: what it has, and where that sits on each part it is built for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinmap {
    /// Its kind, name and model.
    pub board: Board,
    /// The windows of its supervised inputs.
    pub supervision: Supervision,
    /// Its inputs by function.
    pub inputs: BTreeMap<String, Input>,
    /// Its outputs by function.
    pub outputs: BTreeMap<String, Output>,
    /// The parts it is built for.
    pub targets: BTreeMap<String, Target>,
}

/// What the board is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The folder of `endpoints` that says how it behaves.
    pub kind: String,
    /// Its name on paper.
    pub name: String,
    /// Its model number in the OSDP identification.
    pub model: u8,
    /// Its revision: boards whose pins moved have another, and take another's firmware no more.
    pub revision: u8,
}

/// Resistors (Ω) and windows (per mille of the converter's reference) of supervised inputs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supervision {
    /// The board's pull-up.
    pub pull_ohm: u32,
    /// In series with the contact.
    pub line_ohm: u32,
    /// Across the contact.
    pub contact_ohm: u32,
    /// Below: short.
    pub short_below: u16,
    /// Below: the contact is closed; from here: open.
    pub middle: u16,
    /// From here: the line is cut.
    pub open_from: u16,
}

/// An input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its OSDP number.
    pub number: u8,
    /// Whether it has end-of-line resistors.
    pub supervised: bool,
    /// A supervised contact at rest.
    pub contact: Option<Contact>,
    /// The level when active, read as a digital input.
    pub active: Level,
    /// Its pull.
    pub pull: Pull,
    /// A level must stand this long before it counts, ms.
    pub debounce_ms: u16,
}

/// An output.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its OSDP number.
    pub number: u8,
    /// The level when on.
    pub active: Level,
    /// Its state until the firmware decides.
    pub safe: State,
    /// Whether OSDP may command it.
    pub command: bool,
}

/// One part the board is built for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The part.
    pub chip: String,
    /// The bus's serial port.
    pub uart: String,
    /// Its transmit pin.
    pub uart_tx: String,
    /// Its receive pin.
    pub uart_rx: String,
    /// High while the board transmits.
    pub rs485_de: String,
    /// One entry a reader.
    pub wiegand: Vec<Wiegand>,
    /// Address switches, least significant first.
    pub address: Vec<String>,
    /// The level of a switch that is on.
    pub address_on: Level,
    /// The switches' pull.
    pub address_pull: Pull,
    /// The address with all switches off.
    pub address_base: u8,
    /// The button under the cover that resets the key; read like an address switch.
    pub key_button: String,
    /// The status lamp.
    pub status_led: String,
    /// Its level when lit.
    pub status_led_active: Level,
    /// Its watchdog.
    pub watchdog: String,
    /// How supervised inputs are read.
    pub supervised: Reading,
    /// Every input and output of the board.
    pub pins: BTreeMap<String, String>,
}

/// The two lines of a Wiegand reader.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wiegand {
    /// Zeros.
    pub d0: String,
    /// Ones.
    pub d1: String,
}

/// A pin's level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Level {
    Low,
    High,
}

/// A pin's pull resistor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Pull {
    Up,
    Down,
    None,
}

/// A contact at rest: normally closed or normally open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Contact {
    Nc,
    No,
}

/// An output's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum State {
    Off,
    On,
}

/// How a supervised input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// By the converter.
    Adc,
    /// As a plain input.
    Digital,
}

/// Why a pin map cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PinmapError {
    #[error("{path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    Syntax { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{path}: {what} are not numbered from 0 without gaps")]
    Numbers { path: PathBuf, what: &'static str },
    #[error("{path}: targets.{target}.pins.{function}: no such input or output of this board")]
    Stray { path: PathBuf, target: String, function: String },
    #[error("{path}: targets.{target}.pins: `{function}` has no pin")]
    Missing { path: PathBuf, target: String, function: String },
    #[error("{path}: targets.{target}: pin {pin} is used twice")]
    Twice { path: PathBuf, target: String, pin: String },
}

impl Pinmap {
    /// Reads and checks the pin map of `kind` below `boards`, the folder `hardware/boards`.
    pub fn read(boards: &Path, kind: &str) -> Result<Self, PinmapError> {
        let path = boards.join(kind).join("pinmap.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|source| PinmapError::Unreadable { path: path.clone(), source })?;
        let map: Self = toml::from_str(&text)
            .map_err(|source| PinmapError::Syntax { path: path.clone(), source: Box::new(source) })?;
        map.check(&path)?;
        Ok(map)
    }

    /// The inputs with their functions, in the order of their numbers.
    pub fn inputs_in_order(&self) -> Vec<(&str, &Input)> {
        let mut inputs: Vec<_> = self.inputs.iter().map(|(name, input)| (name.as_str(), input)).collect();
        inputs.sort_by_key(|(_, input)| input.number);
        inputs
    }

    /// The outputs with their functions, in the order of their numbers.
    pub fn outputs_in_order(&self) -> Vec<(&str, &Output)> {
        let mut outputs: Vec<_> = self.outputs.iter().map(|(name, output)| (name.as_str(), output)).collect();
        outputs.sort_by_key(|(_, output)| output.number);
        outputs
    }

    fn check(&self, path: &Path) -> Result<(), PinmapError> {
        let path = || path.to_owned();
        if !without_gaps(self.inputs_in_order().iter().map(|(_, input)| input.number)) {
            return Err(PinmapError::Numbers { path: path(), what: "inputs" });
        }
        if !without_gaps(self.outputs_in_order().iter().map(|(_, output)| output.number)) {
            return Err(PinmapError::Numbers { path: path(), what: "outputs" });
        }
        let functions: Vec<_> = self.inputs.keys().chain(self.outputs.keys()).collect();
        for (name, target) in &self.targets {
            if let Some(stray) = target.pins.keys().find(|function| !functions.contains(function)) {
                return Err(PinmapError::Stray {
                    path: path(),
                    target: name.clone(),
                    function: stray.clone(),
                });
            }
            if let Some(missing) = functions.iter().find(|function| !target.pins.contains_key(**function)) {
                let function = (*missing).clone();
                return Err(PinmapError::Missing { path: path(), target: name.clone(), function });
            }
            let mut pins: Vec<_> = target.all_pins().collect();
            pins.sort_unstable();
            if let Some(pair) = pins.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(PinmapError::Twice {
                    path: path(),
                    target: name.clone(),
                    pin: pair[0].to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl Target {
    /// Every pin the target uses.
    fn all_pins(&self) -> impl Iterator<Item = &str> {
        [&self.uart_tx, &self.uart_rx, &self.rs485_de, &self.key_button, &self.status_led]
            .into_iter()
            .chain(self.wiegand.iter().flat_map(|reader| [&reader.d0, &reader.d1]))
            .chain(&self.address)
            .chain(self.pins.values())
            .map(String::as_str)
    }
}

fn without_gaps(numbers: impl Iterator<Item = u8>) -> bool {
    numbers.enumerate().all(|(place, number)| place == usize::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boards() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../hardware/boards")
    }

    fn changed(kind: &str, from: &str, to: &str) -> PinmapError {
        let folder = std::env::temp_dir().join(format!(
            "pinmap-{}-{}",
            std::process::id(),
            from.len() * 31 + to.len()
        ));
        std::fs::create_dir_all(folder.join(kind)).expect("a temporary folder");
        let text =
            std::fs::read_to_string(boards().join(kind).join("pinmap.toml")).expect("the board's own map");
        assert!(text.contains(from), "the map has {from}");
        std::fs::write(folder.join(kind).join("pinmap.toml"), text.replacen(from, to, 1)).expect("writable");
        let error = Pinmap::read(&folder, kind).expect_err("a wrong map is refused");
        std::fs::remove_dir_all(&folder).expect("ours");
        error
    }

    #[test]
    fn every_board_has_a_sound_map() {
        for kind in ["door", "gate-lane"] {
            let map = Pinmap::read(&boards(), kind).expect("a sound map");
            assert_eq!(map.board.kind, kind);
        }
    }

    #[test]
    fn a_wrong_map_names_what_is_wrong() {
        assert!(matches!(changed("door", "number = 3", "number = 9"), PinmapError::Numbers { .. }));
        assert!(matches!(changed("door", "lock = \"PF0\"", "lokc = \"PF0\""), PinmapError::Stray { .. }));
        assert!(matches!(changed("door", "lock = \"PF0\"\n", ""), PinmapError::Missing { .. }));
        assert!(matches!(changed("door", "lock = \"PF0\"", "lock = \"PF1\""), PinmapError::Twice { .. }));
        assert!(matches!(changed("door", "debounce_ms", "debounse_ms"), PinmapError::Syntax { .. }));
    }
}
