//! Firmware: what is taken, what controllers are sent of it, and how boards settle a plan.

use std::sync::Arc;

use domain::ids::{ControllerId, DoorId};
use doors::DoorsError;
use doors::firmware::{
    ImageId, NewPlan, OrderState, PlanId, PlanState, add_image, add_key, add_plan, answer, images, keys,
    plans, react, remove_image, remove_key, stop_plan,
};
use endpoints::vendor::Kind;
use endpoints::vendor::firmware::{Fits, HEADER_LEN, Header, Text, signed_message};
use kit::{Kit, StoredEvent, Stream};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use uplink::event::{Board, BoardChange};
use uplink::sync::firmware::{Firmware, assemble};
use uplink::sync::{Change, Chunk, Digest, Have, Set};

use crate::site::{Small, sites};

const LATER: i64 = i64::MAX / 2;

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(seed: u8) -> String {
    key(seed).public_key().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file(seed: u8, version: [u8; 3]) -> Vec<u8> {
    let image = vec![version[1]; 3_000];
    let header = Header {
        fits: Fits { kind: Kind::Door, model: 1, revision: 1, target: Text::new("host").unwrap() },
        firmware: version,
        security: 1,
        length: 3_000,
        words: Text::new("autumn").unwrap(),
        sha256: digest(&SHA256, &image).as_ref().try_into().unwrap(),
    };
    let mut head = [0; HEADER_LEN];
    header.encode(&mut head).unwrap();
    [&head[..], key(seed).sign(&signed_message(&head)).as_ref(), &image].concat()
}

fn plan(image: ImageId, first: &[DoorId], then: &[DoorId]) -> NewPlan {
    NewPlan {
        image,
        first: first.into(),
        then: then.into(),
        starts_at: 0,
        ends_at: LATER,
        even_if_open: false,
    }
}

/// A site with a key, an image, and a second door of the same controller.
async fn with_image(kit: &Kit) -> (ImageId, DoorId, DoorId) {
    let mut tx = kit.begin().await.unwrap();
    let small = Small::put(&mut tx).await;
    let mut second = small.door.clone();
    second.label = doors::label::Label::new("second", "二号门");
    second.board = second.board.map(|board| doors::door::Board { address: board.address + 1, ..board });
    let (second, _) = doors::door::put(&mut tx, None, &second).await.unwrap();
    add_key(&mut tx, None, &public(1)).await.unwrap();
    let image = add_image(&mut tx, None, &file(1, [0, 2, 0])).await.unwrap();
    tx.commit().await.unwrap();
    (image, small.door_id, second)
}

async fn door(kit: &Kit, id: DoorId) -> doors::door::Door {
    let mut connection = kit.read().acquire().await.unwrap();
    doors::door::list(&mut connection).await.unwrap().into_iter().find(|(of, _)| *of == id).unwrap().1
}

/// What the controller of these doors would hold now; nothing if it holds it.
async fn sent(kit: &Kit, have: &Have) -> Option<(Firmware, Have)> {
    let chunks: Vec<Chunk> = answer(kit, ControllerId(1), have).await.unwrap();
    let (version, digest) = chunks.first().map(|chunk| (chunk.to, chunk.digest))?;
    let rows: Vec<Change> = chunks.into_iter().flat_map(|chunk| chunk.changes).collect();
    let rows = rows.iter().map(|row| match row {
        Change::Put { table, id, row } => (table.as_str(), *id, row.get()),
        Change::Remove { .. } => panic!("whole"),
    });
    let firmware = assemble(rows).unwrap();
    Some((firmware, Have { set: Set::Firmware, version: Some(version), digest }))
}

fn nothing() -> Have {
    Have { set: Set::Firmware, version: None, digest: Digest::default() }
}

async fn tells(kit: &Kit, of: DoorId, change: BoardChange, count: Option<i64>) {
    let door = door(kit, of).await;
    let board = door.board.unwrap();
    let body = Board { bus: board.bus, address: board.address, change, count };
    let event = StoredEvent {
        seq: 1,
        received: 1,
        source: format!("controller-{}", door.controller.0),
        epoch: 1,
        stream: Stream::Bulk,
        number: 1,
        at: 1,
        kind: "board".into(),
        body: serde_json::to_string(&body).unwrap(),
    };
    let mut tx = kit.begin().await.unwrap();
    react(&mut tx, &[Arc::new(event)]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn state(kit: &Kit, plan: PlanId) -> (PlanState, Vec<OrderState>) {
    let mut connection = kit.read().acquire().await.unwrap();
    let all = plans(&mut connection).await.unwrap();
    let plan = all.into_iter().find(|it| it.id == plan).unwrap();
    (plan.state, plan.orders.into_iter().map(|order| order.state).collect())
}

#[tokio::test]
async fn only_what_a_trusted_key_signed_is_taken_and_once() {
    for site in sites().await {
        let mut tx = site.kit.begin().await.unwrap();
        let field = |result: Result<ImageId, DoorsError>| result.unwrap_err().at_field();
        assert_eq!(field(add_image(&mut tx, None, &file(1, [0, 2, 0])).await), Some("image"), "no key yet");
        assert!(add_key(&mut tx, None, "00").await.is_err());
        let trusted = add_key(&mut tx, None, &public(1).to_uppercase()).await.unwrap();
        assert!(add_key(&mut tx, None, &public(1)).await.is_err(), "twice");
        for weak in ["00".repeat(32), format!("01{}", "00".repeat(31))] {
            assert!(add_key(&mut tx, None, &weak).await.is_err(), "{weak} would take anything for signed");
        }
        assert_eq!(field(add_image(&mut tx, None, &file(2, [0, 2, 0])).await), Some("image"), "another's");
        let mut altered = file(1, [0, 2, 0]);
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(field(add_image(&mut tx, None, &altered).await), Some("image"));
        assert_eq!(field(add_image(&mut tx, None, &vec![0; 2 * 1024 * 1024]).await), Some("image"));
        let image = add_image(&mut tx, None, &file(1, [0, 2, 0])).await.unwrap();
        let shown = images(&mut tx).await.unwrap();
        assert_eq!((shown[0].firmware, shown[0].words.as_str()), ([0, 2, 0], "autumn"));
        remove_image(&mut tx, None, image).await.unwrap();
        remove_key(&mut tx, None, trusted).await.unwrap();
        assert!(keys(&mut tx).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_controller_is_sent_its_own_boards_orders_and_the_image_once() {
    for site in sites().await {
        let kit = &site.kit;
        assert!(sent(kit, &nothing()).await.is_none(), "nothing was ever put there");
        let (image, first, second) = with_image(kit).await;
        let (firmware, held) = sent(kit, &nothing()).await.unwrap();
        assert!(firmware.images.is_empty() && firmware.orders.is_empty());
        assert!(sent(kit, &held).await.is_none());
        let mut tx = kit.begin().await.unwrap();
        let made = add_plan(&mut tx, None, &plan(image, &[first], &[second])).await.unwrap();
        tx.commit().await.unwrap();
        let (firmware, held) = sent(kit, &held).await.unwrap();
        assert_eq!((firmware.images.len(), firmware.orders.len()), (1, 1), "the first board alone");
        assert_eq!(firmware.images.values().next().unwrap().file[..], file(1, [0, 2, 0]));
        let others = answer(kit, ControllerId(99), &nothing()).await.unwrap();
        let rows: usize = others.iter().map(|chunk| chunk.changes.len()).sum();
        assert_eq!(rows, 1, "another controller gets the key and no more");

        // Of another version, and of one that is being tried: neither settles anything.
        tells(kit, first, BoardChange::FirmwareGood, Some(1_000)).await;
        tells(kit, first, BoardChange::FirmwareTrial, Some(2_000)).await;
        assert_eq!(
            state(kit, made).await,
            (PlanState::Running, vec![OrderState::Trial, OrderState::Ordered])
        );
        assert!(sent(kit, &held).await.is_none());
        tells(kit, first, BoardChange::FirmwareGood, Some(2_000)).await;
        let (firmware, _) = sent(kit, &held).await.unwrap();
        assert_eq!(firmware.orders.len(), 2, "the others follow");
        tells(kit, second, BoardChange::FirmwareGood, Some(2_000)).await;
        assert_eq!(state(kit, made).await, (PlanState::Done, vec![OrderState::Good, OrderState::Good]));
        let (firmware, _) = sent(kit, &nothing()).await.unwrap();
        assert!(firmware.images.is_empty() && firmware.orders.is_empty());
    }
}

#[tokio::test]
async fn a_board_that_returns_or_refuses_stops_its_plan() {
    for (change, count, end) in [
        (BoardChange::FirmwareReturned, Some(2_000), OrderState::Returned),
        (BoardChange::FirmwareRefused, Some(3), OrderState::Refused),
    ] {
        for site in sites().await {
            let kit = &site.kit;
            let (image, first, second) = with_image(kit).await;
            let mut tx = kit.begin().await.unwrap();
            let made = add_plan(&mut tx, None, &plan(image, &[first], &[second])).await.unwrap();
            tx.commit().await.unwrap();
            tells(kit, first, change, count).await;
            assert_eq!(state(kit, made).await, (PlanState::Stopped, vec![end, OrderState::Ordered]));
            let (firmware, _) = sent(kit, &nothing()).await.unwrap();
            assert!(firmware.orders.is_empty(), "nobody is sent it any more");
            let mut tx = kit.begin().await.unwrap();
            assert!(stop_plan(&mut tx, None, made).await.is_err(), "it does not run");
            assert!(matches!(remove_image(&mut tx, None, image).await, Err(DoorsError::InUse("image"))));
        }
    }
}

#[tokio::test]
async fn a_plan_that_cannot_be_carried_out_says_why() {
    for site in sites().await {
        let kit = &site.kit;
        let (image, first, second) = with_image(kit).await;
        let mut tx = kit.begin().await.unwrap();
        let cases = [
            (plan(ImageId(99), &[first], &[]), "image"),
            (plan(image, &[], &[]), "doors"),
            (plan(image, &[DoorId(99)], &[]), "doors"),
            (plan(image, &[first], &[first]), "doors"),
            (NewPlan { starts_at: LATER, ends_at: LATER, ..plan(image, &[first], &[]) }, "ends_at"),
            (NewPlan { ends_at: 1, ..plan(image, &[first], &[]) }, "ends_at"),
        ];
        for (wrong, field) in cases {
            assert_eq!(
                add_plan(&mut tx, None, &wrong).await.unwrap_err().at_field(),
                Some(field),
                "{wrong:?}"
            );
        }
        add_plan(&mut tx, None, &plan(image, &[first], &[])).await.unwrap();
        let busy = add_plan(&mut tx, None, &plan(image, &[first, second], &[])).await;
        assert_eq!(busy.unwrap_err().at_field(), Some("doors"), "one plan a board");
    }
}
