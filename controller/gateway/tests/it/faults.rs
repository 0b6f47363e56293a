//! Bad input and bad disks.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::building::{ADA, Building, policy_parts, runtime};
use crate::vision::{Vision, known};

#[test]
fn a_wrong_configuration_is_one_sentence() {
    let building = Building::new();
    let path = building.configuration();
    let text = fs::read_to_string(&path).expect("read").replace("port = \"bus\"", "port = \"ttyNONE\"");
    fs::write(&path, text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_gatehouse-controller"))
        .arg("--config")
        .arg(&path)
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("bus[0].port: ") && said.contains("no such device"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_certificate_of_somebody_else_is_one_sentence() {
    let building = Building::new();
    fs::copy(building.path("vision-1.pem"), building.path("controller-1.pem")).expect("copied");
    let output = Command::new(env!("CARGO_BIN_EXE_gatehouse-controller"))
        .arg("--config")
        .arg(building.configuration())
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("is for `vision-1`"), "{said}");
}

#[test]
fn strangers_and_malformed_frames_are_cut_off() {
    let building = Building::new();
    building.knows(1, &policy_parts(1));
    let controller = building.running();
    runtime().block_on(async {
        let folder = building.folder.path();
        assert!(Vision::connect(folder, "vision-9", controller.link).await.is_err(), "not configured here");
        for bytes in [&b"\xFF\xFF\xFF\xFF"[..], b"\0\0\0\x02{}", b"\0\0\0\x05hello", b"\0\0\0\0"] {
            let vision = Vision::connect(folder, "vision-1", controller.link).await.expect("welcome");
            assert!(vision.ends_after(bytes).await, "{bytes:?}");
        }
        let mut vision = Vision::connect(folder, "vision-1", controller.link).await.expect("welcome");
        assert!(vision.sees("lobby", known(ADA), true).await, "it still works");
    });
}

/// Whoever connects and says nothing holds up no vision process, from its own address or another.
#[test]
fn connections_without_a_certificate_keep_no_vision_process_out() {
    let building = Building::new();
    building.knows(1, &policy_parts(1));
    let controller = building.running();
    runtime().block_on(async {
        let mut idle = Vec::new();
        for number in 0..80 {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind(([127, 0, 0, 1 + number % 2], 0).into()).expect("loopback");
            idle.push(socket.connect(controller.link).await.expect("connected"));
        }
        let connecting = Vision::connect(building.folder.path(), "vision-1", controller.link);
        let vision = tokio::time::timeout(Duration::from_secs(2), connecting).await.expect("at once");
        assert!(vision.expect("welcome").sees("lobby", known(ADA), true).await);
    });
}

#[test]
fn what_the_controller_keeps_is_for_nobody_else() {
    let building = Building::new();
    building.knows(1, &policy_parts(1));
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    open(&building.data(), 0o755);
    open(&building.data().join("policy.sqlite"), 0o644);
    let _controller = building.running();
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&building.data()), 0o700);
    let files: Vec<_> =
        fs::read_dir(building.data()).expect("a folder").map(|it| it.expect("read").path()).collect();
    assert!(files.iter().any(|file| file.ends_with("outbox.sqlite-wal")), "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
}

#[test]
fn with_a_full_outbox_entries_follow_the_rule_and_exits_work() {
    let mut building = Building::new();
    building.extra = "outbox_limit = 10".to_owned();
    building.knows(1, &policy_parts(1));
    let controller = building.running();
    let (door, lane) = (&building.boards[0], &building.boards[1]);
    runtime().block_on(async {
        let mut vision =
            Vision::connect(building.folder.path(), "vision-1", controller.link).await.expect("welcome");
        let mut refused = 0;
        for _ in 0..20 {
            refused += usize::from(!vision.sees("lobby", known(ADA), true).await);
        }
        assert!(refused > 0, "the door's rule is to refuse");
        assert!(!vision.sees("lobby", known(ADA), true).await);
    });
    // The exit reader of the lane.
    lane.world("card 26 99:1 1");
    lane.wait_on("open_exit", 1);
    door.wait_off("lock");
    let before = door.went_on("lock").len();
    door.world("press rex 200");
    door.wait_on("lock", before + 1);
}
