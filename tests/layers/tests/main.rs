//! The arrows between the rooms. An arrow that is not in the table fails the build; so does a room that is not in it,
//! and an arrow in the table that nobody uses any more.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Every room and the rooms it may name in its own code (not in its tests).
const MAY_NAME: &[(&str, &[&str])] = &[
    // Boards and what they are made of: no I/O, no allocation, no server in sight.
    ("osdp", &[]),
    ("endpoints", &[]),
    ("board-logic", &["osdp", "endpoints"]),
    ("board-sim", &["board-logic", "osdp", "endpoints"]),
    // The controller.
    ("domain", &[]),
    ("uplink", &["domain", "endpoints"]),
    // A device's key and certificate: both processes that have one, and the server that reads them.
    ("identity", &["uplink"]),
    ("gateway", &["domain", "endpoints", "identity", "osdp", "supervisor", "uplink"]),
    // Vision reports sightings; it knows no rules.
    ("gallery", &[]),
    ("sighting", &[]),
    ("vision", &["sighting", "gallery", "identity", "supervisor", "uplink"]),
    // The access server: slices are siblings on top of the kit; the core slices offer typed commands.
    ("kit", &["uplink"]),
    ("people", &["kit", "domain", "uplink", "gallery"]),
    ("doors", &["kit", "people", "domain", "endpoints", "uplink"]),
    ("records", &["kit"]),
    ("webhooks", &["kit"]),
    ("roster", &["kit", "people", "doors", "domain"]),
    ("devices", &["kit", "doors", "domain", "identity", "uplink"]),
    ("console", &["kit", "people", "doors", "devices", "records", "webhooks", "roster", "domain", "uplink"]),
    (
        "server",
        &[
            "console",
            "kit",
            "people",
            "doors",
            "devices",
            "identity",
            "records",
            "webhooks",
            "roster",
            "supervisor",
            "domain",
            "uplink",
        ],
    ),
    // What every process tells whoever started it.
    ("supervisor", &[]),
    // Tests and tools.
    ("emulator", &[]),
    ("building", &["emulator", "uplink"]),
    ("xtask", &["building", "endpoints"]),
    ("layers", &[]),
    ("end-to-end", &[]),
];

/// Crates that no room on a board may need: they would bring the standard library.
const NO_STD_ROOMS: &[&str] = &["osdp", "endpoints", "board-logic", "domain"];

#[test]
fn every_arrow_is_in_the_table() {
    let found = arrows();
    let allowed: BTreeMap<_, BTreeSet<_>> =
        MAY_NAME.iter().map(|(room, others)| (*room, others.iter().copied().collect())).collect();

    for (room, names) in &found {
        let Some(allowed) = allowed.get(room.as_str()) else {
            panic!("{room} is not in the table of layers: say there what it may name");
        };
        for name in allowed {
            assert!(
                names.contains(*name),
                "{room} no longer names {name}: take it out of the table of layers"
            );
        }
        for name in names {
            assert!(
                allowed.contains(name.as_str()),
                "{room} names {name}, which the table of layers forbids"
            );
        }
    }
    for room in allowed.keys() {
        assert!(found.contains_key(*room), "the table of layers has {room}, the workspace does not");
    }
}

#[test]
fn rooms_for_boards_say_no_std() {
    for (room, folder) in folders() {
        if NO_STD_ROOMS.contains(&room.as_str()) {
            let text = std::fs::read_to_string(format!("{folder}/src/lib.rs")).expect("a room has a lib.rs");
            assert!(text.contains("#![no_std]") || text.contains("no_std"), "{room} must be no_std");
        }
    }
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn packages(metadata: &Value) -> &[Value] {
    metadata["packages"].as_array().expect("a list of packages")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn folders() -> BTreeMap<String, String> {
    let metadata = metadata();
    let folder = |package: &Value| text(&package["manifest_path"]).trim_end_matches("/Cargo.toml").to_owned();
    packages(&metadata).iter().map(|package| (text(&package["name"]), folder(package))).collect()
}

/// Per room: the rooms it names outside its tests.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let rooms: BTreeSet<_> = packages(&metadata).iter().map(|package| text(&package["name"])).collect();
    packages(&metadata)
        .iter()
        .map(|package| {
            let named = package["dependencies"].as_array().expect("a list of dependencies").iter();
            let named = named
                .filter(|dependency| dependency["kind"] != "dev" && !dependency["path"].is_null())
                .map(|dependency| text(&dependency["name"]))
                .filter(|name| rooms.contains(name))
                .collect();
            (text(&package["name"]), named)
        })
        .collect()
}
