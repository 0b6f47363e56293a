//! Bytes as other implementations sent them.

use osdp::frame::{Frame, Scs};
use osdp::{Handshake, Key, Receiver, Reply, crc16};

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect()
}

#[test]
fn the_crc_is_the_one_of_the_standard() {
    assert_eq!(crc16(b"123456789"), 0xE5CC);
    let nak = bytes("53 e5 09 00 04 41 06 d9 c8");
    assert_eq!(Frame::parse(&nak).expect("a real frame").data, [6]);
}

/// A handshake as it was captured, with the panel's random number 1 to 8.
#[test]
fn a_captured_handshake_is_understood() {
    let key =
        Key::new(bytes("94 4b 8e dd cb aa 2b 5f e2 b0 14 8d 1b 2f 95 c9").try_into().expect("16 bytes"));
    let challenge = bytes(
        "53 e5 2b 00 0f 03 12 01 76 be ba 01 00 af be ad de d7 64 c8 cc e9 32 55 c4 72 7a 5e 14 22 22 d0 9f \
         4c 37 a1 25 70 a4 e3 2c 70 6d",
    );
    let frame = Frame::parse(&challenge).expect("a real frame");
    assert_eq!(frame.security.map(|block| block.scs), Some(Scs::ClientCryptogram));
    let Ok(Reply::ClientCryptogram(client)) = Reply::decode(frame.code, frame.data) else {
        panic!("{frame:?}")
    };
    let handshake = Handshake::panel(&key, &[1, 2, 3, 4, 5, 6, 7, 8], &client).expect("the right key");

    let initial = bytes("53 e5 1b 00 0d 03 14 01 78 95 dc f1 e6 a2 f0 6d c4 15 7c fc b5 89 c3 70 87 0c 36");
    let frame = Frame::parse(&initial).expect("a real frame");
    let Ok(Reply::InitialMac(mac)) = Reply::decode(frame.code, frame.data) else { panic!("{frame:?}") };
    handshake.confirm(&mac).expect("the same session");

    assert!(Handshake::panel(&Key::DEFAULT, &[1, 2, 3, 4, 5, 6, 7, 8], &client).is_err());
}

#[test]
fn identity_capabilities_and_card_are_read() {
    let mut stream = &bytes(
        "ff 53 e5 14 00 05 45 be ba fe 01 01 af be ad de ad de ad 66 86 \
         53 e5 20 00 06 46 01 01 08 02 01 02 03 01 01 04 01 01 08 01 00 09 01 00 0a 00 01 10 02 00 c2 fb",
    )[..];
    let mut receiver = Receiver::<128>::new();
    assert_eq!(receiver.advance(&mut stream), Some(Ok(())));
    let frame = receiver.frame().expect("the first");
    let Ok(Reply::Identity(identity)) = Reply::decode(frame.code, frame.data) else { panic!("{frame:?}") };
    assert_eq!((identity.vendor.0, identity.serial), ([0xBE, 0xBA, 0xFE], 0xDEAD_BEAF));
    assert_eq!(receiver.advance(&mut stream), Some(Ok(())));
    let frame = receiver.frame().expect("the second");
    let Ok(Reply::Capabilities(lines)) = Reply::decode(frame.code, frame.data) else { panic!("{frame:?}") };
    let buffer = lines.iter().find(|line| line.function == osdp::function::RECEIVE_BUFFER).expect("reported");
    assert_eq!((lines.len(), buffer.size()), (8, 256));

    let card = bytes("00 01 1a 00 12 34 56 80");
    let Ok(Reply::Raw(card)) = Reply::decode(osdp::reply::code::RAW, &card) else { panic!() };
    assert_eq!((card.reader, card.format, card.bits, card.data), (0, 1, 26, &[0x12, 0x34, 0x56, 0x80][..]));
}
