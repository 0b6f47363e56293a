//! The parts a board can be emulated on.

use std::ffi::OsString;
use std::process::Command;

use serde_json::json;

use crate::EmulatorError;
use crate::pins::Pin;
use crate::qmp::Qmp;

/// QEMU as the machine has it.
const QEMU: &str = "qemu-system-arm";
/// Names another QEMU, for the parts that the machine's own is too old for.
const NEWER_QEMU: &str = "GATEHOUSE_QEMU_ARM";
/// The first QEMU that knows the STM32L475's serial ports.
const FIRST_WITH_L475: u32 = 9;

/// An emulated part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// QEMU's `lm3s6965evb`.
    Lm3s6965,
    /// QEMU's `b-l475e-iot01a`, for QEMU 9 and newer.
    Stm32l475,
}

impl Machine {
    /// The QEMU that runs it: the machine's own, or where that is too old the one that `GATEHOUSE_QEMU_ARM` names. None if there is
    /// none.
    pub fn program(self) -> Option<OsString> {
        match self {
            Self::Lm3s6965 => Some(QEMU.into()),
            Self::Stm32l475 => [std::env::var_os(NEWER_QEMU), Some(QEMU.into())]
                .into_iter()
                .flatten()
                .find(|program| version(program).is_some_and(|major| major >= FIRST_WITH_L475)),
        }
    }

    /// By this name QEMU knows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lm3s6965 => "lm3s6965evb",
            Self::Stm32l475 => "b-l475e-iot01a",
        }
    }

    /// The section of a pin map that is for it.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Lm3s6965 => "qemu-lm3s6965",
            Self::Stm32l475 => "qemu-stm32l475",
        }
    }

    /// Where its images are built, below `firmware/boards/target`, and what their names begin with.
    pub(crate) fn images(self) -> (&'static str, &'static str) {
        match self {
            Self::Lm3s6965 => ("thumbv7m-none-eabi/release", ""),
            Self::Stm32l475 => ("thumbv7em-none-eabihf/release", "l475-"),
        }
    }

    /// A pin by its name.
    pub(crate) fn pin(self, name: &str) -> Result<Pin, EmulatorError> {
        let (last_port, pins) = match self {
            Self::Lm3s6965 => (b'G', 8),
            Self::Stm32l475 => (b'H', 16),
        };
        let parsed = match name.as_bytes() {
            [b'P', port, ..] if (b'A'..=last_port).contains(port) => {
                let number = name[2..].parse().ok().filter(|number| *number < pins);
                number.map(|number| Pin { port: usize::from(port - b'A'), number })
            }
            _ => None,
        };
        parsed.ok_or_else(|| EmulatorError::Pin(name.to_owned()))
    }

    /// The paths of its ports in QEMU's tree, in order.
    pub(crate) fn ports(self, qmp: &Qmp) -> Result<Vec<String>, EmulatorError> {
        match self {
            Self::Lm3s6965 => lm3s6965_ports(qmp),
            Self::Stm32l475 => Ok(('a'..='h').map(|port| format!("/machine/soc/gpio{port}")).collect()),
        }
    }

    /// The word that shows a pin's level, and its bit there.
    pub(crate) fn level(self, pin: Pin) -> (u32, u32) {
        match self {
            Self::Lm3s6965 => (LM3S6965_PORTS[pin.port] + (4 << pin.number), 1 << pin.number),
            Self::Stm32l475 => (l475_port(pin.port) + L475_INPUT, 1 << pin.number),
        }
    }

    /// The word that shows that an edge of a pin waits for the processor, and its bit there.
    pub(crate) fn latched(self, pin: Pin) -> (u32, u32) {
        match self {
            Self::Lm3s6965 => (LM3S6965_PORTS[pin.port] + LM3S6965_LATCHED, 1 << pin.number),
            Self::Stm32l475 => (L475_LATCHED, 1 << pin.number),
        }
    }

    /// The words of zeros that let go of all outputs.
    pub(crate) fn let_go(self) -> Vec<u32> {
        match self {
            Self::Lm3s6965 => LM3S6965_PORTS.iter().map(|port| port + LM3S6965_ALL_PINS).collect(),
            Self::Stm32l475 => (0..8).map(|port| l475_port(port) + L475_OUTPUT).collect(),
        }
    }
}

/// Ports of the LM3S6965, and where their data registers are.
const LM3S6965_PORTS: [u32; 7] =
    [0x4000_4000, 0x4000_5000, 0x4000_6000, 0x4000_7000, 0x4002_4000, 0x4002_5000, 0x4002_6000];
/// The data register's offset that shows all pins of a port.
const LM3S6965_ALL_PINS: u32 = 0xFF << 2;
/// The raw interrupt status of a port.
const LM3S6965_LATCHED: u32 = 0x414;

/// The pending register of the interrupt controller for pins, EXTI_PR1.
const L475_LATCHED: u32 = 0x4001_0414;
const L475_INPUT: u32 = 0x10;
const L475_OUTPUT: u32 = 0x14;

fn l475_port(number: usize) -> u32 {
    0x4800_0000 + 0x400 * u32::try_from(number).expect("eight ports")
}

fn lm3s6965_ports(qmp: &Qmp) -> Result<Vec<String>, EmulatorError> {
    let devices = qmp.ask("qom-list", json!({ "path": "/machine/unattached" }))?;
    let mut ports: Vec<(u32, String)> = devices
        .as_array()
        .into_iter()
        .flatten()
        .filter(|device| device["type"].as_str().is_some_and(|kind| kind.contains("pl061_luminary")))
        .filter_map(|device| {
            let name = device["name"].as_str()?;
            let place = name.strip_prefix("device[")?.strip_suffix(']')?.parse().ok()?;
            Some((place, format!("/machine/unattached/{name}")))
        })
        .collect();
    ports.sort_unstable();
    if ports.len() != LM3S6965_PORTS.len() {
        return Err(EmulatorError::Refused { command: "qom-list".to_owned(), answer: devices.to_string() });
    }
    Ok(ports.into_iter().map(|(_, path)| path).collect())
}

/// The major number of a QEMU's version; none if it cannot be run.
fn version(program: &OsString) -> Option<u32> {
    let said = Command::new(program).arg("--version").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    said.split_once("version ")?.1.split('.').next()?.parse().ok()
}
