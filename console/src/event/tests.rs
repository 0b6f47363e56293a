use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use kit::Stream;
use kit::testing::sites;

use super::*;
use crate::words::Language;

fn told(source: &str, stream: Stream, kind: &str, body: &str) -> StoredEvent {
    StoredEvent {
        seq: 7,
        received: 0,
        source: source.to_owned(),
        epoch: 1,
        stream,
        number: 1,
        at: 0,
        kind: kind.to_owned(),
        body: body.to_owned(),
    }
}

/// A site whose one door hangs on the first of two controllers.
fn directory() -> Directory {
    let door = Door {
        id: 1,
        name: "Main Door".to_owned(),
        area: "Lobby".to_owned(),
        kind: "kind-door",
        controller: "controller-1".to_owned(),
        board: None,
    };
    Directory { doors: BTreeMap::from([(1, door)]), ..Directory::default() }
}

async fn sentence(event: &StoredEvent) -> String {
    let kit = sites(&[]).await.remove(0).kit;
    let page = Page { language: Language::English, operator: None, zone: TimeZone::UTC, section: "" };
    view(&kit, &page, &directory(), event, 0).sentence
}

#[tokio::test]
async fn a_device_does_not_speak_as_the_server() {
    let body = r#"{"person":1}"#;
    let own = sentence(&told("server", Stream::Own, "person.removed", body)).await;
    let claimed = sentence(&told("controller-1", Stream::Bulk, "person.removed", body)).await;
    assert_ne!(own, claimed);
    assert_eq!(claimed, "person.removed");
}

#[tokio::test]
async fn what_a_device_says_of_anothers_door_is_its_claim() {
    let opened = r#"{"door":1,"change":"opened"}"#;
    let own = sentence(&told("controller-1", Stream::Bulk, "door", opened)).await;
    assert!(own.starts_with("Main Door"), "{own}");
    let claimed = sentence(&told("controller-2", Stream::Bulk, "door", opened)).await;
    assert!(claimed.ends_with(&format!(" says of a door that is not its own: {own}")), "{claimed}");
}
