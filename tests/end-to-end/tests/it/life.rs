//! The long piece of building life.

use building::running::Building;
use building::scenario;

#[test]
fn a_long_piece_of_life_on_sqlite_is_as_it_should_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = folder.path().join("site");
    let mut building = Building::start(&site, None, &mut |part| println!("starting: {part}"))
        .unwrap_or_else(|error| panic!("the building does not start: {error:#}"));
    live(&mut building, &scenario::LONG);
    building.stop().unwrap_or_else(|error| panic!("something did not stop: {error:#}"));
}

/// Lives these steps and checks that each was as it should be and nothing was lost.
pub(crate) fn live(building: &mut Building, steps: &[scenario::Act]) {
    let report = scenario::run(building, steps, &mut |step| {
        let mark = if step.ok { "ok" } else { "FAILED" };
        println!("{mark} {} ms, {}: {}", step.ms, step.name, step.detail);
    })
    .unwrap_or_else(|error| panic!("the life cannot be measured: {error:#}"));
    let failed: Vec<_> = report.steps.iter().filter(|step| !step.ok).map(|step| step.name).collect();
    assert!(failed.is_empty(), "these steps failed: {failed:?}");
    assert_eq!(report.events_accepted, report.events_in_journal, "events were lost or doubled");
    assert!(report.events_accepted > 0, "nothing was journaled");
}
