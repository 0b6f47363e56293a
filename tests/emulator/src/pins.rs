//! Which pin of the emulated part carries which function.

use std::collections::BTreeMap;

use pinmap::{Level, Pinmap};

use crate::{EmulatorError, Machine, boards_folder};

/// The name by which a test presses the reset button.
const KEY_BUTTON: &str = "key_button";

/// A pin of the part: its port (A is 0) and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pin {
    pub(crate) port: usize,
    pub(crate) number: u8,
}

/// A function's pin and the level at which it is active.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) pin: Pin,
    pub(crate) active_high: bool,
}

impl Line {
    pub(crate) fn level(self, active: bool) -> bool {
        active == self.active_high
    }
}

/// The pins of one kind of board, by function.
#[derive(Clone, Debug)]
pub struct Pins {
    pub(crate) machine: Machine,
    pub(crate) inputs: BTreeMap<String, Line>,
    pub(crate) outputs: BTreeMap<String, Line>,
    /// Address switches, least significant first.
    pub(crate) address: Vec<Line>,
    pub(crate) address_base: u8,
    /// The Wiegand lines, (zeros, ones) for each reader.
    pub(crate) wiegand: Vec<(Pin, Pin)>,
    /// The port whose edges are streamed; QEMU streams one.
    pub(crate) streamed: usize,
}

impl Pins {
    /// The pins of `kind` (`door`, `gate-lane`) on the LM3S6965, from its pin map. Edges are streamed for the port of output number 0 and every
    /// other output on it; the rest are polled.
    pub fn of(kind: &str) -> Result<Self, EmulatorError> {
        Self::on(Machine::Lm3s6965, kind)
    }

    /// The same on another part.
    pub fn on(machine: Machine, kind: &str) -> Result<Self, EmulatorError> {
        let pin = |name: &str| machine.pin(name);
        let map = Pinmap::read(&boards_folder(), kind)?;
        let target = map
            .targets
            .get(machine.target())
            .ok_or(EmulatorError::NoFunction { kind: "target", name: machine.target().to_owned() })?;
        let line = |function: &str, active: Level| {
            Ok::<_, EmulatorError>(Line {
                pin: pin(&target.pins[function])?,
                active_high: active == Level::High,
            })
        };
        let mut inputs = BTreeMap::new();
        for (name, input) in map.inputs_in_order() {
            inputs.insert(name.to_owned(), line(name, input.active)?);
        }
        inputs.insert(
            KEY_BUTTON.to_owned(),
            Line { pin: pin(&target.key_button)?, active_high: target.address_on == Level::High },
        );
        let mut outputs = BTreeMap::new();
        let mut first = None;
        for (name, output) in map.outputs_in_order() {
            let line = line(name, output.active)?;
            first.get_or_insert(line);
            outputs.insert(name.to_owned(), line);
        }
        let address = target
            .address
            .iter()
            .map(|switch| Ok(Line { pin: pin(switch)?, active_high: target.address_on == Level::High }))
            .collect::<Result<_, EmulatorError>>()?;
        let wiegand = target
            .wiegand
            .iter()
            .map(|reader| Ok((pin(&reader.d0)?, pin(&reader.d1)?)))
            .collect::<Result<_, EmulatorError>>()?;
        let streamed = first.map_or(0, |line| line.pin.port);
        Ok(Self { machine, inputs, outputs, address, address_base: target.address_base, wiegand, streamed })
    }

    /// The `loopback` image: inputs `in0`…`in3` on port D go to outputs `out0`…`out3` on port F; `in4` makes it panic, `in5` hang.
    pub fn loopback() -> Self {
        let lines = |prefix: &str, port, count| {
            (0..count)
                .map(|number| {
                    (format!("{prefix}{number}"), Line { pin: Pin { port, number }, active_high: true })
                })
                .collect()
        };
        Self {
            machine: Machine::Lm3s6965,
            inputs: lines("in", 3, 6),
            outputs: lines("out", 5, 4),
            address: Vec::new(),
            address_base: 0,
            wiegand: Vec::new(),
            streamed: 5,
        }
    }

    pub(crate) fn input(&self, name: &str) -> Result<Line, EmulatorError> {
        let none = || EmulatorError::NoFunction { kind: "input", name: name.to_owned() };
        self.inputs.get(name).copied().ok_or_else(none)
    }

    pub(crate) fn output(&self, name: &str) -> Result<Line, EmulatorError> {
        let none = || EmulatorError::NoFunction { kind: "output", name: name.to_owned() };
        self.outputs.get(name).copied().ok_or_else(none)
    }
}
