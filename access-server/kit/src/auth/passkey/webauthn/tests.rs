//! What is refused, one thing wrong at a time.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::auth::passkey::wire::{Assertion, Registration};
use crate::testing::device::{Device, HOST, ORIGIN};

const CHALLENGE: [u8; 32] = [7; 32];

fn party() -> Party {
    Party { id: HOST.to_owned(), origins: vec![ORIGIN.to_owned()] }
}

/// What a page is given, as far as a device looks at it.
fn options(challenge: [u8; 32]) -> Value {
    json!({ "challenge": BASE64_URL_SAFE_NO_PAD.encode(challenge), "user": { "id": "AAEC" } })
}

fn make(device: &mut Device) -> Result<Made, Wrong> {
    let made = device.make(&options(CHALLENGE));
    let made: Registration = serde_json::from_value(made).unwrap();
    registered(&party(), &CHALLENGE, &made.response.client_data.0, &made.response.attestation_object.0)
}

fn made(device: &mut Device) -> Made {
    make(device).unwrap()
}

fn look(made: &Made, challenge: &[u8], shown: &Assertion) -> Result<u32, Wrong> {
    let kept =
        Kept { handle: &[0, 1, 2], public_key: &made.public_key, counter: made.counter, synced: made.synced };
    let signed = Signed {
        client_data: &shown.response.client_data.0,
        authenticator_data: &shown.response.authenticator_data.0,
        signature: &shown.response.signature.0,
        handle: shown.response.user_handle.as_ref().map(|it| &*it.0),
    };
    super::shown(&party(), challenge, kept, signed)
}

fn signed(device: &mut Device) -> Assertion {
    serde_json::from_value(device.sign(&options(CHALLENGE))).unwrap()
}

fn sign(made: &Made, device: &mut Device) -> Result<u32, Wrong> {
    let shown = signed(device);
    look(made, &CHALLENGE, &shown)
}

/// A key as an older TPM has one.
fn rsa() -> Device {
    let out = std::process::Command::new("openssl")
        .args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
        .output()
        .expect("Debian's package `openssl` is installed");
    let text = String::from_utf8(out.stdout).unwrap();
    let text: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    Device::rsa(&base64::prelude::BASE64_STANDARD.decode(text).unwrap())
}

#[test]
fn what_each_algorithm_signs_is_taken() {
    for mut device in [Device::elliptic(), Device::edwards(), rsa()] {
        let made = made(&mut device);
        assert_eq!(sign(&made, &mut device), Ok(1), "{device:?}");
        device.counter = None;
        let made = Made { counter: 0, ..made };
        assert_eq!(sign(&made, &mut device), Ok(0), "a device may not count: {device:?}");
    }
}

#[test]
fn another_page_host_or_purpose_is_refused() {
    let mut device = Device::default();
    let made = made(&mut device);
    for origin in [
        "https://localhost",
        "http://localhost:8443",
        "https://localhost:8443.evil.example",
        "https://localhost:9000",
    ] {
        device.origin = origin.to_owned();
        assert_eq!(sign(&made, &mut device), Err(Wrong::Origin), "{origin}");
        assert_eq!(make(&mut device), Err(Wrong::Origin), "{origin}");
    }
    device.origin = ORIGIN.to_owned();
    device.party = "example".to_owned();
    assert_eq!(sign(&made, &mut device), Err(Wrong::Party));
    assert_eq!(make(&mut device), Err(Wrong::Party));
    device.party = HOST.to_owned();
    // What was made to register signs nobody in.
    let registration: Registration = serde_json::from_value(device.make(&options(CHALLENGE))).unwrap();
    let mut mixed = signed(&mut device);
    mixed.response.client_data = registration.response.client_data;
    assert_eq!(look(&made, &CHALLENGE, &mixed), Err(Wrong::Purpose));
}

#[test]
fn a_page_in_a_frame_is_refused() {
    let said = json!({
        "type": "webauthn.get", "challenge": BASE64_URL_SAFE_NO_PAD.encode(CHALLENGE), "origin": ORIGIN,
        "crossOrigin": true,
    });
    assert_eq!(asked(&party(), "webauthn.get", &CHALLENGE, said.to_string().as_bytes()), Err(Wrong::Origin));
}

#[test]
fn the_answer_to_another_question_is_refused() {
    let mut device = Device::default();
    let made = made(&mut device);
    let shown = signed(&mut device);
    assert_eq!(look(&made, &[8; 32], &shown), Err(Wrong::Challenge));
    assert_eq!(look(&made, &CHALLENGE, &shown), Ok(1));
}

#[test]
fn nobody_there_or_nobody_verified_is_refused() {
    let mut device = Device::default();
    let made = made(&mut device);
    device.verifies = false;
    assert_eq!(sign(&made, &mut device), Err(Wrong::Unverified));
    assert_eq!(make(&mut device), Err(Wrong::Unverified));
    (device.verifies, device.touched) = (true, false);
    assert_eq!(sign(&made, &mut device), Err(Wrong::Absent));
    assert_eq!(make(&mut device), Err(Wrong::Absent));
}

#[test]
fn a_counter_that_went_back_or_stands_still_is_a_copy() {
    let mut device = Device::default();
    device.counter = Some(9);
    let made = made(&mut device);
    for before in [8, 4, 0] {
        device.counter = Some(before);
        assert_eq!(sign(&made, &mut device), Err(Wrong::Copied), "{before}");
    }
    device.counter = None;
    assert_eq!(sign(&made, &mut device), Err(Wrong::Copied), "it counted before");
    device.counter = Some(9);
    assert_eq!(sign(&made, &mut device), Ok(10));
    let mut stranger = Device::default();
    stranger.pass_for(&device);
    assert_eq!(sign(&made, &mut stranger), Err(Wrong::Signature), "who has no key says nothing of copies");
}

#[test]
fn anothers_passkey_is_refused() {
    let (mut device, mut other) = (Device::default(), Device::default());
    let made = made(&mut device);
    make(&mut other).unwrap();
    other.pass_for(&device);
    assert_eq!(sign(&made, &mut other), Err(Wrong::Signature));
    let mut shown = signed(&mut device);
    shown.response.user_handle.as_mut().unwrap().0[0] ^= 1;
    assert_eq!(look(&made, &CHALLENGE, &shown), Err(Wrong::Owner), "it names another owner");
    device.synced = true;
    assert_eq!(sign(&made, &mut device), Err(Wrong::Owner), "it was bound to one device");
    device.synced = false;
    device.names_owner = false;
    assert!(sign(&made, &mut device).is_ok(), "a device that was told which to use need not say whose it is");
}

#[test]
fn what_was_altered_after_it_was_signed_is_refused() {
    for mut device in [Device::elliptic(), Device::edwards()] {
        let made = made(&mut device);
        let shown = signed(&mut device);
        let mut altered = shown.clone();
        // The counter's last byte.
        altered.response.authenticator_data.0[36] ^= 2;
        assert_eq!(look(&made, &CHALLENGE, &altered), Err(Wrong::Signature));
        altered = shown.clone();
        altered.response.client_data.0.push(b' ');
        assert_eq!(look(&made, &CHALLENGE, &altered), Err(Wrong::Signature));
        altered = shown.clone();
        altered.response.signature.0.pop();
        assert_eq!(look(&made, &CHALLENGE, &altered), Err(Wrong::Signature));
        altered = shown;
        altered.response.authenticator_data.0.push(0);
        assert_eq!(
            look(&made, &CHALLENGE, &altered),
            Err(Wrong::Form),
            "nothing stands behind what is known"
        );
    }
}

#[test]
fn keys_that_were_not_asked_for_are_refused() {
    let modulus = |bytes: u8, length: usize| {
        [
            &b"\xa4\x01\x03\x03\x39\x01\x00\x20\x59"[..],
            &[bytes, 0],
            &vec![0xc5; length],
            b"\x21\x43\x01\x00\x01",
        ]
        .concat()
    };
    assert!(matches!(Key::read(&modulus(1, 256)), Ok(Key::Rsa(..))));
    assert!(matches!(Key::read(&modulus(2, 512)), Ok(Key::Rsa(..))));
    assert!(matches!(Key::read(&modulus(3, 768)), Err(Wrong::Key)), "longer than any");
    let short = [&b"\xa4\x01\x03\x03\x39\x01\x00\x20\x58\x80"[..], &[0xc5; 128], b"\x21\x43\x01\x00\x01"];
    assert!(matches!(Key::read(&short.concat()), Err(Wrong::Key)), "1024 bits");
    let good = made(&mut Device::elliptic()).public_key;
    // The algorithm becomes ES384, the kind OKP, the curve P-384, and one coordinate is left out.
    for (at, value) in [(4, 0x38), (2, 1), (6, 2)] {
        let mut key = good.clone();
        key[at] = value;
        assert!(Key::read(&key).is_err(), "{at}");
    }
    assert!(matches!(Key::read(&[&[0xa4][..], &good[1..45]].concat()), Err(Wrong::Key | Wrong::Form)));
    assert!(Key::read(&good).is_ok());
}

#[test]
fn a_device_may_say_what_it_is_and_it_is_stepped_over() {
    let mut device = Device::default();
    let made = device.make(&options(CHALLENGE));
    let made: Registration = serde_json::from_value(made).unwrap();
    let none = made.response.attestation_object.0;
    // The statement {"alg": -7, "sig": h'00', "x5c": [h'0102']} in place of {}.
    let at = none.windows(8).position(|it| it == b"attStmt\xa0").unwrap() + 7;
    let statement = b"\xa3\x63alg\x26\x63sig\x41\x00\x63x5c\x81\x42\x01\x02";
    let packed = [&none[..at], statement, &none[at + 1..]].concat();
    let client_data = made.response.client_data.0;
    assert!(registered(&party(), &CHALLENGE, &client_data, &packed).is_ok());
    let deep = [&none[..at], &[0x81; 100], &none[at..]].concat();
    assert_eq!(registered(&party(), &CHALLENGE, &client_data, &deep), Err(Wrong::Form), "levels have an end");
    assert_eq!(registered(&party(), &CHALLENGE, &client_data, &none[..none.len() - 1]), Err(Wrong::Form));
    let longer = [&none[..], b"\0"].concat();
    assert_eq!(registered(&party(), &CHALLENGE, &client_data, &longer), Err(Wrong::Form));
}

proptest! {
    /// Whatever is sent is refused, and nothing breaks.
    #[test]
    fn nonsense_is_refused(nonsense in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..200, byte: u8) {
        let mut device = Device::edwards();
        let made = device.make(&options(CHALLENGE));
        let made: Registration = serde_json::from_value(made).unwrap();
        let client_data = made.response.client_data.0;
        prop_assert!(registered(&party(), &CHALLENGE, &client_data, &nonsense).is_err());
        prop_assert!(registered(&party(), &CHALLENGE, &nonsense, &made.response.attestation_object.0).is_err());
        prop_assert!(Key::read(&nonsense).is_err());
        // One byte altered: an answer, whichever, and no panic.
        let mut altered = made.response.attestation_object.0;
        if let Some(there) = altered.get_mut(at) {
            *there = byte;
        }
        let _ = registered(&party(), &CHALLENGE, &client_data, &altered);
    }
}
