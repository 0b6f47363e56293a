//! What is typed at a reader.

use domain::policy::{Credential, CredentialStatus, CredentialUse};
use domain::request::CredentialKind;
use osdp::cp::KeysPressed;

use super::*;

/// OSDP's codes of `#` and `*`.
const ENTER: u8 = 0x0D;
const CLEAR: u8 = 0x7F;
const CARD: [u8; 4] = [0x12, 0x34, 0x56, 0x80];

/// Ada enters the lobby by her card and 4711.
fn with_pin() -> Arc<Policy> {
    let key = CredentialKey::new(&[1; 32]);
    let mut parts = policy(|door| door.otherwise = vec![Factors::CARD.and(Factors::PIN)]).parts();
    let credentials = [
        (1, CredentialKind::Card, key.card(26, &CARD)),
        (2, CredentialKind::Pin, key.pin(PersonId(ADA), b"4711")),
    ];
    parts.credentials = credentials
        .into_iter()
        .map(|(id, kind, digest)| Credential {
            id: domain::ids::CredentialId(id),
            person: PersonId(ADA),
            kind,
            digest,
            board_entry: None,
            validity: Validity::ALWAYS,
            status: CredentialStatus::Active,
            usage: CredentialUse::Ordinary,
        })
        .collect();
    Arc::new(Policy::try_from(parts).expect("it is right"))
}

/// Whether Ada's card and these keys open the lobby.
fn opens(keys: &[&[u8]]) -> bool {
    let mut case = Case::new(with_pin());
    case.step(Input::Heard(BoardId(0), card_at(0)));
    assert!(case.ordered(0).is_empty(), "not by the card alone");
    for key in keys.concat() {
        let keys = heapless::Vec::from_slice(&[key]).expect("one");
        case.step(Input::Heard(BoardId(0), Box::new(EventKind::Keys(KeysPressed { reader: 0, keys }))));
    }
    case.ordered(0) == [Order::Release]
}

#[test]
fn too_many_digits_are_no_pin_whatever_follows_them() {
    assert!(opens(&[b"4711", &[ENTER]]));
    assert!(!opens(&[b"4712", &[ENTER]]));
    for junk in [1, 12, 13, 16, 17, 18, 33, 34, 50] {
        assert!(!opens(&[&vec![b'0'; junk], b"4711", &[ENTER]]), "{junk} digits before it");
    }
    assert!(opens(&[&[b'0'; 17], &[CLEAR], b"4711", &[ENTER]]), "begun anew");
    assert!(opens(&[&[b'0'; 17], &[ENTER], b"4711", &[ENTER]]), "a wrong one, and then the right one");
}
