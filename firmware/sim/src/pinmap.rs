//! The board's inputs and outputs as its pin map says, the same the firmware is built from.

use anyhow::{Context, ensure};
use board_logic::InputSetup;
use endpoints::supervision::{Contact, Windows};
use endpoints::vendor::Kind;
use toml::{Table, Value};

const DOOR: &str = include_str!("../../../hardware/boards/door/pinmap.toml");
const GATE_LANE: &str = include_str!("../../../hardware/boards/gate-lane/pinmap.toml");

/// What the process needs of a pin map.
#[derive(Clone, Debug)]
pub struct PinMap {
    /// Model number.
    pub model: u8,
    /// Revision: boards whose pins moved have another.
    pub revision: u8,
    /// Inputs in OSDP order: name, whether supervised, and how it is read.
    pub inputs: Vec<(String, bool, InputSetup)>,
    /// Names of the outputs in OSDP order.
    pub outputs: Vec<String>,
    /// How many readers are wired.
    pub readers: u8,
}

impl PinMap {
    /// The pin map of a kind of board.
    pub fn of(kind: Kind) -> anyhow::Result<PinMap> {
        let (name, text) = match kind {
            Kind::Door => ("door", DOOR),
            Kind::GateLane => ("gate-lane", GATE_LANE),
        };
        PinMap::read(text).with_context(|| format!("the pin map of {name}"))
    }

    /// The number of an input.
    pub fn input(&self, name: &str) -> Option<u8> {
        self.inputs.iter().position(|(n, ..)| n == name).and_then(|n| u8::try_from(n).ok())
    }

    fn read(text: &str) -> anyhow::Result<PinMap> {
        let map: Table = text.parse()?;
        let number = |table: &Value, key: &str| {
            table.get(key).and_then(Value::as_integer).with_context(|| format!("no number {key}"))
        };
        let supervision = map.get("supervision").context("no [supervision]")?;
        let window = |key| anyhow::Ok(u16::try_from(number(supervision, key)?)?);
        let windows = Windows {
            short_below: window("short_below")?,
            middle: window("middle")?,
            open_from: window("open_from")?,
        };
        let mut inputs = Vec::new();
        for (name, input) in numbered(&map, "inputs")? {
            let supervised = input.get("supervised").and_then(Value::as_bool).unwrap_or(false);
            let debounce_us = u32::try_from(number(&input, "debounce_ms")? * 1000)?;
            let contact = match input.get("contact").and_then(Value::as_str) {
                Some("nc") => Contact::NormallyClosed,
                Some(_) | None => Contact::NormallyOpen,
            };
            inputs.push((name, supervised, InputSetup { debounce_us, contact, windows }));
        }
        let outputs = numbered(&map, "outputs")?.into_iter().map(|(name, _)| name).collect();
        let readers = map
            .get("targets")
            .and_then(Value::as_table)
            .and_then(|targets| targets.values().next())
            .and_then(|target| target.get("wiegand"))
            .and_then(Value::as_array)
            .context("no readers")?
            .len();
        let board = map.get("board").context("no [board]")?;
        let model = u8::try_from(number(board, "model")?)?;
        let revision = u8::try_from(number(board, "revision")?)?;
        Ok(PinMap { model, revision, inputs, outputs, readers: u8::try_from(readers)? })
    }
}

fn numbered(map: &Table, of: &str) -> anyhow::Result<Vec<(String, Value)>> {
    let table = map.get(of).and_then(Value::as_table).with_context(|| format!("no [{of}]"))?;
    let mut all: Vec<_> = table.iter().map(|(name, f)| (name.clone(), f.clone())).collect();
    all.sort_by_key(|(_, f)| f.get("number").and_then(Value::as_integer));
    for (place, (name, f)) in all.iter().enumerate() {
        let number = f.get("number").and_then(Value::as_integer);
        ensure!(number == i64::try_from(place).ok(), "{of}.{name}: numbers have a gap");
    }
    Ok(all)
}
