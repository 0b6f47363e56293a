//! The schema, the statements, and putting things in place.

use domain::civil::Date;
use domain::policy::AntiPassback;
use domain::schedule::{DayKind, Days, Span, Window};
use doors::label::{Label, Put};
use doors::schedule::{CalendarDay, Schedule, Unusual};
use doors::{DoorsError, door, level, place, schedule};
use kit::testing::prepare;

use crate::site::{Small, sites};

#[tokio::test]
async fn every_statement_can_be_prepared() {
    for site in sites().await {
        prepare(&site, doors::statements()).await;
    }
}

#[tokio::test]
async fn what_is_put_is_read_back_and_putting_it_again_writes_nothing() {
    for site in sites().await {
        let mut tx = site.kit.begin().await.unwrap();
        let small = Small::put(&mut tx).await;
        let before = kit_events(&site.kit).await;
        for (id, was) in place::areas(&mut tx).await.unwrap() {
            assert_eq!(place::put_area(&mut tx, None, &was).await.unwrap(), (id, Put::Same));
        }
        for (id, was) in schedule::list(&mut tx).await.unwrap() {
            assert_eq!(schedule::put(&mut tx, None, &was).await.unwrap(), (id, Put::Same));
        }
        for (id, was) in door::list(&mut tx).await.unwrap() {
            assert_eq!(door::put(&mut tx, None, &was).await.unwrap(), (id, Put::Same));
        }
        for (id, was) in door::groups(&mut tx).await.unwrap() {
            assert_eq!(door::put_group(&mut tx, None, &was).await.unwrap(), (id, Put::Same));
        }
        for (id, was) in level::list(&mut tx).await.unwrap() {
            assert_eq!(level::put(&mut tx, None, &was).await.unwrap(), (id, Put::Same));
        }
        let site_row = place::site(&mut tx).await.unwrap().unwrap();
        assert_eq!(place::put_site(&mut tx, None, &site_row).await.unwrap(), Put::Same);
        tx.commit().await.unwrap();
        assert!(kit_events(&site.kit).await > before);

        let mut tx = site.kit.begin().await.unwrap();
        let mut changed = small.door.clone();
        changed.anti_passback = AntiPassback::Timed(std::time::Duration::from_secs(90));
        assert_eq!(door::put(&mut tx, None, &changed).await.unwrap(), (small.door_id, Put::Changed));
        let (_, read) =
            door::list(&mut tx).await.unwrap().into_iter().find(|(id, _)| *id == small.door_id).unwrap();
        assert_eq!(read, changed);
    }
}

#[tokio::test]
async fn overnight_windows_exceptions_and_closed_days_are_kept() {
    for site in sites().await {
        let mut tx = site.kit.begin().await.unwrap();
        let night = Schedule {
            label: Label::new("night", "夜班"),
            windows: vec![
                Window { days: Days::EVERY, span: Span::new(1320, 360).unwrap() },
                Window { days: Days::only(DayKind::SiteDay), span: Span::ALL_DAY },
            ],
            exceptions: vec![
                (Date(20_500), vec![]),
                (Date(20_501), vec![Span::new(0, 60).unwrap(), Span::new(90, 30).unwrap()]),
            ],
        };
        let (id, put) = schedule::put(&mut tx, None, &night).await.unwrap();
        assert_eq!(put, Put::Created);
        assert_eq!(schedule::list(&mut tx).await.unwrap(), [(id, night)]);
        let day =
            CalendarDay { date: Date(20_498), kind: Unusual::WorkingWeekend, name: "春节调休".into() };
        assert_eq!(schedule::put_day(&mut tx, None, &day).await.unwrap(), Put::Created);
        assert_eq!(schedule::put_day(&mut tx, None, &day).await.unwrap(), Put::Same);
        let calendar = schedule::calendar(&schedule::calendar_days(&mut tx).await.unwrap());
        assert_eq!(calendar.kind_of(Date(20_498)), DayKind::WorkingWeekend);
        schedule::remove_day(&mut tx, None, day.date).await.unwrap();
        assert!(matches!(schedule::remove_day(&mut tx, None, day.date).await, Err(DoorsError::Unknown(_))));
    }
}

type Spoil = fn(&mut door::Door);

#[tokio::test]
async fn a_wrong_field_is_named() {
    for site in sites().await {
        let mut tx = site.kit.begin().await.unwrap();
        let small = Small::put(&mut tx).await;
        tx.commit().await.unwrap();
        let cases: [(&str, Spoil); 7] = [
            ("inside", |door| door.inside = door.outside),
            ("strike", |door| door.strike = std::time::Duration::from_millis(50)),
            ("open_with", |door| door.otherwise = vec![domain::request::Factors::PIN]),
            ("rules", |door| door.rules[0].any_of.clear()),
            ("rules", |door| door.rules[0].schedule.0 = 99),
            ("door", |door| door.controller.0 = 99),
            ("key", |door| door.label.key.push(' ')),
        ];
        for (field, spoil) in cases {
            let mut door = small.door.clone();
            spoil(&mut door);
            let mut tx = site.kit.begin().await.unwrap();
            let error = door::put(&mut tx, None, &door).await.unwrap_err();
            assert!(
                matches!(error, DoorsError::Field { field: named, .. } if named == field),
                "{field}: {error}"
            );
        }
        let mut tx = site.kit.begin().await.unwrap();
        let error = place::remove_controller(&mut tx, None, small.door.controller).await.unwrap_err();
        assert!(matches!(error, DoorsError::InUse("controller")), "{error}");
    }
}

async fn kit_events(kit: &kit::Kit) -> u64 {
    kit::journal::newest(kit.read()).await.unwrap()
}

#[tokio::test]
async fn what_turns_the_writing_or_cannot_be_seen_is_no_name() {
    for site in sites().await {
        let mut tx = site.kit.begin().await.unwrap();
        let small = Small::put(&mut tx).await;
        for (field, name, latin) in
            [("name", "\u{2067}门", ""), ("name", "\u{200b}", ""), ("latin", "门", "\u{202d}door")]
        {
            let label = Label { name: name.into(), latin: latin.into(), ..small.door.label.clone() };
            let refused = place::put_fire_zone(&mut tx, None, &label).await.unwrap_err();
            assert!(matches!(refused, DoorsError::Field { field: it, .. } if it == field), "{refused}");
        }
        let day = CalendarDay { date: Date(20_000), kind: Unusual::SiteDay, name: "a\nb".into() };
        let refused = schedule::put_day(&mut tx, None, &day).await.unwrap_err();
        assert!(matches!(refused, DoorsError::Field { field: "name", .. }), "{refused}");
    }
}

#[tokio::test]
async fn an_area_is_not_moved_into_itself_by_way_of_others() {
    for site in sites().await {
        let mut tx = site.kit.begin().await.unwrap();
        let mut parent = None;
        let mut chain = Vec::new();
        for at in 0..4 {
            let kind = if at == 0 { place::AreaKind::Building } else { place::AreaKind::Area };
            let area = place::Area { label: Label::new(&format!("a{at}"), "x"), kind, parent };
            let (id, _) = place::put_area(&mut tx, None, &area).await.unwrap();
            parent = Some(id);
            chain.push((id, area));
        }
        let into =
            |at: usize, parent: usize| place::Area { parent: Some(chain[parent].0), ..chain[at].1.clone() };
        for (at, parent) in [(1, 1), (1, 3), (2, 3)] {
            let refused = place::put_area(&mut tx, None, &into(at, parent)).await.unwrap_err();
            assert!(matches!(refused, DoorsError::Field { field: "parent", .. }), "{refused}");
        }
        assert_eq!(place::put_area(&mut tx, None, &into(3, 1)).await.unwrap().1, Put::Changed);
        let mut deepest = chain[0].0;
        for at in 0..=64 {
            let label = Label::new(&format!("deep{at}"), "x");
            let area = place::Area { label, kind: place::AreaKind::Area, parent: Some(deepest) };
            match place::put_area(&mut tx, None, &area).await {
                Ok((id, _)) => deepest = id,
                Err(refused) => {
                    assert!(at == 64 && refused.to_string().contains("more than 64"), "{at}: {refused}");
                    deepest = chain[0].0;
                }
            }
        }
        assert_eq!(deepest, chain[0].0, "the last was refused");
    }
}
