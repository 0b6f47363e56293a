//! The pages of devices: what they said, how old it is, and what the server knows without them.

use axum::http::StatusCode;
use domain::ids::ControllerId;
use doors::label::Label;
use doors::place;
use kit::auth::Role;
use kit::testing::MONDAY;
use uplink::live::{Board, Line, List, Live, Outbox, Update, UpdateStage};

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
