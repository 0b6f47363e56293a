//! What the build scripts of all boards do alike.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::{Contact, Input, Level, Output, Pinmap, Pull, State, Supervision, Target};

/// Kinds of boards, and the file of constants each gets.
const KINDS: [(&str, &str); 2] = [("door", "door.rs"), ("gate-lane", "gate_lane.rs")];

/// Makes the constants of one board.
pub type Generate = fn(&Pinmap, &Target) -> Result<String, Box<dyn Error>>;

/// Links binaries by the package's `memory.x`, and writes for each kind of board what `generate` makes of its pin map for `target`.
/// To be called by a build script: it talks to cargo, and an error ends the build with its sentence.
pub fn build_boards(target: &str, generate: Generate) {
    let folder =
        |variable| PathBuf::from(std::env::var_os(variable).expect("cargo sets it for build scripts"));
    let here = folder("CARGO_MANIFEST_DIR");
    println!("cargo:rustc-link-search={}", here.display());
    println!("cargo:rerun-if-changed={}", here.join("memory.x").display());
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");

    let boards = here.join("../../../hardware/boards");
    for (kind, file) in KINDS {
        println!("cargo:rerun-if-changed={}", boards.join(kind).join("pinmap.toml").display());
        if let Err(error) = write(&boards, kind, target, &folder("OUT_DIR").join(file), generate) {
            println!("cargo::error={kind}: {error}");
        }
    }
}

fn write(
    boards: &Path,
    kind: &str,
    target: &str,
    to: &Path,
    generate: Generate,
) -> Result<(), Box<dyn Error>> {
    let map = Pinmap::read(boards, kind)?;
    let part = map.targets.get(target).ok_or_else(|| format!("the pin map has no target {target}"))?;
    std::fs::write(to, generate(&map, part)? + &model(&map, target, part)?)?;
    Ok(())
}

/// The constant `MODEL`: what does not depend on the chip.
fn model(map: &Pinmap, name: &str, target: &Target) -> Result<String, Box<dyn Error>> {
    let kind = match map.board.kind.as_str() {
        "door" => "Door",
        "gate-lane" => "GateLane",
        other => return Err(format!("board.kind: `{other}` is not a kind").into()),
    };
    let Supervision { short_below, middle, open_from, .. } = map.supervision;
    let mut text = String::new();
    writeln!(text, "pub(crate) static MODEL: Model = Model {{")?;
    let (number, revision) = (map.board.model, map.board.revision);
    writeln!(text, "    kind: Kind::{kind},\n    number: {number},\n    revision: {revision},")?;
    writeln!(text, "    target: \"{name}\",\n    inputs: &[")?;
    for (name, input) in map.inputs_in_order() {
        let (debounce, contact) = (u32::from(input.debounce_ms) * 1000, input.contact_name());
        writeln!(text, "        // {name}")?;
        writeln!(text, "        InputSetup {{ debounce_us: {debounce}, contact: Contact::{contact},")?;
        writeln!(
            text,
            "            windows: Windows {{ short_below: {short_below}, middle: {middle}, open_from: {open_from} }} }},"
        )?;
    }
    let (readers, base) = (target.wiegand.len(), target.address_base);
    writeln!(text, "    ],\n    readers: {readers},\n    address_base: {base},\n}};")?;
    Ok(text)
}

impl Output {
    /// The pin level of its safe state.
    pub fn safe_is_high(&self) -> bool {
        (self.active == Level::High) == (self.safe == State::On)
    }
}

impl Input {
    /// How the contact rests, as `endpoints` calls it; normally closed where the map is silent.
    pub fn contact_name(&self) -> &'static str {
        match self.contact {
            Some(Contact::No) => "NormallyOpen",
            Some(Contact::Nc) | None => "NormallyClosed",
        }
    }
}

impl Level {
    /// Whether it is high.
    pub fn is_high(self) -> bool {
        self == Self::High
    }
}

impl Pull {
    /// As the chips' drivers call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Down => "Down",
            Self::None => "None",
        }
    }
}
