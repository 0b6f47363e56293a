//! From a list to people, cards and groups.

use domain::policy::{CredentialStatus, PersonStatus};
use domain::request::CredentialKind;
use domain::time::Utc;
use kit::Kit;
use people::credential::{self, Card, Secret};
use people::person::{self, Person};
use roster::draft::{self, Confirmed, DraftError, Fate};
use roster::import::{self, State};

use crate::site::clerks;

const LIST: &str = "\
工号,姓名,部门,人员组,卡号,有效期
0012,林晓雨,研发中心,研发,\"069,12345\",2026-12-31
0013,欧明哲,研发中心,研发,\"069,12346\",长期
";

async fn somebody(kit: &Kit, key: &str) -> Person {
    person::by_key(&mut kit.read().acquire().await.unwrap(), key).await.unwrap().unwrap()
}

async fn carries(kit: &Kit, person: &Person, card: Card) -> Option<CredentialStatus> {
    let digest = Secret::Card(card).digest(kit.keys().credential(), person.id);
    let known = credential::of_person(kit, person.id).await.unwrap();
    known.into_iter().find(|it| it.digest == digest).map(|it| it.terms.status)
}

#[tokio::test]
async fn every_statement_is_understood_by_both_engines() {
    let migrations = [people::MIGRATIONS, doors::MIGRATIONS, roster::MIGRATIONS].concat();
    for site in kit::testing::sites(&migrations).await {
        kit::testing::prepare(&site, roster::statements()).await;
    }
}

#[tokio::test]
async fn people_come_with_their_card_and_group_and_the_same_list_again_changes_nothing() {
    for clerk in clerks().await {
        let kit = &clerk.kit;
        let import = clerk.imports(LIST).await;
        assert_eq!((import.state, import.added, import.cards), (State::Done, 2, 2));
        let lin = somebody(kit, "0012").await;
        assert_eq!((lin.particulars.name.as_str(), lin.particulars.groups.len()), ("林晓雨", 1));
        assert_eq!(carries(kit, &lin, Card::wiegand26(69, 12345)).await, Some(CredentialStatus::Active));
        assert!(lin.particulars.validity.until < Utc::MAX);
        assert_eq!(people::find::count(kit, &"lxy".into()).await.unwrap(), 1, "found as everybody is");
        let again = clerk.uploads(LIST, |_| {}).await;
        let counts = clerk.draft(&again).plan.counts;
        assert_eq!((counts.same, counts.new + counts.changed + counts.wrong), (2, 0));
        assert!(!clerk.draft(&again).may_begin());
    }
}

#[tokio::test]
async fn what_a_list_does_not_say_stays_and_what_was_withdrawn_does_not_come_back() {
    for clerk in clerks().await {
        let kit = &clerk.kit;
        clerk.imports(LIST).await;
        let lin = somebody(kit, "0012").await;
        let card = credential::of_person(kit, lin.id).await.unwrap().remove(0);
        let mut tx = kit.begin().await.unwrap();
        person::set_status(&mut tx, None, lin.id, PersonStatus::Suspended).await.unwrap();
        credential::set_status(&mut tx, None, card.id, CredentialStatus::Lost).await.unwrap();
        tx.commit().await.unwrap();

        let list = "工号,姓名,状态,卡号\n0012,林小雨,在职,\"069,12345\"\n";
        let draft = clerk.uploads(list, |_| {}).await;
        let notes = clerk.draft(&draft).plan.rows[0].notes.clone();
        assert_eq!(notes, ["stays-suspended", "other-name", "card-stays-stopped"]);
        assert_eq!(clerk.imports(list).await.changed, 1);
        let lin = somebody(kit, "0012").await;
        assert_eq!(lin.particulars.status, PersonStatus::Suspended);
        assert_eq!(
            (lin.particulars.name.as_str(), lin.particulars.department.as_str()),
            ("林小雨", "研发中心")
        );
        assert_eq!(carries(kit, &lin, Card::wiegand26(69, 12345)).await, Some(CredentialStatus::Lost));

        // A new card beside the one that was lost; then another in its place.
        clerk.imports("工号,卡号\n0012,\"069,777\"\n").await;
        assert_eq!(credential::of_person(kit, lin.id).await.unwrap().len(), 2);
        clerk.imports("工号,卡号\n0012,\"069,778\"\n").await;
        let cards = credential::of_person(kit, lin.id).await.unwrap();
        assert_eq!(cards.len(), 2);
        assert!(cards.iter().all(|card| card.kind == CredentialKind::Card));
        assert_eq!(carries(kit, &lin, Card::wiegand26(69, 777)).await, None, "it opens nothing any more");
        assert_eq!(carries(kit, &lin, Card::wiegand26(69, 778)).await, Some(CredentialStatus::Active));
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_line_and_nothing_is_written() {
    for clerk in clerks().await {
        clerk.imports(LIST).await;
        let list = "\
工号,姓名,人员组,卡号,有效期,类别
,无工号,,,,
14,,,,,
15,张三,不存在的组,\"1,1\",2026-02-30,外星人
16,李四,,\"069,12345\",,
17,王五,,\"2,2\",,
17,王五,,\"2,3\",,
18,赵六,,\"2,2\",,
19,孙七,,1.2E+10,,
";
        let wrong = clerk.finds_wrong(list).await;
        let expected = [
            (2, "no-number"),
            (3, "no-name"),
            (4, "date"),
            (4, "kind"),
            (5, "card-taken"),
            (7, "twice"),
            (8, "card-twice"),
            (9, "rounded"),
        ];
        assert_eq!(wrong, expected);
        let unknown = clerk.finds_wrong("工号,姓名,人员组\n15,张三,不存在的组\n").await;
        assert_eq!(unknown, [(2, "group-unknown")]);

        let before = kit::journal::newest(clerk.kit.read()).await.unwrap();
        let draft = clerk.uploads(list, |_| {}).await;
        let shown = clerk.draft(&draft).plan.fingerprint.clone();
        let refused = draft::confirm(&clerk.kit, clerk.by, &draft, &shown, true).await;
        assert!(matches!(refused, Err(DraftError::Nothing)));
        assert_eq!(kit::journal::newest(clerk.kit.read()).await.unwrap(), before);
        // Those that are right, where that was chosen.
        let draft = clerk.uploads(list, |choice| choice.whole = false).await;
        assert!(matches!(clerk.confirms(&draft).await, Confirmed::Begun(_)));
        while import::advance(&clerk.kit).await.unwrap() {}
        assert_eq!(somebody(&clerk.kit, "17").await.particulars.name, "王五");
        assert_eq!(person::count(&clerk.kit).await.unwrap(), 3);
    }
}

#[tokio::test]
async fn zeros_that_a_spreadsheet_lost_are_told_of() {
    for clerk in clerks().await {
        clerk.imports(LIST).await;
        assert_eq!(clerk.finds_wrong("工号,姓名\n12,林晓雨\n").await, [(2, "zeros-lost")]);
    }
}

#[tokio::test]
async fn groups_that_are_not_there_are_made_when_that_was_chosen() {
    for clerk in clerks().await {
        let list = "工号,姓名,人员组\n1,甲,访客组；研发\n2,乙,访客组\n";
        let draft = clerk.uploads(list, |choice| choice.create_groups = true).await;
        assert_eq!(clerk.draft(&draft).plan.new_groups, ["访客组"]);
        clerk.confirms(&draft).await;
        while import::advance(&clerk.kit).await.unwrap() {}
        assert_eq!(somebody(&clerk.kit, "1").await.particulars.groups.len(), 2);
        let groups = people::group::list(&clerk.kit).await.unwrap();
        assert_eq!(groups.iter().map(|group| group.members).collect::<Vec<_>>(), [1, 2]);
    }
}

#[tokio::test]
async fn what_is_confirmed_is_what_was_shown() {
    for clerk in clerks().await {
        let kit = &clerk.kit;
        clerk.imports(LIST).await;
        let draft = clerk.uploads("工号,部门\n0012,财务部\n", |_| {}).await;
        let shown = clerk.draft(&draft).plan.fingerprint.clone();
        let lin = somebody(kit, "0012").await;
        let mut tx = kit.begin().await.unwrap();
        let renamed = person::Particulars { name: "林".into(), ..lin.particulars.clone() };
        person::change(&mut tx, None, lin.id, lin.changed_at, &renamed).await.unwrap();
        tx.commit().await.unwrap();
        let again = draft::confirm(kit, clerk.by, &draft, &shown, true).await.unwrap();
        assert_eq!(again, Confirmed::Otherwise);
        assert_eq!(somebody(kit, "0012").await.particulars.department, "研发中心");
        assert!(matches!(clerk.confirms(&draft).await, Confirmed::Begun(_)), "after another look");
    }
}

#[tokio::test]
async fn a_small_one_is_all_or_nothing_even_when_somebody_comes_in_between() {
    for clerk in clerks().await {
        let kit = &clerk.kit;
        clerk.imports(LIST).await;
        for whole in [true, false] {
            let list = format!("工号,姓名,部门\n0012,林晓雨,部门{whole}\n0013,欧明哲,部门{whole}\n");
            let draft = clerk.uploads(&list, |choice| choice.whole = whole).await;
            let Confirmed::Begun(import) = clerk.confirms(&draft).await else { panic!("nothing changed") };
            let lin = somebody(kit, "0012").await;
            let mut tx = kit.begin().await.unwrap();
            person::set_status(&mut tx, None, lin.id, PersonStatus::Active).await.unwrap();
            tx.commit().await.unwrap();
            while import::advance(kit).await.unwrap() {}
            let import = import::get(kit, import).await.unwrap().unwrap();
            assert_eq!((import.overtaken, import.lines), (1, vec![2]));
            assert_eq!(import.state, if whole { State::Overtaken } else { State::Done });
            let ou = somebody(kit, "0013").await.particulars.department;
            assert_eq!(ou == format!("部门{whole}"), !whole, "{ou}");
        }
    }
}

/// 2,500 people: three batches.
fn many() -> String {
    let rows = (0..2500).map(|at| format!("e{at},员工{at},研发,\"{},{}\"\n", 1 + at / 60_000, at));
    format!("工号,姓名,人员组,卡号\n{}", rows.collect::<String>())
}

#[tokio::test]
async fn a_large_one_goes_on_after_a_restart_and_can_be_stopped() {
    for clerk in clerks().await {
        let kit = &clerk.kit;
        let draft = clerk.uploads(&many(), |_| {}).await;
        let Confirmed::Begun(id) = clerk.confirms(&draft).await else { panic!("nothing changed") };
        assert!(import::advance(kit).await.unwrap());
        let half = import::get(kit, id).await.unwrap().unwrap();
        assert_eq!((half.state, half.added, half.people), (State::Writing, 1000, 2500));
        assert_eq!(person::count(kit).await.unwrap(), 1000);
        while import::advance(kit).await.unwrap() {}
        let whole = import::get(kit, id).await.unwrap().unwrap();
        assert_eq!((whole.state, whole.added, whole.cards), (State::Done, 2500, 2500));
        let left: (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM roster_part").fetch_one(kit.read()).await.unwrap();
        assert_eq!(left.0, 0, "nothing of people stays where they were stored");

        let other = many().replace("\ne", "\nf").replace(",\"1,", ",\"2,");
        let draft = clerk.uploads(&other, |_| {}).await;
        let Confirmed::Begun(id) = clerk.confirms(&draft).await else { panic!("nothing changed") };
        assert!(import::advance(kit).await.unwrap());
        assert!(import::cancel(kit, Some(clerk.by), id).await.unwrap());
        assert!(!import::advance(kit).await.unwrap());
        let stopped = import::get(kit, id).await.unwrap().unwrap();
        assert_eq!((stopped.state, stopped.added), (State::Cancelled, 1000));
    }
}

#[tokio::test]
async fn no_card_number_is_in_the_journal_or_in_what_is_stored() {
    for clerk in clerks().await {
        let list = "工号,姓名,卡号\n1,甲,26:0A1B2C40\n";
        let draft = clerk.uploads(list, |_| {}).await;
        clerk.confirms(&draft).await;
        let parts: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT sealed FROM roster_part").fetch_all(clerk.kit.read()).await.unwrap();
        assert!(parts.iter().all(|(part,)| !part.windows(2).any(|it| it == "甲".as_bytes())));
        while import::advance(&clerk.kit).await.unwrap() {}
        let records = kit::journal::events_after(clerk.kit.read(), 0, 1000).await.unwrap();
        let told = records.iter().map(|record| record.body.as_str()).collect::<String>();
        assert!(!told.contains("0A1B2C40") && !told.contains('甲'), "{told}");
        assert!(records.iter().any(|record| record.kind == "import.finished"));
        assert!(matches!(clerk.draft_is_gone(&draft), Err(DraftError::Gone)));
    }
}

impl crate::site::Clerk {
    fn draft_is_gone(&self, id: &str) -> Result<(), DraftError> {
        draft::get(&self.kit, self.by, id).map(drop)
    }
}

#[tokio::test]
async fn a_column_is_set_by_hand() {
    for clerk in clerks().await {
        let list = "Nr,Wer,Karte\n1,Ada,00c80040\n";
        let id = clerk.uploads(list, |_| {}).await;
        assert!(!clerk.draft(&id).choice.names_people());
        let words = ["number", "name", ""].into_iter();
        let id = clerk.uploads(list, |choice| choice.columns = roster::column::parse(words)).await;
        assert!(matches!(clerk.draft(&id).plan.rows[0].fate, Fate::New(_)));
        let twice = roster::column::parse(["number", "number", ""].into_iter());
        let choice = draft::Choice { columns: twice, ..clerk.draft(&id).choice };
        let refused = draft::choose(&clerk.kit, clerk.by, &id, choice).await;
        assert!(matches!(refused, Err(DraftError::Twice(_))));
    }
}
