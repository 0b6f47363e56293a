//! A site out of a file: whole or not at all.

use std::path::Path;

use domain::ids::{DoorId, PersonId};
use domain::policy::Policy;
use domain::request::{Factors, Request, Shown, Side};
use domain::schedule::DayKind;
use domain::time::Utc;
use doors::import::{Done, ImportError, Options, Photos, Report, import, import_text, import_with_photos_in};
use doors::policy::{current, publish};
use doors::schedule;
use kit::Kit;
use people::consent::{self, Purpose};
use people::credential::{Card, Secret};
use people::picture::{self, Look};
use people::testing::{Vision, photo, photo_of};
use people::{face, person};
use serde_json::json;
use tempfile::TempDir;

use crate::site::sites;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/demo/site.toml");

fn leave_out() -> Options<'static> {
    Options { by: None, dry_run: false, photos: Photos::LeaveOut }
}

async fn import_demo(kit: &Kit, vision: &Vision, photo: &[u8]) -> Result<Report, ImportError> {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("photos")).unwrap();
    std::fs::write(folder.path().join("photos/obama.jpg"), photo).unwrap();
    let options = Options { photos: Photos::Enrol(&vision.service), ..leave_out() };
    import_with_photos_in(kit, Path::new(DEMO), folder.path(), &options).await
}

fn count(report: &Report, done: Done) -> usize {
    report.lines.iter().filter(|line| line.done == done).count()
}

async fn wrong(kit: &Kit, text: &str) -> Vec<(usize, &'static str, String)> {
    let before = kit::journal::newest(kit.read()).await.unwrap();
    let error = import_text(kit, text, Path::new(""), &leave_out()).await.unwrap_err();
    assert_eq!(kit::journal::newest(kit.read()).await.unwrap(), before, "nothing is kept");
    let ImportError::Wrong { wrong, .. } = error else { panic!("{error}") };
    wrong
        .into_iter()
        .map(|wrong| (wrong.line, wrong.code, format!("{}: {}", wrong.what, wrong.why)))
        .collect()
}

#[tokio::test]
async fn the_demonstrations_site_is_imported_published_and_decides() {
    let vision = Vision::start().await;
    for site in sites().await {
        let kit = &site.kit;
        let report = import_demo(kit, &vision, &photo(&[1.0, 2.0])).await.unwrap();
        assert!(report.kept && count(&report, Done::Same) == 0, "{report}");
        let again = import_demo(kit, &vision, &photo(&[1.0, 2.0])).await.unwrap();
        assert_eq!(count(&again, Done::Same), again.lines.len(), "{again}");
        publish(kit, None).await.unwrap();
        let policy = current(kit).await.unwrap().unwrap();
        assert_eq!((policy.doors().len(), policy.people_count()), (3, 6));

        let mut connection = kit.read().acquire().await.unwrap();
        let ou = person::by_key(&mut connection, "employee-1").await.unwrap().unwrap();
        assert_eq!(face::count(kit).await.unwrap(), 1);
        assert!(picture::get(kit, Look::BesideEvent, ou.id).await.unwrap().is_some());
        let calendar = schedule::calendar(&schedule::calendar_days(&mut connection).await.unwrap());
        let day = domain::civil::Date::from_ymd(2026, 2, 14).unwrap();
        assert_eq!(calendar.kind_of(day), DayKind::WorkingWeekend);

        let doors = doors::door::list(&mut connection).await.unwrap();
        let door = |key: &str| doors.iter().find(|(_, door)| door.label.key == key).unwrap().0;
        let opens = |door: DoorId, number: u16, person: PersonId| {
            let secret = Secret::Card(Card::wiegand26(12, number));
            granted(&policy, door, &secret, kit, person)
        };
        assert!(opens(door("main-door"), 1001, ou.id));
        assert!(!opens(door("archive-door"), 1001, ou.id));
        assert!(!opens(door("main-door"), 1004, ou.id), "a lost card");
        assert!(opens(door("staff-lane"), 2001, ou.id));
        let archive = policy.door(door("archive-door")).unwrap();
        assert_eq!(archive.otherwise, [Factors::CARD.and(Factors::PIN)]);
    }
}

/// Asks `domain` with a card in hand, on a Monday at four in the afternoon.
fn granted(policy: &Policy, door: DoorId, secret: &Secret, kit: &Kit, person: PersonId) -> bool {
    let digest = secret.digest(kit.keys().credential(), person);
    let now = Utc(kit.now());
    let shown = Shown::Digest { kind: secret.kind(), digest };
    let request = Request::shows(door, Side::Entry, shown, now);
    let state = domain::state::State::default();
    matches!(domain::decide(policy, &state, &request, now).outcome, domain::decision::Outcome::Granted(..))
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_keeps_nothing() {
    for site in sites().await {
        let options = Options { dry_run: true, ..leave_out() };
        let report = import(&site.kit, Path::new(DEMO), &options).await.unwrap();
        assert!(!report.kept);
        assert_eq!(count(&report, Done::LeftOut), 2, "the face and the picture");
        assert!(report.to_string().contains("door main-door: created"), "{report}");
        assert_eq!(person::count(&site.kit).await.unwrap(), 0);
        assert_eq!(kit::journal::newest(site.kit.read()).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn every_fault_is_listed_with_its_line_and_nothing_is_kept() {
    const FILE: &str = r#"
[site]
key = "centre"
name = "政务中心"

[[controller]]
number = 1
key = "c1"
name = "一号"

[[area]]
key = "outside"
name = "室外"
kind = "outside"

[[area]]
key = "hall"
name = "大厅"
kind = "bulding"

[[door]]
key = "main"
name = "正门"
controller = 1
kind = "door"
outside = "outside"
inside = "hall"
open_with = ["face", "pin"]
strike_s = 0.01

[[door]]
key = "back"
name = "后门"
controller = 1
kind = "door"
outside = "outside"
inside = "cellar"
open_with = ["card", "voice"]

[[level]]
key = "staff"
name = "职员"
groups = ["nobody"]
doors = ["main"]
schedule = "never"

[[person]]
key = "ada"
name = "Ada"
pin = "12345678901"
clearance = 9
"#;
    for site in sites().await {
        let wrong = wrong(&site.kit, FILE).await;
        let expected = [
            (19, "field", "area hall: \"bulding\" is none of"),
            (29, "field", "door main: strike"),
            (37, "unknown-name", "door back: there is no area \"cellar\""),
            (38, "field", "door back: open_with"),
            (43, "unknown-name", "level staff: there is no group \"nobody\""),
            (45, "unknown-name", "level staff: there is no schedule \"never\""),
            (50, "field", "person ada: a PIN has 4 to 8 digits"),
        ];
        for (line, code, starts) in expected {
            let found =
                wrong.iter().any(|(at, kind, why)| *at == line && *kind == code && why.starts_with(starts));
            assert!(found, "{line} {starts} is not in {wrong:#?}");
        }
        assert_eq!(wrong.len(), expected.len(), "{wrong:#?}");
        assert!(wrong.iter().all(|(.., why)| !why.contains("12345678901")), "a PIN is never repeated");
    }
}

#[tokio::test]
async fn the_form_is_checked_and_a_secret_is_not_quoted() {
    let site = sites().await.remove(0);
    let found = wrong(&site.kit, "[site]\nkey = \"a\"\nname = \"b\"\ncolour = \"red\"\n").await;
    assert_eq!((found[0].0, found[0].1), (4, "form"));
    assert!(found[0].2.contains("colour"), "{found:?}");
    let found = wrong(&site.kit, "[[person]]\nkey = \"a\"\nname = \"b\"\npin = 13579\n").await;
    assert_eq!(found[0].0, 4);
    assert!(!found[0].2.contains("13579"), "{found:?}");
    let error = import(&site.kit, Path::new("/nowhere/site.toml"), &leave_out()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("import-unreadable", "/nowhere/site.toml cannot be read")
    );
}

#[tokio::test]
async fn a_photo_that_will_not_do_stops_the_whole_import() {
    let vision = Vision::start().await;
    for site in sites().await {
        let refused = photo_of(&json!({ "outcome": "refused", "reason": "no-face" }));
        let error = import_demo(&site.kit, &vision, &refused).await.unwrap_err();
        let ImportError::Wrong { wrong, .. } = &error else { panic!("{error}") };
        assert_eq!((wrong.len(), wrong[0].code), (1, "photo-no-face"));
        let line = format!("site.toml:{}: person employee-1: there is no face", wrong[0].line);
        assert!(error.to_string().contains(&line), "{error}");
        assert_eq!(person::count(&site.kit).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn who_has_withdrawn_is_not_enrolled_again_by_the_same_file() {
    let vision = Vision::start().await;
    for site in sites().await {
        let kit = &site.kit;
        let face = photo(&[1.0, 2.0]);
        import_demo(kit, &vision, &face).await.unwrap();
        let mut connection = kit.read().acquire().await.unwrap();
        let ou = person::by_key(&mut connection, "employee-1").await.unwrap().unwrap();
        drop(connection);
        consent::withdraw(kit, None, ou.id, Purpose::FaceAccess).await.unwrap();
        let report = import_demo(kit, &vision, &face).await.unwrap();
        assert_eq!(count(&report, Done::Withdrawn), 1, "{report}");
        assert_eq!(face::count(kit).await.unwrap(), 0);
    }
}

fn groups(count: usize, name: &str) -> String {
    (0..count).map(|at| format!("[[group]]\nkey = \"g{at}\"\nname = \"{name}\"\n")).collect()
}

/// What the file itself shows is found while somebody else writes: events are not kept waiting for it.
#[tokio::test]
async fn a_file_that_is_wrong_in_itself_never_asks_for_the_writers_turn() {
    for site in sites().await {
        let writes = site.kit.begin().await.unwrap();
        let found = wrong(&site.kit, &groups(1000, " ")).await;
        assert_eq!(found.len(), 201, "no more are listed, and that there may be more is said");
        assert_eq!((found[0].0, found[0].1), (3, "field"), "{found:?}");
        assert_eq!((found[200].0, found[200].1), (600, "more"), "{found:?}");
        let found = wrong(&site.kit, &groups(10_001, "x")).await;
        assert_eq!((found.len(), found[0].1), (1, "too-many-rows"), "{found:?}");
        assert!(found[0].2.contains("10001") && found[0].2.contains("10000"), "{found:?}");
        drop(writes);
    }
}

#[tokio::test]
async fn an_import_gives_up_after_so_many_faults() {
    let mut file = "[[schedule]]\nkey = \"always\"\nname = \"x\"\n".to_owned();
    for at in 0..400 {
        file += &format!(
            "[[level]]\nkey = \"l{at}\"\nname = \"x\"\ngroups = [\"nobody\"]\ndoors = []\nschedule = \"always\"\n"
        );
    }
    for site in sites().await {
        let found = wrong(&site.kit, &file).await;
        assert_eq!(found.len(), 201);
        assert_eq!((found[0].0, found[0].1), (7, "unknown-name"), "{found:?}");
        assert_eq!((found[200].0, found[200].1), (3 + 200 * 6 - 2, "more"), "{found:?}");
    }
}

#[tokio::test]
async fn what_is_in_a_file_twice_is_refused_with_both_lines() {
    let named = |table: &str, rest: &str| format!("[[{table}]]\nkey = \"a\"\nname = \"A\"\n{rest}\n");
    let door = "controller = 1\nkind = \"door\"\noutside = \"o\"\ninside = \"i\"\nopen_with = [\"card\"]";
    let cases = [
        ("controller a", named("controller", "number = 1"), 2, 6),
        ("area a", named("area", "kind = \"area\""), 2, 6),
        ("fire zone a", named("fire_zone", ""), 2, 6),
        ("schedule a", named("schedule", ""), 2, 6),
        ("door a", named("door", door), 2, 10),
        ("door group a", named("door_group", "doors = []"), 2, 6),
        ("group a", named("group", ""), 2, 6),
        ("level a", named("level", "groups = []\nschedule = \"s\""), 2, 7),
        ("person a", named("person", ""), 2, 6),
    ];
    for site in sites().await {
        for (what, once, first, second) in &cases {
            let found = wrong(&site.kit, &format!("{once}{once}")).await;
            let told =
                (*second, "twice", format!("{what}: is in the file twice, on lines {first} and {second}"));
            assert!(found.contains(&told), "{found:?}");
        }
        let day = "[[day]]\ndate = 2026-05-01\nkind = \"site-day\"\n";
        let found = wrong(&site.kit, &format!("{day}{day}")).await;
        assert!(found.iter().any(|it| (it.0, it.1) == (5, "twice")), "{found:?}");
        let numbers = "[[controller]]\nnumber = 1\nkey = \"a\"\nname = \"A\"\n[[controller]]\nnumber = 1\nkey = \"b\"\nname = \"B\"\n";
        let found = wrong(&site.kit, numbers).await;
        assert_eq!((found[0].0, found[0].1), (6, "twice"), "{found:?}");
        let cards = "[[person]]\nkey = \"a\"\nname = \"A\"\ncards = [{ wiegand26 = [1, 1] },\n{ key = \"main\", wiegand26 = [1, 2] }]\n";
        let found = wrong(&site.kit, cards).await;
        assert_eq!((found[0].0, found[0].1), (5, "twice"), "{found:?}");
        assert!(found[0].2.starts_with("person a: card main: "), "{found:?}");
    }
}

#[tokio::test]
async fn a_changed_file_changes_what_it_says_otherwise_and_nothing_else() {
    let vision = Vision::start().await;
    for site in sites().await {
        let face = photo(&[1.0, 2.0]);
        import_demo(&site.kit, &vision, &face).await.unwrap();
        let text = std::fs::read_to_string(DEMO).unwrap();
        let text = text.replacen("strike_s = 5", "strike_s = 6", 1);
        let report = import_text(&site.kit, &text, Path::new(""), &leave_out()).await.unwrap();
        let changed: Vec<&str> = report
            .lines
            .iter()
            .filter(|line| line.done == Done::Changed)
            .map(|line| line.what.as_str())
            .collect();
        assert_eq!(changed, ["door main-door"]);
    }
}
