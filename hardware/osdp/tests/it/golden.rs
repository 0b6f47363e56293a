//! Bytes as other implementations sent them.

use osdp::frame::{Frame, Scs};
use osdp::{
    Blink, Buzzer, Command, FileBlock, FileStatus, Handshake, Key, LedColor, LedControl, LineSettings, Oui,
    OutputAction, OutputControl, Receiver, Records, Reply, TemporaryLed, Text, TextMode, Tone, Writer, crc16,
};

use crate::line::address;

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

/// Code and data of commands, field by field as the standard's tables lay them out.
#[test]
fn commands_have_the_standards_bytes() {
    let output = OutputControl { output: 1, action: OutputAction::OnForTimer, timer_100ms: 300 };
    let blink = Blink { on_100ms: 2, off_100ms: 3, on: LedColor::RED, off: LedColor::BLACK };
    let led = LedControl {
        reader: 0,
        led: 1,
        temporary: TemporaryLed::Set(blink, 50),
        permanent: Some(Blink::steady(LedColor::GREEN)),
    };
    let buzzer = Buzzer { reader: 0, tone: Tone::Default, on_100ms: 5, off_100ms: 6, count: 7 };
    let text = Text { reader: 0, mode: TextMode::Temporary, seconds: 9, row: 1, column: 2, text: b"Hi" };
    let block = FileBlock { kind: 1, total: 0x0102_0304, offset: 0x0506, data: &[0xAA, 0xBB] };
    let settings = LineSettings { address: address(0x12), baud: 38_400 };
    let cases = [
        (Command::Poll, "60"),
        (Command::Id, "61 00"),
        (Command::Capabilities, "62 00"),
        (Command::LocalStatus, "64"),
        (Command::InputStatus, "65"),
        (Command::OutputStatus, "66"),
        (Command::ReaderStatus, "67"),
        (Command::Output(Records::new(core::slice::from_ref(&output))), "68 01 05 2c 01"),
        (
            Command::Led(Records::new(core::slice::from_ref(&led))),
            "69 00 01 02 02 03 01 00 32 00 01 01 00 02 02",
        ),
        (Command::Buzzer(buzzer), "6a 00 02 05 06 07"),
        (Command::Text(text), "6b 00 03 09 01 02 02 48 69"),
        (Command::LineSettings(settings), "6e 12 00 96 00 00"),
        (Command::KeySet(Key::DEFAULT), "75 01 10 30 31 32 33 34 35 36 37 38 39 3a 3b 3c 3d 3e 3f"),
        (Command::Challenge([1, 2, 3, 4, 5, 6, 7, 8]), "76 01 02 03 04 05 06 07 08"),
        (Command::ReceiveSize(1440), "7b a0 05"),
        (Command::File(block), "7c 01 04 03 02 01 06 05 00 00 02 00 aa bb"),
        (Command::Mfg(Oui([0xBE, 0xBA, 0xFE]), &[1]), "80 be ba fe 01"),
        (Command::Abort, "a2"),
        (Command::KeepActive(1000), "a7 e8 03"),
    ];
    for (command, expected) in cases {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        writer.u8(command.code()).and_then(|()| command.encode(&mut writer)).expect("short");
        let len = writer.len();
        assert_eq!(buffer[..len], bytes(expected), "{command:?}");
    }
}

#[test]
fn replies_have_the_standards_bytes() {
    let status = FileStatus { control: 1, delay_ms: 100, status: FileStatus::MALFORMED, max_message: 128 };
    let cases = [
        (Reply::Ack, "40"),
        (Reply::Nak(osdp::NakCode::SecurityRequired, &[]), "41 06"),
        (Reply::LocalStatus { tamper: true, power: false }, "48 01 00"),
        (Reply::InputStatus(&[0, 1]), "49 00 01"),
        (Reply::OutputStatus(&[1]), "4a 01"),
        (Reply::ReaderStatus(&[2]), "4b 02"),
        (Reply::Keypad(osdp::Keypad { reader: 0, keys: b"12" }), "53 00 02 31 32"),
        (Reply::LineSettings(LineSettings { address: address(1), baud: 115_200 }), "54 01 00 c2 01 00"),
        (Reply::Busy, "79"),
        (Reply::FileStatus(status), "7a 01 64 00 fd ff 80 00"),
        (Reply::Mfg(Oui([1, 2, 3]), &[4]), "90 01 02 03 04"),
    ];
    for (reply, expected) in cases {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        writer.u8(reply.code()).and_then(|()| reply.encode(&mut writer)).expect("short");
        let len = writer.len();
        assert_eq!(buffer[..len], bytes(expected), "{reply:?}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let card = osdp::RawCard { reader: 0, format: 1, bits: 16, data: &[0xCA, 0xFE] };
    let shown = format!(
        "{:?} {:?} {:?}",
        Reply::Raw(card),
        Command::KeySet(Key::DEFAULT),
        Reply::BioRead(osdp::Biometric { reader: 0, part: 1, format: 2, quality: 3 }, &[0xCA, 0xFE],)
    );
    assert!(!shown.contains("202") && !shown.contains("48"), "{shown}");
}
