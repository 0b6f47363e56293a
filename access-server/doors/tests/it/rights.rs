//! An import gives back no right that was withdrawn, switches no protection off, and leaves nothing that could not be
//! put in force.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::Ordering;

use domain::ids::PersonId;
use domain::policy::{CredentialStatus, PersonStatus};
use domain::time::Utc;
use doors::import::{Done, ImportError, Options, Photos, Report, Wrong, import_text, import_with_photos_in};
use doors::policy::publish;
use kit::testing::{MONDAY, Site};
use kit::{Clock, Kit};
use people::consent::{self, Purpose};
use people::credential::{self, Card, Secret};
use people::person::{self, Particulars};
use people::picture::{self, Look};
use people::testing::{Vision, photo};
use tempfile::TempDir;

use crate::site::sites;

const SITE: &str = "[site]\nkey = \"centre\"\nname = \"政务中心\"\n";

async fn try_import(kit: &Kit, text: &str) -> Result<Report, ImportError> {
    let options = Options { by: None, dry_run: false, photos: Photos::LeaveOut };
    import_text(kit, text, Path::new(""), &options).await
}

async fn import(kit: &Kit, text: &str) -> Report {
    try_import(kit, text).await.unwrap()
}

async fn wrong(kit: &Kit, text: &str) -> Vec<Wrong> {
    match try_import(kit, text).await {
        Err(ImportError::Wrong { wrong, .. }) => wrong,
        other => panic!("it was not refused: {other:?}"),
    }
}

fn put_clock(site: &Site, to: i64) {
    match &site.clock {
        Clock::Fixed(at) => at.store(to, Ordering::SeqCst),
        Clock::Real => panic!("a test's clock stands"),
    }
}

async fn ada(kit: &Kit) -> person::Person {
    let mut connection = kit.read().acquire().await.unwrap();
    person::by_key(&mut connection, "ada").await.unwrap().unwrap()
}

async fn cards(kit: &Kit, person: PersonId) -> Vec<(String, bool, CredentialStatus)> {
    let blue = Secret::Card(Card::wiegand26(1, 1)).digest(kit.keys().credential(), person);
    let cards = credential::of_person(kit, person).await.unwrap();
    cards.into_iter().map(|it| (it.terms.key, it.digest == blue, it.terms.status)).collect()
}

#[tokio::test]
async fn who_was_suspended_or_limited_stays_so_when_the_file_does_not_say_otherwise() {
    const FILE: &str = "[[person]]\nkey = \"ada\"\nname = \"Ada\"\n";
    for site in sites().await {
        let kit = &site.kit;
        import(kit, FILE).await;
        let known = ada(kit).await;
        let mut tx = kit.begin().await.unwrap();
        let mut limited = Particulars { status: PersonStatus::Suspended, ..known.particulars };
        limited.validity.until = Utc(MONDAY + 1);
        person::change(&mut tx, None, known.id, known.changed_at, &limited).await.unwrap();
        tx.commit().await.unwrap();
        import(kit, FILE).await;
        let now = ada(kit).await.particulars;
        assert_eq!((now.status, now.validity.until), (PersonStatus::Suspended, Utc(MONDAY + 1)));
        // What it does say is done: here, and with a name changed besides.
        import(kit, "[[person]]\nkey = \"ada\"\nname = \"Ada L\"\nstatus = \"active\"\n").await;
        let now = ada(kit).await.particulars;
        assert_eq!((now.status, now.validity.until), (PersonStatus::Active, Utc(MONDAY + 1)));
    }
}

#[tokio::test]
async fn an_older_file_does_not_give_out_a_stolen_card_again() {
    let with = |number: u16| {
        format!("[[person]]\nkey = \"ada\"\nname = \"Ada\"\ncards = [{{ wiegand26 = [1, {number}] }}]\n")
    };
    for site in sites().await {
        let kit = &site.kit;
        import(kit, &with(1)).await;
        let ada = ada(kit).await.id;
        let blue = credential::of_person(kit, ada).await.unwrap().remove(0);
        let mut tx = kit.begin().await.unwrap();
        credential::set_status(&mut tx, None, blue.id, CredentialStatus::Stolen).await.unwrap();
        tx.commit().await.unwrap();
        let report = import(kit, &with(1)).await;
        assert!(report.lines.iter().all(|line| line.done == Done::Same), "{report}");
        // Another card in its place would make the site forget that it was stolen.
        let found = wrong(kit, &with(2)).await;
        assert_eq!((found.len(), found[0].code), (1, "field"), "{found:?}");
        assert_eq!(cards(kit, ada).await, [("main".to_owned(), true, CredentialStatus::Stolen)]);
    }
}

#[tokio::test]
async fn a_suspended_card_is_replaced_by_a_suspended_one() {
    let with = |number: u16, status: &str| {
        format!(
            "[[person]]\nkey = \"ada\"\nname = \"Ada\"\ncards = [{{ wiegand26 = [1, {number}]{status} }}]\n"
        )
    };
    for site in sites().await {
        let kit = &site.kit;
        import(kit, &with(1, ", status = \"suspended\"")).await;
        let ada = ada(kit).await.id;
        import(kit, &with(2, "")).await;
        assert_eq!(cards(kit, ada).await, [("main".to_owned(), false, CredentialStatus::Suspended)]);
        import(kit, &with(2, "")).await;
        import(kit, &with(1, ", status = \"active\"")).await;
        assert_eq!(cards(kit, ada).await, [("main".to_owned(), true, CredentialStatus::Active)]);
    }
}

/// Withdrawn while the server's clock was behind: earlier, it seems, than it was given.
#[tokio::test]
async fn a_withdrawn_consent_does_not_come_back_by_a_clock_that_was_put_right() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("ada.jpg"), photo(&[1.0])).unwrap();
    let file = "[[person]]\nkey = \"ada\"\nname = \"Ada\"\n\
        picture = { file = \"ada.jpg\", consent = \"v1\", consented_on = 2026-03-01 }\n";
    let vision = Vision::start().await;
    for site in sites().await {
        let kit = &site.kit;
        let options = Options { by: None, dry_run: false, photos: Photos::Enrol(&vision.service) };
        let path = folder.path().join("site.toml");
        std::fs::write(&path, file).unwrap();
        import_with_photos_in(kit, &path, folder.path(), &options).await.unwrap();
        let ada = ada(kit).await.id;
        assert!(picture::get(kit, Look::BesideEvent, ada).await.unwrap().is_some());
        put_clock(&site, MONDAY - 30 * 86_400_000_000);
        consent::withdraw(kit, None, ada, Purpose::ProfilePicture).await.unwrap();
        put_clock(&site, MONDAY);
        let report = import_with_photos_in(kit, &path, folder.path(), &options).await.unwrap();
        assert_eq!(report.lines.last().unwrap().done, Done::Withdrawn, "{report}");
        assert!(picture::get(kit, Look::BesideEvent, ada).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_number_that_is_none_or_out_of_range_is_refused_by_its_field() {
    for site in sites().await {
        for (field, value) in [
            ("face_score", "nan"),
            ("face_score", "-0.00001"),
            ("face_margin", "1.1"),
            ("lock_out_s", "-1"),
            ("lock_out_s", "nan"),
            ("wrong_tries_within_s", "1e20"),
            ("same_person_within_s", "inf"),
        ] {
            let found =
                wrong(&site.kit, &format!("{SITE}zone = \"Asia/Shanghai\"\n{field} = {value}\n")).await;
            assert_eq!((found.len(), found[0].line, found[0].code), (1, 5, "field"), "{field}: {found:?}");
            assert!(found[0].why.starts_with(field), "{found:?}");
        }
        import(&site.kit, &format!("{SITE}face_score = 0.5\nlock_out_s = 0\nface_margin = 1.0\n")).await;
    }
}

#[tokio::test]
async fn an_area_does_not_come_to_lie_within_itself() {
    let area = |key: &str, within: &str| {
        format!("[[area]]\nkey = \"{key}\"\nname = \"{key}\"\nkind = \"area\"\nin = \"{within}\"\n")
    };
    let house = "[[area]]\nkey = \"house\"\nname = \"house\"\nkind = \"building\"\n";
    for site in sites().await {
        let kit = &site.kit;
        import(kit, &format!("{SITE}{house}{}{}", area("a", "house"), area("b", "a"))).await;
        for within in ["a", "b"] {
            let found = wrong(kit, &area("a", within)).await;
            assert!(found[0].why.contains("within itself"), "{found:?}");
        }
        import(kit, &area("b", "house")).await;
        import(kit, &area("a", "b")).await;
        publish(kit, None).await.unwrap();
    }
}

/// Kept, it would keep every later change from being put in force: a withdrawn right too.
#[tokio::test]
async fn what_could_not_be_put_in_force_is_not_imported() {
    let mut days = SITE.to_owned();
    for day in 0..3000 {
        let (year, rest) = (2026 + day / 300, day % 300);
        let (month, day) = (rest / 25 + 1, rest % 25 + 1);
        writeln!(days, "[[day]]\ndate = {year}-{month:02}-{day:02}\nkind = \"site-day\"").unwrap();
    }
    for site in sites().await {
        let found = wrong(&site.kit, &days).await;
        assert_eq!((found.len(), found[0].code), (1, "policy-faulty"), "{found:?}");
        assert!(found[0].why.contains("larger than"), "{found:?}");
        assert_eq!(kit::journal::newest(site.kit.read()).await.unwrap(), 0);
        import(&site.kit, SITE).await;
        publish(&site.kit, None).await.unwrap();
    }
}

#[tokio::test]
async fn changed_at_is_later_with_every_change_even_by_a_clock_put_back() {
    for site in sites().await {
        let kit = &site.kit;
        import(kit, "[[person]]\nkey = \"ada\"\nname = \"Ada\"\n").await;
        let first = ada(kit).await;
        put_clock(&site, MONDAY - 60_000_000);
        let mut tx = kit.begin().await.unwrap();
        person::set_status(&mut tx, None, first.id, PersonStatus::Suspended).await.unwrap();
        tx.commit().await.unwrap();
        let second = ada(kit).await;
        assert!(second.changed_at > first.changed_at);
        // Made from what was there before: it would undo the suspension.
        let mut tx = kit.begin().await.unwrap();
        let stale = person::change(&mut tx, None, first.id, first.changed_at, &first.particulars).await;
        assert_eq!(stale.unwrap_err().code(), "stale");
    }
}
