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
    assert_eq!(claimed, "Controller 1 claims: person.removed");
}

#[tokio::test]
async fn what_a_device_says_of_anothers_door_is_its_claim() {
    let opened = r#"{"door":1,"change":"opened"}"#;
    let own = sentence(&told("controller-1", Stream::Bulk, "door", opened)).await;
    assert!(own.starts_with("Main Door"), "{own}");
    let claimed = sentence(&told("controller-2", Stream::Bulk, "door", opened)).await;
    assert!(claimed.ends_with(&format!(" says of a door that is not its own: {own}")), "{claimed}");
}

/// Every event of the wire is a controller's: what another kind of device tells is not told as if it had happened.
#[tokio::test]
async fn what_a_kind_of_device_cannot_know_is_its_claim() {
    let command = format!(r#"{{"id":"{}","at":0,"settled":"done"}}"#, "0".repeat(32));
    for (kind, body) in [
        ("fire", r#"{"door":null,"zone":1,"change":"alarm"}"#),
        ("board", r#"{"bus":"lobby","address":1,"change":"tamper"}"#),
        ("controller", r#"{"change":"started"}"#),
        ("camera", r#"{"camera":"lobby","up":false}"#),
        ("command", command.as_str()),
        ("door", r#"{"door":4242,"change":"forced"}"#),
        ("fancy", "{}"),
    ] {
        let claimed = sentence(&told("vision-1", Stream::Urgent, kind, body)).await;
        assert!(claimed.starts_with("Vision 1 claims: "), "{claimed}");
        let own = sentence(&told("controller-1", Stream::Urgent, kind, body)).await;
        assert_eq!(own.contains(" claims: "), matches!(kind, "door" | "fancy"), "{own}");
    }
    let known = sentence(&told("vision-1", Stream::Urgent, "fire", r#"{"door":1,"change":"alarm"}"#)).await;
    assert!(known.starts_with("Vision 1 says of a door that is not its own: Main Door"), "{known}");
}

#[tokio::test]
async fn a_door_is_called_by_the_number_that_came() {
    let forced = format!(r#"{{"door":{},"change":"forced"}}"#, u64::MAX);
    let said = sentence(&told("controller-1", Stream::Urgent, "door", &forced)).await;
    assert_eq!(said, "Controller 1 claims: Door 18446744073709551615 forced open");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_shown_as_such() {
    let kit = sites(&[]).await.remove(0).kit;
    let page = Page { language: Language::English, operator: None, zone: TimeZone::UTC, section: "" };
    let view =
        view(&kit, &page, &directory(), &told("server", Stream::Own, kit::journal::UNREADABLE, "{}"), 0);
    assert_eq!(
        (view.sentence.as_str(), view.level),
        ("A record of the journal is damaged and cannot be read", Level::Alarm)
    );
}
