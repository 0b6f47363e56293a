//! What is told, in which order, how often, and what becomes of what is not taken.

use kit::Kit;
use kit::testing::sites;
use kit::trouble::Trouble;
use webhooks::{Begin, Hook, Pause, Topic, Way};

use crate::receiver::{PATIENCE, Receiver, administrator, hook, journal};

/// Tells webhooks until it is dropped.
struct Telling(tokio::task::JoinHandle<()>);

impl Telling {
    fn begin(kit: &Kit) -> Self {
        Self(tokio::spawn(webhooks::run(kit.clone(), Way::new(None, true).unwrap())))
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The one webhook, once it looks so.
async fn until(kit: &Kit, looks_so: impl Fn(&Hook) -> bool) -> Hook {
    let looked = async {
        loop {
            let hook = webhooks::hooks(kit).await.unwrap().remove(0);
            if looks_so(&hook) {
                return hook;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| panic!("it never looked so"))
}

#[tokio::test]
async fn what_is_of_its_topics_is_told_in_order_and_signed() {
    for site in sites(webhooks::MIGRATIONS).await {
        let (kit, receiver) = (&site.kit, Receiver::listen().await);
        let _telling = Telling::begin(kit);
        let by = administrator(kit).await;
        journal(kit, "person.added").await;
        let (id, secret) = hook(kit, by, &receiver.address(), &[Topic::People]).await;

        let first = journal(kit, "person.changed").await;
        journal(kit, "level.changed").await;
        let last = journal(kit, "person.removed").await;
        let told = receiver.told(2).await;
        assert_eq!(told.iter().map(|it| it.seq()).collect::<Vec<_>>(), [first, last], "nothing from before");
        let it = &told[0];
        assert!(it.is_signed_by(&secret.text()));
        assert_eq!(it.header("content-type"), "application/json");
        assert_eq!(it.header("webhook-timestamp"), (kit::testing::MONDAY / 1_000_000).to_string());
        assert!(it.header("webhook-id").ends_with(&format!("_{first}")));
        let body = it.json();
        assert_eq!(body["type"], "person.changed");
        assert_eq!(body["timestamp"], "2026-03-02T08:00:00Z");
        assert_eq!(body["data"]["body"]["person"], 7);

        let mut tx = kit.begin().await.unwrap();
        webhooks::test(&mut tx, by, id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(receiver.told(3).await[2].json()["type"], "webhook.test", "whatever its topics are");
    }
}

#[tokio::test]
async fn a_record_is_told_again_until_it_is_taken_and_nothing_overtakes_it() {
    for site in sites(webhooks::MIGRATIONS).await {
        let (kit, receiver) = (&site.kit, Receiver::listen().await);
        let _telling = Telling::begin(kit);
        let by = administrator(kit).await;
        let (id, _) = hook(kit, by, &receiver.address(), &[Topic::People]).await;
        receiver.answer_next(&[503, 404]);
        let (first, second) = (journal(kit, "person.added").await, journal(kit, "person.changed").await);

        let failing = until(kit, |hook| hook.failing.is_some_and(|it| it.tries == 2)).await;
        assert!(failing.told < first, "it is not told yet");
        let told = receiver.told(4).await;
        let seqs: Vec<_> = told.iter().map(|it| it.seq()).collect();
        assert_eq!(seqs, [first, first, first, second]);
        assert_eq!(told[0].header("webhook-id"), told[2].header("webhook-id"));
        assert_ne!(told[0].header("webhook-id"), told[3].header("webhook-id"));
        let well = until(kit, |hook| hook.failing.is_none() && hook.told >= second).await;
        assert_eq!(well.told_at, Some(kit::testing::MONDAY));
        let tries = webhooks::tries(kit.read(), id).await.unwrap();
        let outcomes: Vec<_> = tries.iter().map(|it| (it.seq, it.outcome.as_str())).collect();
        assert_eq!(outcomes, [(first, "404"), (first, "503")]);
    }
}

#[tokio::test]
async fn what_was_held_up_goes_on_where_it_left_off_or_with_what_comes() {
    for site in sites(webhooks::MIGRATIONS).await {
        let (kit, receiver) = (&site.kit, Receiver::listen().await);
        let _telling = Telling::begin(kit);
        let by = administrator(kit).await;
        let (id, _) = hook(kit, by, &receiver.address(), &[Topic::People]).await;
        let hold = async || {
            let mut tx = kit.begin().await.unwrap();
            webhooks::pause(&mut tx, by, id).await.unwrap();
            tx.commit().await.unwrap();
        };
        let go_on = async |begin| {
            let mut tx = kit.begin().await.unwrap();
            webhooks::resume(&mut tx, by, id, begin).await.unwrap();
            tx.commit().await.unwrap();
        };
        hold().await;
        let missed = journal(kit, "person.added").await;
        go_on(Begin::WhereItLeftOff).await;
        assert_eq!(receiver.told(1).await[0].seq(), missed);

        hold().await;
        let left_out = journal(kit, "person.changed").await;
        go_on(Begin::WithWhatComes).await;
        let next = journal(kit, "person.removed").await;
        let seqs: Vec<_> = receiver.told(2).await.iter().map(|it| it.seq()).collect();
        assert!(seqs.contains(&next) && !seqs.contains(&left_out), "{seqs:?}");
    }
}

#[tokio::test]
async fn a_server_that_begins_again_tells_what_was_not_taken() {
    for site in sites(webhooks::MIGRATIONS).await {
        let (kit, receiver) = (&site.kit, Receiver::listen().await);
        let by = administrator(kit).await;
        let (_, secret) = hook(kit, by, &receiver.address(), &[Topic::People]).await;
        let mut journaled = Vec::new();
        for _ in 0..3 {
            let telling = Telling::begin(kit);
            journaled.push(journal(kit, "person.added").await);
            receiver.told(1).await;
            drop(telling);
            journaled.push(journal(kit, "person.changed").await);
        }
        let _telling = Telling::begin(kit);
        until(kit, |hook| hook.told >= *journaled.last().unwrap()).await;
        let told = receiver.so_far();
        assert!(told.iter().all(|it| it.is_signed_by(&secret.text())));
        // What was taken just before an end may come again; nothing is told before what came before it was.
        let mut first = Vec::new();
        for it in &told {
            if !first.contains(&it.seq()) {
                first.push(it.seq());
            }
        }
        assert_eq!(first, journaled);
    }
}

#[tokio::test]
async fn while_a_secret_is_changed_both_sign() {
    for site in sites(webhooks::MIGRATIONS).await {
        let (kit, receiver) = (&site.kit, Receiver::listen().await);
        let _telling = Telling::begin(kit);
        let by = administrator(kit).await;
        let (id, former) = hook(kit, by, &receiver.address(), &[Topic::People]).await;
        let mut tx = kit.begin().await.unwrap();
        let secret = webhooks::renew_secret(&mut tx, by, id).await.unwrap();
        tx.commit().await.unwrap();
        until(kit, |hook| hook.told > 0).await;
        journal(kit, "person.added").await;
        let told = receiver.told(1).await;
        let last = told.last().unwrap();
        assert!(last.is_signed_by(&secret.text()) && last.is_signed_by(&former.text()));

        site.clock.advance(std::time::Duration::from_secs(25 * 3600));
        journal(kit, "person.changed").await;
        let told = receiver.told(told.len() + 1).await;
        let last = told.last().unwrap();
        assert!(last.is_signed_by(&secret.text()) && !last.is_signed_by(&former.text()), "a day has passed");
    }
}

#[tokio::test]
async fn a_receiver_that_says_it_is_gone_is_told_nothing_more_and_the_console_says_so() {
    for site in sites(webhooks::MIGRATIONS).await {
        let (kit, receiver) = (&site.kit, Receiver::listen().await);
        let _telling = Telling::begin(kit);
        let by = administrator(kit).await;
        let (id, _) = hook(kit, by, &receiver.address(), &[Topic::People]).await;
        receiver.answer_next(&[410]);
        let seq = journal(kit, "person.added").await;
        until(kit, |hook| hook.paused == Some(Pause::ByItself)).await;
        let mut troubles = kit.troubles().changes();
        let raised = async {
            while !kit.troubles().standing().contains_key(&Trouble::WebhookSilent) {
                troubles.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, raised).await.unwrap();
        let records = kit::journal::events_before(kit.read(), u64::MAX, 1).await.unwrap();
        assert_eq!(records[0].kind, "webhook.given-up");

        let mut tx = kit.begin().await.unwrap();
        webhooks::resume(&mut tx, by, id, Begin::WhereItLeftOff).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(receiver.told(2).await[1].seq(), seq, "it was not lost");
        let mut troubles = kit.troubles().changes();
        let cleared = async {
            while kit.troubles().standing().contains_key(&Trouble::WebhookSilent) {
                troubles.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, cleared).await.unwrap();
    }
}

#[tokio::test]
async fn a_redirection_leads_nowhere() {
    for site in sites(webhooks::MIGRATIONS).await {
        let (kit, receiver, other) = (&site.kit, Receiver::listen().await, Receiver::listen().await);
        let _telling = Telling::begin(kit);
        let by = administrator(kit).await;
        hook(kit, by, &receiver.address(), &[Topic::People]).await;
        receiver.answer_with(307, "location", other.address());
        let seq = journal(kit, "person.added").await;
        assert_eq!(receiver.told(2).await[1].seq(), seq);
        assert!(other.so_far().is_empty());
    }
}
