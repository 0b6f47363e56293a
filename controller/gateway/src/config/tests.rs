use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A folder with every file that [`GOOD`] names.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder for the test");
    for (name, text) in [
        ("ca.pem", "-".to_owned()),
        ("me.pem", "-".to_owned()),
        ("me.key", "-".to_owned()),
        ("site.key", "ab".repeat(32)),
        ("board.key", "cd".repeat(16)),
        ("ttyA", String::new()),
        ("ttyB", String::new()),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode set");
    }
    dir
}

const GOOD: &str = r#"
name = "controller-7"
data = "data"

[tls]
ca = "ca.pem"
certificate = "me.pem"
key = "me.key"

[broker]
host = "localhost"
port = 8883

[credentials]
key_file = "site.key"

[reader_link]
listen = "127.0.0.1:0"
[[reader_link.camera]]
vision = "vision-1"
name = "lobby"
door = 1
side = "entry"

[[bus]]
name = "lobby"
port = "ttyA"
[[bus.device]]
address = 1
name = "gate 1"
kind = "gate-lane"
door = 1
key_file = "board.key"

[[bus]]
name = "yard"
port = "ttyB"
baud = 9600
[[bus.device]]
address = 1
name = "reader"
kind = "reader"
key_file = "board.key"
reader = [{ number = 0, door = 1, side = "exit" }]
"#;

#[test]
fn the_good_one_is_taken() {
    let dir = folder();
    let config = parse(GOOD, dir.path()).expect("it is right");
    assert_eq!(config.controller, ControllerId(7));
    assert_eq!(config.buses[0].baud, 115_200);
    assert_eq!(config.buses[0].devices[0].readers.len(), 2);
    assert_eq!(config.buses[1].devices[0].readers[0].side, Side::Exit);
    assert_eq!(config.data, dir.path().join("data"));
}

/// Each fault: what replaces what, how the line begins that is at fault, and the key and words that must be in the message.
#[test]
fn every_fault_names_its_key_and_line() {
    let faults = [
        ("port = \"ttyB\"", "port = \"ttyC\"", "port = \"ttyC", "bus[1].port", "no such device"),
        ("port = \"ttyB\"", "prot = \"ttyB\"", "prot", "bus[1].prot", "unknown field `prot`"),
        ("baud = 9600", "baud = 9601", "baud", "bus[1].baud", "must be one of"),
        ("baud = 9600", "baud = \"fast\"", "baud", "bus[1].baud", "invalid type"),
        ("name = \"controller-7\"", "name = \"gate\"", "name", "name", "must be `controller-`"),
        ("name = \"yard\"", "name  = \"lobby\"", "name  =", "bus[1].name", "another bus has this name"),
        ("address = 1\n", "address = 127\n", "address", "bus[0].device[0].address", "0 to 126"),
        ("kind = \"gate-lane\"", "kind = \"gate\"", "kind", "bus[0].device[0].kind", "unknown variant"),
        ("door = 1\nkey_file", "key_file", "kind", "bus[0].device[0].kind", "names it"),
        (
            "side = \"exit\"",
            "side = \"left\"",
            "reader = ",
            "bus[1].device[0].reader[0].side",
            "unknown variant",
        ),
        (
            "vision = \"vision-1\"",
            "vision = \"camera-1\"",
            "vision",
            "reader_link.camera[0].vision",
            "vision process",
        ),
        ("\"site.key\"", "\"none.key\"", "key_file", "credentials.key_file", "No such file"),
        ("\"site.key\"", "\"board.key\"", "key_file", "credentials.key_file", "64 hexadecimal digits"),
        ("port = 8883\n", "port = 8883\ntls = true\n", "tls", "broker.tls", "unknown field `tls`"),
        ("port = 8883\n", "", "[broker]", "broker", "missing field `port`"),
    ];
    for (from, to, on, key, words) in faults {
        let dir = folder();
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from} is in the text");
        let line = 1 + text.lines().take_while(|it| !it.starts_with(on)).count();
        let path = dir.path().join("controller.toml");
        fs::write(&path, &text).expect("written");
        let message = read(&path).expect_err(to).to_string();
        assert!(message.contains(&format!(":{line}: ")), "{to}: line {line} in {message}");
        assert!(message.contains(key), "{to}: {key} in {message}");
        assert!(message.contains(words), "{to}: {words} in {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let dir = folder();
    let key = dir.path().join("board.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("mode set");
    let fault = parse(GOOD, dir.path()).expect_err("group may read it");
    assert!(fault.sentence.contains("mode must be 600"), "{}", fault.sentence);
}

#[test]
fn the_key_that_everybody_knows_is_refused() {
    let dir = folder();
    let text: String = b"0123456789:;<=>?".iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(dir.path().join("board.key"), text).expect("written");
    let fault = parse(GOOD, dir.path()).expect_err("it is no secret");
    assert!(fault.sentence.contains("everybody knows"), "{}", fault.sentence);
}
