//! What Prometheus reads, as its own tool reads it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use uplink::live::{Board, Live, Outbox};

use super::rights::{Shown, app, body, whole};

#[tokio::test]
async fn prometheus_takes_the_metrics_and_they_count_what_devices_say() {
    let site = whole().await;
    let kit = &site.kit;
    let board = |address, online| Board {
        bus: "north".to_owned(),
        address,
        online,
        secure: online,
        firmware: None,
        heard_at: None,
        retries: 0,
        line: None,
        list: None,
        update: None,
        install: None,
    };
    let live = Live {
        at: kit.now() - 90_000,
        software: "1".to_owned(),
        doors: Vec::new(),
        boards: vec![board(1, true), board(2, false)],
        cameras: Vec::new(),
        outbox: Some(Outbox { epoch: 1, urgent: 1, bulk: 2, writable: true }),
        replica_version: None,
    };
    assert!(kit.live().hear("controller-1", live.clone(), kit.now()));
    assert!(kit.live().hear("controller-2", live, kit.now() - 6_000_000));
    let (app, _) = app(kit).await;
    let (status, text) = body(&app, &Shown::Nothing, "/metrics").await;
    let text = String::from_utf8(text).unwrap();
    assert_eq!(status, 200);
    for line in [
        "gatehouse_devices 2",
        "gatehouse_devices_silent 1",
        "gatehouse_boards 4",
        "gatehouse_boards_offline 2",
        "gatehouse_events_waiting 6",
        "gatehouse_clock_error_max_seconds 5.91",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = promtool.wait_with_output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    assert!(out.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}
