//! The head of a firmware image: golden bytes, and what hostile bytes do.

use endpoints::vendor::Kind;
use endpoints::vendor::firmware::{Fits, HEAD_LEN, HEADER_LEN, Header, Running, Text, Unfit, head};
use endpoints::vendor::{BadBody, FromBoard, HoldUp, Stage, ToBoard, Update};
use proptest::prelude::*;

use crate::chaos;

fn header() -> Header {
    Header {
        fits: Fits { kind: Kind::Door, model: 1, revision: 2, target: Text::new("stm32g474").unwrap() },
        firmware: [1, 2, 3],
        security: 4,
        length: 5,
        words: Text::new("autumn").unwrap(),
        sha256: [0xAB; 32],
    }
}

fn bytes(header: &Header) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    assert_eq!(header.encode(&mut bytes), Ok(HEADER_LEN));
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn golden_header() {
    let golden = [
        "47484657 01 01 01 02",
        "73746d33326734373400000000000000",
        "010203 00 04000000 05000000",
        "617574756d6e00000000000000000000000000000000000000000000",
        &"ab".repeat(32),
    ];
    assert_eq!(hex(&bytes(&header())), golden.concat().replace(' ', ""));
    assert_eq!(Header::decode(&bytes(&header())), Ok(header()));
    assert_eq!(header().file_len(), 96 + 64 + 5);
    assert_eq!(header().image(), 0xABAB_ABAB_ABAB_ABAB);
}

#[test]
fn a_head_out_of_form_says_what_is_wrong() {
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes(&header());
        bytes[at] = byte;
        Header::decode(&bytes)
    };
    assert_eq!(with(0, 0), Err(BadBody::Range("magic")));
    assert_eq!(with(4, 2), Err(BadBody::Version(2)));
    assert_eq!(with(5, 3), Err(BadBody::Range("kind of endpoint")));
    assert_eq!(with(8, 7), Err(BadBody::Range("target")));
    assert_eq!(with(23, b'x'), Err(BadBody::Range("target")), "a text goes on behind its end");
    assert_eq!(with(27, 1), Err(BadBody::Range("reserved")));
    assert_eq!(with(32, 0), Err(BadBody::Range("length")));
    assert_eq!(with(34, 0xFF), Err(BadBody::Range("length")));
    assert_eq!(with(36, 0xE9), Err(BadBody::Range("words")));
    assert_eq!(Header::decode(&bytes(&header())[..95]), Err(BadBody::Short));
}

#[test]
fn a_board_takes_what_is_for_it_and_not_older_than_its_floor() {
    let header = header();
    let board = Running { fits: header.fits, firmware: [1, 2, 2], security: 4 };
    assert_eq!(header.fits(&board), Ok(()));
    assert_eq!(header.fits(&Running { firmware: [9, 9, 9], ..board }), Ok(()), "back, above the floor");
    assert_eq!(header.fits(&Running { firmware: [1, 2, 3], ..board }), Err(Unfit::Same));
    assert_eq!(header.fits(&Running { security: 5, ..board }), Err(Unfit::TooOld));
    let other = Fits { revision: 1, ..header.fits };
    assert_eq!(header.fits(&Running { fits: other, ..board }), Err(Unfit::OtherBoard));
}

#[test]
fn golden_bytes_of_an_update() {
    let said = |message: ToBoard| {
        let mut buffer = [0; 100];
        let used = message.encode(&mut buffer).unwrap();
        assert_eq!(ToBoard::decode(&buffer[..used]), Ok(message));
        hex(&buffer[..used])
    };
    assert_eq!(said(ToBoard::Update), "0107");
    assert_eq!(said(ToBoard::Install { image: 1, even_if_open: true }), "0108010000000000000001");
    let answered = |stage, hold_up| {
        let mut buffer = [0; 100];
        let message = FromBoard::Update(Update { running: [1, 2, 3], security: 4, stage, hold_up });
        let used = message.encode(&mut buffer).unwrap();
        assert_eq!(FromBoard::decode(&buffer[..used]), Ok(message));
        hex(&buffer[9..used])
    };
    assert_eq!(answered(Stage::Idle, None), "00000000000000000000000000 00".replace(' ', ""));
    assert_eq!(answered(Stage::Never, None), "0100000000000000000000000000");
    assert_eq!(answered(Stage::Receiving { image: 5, have: 6 }, None), "0205000000000000000600000000");
    assert_eq!(answered(Stage::Ready { image: 5 }, Some(HoldUp::NoImage)), "0305000000000000000000000001");
    assert_eq!(answered(Stage::Installing { image: 5 }, None), "0405000000000000000000000000");
    assert_eq!(answered(Stage::Trial, Some(HoldUp::Open)), "0500000000000000000000000004");
}

proptest! {
    #[test]
    fn any_bytes_are_a_head_or_none(input in prop::collection::vec(any::<u8>(), 0..200)) {
        chaos::firmware_head(&input);
    }

    #[test]
    fn any_head_with_some_bytes_changed_is_a_head_or_none(at in prop::collection::vec((0..HEAD_LEN, any::<u8>()), 0..4)) {
        let mut input = [0; HEAD_LEN];
        input[..HEADER_LEN].copy_from_slice(&bytes(&header()));
        for (at, byte) in at {
            input[at] = byte;
        }
        chaos::firmware_head(&input);
        let _ = head(&input);
    }
}
