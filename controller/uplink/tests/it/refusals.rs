//! What is malformed changes nothing and is named without being repeated.

use uplink::event::{Ack, Batch, Received};
use uplink::wire::{self, WireError};

#[test]
fn another_version_is_refused() {
    assert_eq!(wire::decode::<Ack>(br#"{"v":2,"epoch":1,"up_to":1}"#), Err(WireError::Version(2)));
    assert_eq!(wire::decode::<Ack>(br#"{"epoch":1,"up_to":1}"#), Err(WireError::Version(0)));
}

#[test]
fn too_large_is_refused_before_it_is_read() {
    let payload = vec![b' '; wire::LARGEST + 1];
    assert_eq!(wire::decode::<Ack>(&payload), Err(WireError::TooLarge(wire::LARGEST + 1)));
}

#[test]
fn a_fault_is_named_by_its_place_and_never_by_its_content() {
    let error = wire::decode::<Ack>(br#"{"v":1,"epoch":"4711-secret","up_to":1}"#).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("column"), "{text}");
    assert!(!text.contains("4711"), "{text}");
    for cut in [&b""[..], b"{", b"\xff", b"[1]", br#"{"v":1}"#] {
        assert!(wire::decode::<Ack>(cut).is_err());
    }
}

#[test]
fn an_event_of_an_unknown_kind_is_kept_whole() {
    let payload =
        br#"{"v":1,"epoch":7,"events":[{"seq":1,"at":2,"kind":"of-the-future","data":{"x":[1,2]}}]}"#;
    let batch: Batch<Received> = wire::decode(payload).expect("the frame is understood");
    assert_eq!(batch.events[0].kind, "of-the-future");
    assert_eq!(batch.events[0].data.get(), r#"{"x":[1,2]}"#);
}
