//! The boards' data agrees with the endpoints, with itself, with the terminal drawing and with the wiring page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use endpoints::{door, gate_lane};
use toml::{Table, Value};

fn folder(board: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../boards").join(board)
}

fn read(board: &str, file: &str) -> String {
    let path = folder(board).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn pin_map(board: &str) -> Table {
    read(board, "pinmap.toml").parse().unwrap()
}

fn numbers(map: &Table, of: &str) -> BTreeMap<i64, String> {
    let functions = map[of].as_table().unwrap();
    functions.iter().map(|(name, f)| (f["number"].as_integer().unwrap(), name.clone())).collect()
}

fn functions(map: &Table) -> BTreeSet<String> {
    ["inputs", "outputs"].iter().flat_map(|of| map[*of].as_table().unwrap().keys().cloned()).collect()
}

fn named<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<i64, String> {
    (0..).zip(names.map(str::to_owned)).collect()
}

const BOARDS: [&str; 2] = ["door", "gate-lane"];

#[test]
fn the_pin_maps_number_inputs_and_outputs_as_the_endpoints_do() {
    let door = pin_map("door");
    assert_eq!(numbers(&door, "inputs"), named(door::Input::ALL.iter().map(|i| i.name())));
    assert_eq!(numbers(&door, "outputs"), named(door::Output::ALL.iter().map(|o| o.name())));
    let lane = pin_map("gate-lane");
    assert_eq!(numbers(&lane, "inputs"), named(gate_lane::Input::ALL.iter().map(|i| i.name())));
    assert_eq!(numbers(&lane, "outputs"), named(gate_lane::Output::ALL.iter().map(|o| o.name())));
}

#[test]
fn the_commanded_outputs_come_first_and_all_are_off_until_the_firmware_decides() {
    for (board, commanded) in [("door", door::Output::COMMANDED), ("gate-lane", gate_lane::Output::COMMANDED)]
    {
        for (name, output) in pin_map(board)["outputs"].as_table().unwrap() {
            let number = output["number"].as_integer().unwrap();
            assert_eq!(
                output["command"].as_bool().unwrap(),
                number < i64::from(commanded),
                "{board}: {name}"
            );
            assert_eq!(output["safe"].as_str(), Some("off"), "{board}: {name}");
        }
    }
}

#[test]
fn safety_lines_are_supervised_and_no_input_is_debounced_past_its_400_ms() {
    for board in BOARDS {
        let map = pin_map(board);
        for (name, input) in map["inputs"].as_table().unwrap() {
            assert!(input["debounce_ms"].as_integer().unwrap() <= 200, "{board}: {name}");
            if ["fire", "break_glass", "rex"].contains(&name.as_str()) {
                assert_eq!(input["supervised"].as_bool(), Some(true), "{board}: {name}");
            }
        }
    }
}

#[test]
fn every_target_gives_every_function_a_pin_of_its_own() {
    for board in BOARDS {
        let map = pin_map(board);
        for (target, wiring) in map["targets"].as_table().unwrap() {
            let given: BTreeSet<_> = wiring["pins"].as_table().unwrap().keys().cloned().collect();
            assert_eq!(given, functions(&map), "{board}: {target}");
            let mut pins = Vec::new();
            collect_pins(wiring, &mut pins);
            let once: BTreeSet<_> = pins.iter().collect();
            assert_eq!(once.len(), pins.len(), "{board}: {target}: a pin is used twice");
        }
    }
}

fn collect_pins(value: &Value, pins: &mut Vec<String>) {
    match value {
        Value::String(s) if is_pin(s) => pins.push(s.clone()),
        Value::Array(all) => all.iter().for_each(|v| collect_pins(v, pins)),
        Value::Table(all) => all.values().for_each(|v| collect_pins(v, pins)),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

fn is_pin(s: &str) -> bool {
    let digits = s.trim_start_matches(|c: char| c.is_ascii_uppercase());
    (s.starts_with("GP") || s.len() - digits.len() == 2 && s.starts_with('P'))
        && !digits.is_empty()
        && digits.chars().all(|c| c.is_ascii_digit())
}

/// The functions a drawing's terminals carry: `data-function="…"`.
fn drawn(board: &str) -> BTreeSet<String> {
    read(board, "terminals.svg")
        .split("data-function=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

/// The functions the wiring page has a row for: a table row whose first cell is `` `function` ``.
fn described(board: &str) -> BTreeSet<String> {
    read(board, "wiring.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect()
}

/// Terminals beside the pin map's functions: supply, bus and readers.
fn common(board: &str) -> BTreeSet<String> {
    let readers = pin_map(board)["targets"]["stm32g474"]["wiegand"].as_array().unwrap().len();
    let mut all: BTreeSet<String> = ["power", "rs485"].map(str::to_owned).into();
    all.extend((0..readers).map(|n| format!("reader_{n}")));
    all
}

#[test]
fn every_function_is_on_the_terminal_drawing_and_in_the_wiring_page_and_none_beside() {
    for board in BOARDS {
        let mut expected = functions(&pin_map(board));
        expected.append(&mut common(board));
        assert_eq!(drawn(board), expected, "{board}: terminals.svg");
        assert_eq!(described(board), expected, "{board}: wiring.md");
    }
}

#[test]
fn the_wiring_pages_show_fire_and_break_glass_in_series_and_the_drawings_speak_both_languages() {
    for board in BOARDS {
        let page = read(board, "wiring.md");
        assert!(page.contains("in series"), "{board}");
        let drawing = read(board, "terminals.svg");
        for word in ["火警", "Fire", "破玻", "Break glass"] {
            assert!(drawing.contains(word), "{board}: {word}");
        }
    }
}

#[test]
fn the_bills_of_material_name_every_part_once() {
    for board in BOARDS {
        let bom: Table = read(board, "bom.toml").parse().unwrap();
        let mut refs = BTreeSet::new();
        for part in bom["part"].as_array().unwrap() {
            for key in ["refs", "what", "value"] {
                assert!(part.get(key).is_some(), "{board}: a part without {key}: {part}");
            }
            for reference in part["refs"].as_array().unwrap() {
                assert!(refs.insert(reference.to_string()), "{board}: {reference} twice");
            }
        }
    }
}
