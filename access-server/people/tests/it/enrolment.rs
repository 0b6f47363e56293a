//! From a photograph to a template, and back to nothing.

use domain::ids::PersonId;
use kit::db::Engine;
use kit::journal::verify;
use kit::testing::{MONDAY, Site, sites};
use kit::{Keys, Kit};
use people::consent::{self, Purpose};
use people::embed::{EmbedService, Portrait};
use people::face::{self, EnrolmentRefusal, Twins};
use people::person::{self, Particulars};
use people::picture::{self, Look};
use people::testing::{Vision, photo, photo_of, service};
use people::{MIGRATIONS, PeopleError, gallery};
use serde_json::json;
use uplink::sync::{Digest, Have, Set};

pub(crate) async fn somebody(kit: &Kit, key: &str) -> PersonId {
    let mut tx = kit.begin().await.unwrap();
    let id = person::add(&mut tx, None, &Particulars::named(key, key)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

pub(crate) async fn willing(kit: &Kit, key: &str) -> PersonId {
    let id = somebody(kit, key).await;
    let mut tx = kit.begin().await.unwrap();
    consent::give(&mut tx, None, id, Purpose::FaceAccess, "2026-01", MONDAY).await.unwrap();
    consent::give(&mut tx, None, id, Purpose::ProfilePicture, "2026-01", MONDAY).await.unwrap();
    tx.commit().await.unwrap();
    id
}

pub(crate) async fn enrol(
    kit: &Kit,
    vision: &EmbedService,
    person: PersonId,
    photo: &[u8],
) -> Result<u64, PeopleError> {
    face::enrol(kit, vision, None, person, Portrait::Photograph, photo, Twins::Refuse).await
}

fn nothing() -> Have {
    Have { set: Set::Gallery, version: None, digest: Digest::default() }
}

async fn sealed(site: &Site) -> Vec<u8> {
    let (sealed,): (Vec<u8>,) =
        sqlx::query_as("SELECT sealed FROM face_template").fetch_one(site.kit.read()).await.unwrap();
    sealed
}

#[tokio::test]
async fn without_consent_the_photo_is_not_even_looked_at() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let ada = somebody(&site.kit, "ada").await;
        let away = service(vision.directory.path(), "127.0.0.1:1");
        let error = enrol(&site.kit, &away, ada, &photo(&[1.0])).await.unwrap_err();
        assert_eq!(error.code(), "no-consent");
        assert_eq!(face::count(&site.kit).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_photo_that_will_not_do_is_refused_in_words() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let ada = willing(&site.kit, "ada").await;
        let refused = |reason: serde_json::Value| photo_of(&reason);
        let cases = [
            (refused(json!({ "outcome": "refused", "reason": "no-face" })), "photo-no-face"),
            (
                refused(json!({ "outcome": "refused", "reason": "several-faces", "count": 2 })),
                "photo-several-faces",
            ),
            (
                refused(
                    json!({ "outcome": "refused", "reason": "too-small", "measured": 31.0, "least": 48.0 }),
                ),
                "photo-too-small",
            ),
            (refused(json!({ "outcome": "refused", "reason": "wears-a-hat" })), "photo-other"),
            (b"GIF89a".to_vec(), "photo-not-a-photo"),
            (vec![0xff; 9 * 1024 * 1024], "photo-too-large"),
            (refused(json!({ "outcome": "nonsense" })), "vision-answer"),
            (
                photo_of(
                    &json!({ "outcome": "usable", "template": [1.0], "model": "t", "live": true, "quality": { "score": 1.0 } }),
                ),
                "vision-answer",
            ),
        ];
        for (photo, code) in cases {
            let error = enrol(&site.kit, &vision.service, ada, &photo).await.unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        }
        let small =
            refused(json!({ "outcome": "refused", "reason": "too-small", "measured": 31.0, "least": 48.0 }));
        let error = enrol(&site.kit, &vision.service, ada, &small).await.unwrap_err();
        assert!(error.to_string().contains("31 pixels wide, at least 48"), "{error}");
        assert_eq!(face::count(&site.kit).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_capture_must_be_live_and_a_photograph_need_not() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let ada = willing(&site.kit, "ada").await;
        let mut template = vec![0.0; 128];
        template[3] = 2.0;
        let print =
            photo_of(&json!({ "outcome": "usable", "template": template, "model": "test", "live": false,
            "quality": { "score": 0.9 } }));
        let capture =
            face::enrol(&site.kit, &vision.service, None, ada, Portrait::Capture, &print, Twins::Refuse)
                .await;
        assert_eq!(capture.unwrap_err().code(), "photo-not-live");
        enrol(&site.kit, &vision.service, ada, &print).await.unwrap();
    }
}

#[tokio::test]
async fn a_vision_process_that_is_away_or_a_stranger_is_said_so() {
    let vision = Vision::start().await;
    let other = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let ada = willing(&site.kit, "ada").await;
        // Nobody listens; another site's client; our client at another site's process.
        let address = vision.address.to_string();
        let strangers =
            [service(vision.directory.path(), "127.0.0.1:1"), service(other.directory.path(), &address)];
        for stranger in strangers {
            let error = enrol(&site.kit, &stranger, ada, &photo(&[1.0])).await.unwrap_err();
            assert_eq!(error.code(), "vision-away", "{error}");
        }
    }
}

#[tokio::test]
async fn a_template_is_sealed_and_only_the_sites_key_opens_it() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let ada = willing(&site.kit, "ada").await;
        enrol(&site.kit, &vision.service, ada, &photo(&[3.0, 4.0])).await.unwrap();
        let bytes = sealed(&site).await;
        assert_eq!(bytes.len(), 12 + 512 + 16);
        assert!(!bytes.windows(4).any(|four| four == 0.6_f32.to_le_bytes()));

        let sent = gallery::answer(&site.kit, &nothing()).await.unwrap();
        let text = serde_json::to_string(&sent).unwrap();
        assert!(text.contains("0.6,0.8,0.0"), "{text}");

        let thief = Kit::new(site.kit.db().clone(), site.clock.clone(), Keys::ephemeral(), None).unwrap();
        assert!(matches!(gallery::answer(&thief, &nothing()).await, Err(PeopleError::Sealed)));
        // Moved to another person, the sealed row does not open either.
        let bob = willing(&site.kit, "bob").await;
        let mut tx = site.kit.begin().await.unwrap();
        sqlx::query("UPDATE face_template SET person = $1")
            .bind(i64::try_from(bob.0).unwrap())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(gallery::answer(&site.kit, &nothing()).await, Err(PeopleError::Sealed)));
    }
}

#[tokio::test]
async fn a_new_key_comes_in_and_the_gallery_stays_the_same() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let ada = willing(&site.kit, "ada").await;
        enrol(&site.kit, &vision.service, ada, &photo(&[3.0, 4.0])).await.unwrap();
        let mut tx = site.kit.begin().await.unwrap();
        picture::put(&mut tx, None, ada, &photo(&[1.0])).await.unwrap();
        tx.commit().await.unwrap();
        let before = serde_json::to_string(&gallery::answer(&site.kit, &nothing()).await.unwrap()).unwrap();

        let fresh = Kit::new(site.kit.db().clone(), site.clock.clone(), Keys::ephemeral(), None).unwrap();
        assert_eq!(people::rotate(&fresh, None, site.kit.keys()).await.unwrap(), (1, 1));
        assert_eq!(people::rotate(&fresh, None, site.kit.keys()).await.unwrap(), (0, 0));
        let after = serde_json::to_string(&gallery::answer(&fresh, &nothing()).await.unwrap()).unwrap();
        assert_eq!(before, after);
        assert!(picture::get(&fresh, Look::BesideEvent, ada).await.unwrap().is_some());
        assert!(matches!(gallery::answer(&site.kit, &nothing()).await, Err(PeopleError::Sealed)));
    }
}

#[tokio::test]
async fn one_face_under_two_names_is_warned_of() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let (ada, bob) = (willing(&site.kit, "ada").await, willing(&site.kit, "bob").await);
        enrol(&site.kit, &vision.service, ada, &photo(&[1.0, 0.0])).await.unwrap();
        let error = enrol(&site.kit, &vision.service, bob, &photo(&[1.0, 0.5])).await.unwrap_err();
        let PeopleError::Enrolment(EnrolmentRefusal::Twin(twins)) = error else { panic!("{error}") };
        assert_eq!((twins[0].person, twins[0].score.0), (ada, 8944));
        // The same person again is no twin, and neither is somebody unlike.
        enrol(&site.kit, &vision.service, ada, &photo(&[1.0, 0.1])).await.unwrap();
        enrol(&site.kit, &vision.service, bob, &photo(&[0.0, 0.0, 1.0])).await.unwrap();
        let accepted = Twins::Accept;
        face::enrol(
            &site.kit,
            &vision.service,
            None,
            bob,
            Portrait::Photograph,
            &photo(&[1.0, 0.5]),
            accepted,
        )
        .await
        .unwrap();
        assert_eq!(face::count(&site.kit).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn withdrawal_leaves_a_receipt_and_nothing_else() {
    let vision = Vision::start().await;
    for site in sites(MIGRATIONS).await {
        let kit = &site.kit;
        let ada = willing(kit, "ada").await;
        enrol(kit, &vision.service, ada, &photo(&[3.0, 4.0])).await.unwrap();
        let mut tx = kit.begin().await.unwrap();
        picture::put(&mut tx, None, ada, &photo(&[1.0])).await.unwrap();
        tx.commit().await.unwrap();
        let bytes = sealed(&site).await;
        assert!(in_files(&site, &bytes).await, "the search below would find it");

        let receipt = consent::withdraw(kit, None, ada, Purpose::FaceAccess).await.unwrap();
        assert_eq!((receipt.person, receipt.deleted), (ada, 1));
        assert!(!in_files(&site, &bytes).await, "deleted content must not stay in the file or its log");
        assert_eq!(face::count(kit).await.unwrap(), 0);
        assert!(picture::get(kit, Look::BesideEvent, ada).await.unwrap().is_some(), "another purpose stands");
        consent::withdraw(kit, None, ada, Purpose::ProfilePicture).await.unwrap();
        assert!(picture::get(kit, Look::BesideEvent, ada).await.unwrap().is_none());

        let again = consent::withdraw(kit, None, ada, Purpose::FaceAccess).await;
        assert!(matches!(again, Err(PeopleError::NoConsent)));
        let error = enrol(kit, &vision.service, ada, &photo(&[3.0, 4.0])).await.unwrap_err();
        assert_eq!(error.code(), "no-consent");
        kit.checkpoint().await.unwrap();
        let report = verify(kit.read(), kit.keys().journal_public(), &[]).await.unwrap();
        assert!(report.finding.is_none(), "{report:?}");
    }
}

/// Before anything was ever deleted, too.
#[tokio::test]
async fn what_is_replaced_does_not_stay_in_the_files_free_pages() {
    let [site, _postgres] = sites(MIGRATIONS).await.try_into().unwrap();
    let kit = &site.kit;
    let ada = willing(kit, "ada").await;
    for picture in [vec![1; 50_000], vec![2; 10]] {
        let mut tx = kit.begin().await.unwrap();
        picture::put(&mut tx, None, ada, &[&[0xff, 0xd8, 0xff][..], &picture].concat()).await.unwrap();
        tx.commit().await.unwrap();
        let empty: (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(kit.read()).await.unwrap();
        assert_eq!(empty.0, 0, "nobody reads");
    }
    let path = site.database.address.trim_start_matches("sqlite:");
    let free: (i64,) = sqlx::query_as("PRAGMA freelist_count").fetch_one(kit.read()).await.unwrap();
    assert!(free.0 > 0, "the pages of the large picture are free now");
    let content = std::fs::read(path).unwrap();
    // Half of its bytes are beyond ASCII, unlike those of the schema's text.
    let written = content.chunks(4096).filter(|page| page.iter().filter(|byte| **byte > 127).count() > 1500);
    assert_eq!(written.count(), 0, "ciphertext fills a page; what is left of it is zeros");
}

/// Somebody reads what was there before for longer than one try waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_being_read_is_emptied_afterwards() {
    use sqlx::Connection;
    let vision = Vision::start().await;
    let [site, _postgres] = sites(MIGRATIONS).await.try_into().unwrap();
    let kit = &site.kit;
    let ada = willing(kit, "ada").await;
    enrol(kit, &vision.service, ada, &photo(&[3.0, 4.0])).await.unwrap();
    let bytes = sealed(&site).await;
    let mut connection = kit.read().acquire().await.unwrap();
    let mut reader = connection.begin().await.unwrap();
    let _: (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM face_template").fetch_one(&mut *reader).await.unwrap();
    consent::withdraw(kit, None, ada, Purpose::FaceAccess).await.unwrap();
    assert!(in_files(&site, &bytes).await, "the reader holds the log");
    drop(reader);
    let gone = async {
        while in_files(&site, &bytes).await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), gone).await.unwrap();
}

#[tokio::test]
async fn a_picture_is_sealed_and_looking_at_it_is_journaled() {
    for site in sites(MIGRATIONS).await {
        let kit = &site.kit;
        let (ada, bob) = (willing(kit, "ada").await, somebody(kit, "bob").await);
        let jpeg = [&[0xff, 0xd8, 0xff][..], b"a face"].concat();
        let mut tx = kit.begin().await.unwrap();
        picture::put(&mut tx, None, ada, &jpeg).await.unwrap();
        assert!(matches!(picture::put(&mut tx, None, bob, &jpeg).await, Err(PeopleError::NoConsent)));
        assert_eq!(
            picture::put(&mut tx, None, ada, b"GIF89a").await.unwrap_err().code(),
            "photo-not-a-photo"
        );
        tx.commit().await.unwrap();
        let operator = kit::auth::OperatorId(1);
        let seen = picture::get(kit, Look::ByOperator(operator), ada).await.unwrap().unwrap();
        assert_eq!(seen.bytes, jpeg);
        // The same look again, another operator's, and one that is a look of its own.
        for (by, later) in [(1, false), (2, false), (1, true)] {
            if later {
                site.clock.advance(kit::looks::SAME_LOOK);
            }
            picture::get(kit, Look::ByOperator(kit::auth::OperatorId(by)), ada).await.unwrap().unwrap();
        }
        let written = async {
            loop {
                let all = kit::journal::events_after(kit.read(), 0, 1000).await.unwrap();
                let looks = all.iter().filter(|event| event.kind == "person.viewed");
                let looks: Vec<_> = looks.map(|event| event.body.contains("photograph")).collect();
                if looks.len() >= 3 {
                    return looks;
                }
                tokio::task::yield_now().await;
            }
        };
        let written = tokio::time::timeout(std::time::Duration::from_secs(20), written).await;
        assert_eq!(written.expect("looks are written down"), [true; 3]);
        let (sealed,): (Vec<u8>,) =
            sqlx::query_as("SELECT sealed FROM profile_picture").fetch_one(kit.read()).await.unwrap();
        assert!(!sealed.windows(6).any(|six| six == b"a face"));
    }
}

/// Whether bytes are anywhere in SQLite's file or log. PostgreSQL's files are not ours to look into: there it answers by
/// whether the row is there.
async fn in_files(site: &Site, bytes: &[u8]) -> bool {
    match site.database.engine {
        Engine::Sqlite => {
            let path = site.database.address.trim_start_matches("sqlite:");
            ["", "-wal"].iter().any(|end| {
                let content = std::fs::read(format!("{path}{end}")).unwrap_or_default();
                content.windows(bytes.len()).any(|window| window == bytes)
            })
        }
        Engine::Postgres => {
            let rows: Vec<(Vec<u8>,)> =
                sqlx::query_as("SELECT sealed FROM face_template").fetch_all(site.kit.read()).await.unwrap();
            rows.iter().any(|(sealed,)| sealed == bytes)
        }
    }
}
