//! From pixel to pin on real parts: photographs over RTSP, the vision process, the controller, boards in QEMU running
//! their firmware images, a real broker with mutual TLS, the server and its journal.

use building::running::Building;
use building::scenario;

#[test]
fn a_piece_of_building_life_is_as_it_should_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = folder.path().join("site");
    let mut building = Building::start(&site, None, &mut |part| println!("starting: {part}"))
        .unwrap_or_else(|error| panic!("the building does not start: {error:#}"));
    let report = scenario::run(&mut building, &mut |step| {
        let mark = if step.ok { "ok" } else { "FAILED" };
        println!("{mark} {} ms, {}: {}", step.ms, step.name, step.detail);
    })
    .unwrap_or_else(|error| panic!("the life cannot be measured: {error:#}"));
    building.stop().unwrap_or_else(|error| panic!("something did not stop: {error:#}"));

    let failed: Vec<_> = report.steps.iter().filter(|step| !step.ok).map(|step| step.name).collect();
    assert!(failed.is_empty(), "these steps failed: {failed:?}");
    assert_eq!(report.events_accepted, report.events_in_journal, "events were lost or doubled");
    assert!(report.events_accepted > 0, "nothing was journaled");
}
