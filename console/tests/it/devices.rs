//! The pages of devices: what they said, how old it is, and what the server knows without them.

use axum::http::StatusCode;
use devices::Trust;
use domain::ids::ControllerId;
use doors::label::Label;
use doors::place;
use kit::auth::Role;
use kit::pki::{Authority, Holder};
use kit::testing::MONDAY;
use uplink::live::{Board, Install, Line, List, Live, Outbox, Update, UpdateStage};

use crate::browser::{Browser, sites};

fn said() -> Live {
    let board = Board {
        bus: "lobby".to_owned(),
        address: 3,
        online: true,
        secure: true,
        firmware: Some("1.4.0".to_owned()),
        heard_at: Some(MONDAY),
        retries: 7,
        line: Some(Line { commands: 1000, timeouts: 6, damaged: 1, reply_us: 2450 }),
        list: Some(List { number: 4, until: MONDAY + 3_600_000_000 }),
        update: Some(Update { stage: UpdateStage::Sending, firmware: Some("0.2.0".into()), sent: 40 }),
        install: None,
    };
    Live {
        at: MONDAY + 5_000_000,
        software: "0.9.1".to_owned(),
        doors: Vec::new(),
        boards: vec![board],
        cameras: Vec::new(),
        outbox: Some(Outbox { epoch: 1, urgent: 2, bulk: 40, writable: true }),
        replica_version: Some(12),
    }
}

#[tokio::test]
async fn a_controller_is_shown_with_its_boards_lines_and_lists() {
    for site in sites().await {
        let kit = &site.kit;
        let mut tx = kit.begin().await.unwrap();
        place::put_controller(&mut tx, None, ControllerId(1), &Label::new("one", "一号")).await.unwrap();
        sqlx::query("INSERT INTO stream_position (source, epoch, stream, number) VALUES ('controller-1', 3, 'urgent', 17), ('controller-1', 2, 'urgent', 99), ('controller-1', 3, 'bulk', 1234)")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let viewer = Browser::signed_in(kit, "eye", Role::Viewer).await;
        let page = viewer.get("/devices").await.page;
        assert!(page.contains("一号") && page.contains("not heard since the start"), "{page}");
        assert!(page.contains("#17 (numbering 3)"), "what is journaled is known without it: {page}");

        kit.live().hear("controller-1", said(), MONDAY);
        for path in ["/devices", "/devices/controller-1"] {
            let page = viewer.get(path).await.page;
            for words in [
                "0.9.1",
                "5000 ms",
                "0.2.0 is being sent, 40 %",
                "2 urgent, 40 others",
                "#1234 (numbering 3)",
                "7 repeats, 6 unanswered, 1 damaged",
                "poor line",
                "answers in 2.4 ms",
                "1.4.0",
                "until 2026-03-02 09:00",
                "encrypted",
            ] {
                assert!(page.contains(words), "{path}: {words}: {page}");
            }
            assert!(page.contains("class=\"wrong\""), "a clock five seconds off is a matter");
        }
        // Silent: nothing of it is drawn as if it were so now.
        site.clock.advance(std::time::Duration::from_secs(60));
        let page = viewer.get("/devices/controller-1").await.page;
        for old in ["0.9.1", "5000 ms", "2 urgent", "poor line", "encrypted"] {
            assert!(!page.contains(old), "{old} is drawn as it is now: {page}");
        }
        assert!(page.contains("It is silent") && page.contains("#17 (numbering 3)"), "{page}");
        assert_eq!(viewer.get("/devices/controller-9").await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_code_is_shown_once_and_withdrawn() {
    for site in sites().await {
        let kit = &site.kit;
        let folder = tempfile::tempdir().unwrap();
        Authority::create(folder.path(), MONDAY).unwrap();
        let trust = Trust::open(&folder.path().join("ca.pem"), ("broker".to_owned(), 8883)).unwrap();
        let mut tx = kit.begin().await.unwrap();
        place::put_controller(&mut tx, None, ControllerId(1), &Label::new("one", "一号")).await.unwrap();
        tx.commit().await.unwrap();
        let administrator = Browser::signed_in(kit, "ada", Role::Administrator).await;
        let page = administrator.get("/devices/enrol").await.page;
        assert!(
            page.contains("Nobody was invited yet.") && page.contains("value=\"controller-1\""),
            "{page}"
        );
        let early = administrator.post("/devices/enrol", "device=controller-1&hours=24").await;
        assert!(early.page.contains("start the server once"), "{}", early.page);
        devices::adopt(kit, &trust).await.unwrap();

        let refused = administrator.post("/devices/enrol", "device=controller-9&hours=168").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            refused.page.contains("The site has no such controller") && refused.page.contains("controller-9")
        );
        assert!(refused.page.contains("value=\"168\" selected"), "what was chosen stays");
        let made = administrator.post("/devices/enrol", "device=controller-1&hours=1").await;
        let code =
            made.page.split("autocomplete=\"off\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let code = uplink::enrol::Code::parse(&code).unwrap();
        assert_eq!(code.authority(), trust.fingerprint());
        let page = administrator.get("/devices/enrol").await.page;
        assert!(page.contains("not used yet") && !page.contains(&code.show()), "it was shown once");
        let id = devices::invitations(&mut kit.read().acquire().await.unwrap()).await.unwrap()[0].id.0;
        administrator.post(&format!("/devices/enrol/{id}/withdraw"), "").await;
        let page = administrator.get("/devices/enrol").await.page;
        assert!(page.contains("withdrawn") && !page.contains("not used yet"), "{page}");
        let told = administrator.get("/history").await.page;
        assert!(told.contains("A one-time code was made: 一号"), "{told}");
        let manager = Browser::signed_in(kit, "eve", Role::Manager).await;
        assert_eq!(manager.get("/devices/enrol").await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn certificates_are_listed_and_revoked_with_a_reason() {
    for site in sites().await {
        let kit = &site.kit;
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path(), MONDAY).unwrap();
        for holder in [Holder::Server, Holder::Controller(4)] {
            authority.issue(folder.path(), &holder, &[], MONDAY).unwrap();
        }
        let trust = Trust::open(&folder.path().join("ca.pem"), ("broker".to_owned(), 8883)).unwrap();
        devices::adopt(kit, &trust).await.unwrap();
        let administrator = Browser::signed_in(kit, "ada", Role::Administrator).await;
        let page = administrator.get("/devices/certificates").await.page;
        assert!(
            page.contains("controller-4") && page.contains("in 730 days") && page.contains("found as a file")
        );
        let all = devices::certificates(&mut kit.read().acquire().await.unwrap()).await.unwrap();
        let of = |name: &str| all.iter().find(|it| it.holder == name).unwrap().number();
        let path = format!("/devices/certificates/{}/revoke", of("controller-4"));
        let refused = administrator.post(&path, "reason=++").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.page.contains("Say why"), "{}", refused.page);
        let refused =
            administrator.post(&format!("/devices/certificates/{}/revoke", of("server")), "reason=old").await;
        assert!(refused.page.contains("issue a new one first") && refused.page.contains("value=\"old\""));
        let done = administrator.post(&path, "reason=stolen+from+the+lobby").await;
        assert_eq!((done.status, &*done.to), (StatusCode::SEE_OTHER, "/devices/certificates"));
        let page = administrator.get("/devices/certificates").await.page;
        assert!(page.contains("revoked") && page.contains("stolen from the lobby"), "{page}");
        assert_eq!(
            administrator.post("/devices/certificates/zz/revoke", "reason=x").await.status,
            StatusCode::NOT_FOUND
        );
    }
}

/// The window is asked for on the controller's page; without a link nothing is opened, and what was typed stays.
#[tokio::test]
async fn the_install_window_is_shown_with_its_countdown_and_asked_for() {
    for site in sites().await {
        let kit = &site.kit;
        let mut tx = kit.begin().await.unwrap();
        place::put_controller(&mut tx, None, ControllerId(1), &Label::new("one", "一号")).await.unwrap();
        tx.commit().await.unwrap();
        let manager = Browser::signed_in(kit, "eve", Role::Manager).await;
        let mut live = said();
        live.boards[0].online = false;
        kit.live().hear("controller-1", live.clone(), MONDAY);
        let page = manager.get("/devices/controller-1").await.page;
        assert!(page.contains("value=\"3/lobby\"") && page.contains("value=\"/lobby\""), "{page}");
        let refused =
            manager.post("/devices/controller-1/install", "place=3%2Flobby&minutes=5&reason=").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.page.contains("Say why") && refused.page.contains("value=\"5\" selected"));
        let refused =
            manager.post("/devices/controller-1/install", "place=3%2Flobby&minutes=50&reason=new").await;
        assert!(refused.page.contains("1 to 10 minutes."), "{}", refused.page);
        let refused =
            manager.post("/devices/controller-1/install", "place=3%2Flobby&minutes=5&reason=new").await;
        assert!(refused.page.contains("Nothing was opened late") && refused.page.contains("value=\"new\""));

        let by = kit::auth::list(kit).await.unwrap().iter().find(|it| it.name == "eve").unwrap().id.0;
        live.boards[0].install = Some(Install { by: by.cast_unsigned(), until: MONDAY + 90_000_000 });
        kit.live().hear("controller-1", live, MONDAY);
        let page = manager.get("/devices/controller-1").await.page;
        assert!(page.contains("Install window open (eve)") && page.contains(">1:30</time>"), "{page}");
        assert!(page.contains("action=\"/devices/controller-1/install/close\""), "{page}");
        let viewer = Browser::signed_in(kit, "vic", Role::Viewer).await;
        let page = viewer.get("/devices/controller-1").await.page;
        assert!(page.contains("Install window open") && !page.contains("/install\""), "{page}");
    }
}
