//! Adding, changing, finding and removing people and groups.

use domain::ids::GroupId;
use domain::policy::{FaceConsent, PersonStatus};
use domain::time::{Utc, Validity};
use kit::journal::events_after;
use kit::testing::{MONDAY, sites};
use people::consent::{self, Purpose};
use people::find::{self, Order, Place, Question, Standing};
use people::group::{self, GroupName};
use people::person::{self, Particulars, PersonKind};
use people::{MIGRATIONS, PeopleError};

fn staff() -> GroupName {
    GroupName { key: "staff".into(), name: "职员".into(), latin: "Staff".into() }
}

#[tokio::test]
async fn a_person_is_added_changed_found_and_removed() {
    for site in sites(MIGRATIONS).await {
        let kit = &site.kit;
        let mut tx = kit.begin().await.unwrap();
        let group = group::add(&mut tx, None, &staff()).await.unwrap();
        let mut ada = Particulars {
            groups: vec![group],
            latin: "Ada 100%".into(),
            ..Particulars::named("ada", "艾达")
        };
        let id = person::add(&mut tx, None, &ada).await.unwrap();
        ada.validity = Validity { from: Utc(MONDAY), until: Utc(MONDAY + 1) };
        ada.clearance = 7;
        ada.status = PersonStatus::Suspended;
        person::change(&mut tx, None, id, MONDAY, &ada).await.unwrap();
        tx.commit().await.unwrap();

        for (find, count) in [("", 1), ("艾", 1), ("ADA", 1), ("100%", 1), ("%%", 0), ("_", 0), ("bob", 0)] {
            let found = person::list(kit, None, find, 10).await.unwrap();
            assert_eq!(found.len(), count, "{find:?} on {:?}", site.database.engine);
            assert!(found.iter().all(|person| person.particulars == ada && person.id == id));
        }
        let mut connection = kit.read().acquire().await.unwrap();
        assert_eq!(person::by_key(&mut connection, "ada").await.unwrap().unwrap().particulars, ada);
        assert_eq!(person::name(kit, id).await.unwrap().unwrap().0, "艾达");
        assert_eq!(group::list(kit).await.unwrap()[0].members, 1);
        drop(connection);

        person::remove(kit, None, id).await.unwrap();
        assert_eq!(person::count(kit).await.unwrap(), 0);
        assert!(matches!(person::remove(kit, None, id).await, Err(PeopleError::Unknown("person"))));
        let mut tx = kit.begin().await.unwrap();
        let next = person::add(&mut tx, None, &Particulars::named("bob", "Bob")).await.unwrap();
        assert!(next > id, "an id is never given again");
    }
}

#[tokio::test]
async fn people_are_found_in_the_order_of_their_names_page_by_page() {
    for site in sites(MIGRATIONS).await {
        let kit = &site.kit;
        let mut tx = kit.begin().await.unwrap();
        for (key, name, department) in [
            ("1", "张三", "财务处"),
            ("2", "李安", "财务处"),
            ("3", "林晓雨", "办公室"),
            ("4", "林晓雨", "档案室"),
            ("5", "Ada", "办公室"),
        ] {
            let number = format!("G{key}");
            let department = department.to_owned();
            let person = Particulars { number, department, ..Particulars::named(key, name) };
            person::add(&mut tx, None, &person).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut names = Vec::new();
        let mut after = Place::default();
        loop {
            let page = find::find(kit, &"".into(), (Order::Name, false), &after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.place.clone();
            names.extend(page.iter().map(|it| (it.name.clone(), it.number.clone())));
        }
        let names: Vec<_> = names.iter().map(|(name, number)| (name.as_str(), number.as_str())).collect();
        let order = [("Ada", "G5"), ("李安", "G2"), ("林晓雨", "G3"), ("林晓雨", "G4"), ("张三", "G1")];
        assert_eq!(names, order, "{:?}", site.database.engine);
        for (question, count) in
            [("lxy", 2), ("linxiao", 2), ("财务 zhang", 1), ("张 办公室", 0), ("g3", 1), ("%", 0), ("", 5)]
        {
            assert_eq!(find::count(kit, &question.into()).await.unwrap(), count, "{question:?}");
            let found =
                find::find(kit, &question.into(), (Order::Name, false), &Place::default(), 10).await.unwrap();
            assert_eq!(found.len() as u64, count, "{question:?}");
        }
        assert_eq!(find::namesakes(kit, "林晓雨", None).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn people_are_listed_in_the_order_of_a_column_and_by_how_they_stand() {
    for site in sites(MIGRATIONS).await {
        let kit = &site.kit;
        let now = kit.now();
        let mut tx = kit.begin().await.unwrap();
        for (key, name, department, number, status, days) in [
            ("1", "张三", "b", "6", PersonStatus::Active, (None, None)),
            ("2", "李安", "c", "7", PersonStatus::Suspended, (None, Some(-1))),
            ("3", "林晓雨", "a", "8", PersonStatus::Active, (None, Some(-1))),
            ("4", "林晓雨", "a", "9", PersonStatus::Active, (Some(1), None)),
        ] {
            let at = |days: Option<i64>| days.map(|days| Utc(now + days * 86_400_000_000));
            let validity =
                Validity { from: at(days.0).unwrap_or(Utc::MIN), until: at(days.1).unwrap_or(Utc::MAX) };
            let (department, number) = (department.to_owned(), number.to_owned());
            let person =
                Particulars { department, number, status, validity, ..Particulars::named(key, name) };
            person::add(&mut tx, None, &person).await.unwrap();
        }
        tx.commit().await.unwrap();
        let everybody = Question::default();
        for (order, forwards) in
            [(Order::Name, [2, 3, 4, 1]), (Order::Department, [3, 4, 1, 2]), (Order::Number, [1, 2, 3, 4])]
        {
            for (is_backwards, mut wanted) in [(false, forwards), (true, forwards)] {
                if is_backwards {
                    wanted.reverse();
                }
                // A page at a time: nobody is left out or comes twice, though two are the same but for their id.
                let (mut ids, mut after) = (Vec::new(), Place::default());
                while ids.len() < 9 {
                    let page = find::find(kit, &everybody, (order, is_backwards), &after, 1).await.unwrap();
                    let Some(last) = page.last() else { break };
                    after = last.place.clone();
                    ids.push(last.id.0);
                }
                assert_eq!(ids, wanted, "{order:?} {is_backwards} {:?}", site.database.engine);
            }
        }
        for (standing, id) in
            [(Standing::Active, 1), (Standing::Suspended, 2), (Standing::Expired, 3), (Standing::Early, 4)]
        {
            let question = Question { standing: Some(standing), ..Question::default() };
            let found =
                find::find(kit, &question, (Order::Name, false), &Place::default(), 10).await.unwrap();
            assert_eq!(found.iter().map(|it| it.id.0).collect::<Vec<_>>(), [id], "{standing:?}");
            assert_eq!(find::count(kit, &question).await.unwrap(), 1);
        }
        let with = |kind, has_face| Question { kind, has_face, ..Question::default() };
        assert_eq!(find::count(kit, &with(Some(PersonKind::Visitor), None)).await.unwrap(), 0);
        assert_eq!(find::count(kit, &with(Some(PersonKind::Employee), Some(false))).await.unwrap(), 4);
        assert_eq!(find::count(kit, &with(None, Some(true))).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn who_was_there_before_is_found_after_a_start() {
    for site in sites(MIGRATIONS).await {
        let kit = &site.kit;
        let mut tx = kit.begin().await.unwrap();
        person::add(&mut tx, None, &Particulars::named("ada", "艾达")).await.unwrap();
        sqlx::query("UPDATE person SET sort = '', sought = ''").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(find::count(kit, &"aida".into()).await.unwrap(), 0);
        find::complete(kit).await.unwrap();
        assert_eq!(find::count(kit, &"aida".into()).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_wrong_field_is_named_and_changes_nothing() {
    for site in sites(MIGRATIONS).await {
        let good = Particulars { number: "7".into(), ..Particulars::named("ada", "Ada") };
        let mut tx = site.kit.begin().await.unwrap();
        person::add(&mut tx, None, &good).await.unwrap();
        tx.commit().await.unwrap();
        let cases = [
            ("key", Particulars { key: "two words".into(), ..good.clone() }),
            ("name", Particulars { name: " ".into(), ..good.clone() }),
            ("name", Particulars { name: "\u{200b}".into(), ..good.clone() }),
            ("latin", Particulars { latin: "\u{202e}gnp".into(), ..good.clone() }),
            ("department", Particulars { department: "a\nb".into(), ..good.clone() }),
            ("groups", Particulars { groups: (1..=1001).map(GroupId).collect(), ..good.clone() }),
            ("clearance", Particulars { clearance: 8, ..good.clone() }),
            (
                "valid_until",
                Particulars { validity: Validity { from: Utc(2), until: Utc(2) }, ..good.clone() },
            ),
            (
                "groups",
                Particulars {
                    key: "x".into(),
                    number: String::new(),
                    groups: vec![GroupId(99)],
                    ..good.clone()
                },
            ),
            ("key or number", Particulars { number: String::new(), ..good.clone() }),
            ("key or number", Particulars { key: "bob".into(), ..good.clone() }),
        ];
        for (field, particulars) in cases {
            let mut tx = site.kit.begin().await.unwrap();
            let error = person::add(&mut tx, None, &particulars).await.unwrap_err();
            assert_eq!(error.field(), Some(field), "{error}");
        }
        assert_eq!(person::count(&site.kit).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn the_journal_tells_of_every_change_and_names_nobody() {
    for site in sites(MIGRATIONS).await {
        let mut tx = site.kit.begin().await.unwrap();
        let id =
            person::add(&mut tx, None, &Particulars::named("ada-lovelace", "Ada Lovelace")).await.unwrap();
        person::set_status(&mut tx, None, id, PersonStatus::Suspended).await.unwrap();
        // A text might name somebody; a key does not.
        let named = consent::give(&mut tx, None, id, Purpose::FaceAccess, "as Lovelace said", MONDAY).await;
        assert_eq!(named.unwrap_err().field(), Some("text_version"));
        consent::give(&mut tx, None, id, Purpose::FaceAccess, "2026-01", MONDAY).await.unwrap();
        tx.commit().await.unwrap();
        person::remove(&site.kit, None, id).await.unwrap();
        let events = events_after(site.kit.read(), 0, 100).await.unwrap();
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["person.added", "person.status", "consent.given", "person.removed"]);
        assert!(events.iter().all(|event| !event.body.to_lowercase().contains("lovelace")));
        assert_eq!(consent::of_person(&site.kit, id).await.unwrap().len(), 1, "consent stays on record");
    }
}

#[tokio::test]
async fn a_policy_knows_everybody_with_groups_and_consent() {
    for site in sites(MIGRATIONS).await {
        let mut tx = site.kit.begin().await.unwrap();
        let group = group::add(&mut tx, None, &staff()).await.unwrap();
        let ada = Particulars { groups: vec![group], ..Particulars::named("ada", "Ada") };
        let ada = person::add(&mut tx, None, &ada).await.unwrap();
        let bob = person::add(&mut tx, None, &Particulars::named("bob", "Bob")).await.unwrap();
        consent::give(&mut tx, None, bob, Purpose::FaceAccess, "2026-01", MONDAY).await.unwrap();
        consent::give(&mut tx, None, ada, Purpose::ProfilePicture, "2026-01", MONDAY).await.unwrap();
        tx.commit().await.unwrap();
        let mut connection = site.kit.read().acquire().await.unwrap();
        let everybody = person::for_policy(&mut connection).await.unwrap();
        let seen: Vec<_> =
            everybody.iter().map(|person| (person.id, person.groups.as_slice(), person.face)).collect();
        assert_eq!(seen, [(ada, &[group][..], FaceConsent::Absent), (bob, &[][..], FaceConsent::Given)]);
    }
}

#[tokio::test]
async fn a_groups_names_are_lines_in_which_something_can_be_seen() {
    for site in sites(MIGRATIONS).await {
        let mut tx = site.kit.begin().await.unwrap();
        let id = group::add(&mut tx, None, &staff()).await.unwrap();
        let named = |name: &str, latin: &str| GroupName { name: name.into(), latin: latin.into(), ..staff() };
        for (field, name, latin) in [
            ("name", "a\0b", ""),
            ("name", "a\nb", ""),
            ("name", "\u{1b}[31mA", ""),
            ("name", "\u{200b}\u{200d}", ""),
            ("name", "\u{2066}gnp", ""),
            ("latin", "职员", "a\u{202e}b"),
        ] {
            let refused = group::change(&mut tx, None, id, &named(name, latin)).await.unwrap_err();
            assert_eq!(refused.field(), Some(field), "{name:?} {latin:?}");
        }
        assert_eq!(group::get(&mut tx, id).await.unwrap(), Some(staff()));
    }
}

/// A policy with a larger row would not be published, and nothing that is withdrawn later either.
#[tokio::test]
async fn a_person_is_in_no_more_groups_than_a_policy_holds() {
    for site in sites(MIGRATIONS).await {
        let mut tx = site.kit.begin().await.unwrap();
        let mut groups = Vec::new();
        for at in 0..=1000 {
            let name = GroupName { key: format!("g{at}"), ..staff() };
            groups.push(group::add(&mut tx, None, &name).await.unwrap());
        }
        let with = |count: usize| Particulars {
            groups: groups[..count].to_vec(),
            ..Particulars::named("ada", "Ada")
        };
        assert_eq!(person::add(&mut tx, None, &with(1001)).await.unwrap_err().field(), Some("groups"));
        let ada = person::add(&mut tx, None, &with(1000)).await.unwrap();
        let seen = person::get(&mut tx, ada).await.unwrap().unwrap().changed_at;
        let refused = person::change(&mut tx, None, ada, seen, &with(1001)).await.unwrap_err();
        assert_eq!(refused.field(), Some("groups"));
        let of_policy = person::for_policy(&mut tx).await.unwrap();
        assert_eq!(of_policy[0].groups.len(), 1000);
    }
}
