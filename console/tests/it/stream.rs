//! Many at their screens: each sees everything in its order, with passes of its own, and nobody waits for another.

use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode, header};
use console::Console;
use domain::ids::PersonId;
use futures_util::{Stream as _, StreamExt as _};
use jiff::tz::TimeZone;
use kit::auth::{Role, SESSION_COOKIE};
use kit::testing::{MONDAY, Site};
use people::consent::{self, Purpose};
use people::person::{self, Particulars};
use people::picture;
use tower::ServiceExt as _;
use uplink::live::Live;

use crate::browser::{Browser, sites};

const PATIENCE: Duration = Duration::from_secs(20);

/// A screen that follows the stream.
pub(crate) struct Screen {
    body: BodyDataStream,
    text: String,
}

/// An event of the stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) id: Option<u64>,
    pub(crate) data: String,
}

impl Screen {
    pub(crate) async fn opened(routes: &Router, session: &str, asked: &str, language: &str) -> Self {
        let cookies = format!("{SESSION_COOKIE}={session}; language={language}");
        let request = Request::get(format!("/live/stream{asked}")).header(header::COOKIE, cookies);
        let response = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event of this kind.
    pub(crate) async fn next(&mut self, kind: &str) -> Told {
        loop {
            let told =
                tokio::time::timeout(PATIENCE, self.any()).await.unwrap_or_else(|_| panic!("no {kind} came"));
            if told.event == kind {
                return told;
            }
        }
    }

    pub(crate) async fn any(&mut self) -> Told {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let mut told = Told::default();
                for line in event.lines() {
                    match line.split_once(": ").unwrap() {
                        ("event", name) => name.clone_into(&mut told.event),
                        ("id", id) => told.id = Some(id.parse().unwrap()),
                        ("data", data) => {
                            told.data.extend([data, "\n"]);
                        }
                        (other, _) => panic!("{other}"),
                    }
                }
                self.text = rest.to_owned();
                return told;
            }
            let chunk = self.body.next().await.expect("the stream goes on").unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Whether something is there to be read now.
    fn has_more(&mut self) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        self.text.contains("\n\n") || Pin::new(&mut self.body).poll_next(&mut context).is_ready()
    }
}

pub(crate) fn pages(site: &Site) -> Router {
    console::routes(Console::new(site.kit.clone(), TimeZone::UTC)).into()
}

async fn journal(site: &Site, count: u32) -> u64 {
    let mut tx = site.kit.begin().await.unwrap();
    for _ in 0..count {
        tx.record("site.changed", &()).await.unwrap();
    }
    tx.commit().await.unwrap();
    kit::journal::newest(site.kit.read()).await.unwrap()
}

#[tokio::test]
async fn a_hundred_screens_see_every_record_in_order_and_one_that_stands_still_delays_nobody() {
    for site in sites().await {
        let viewer = Browser::signed_in(&site.kit, "eye", Role::Viewer).await;
        let routes = pages(&site);
        let after = kit::journal::newest(site.kit.read()).await.unwrap();
        let mut screens = Vec::new();
        for number in 0..100 {
            let language = if number % 2 == 0 { "en" } else { "zh-CN" };
            screens
                .push(Screen::opened(&routes, &viewer.session, &format!("?after={after}"), language).await);
        }
        let mut still = Screen::opened(&routes, &viewer.session, &format!("?after={after}"), "en").await;
        let mut last = after;
        for _ in 0..4 {
            last = journal(&site, 50).await;
        }
        let watching = screens.into_iter().map(|mut screen| async move {
            let mut seqs = Vec::new();
            let mut first = String::new();
            while seqs.last() != Some(&last) {
                let told = screen.next("record").await;
                first = if first.is_empty() { told.data } else { first };
                seqs.push(told.id.unwrap());
            }
            (seqs, first)
        });
        let seen = futures_util::future::join_all(watching).await;
        let whole: Vec<u64> = (after + 1..=last).collect();
        assert!(seen.iter().all(|(seqs, _)| *seqs == whole), "no gap, no repetition");
        assert_ne!(seen[0].1, seen[1].1, "each in its language");
        assert_eq!(seen[0].1, seen[98].1);

        // It comes back to its senses, and on another line: both tell it the rest.
        assert_eq!(still.next("record").await.id, Some(after + 1));
        let mut back = Screen::opened(&routes, &viewer.session, &format!("?after={}", last - 3), "en").await;
        for seq in last - 2..=last {
            assert_eq!(back.next("record").await.id, Some(seq));
        }
    }
}

#[tokio::test]
async fn what_is_drawn_for_many_has_each_ones_own_pass_and_nothing_else_of_them() {
    for site in sites().await {
        let kit = &site.kit;
        let ada = somebody_with_a_picture(&site).await;
        let one = Browser::signed_in(kit, "one", Role::Viewer).await;
        let two = Browser::signed_in(kit, "two", Role::Administrator).await;
        let seq = passage(&site, ada).await;
        let routes = pages(&site);
        let mut rows = Vec::new();
        for browser in [&one, &two] {
            let mut screen =
                Screen::opened(&routes, &browser.session, &format!("?after={}", seq - 1), "en").await;
            let told = screen.next("record").await;
            let pass = picture::pass(kit.keys(), &browser.session, ada, seq);
            assert!(told.data.contains(&format!("record={seq}&#38;pass={pass}\"")), "{}", told.data);
            assert!(!told.data.contains('\u{fdd0}'));
            rows.push(told.data.replace(&pass, ""));
        }
        assert_eq!(rows[0], rows[1], "all but the pass is the same");
    }
}

#[tokio::test]
async fn a_device_that_only_spoke_again_is_told_of_without_drawing_anew() {
    for site in sites().await {
        let viewer = Browser::signed_in(&site.kit, "eye", Role::Viewer).await;
        let mut screen = Screen::opened(&pages(&site), &viewer.session, "", "en").await;
        let speak = |software: &str| {
            let live = Live {
                at: site.kit.now(),
                software: software.to_owned(),
                doors: Vec::new(),
                boards: Vec::new(),
                cameras: Vec::new(),
                outbox: None,
                replica_version: None,
            };
            assert!(site.kit.live().hear("vision-1", live, site.kit.now()));
        };
        speak("1.0");
        while !screen.next("state").await.data.contains("1.0") {}
        site.clock.advance(Duration::from_secs(3));
        speak("1.0");
        // Two beats are a second apart: longer than a drawing may wait for its turn.
        let mut beats = 0;
        while beats < 2 {
            let told = screen.any().await;
            assert_ne!(told.event, "state", "nothing but an age differs");
            let beat: serde_json::Value = serde_json::from_str(&told.data).unwrap();
            assert_eq!(beat["now"], site.kit.now());
            beats += u32::from(beat["heard"]["vision-1"] == site.kit.now());
        }
        speak("1.1");
        assert!(screen.next("state").await.data.contains("1.1"));
        site.clock.advance(Duration::from_secs(6));
        let silent = screen.next("state").await;
        assert!(silent.data.contains("silent"), "{}", silent.data);
        assert!(!silent.data.contains("1.1"), "what it said is not drawn as now");
        while screen.has_more() {
            screen.any().await;
        }
    }
}

async fn somebody_with_a_picture(site: &Site) -> PersonId {
    let mut tx = site.kit.begin().await.unwrap();
    let ada = person::add(&mut tx, None, &Particulars::named("ada", "艾达")).await.unwrap();
    consent::give(&mut tx, None, ada, Purpose::ProfilePicture, "v1", MONDAY).await.unwrap();
    picture::put(&mut tx, None, ada, &[0xff, 0xd8, 0xff, 1, 2, 3]).await.unwrap();
    tx.commit().await.unwrap();
    ada
}

/// A record of somebody who was let in, as a controller tells it.
async fn passage(site: &Site, person: PersonId) -> u64 {
    let body = serde_json::json!({
        "door": 1, "side": "entry", "person": person.0, "outcome": "granted", "reasons": [],
        "trace": { "policy_version": 1, "shown": [], "rules": [], "centre": "not-needed" },
    });
    told_by(site, "controller-1", "access", &body).await
}

/// A record as a device tells it.
pub(crate) async fn told_by(site: &Site, device: &str, kind: &str, body: &serde_json::Value) -> u64 {
    let seq = journal(site, 1).await;
    let mut tx = site.kit.begin().await.unwrap();
    sqlx::query("UPDATE journal SET source = $1, stream = 'bulk', kind = $2, body = $3 WHERE seq = $4")
        .bind(device.to_owned())
        .bind(kind.to_owned())
        .bind(body.to_string())
        .bind(seq.cast_signed())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    seq
}
