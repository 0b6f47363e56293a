//! Every answer is what a walk over the whole journal gives, page by page, once each, in the order of time.

use kit::journal::events_after;
use kit::testing::{MONDAY, Site, sites};
use kit::{Kit, StoredEvent};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use records::term::Traits;
use records::{MOST_ALTERNATIVES, Place, Question, SearchError, catch_up, search};
use serde_json::json;

const RECORDS: usize = 600;
const QUESTIONS: usize = 150;
const PEOPLE: u64 = 12;
const DOORS: u64 = 5;
const MINUTE: i64 = 60_000_000;
const REASONS: [&str; 3] = ["outside-schedule", "expired", "no-level"];

/// A journal whose times are not in the order of its places, several records sharing one.
async fn fill(site: &Site, runner: &mut TestRunner) {
    let mut tx = site.kit.begin().await.unwrap();
    for _ in 0..RECORDS {
        let (person, door, what) = (0..PEOPLE, 0..DOORS, 0..6_usize).new_tree(runner).unwrap().current();
        let body = match what {
            0..=2 => json!({ "person": person, "door": door, "outcome": "granted" }),
            3 => json!({ "person": person, "door": door, "outcome": "denied",
                "reasons": [{ "code": REASONS[person as usize % 3] }, { "code": REASONS[door as usize % 3] }] }),
            4 => json!({ "door": door, "change": "forced" }),
            _ => json!({ "person": "somebody", "door": door }),
        };
        tx.record(if what == 4 { "door" } else { "access" }, &body).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = site.kit.begin().await.unwrap();
    for seq in 1..=RECORDS as i64 {
        let at = MONDAY + (0..120_i64).new_tree(runner).unwrap().current() * MINUTE;
        sqlx::query("UPDATE journal SET at = $2 WHERE seq = $1")
            .bind(seq)
            .bind(at)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

fn questions() -> impl Strategy<Value = Question> {
    let some = |most: u64| proptest::option::of(proptest::collection::vec(0..most, 0..4));
    let word = prop_oneof![
        Just("access.denied"),
        Just("access.granted"),
        Just("door.forced"),
        Just("reason.expired"),
        Just("reason.no-level"),
        Just("access"),
        Just("nothing.of-it"),
    ];
    let words =
        proptest::collection::vec(proptest::collection::vec(word.prop_map(str::to_owned), 1..3), 0..3);
    let time = || proptest::option::of((-5..125_i64).prop_map(|minute| MONDAY + minute * MINUTE));
    // Few people, or so many that nobody is asked for one by one at first.
    let people =
        prop_oneof![2 => some(PEOPLE), 1 => (70..75_u64).prop_map(|many| Some((PEOPLE / 2..many).collect()))];
    (people, some(DOORS), words, time(), time()).prop_map(|(people, doors, words, from, until)| Question {
        people,
        doors,
        words,
        from,
        until,
    })
}

/// What the question says, read from the records themselves.
fn is_asked_for(question: &Question, record: &StoredEvent) -> bool {
    let traits = Traits::of(record);
    question.people.as_ref().is_none_or(|ids| traits.person.is_some_and(|id| ids.contains(&id)))
        && question.doors.as_ref().is_none_or(|ids| traits.door.is_some_and(|id| ids.contains(&id)))
        && question.words.iter().all(|any| any.iter().any(|word| traits.words.contains(word)))
        && question.from.is_none_or(|from| from <= record.at)
        && question.until.is_none_or(|until| record.at < until)
}

async fn answer(kit: &Kit, question: &Question, page: usize) -> Vec<(i64, u64)> {
    let (mut all, mut before) = (Vec::new(), Place::END);
    loop {
        let found = search(kit, question, before, page).await.unwrap();
        assert!(found.records.len() <= page, "a page holds what was asked for");
        all.extend(found.records.iter().map(|record| (record.at, record.seq)));
        let Some(next) = found.next else { return all };
        before = next;
    }
}

#[tokio::test]
async fn every_answer_is_that_of_the_whole_journal() {
    let mut runner = TestRunner::deterministic();
    for site in sites(records::MIGRATIONS).await {
        fill(&site, &mut runner).await;
        catch_up(&site.kit).await.unwrap();
        let all = events_after(site.kit.read(), 0, RECORDS as u32).await.unwrap();
        let mut found_some = 0;
        for _ in 0..QUESTIONS {
            let question = questions().new_tree(&mut runner).unwrap().current();
            let mut expected: Vec<(i64, u64)> = all
                .iter()
                .filter(|record| is_asked_for(&question, record))
                .map(|record| (record.at, record.seq))
                .collect();
            expected.sort_by(|one, other| other.cmp(one));
            found_some += usize::from(!expected.is_empty());
            // A page of one for so many people at once would take this test minutes.
            let smallest = if question.people.as_ref().is_some_and(|ids| ids.len() > 60) { 7 } else { 1 };
            for page in [smallest, 20, 1000] {
                assert_eq!(answer(&site.kit, &question, page).await, expected, "{question:?} by {page}");
            }
        }
        assert!(found_some > QUESTIONS / 10, "the questions are worth asking: {found_some}");
    }
}

#[tokio::test]
async fn nobody_finds_nothing_and_too_many_are_said() {
    for site in sites(records::MIGRATIONS).await {
        let mut tx = site.kit.begin().await.unwrap();
        tx.record("access", &json!({ "person": 1 })).await.unwrap();
        tx.commit().await.unwrap();
        catch_up(&site.kit).await.unwrap();
        let people = |ids: Vec<u64>| Question { people: Some(ids), ..Question::default() };
        let none = search(&site.kit, &people(Vec::new()), Place::END, 10).await.unwrap();
        assert!(none.records.is_empty() && none.next.is_none());
        let most = (0..MOST_ALTERNATIVES as u64).collect();
        assert_eq!(search(&site.kit, &people(most), Place::END, 10).await.unwrap().records.len(), 1);
        let wide = search(&site.kit, &people((0..=MOST_ALTERNATIVES as u64).collect()), Place::END, 10).await;
        assert!(matches!(wide, Err(SearchError::Wide(_))), "{wide:?}");
    }
}

#[tokio::test]
async fn a_word_that_shares_a_mark_with_another_does_not_show() {
    for site in sites(records::MIGRATIONS).await {
        let mark = records::term::mark("access.denied");
        let twin =
            (0..).map(|number| format!("access.x{number}")).find(|word| records::term::mark(word) == mark);
        let outcome = twin.unwrap().split_once('.').unwrap().1.to_owned();
        let mut tx = site.kit.begin().await.unwrap();
        tx.record("access", &json!({ "person": 1, "outcome": outcome })).await.unwrap();
        tx.commit().await.unwrap();
        catch_up(&site.kit).await.unwrap();
        let question = Question {
            people: Some(vec![1]),
            words: vec![vec!["access.denied".to_owned(), "door.forced".to_owned(), "fire.alarm".to_owned()]],
            ..Question::default()
        };
        assert!(search(&site.kit, &question, Place::END, 10).await.unwrap().records.is_empty());
    }
}
