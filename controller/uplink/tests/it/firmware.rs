//! A firmware's rows: put together whole and signed, or not at all.

use endpoints::vendor::Kind;
use endpoints::vendor::firmware::{Fits, HEADER_LEN, Header, Text, signed_message};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use uplink::image::{BadImage, Image};
use uplink::sync::firmware::{Firmware, FirmwareFault, KeyRow, OrderRow, PIECE, assemble, file_rows};
use uplink::sync::{Change, Digest, Set, chunks};
use uplink::wire;

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("any 32 bytes are a seed")
}

fn public(seed: u8) -> [u8; 32] {
    key(seed).public_key().as_ref().try_into().expect("32 bytes")
}

fn file(seed: u8) -> Vec<u8> {
    let image = vec![5; 3 * PIECE];
    let header = Header {
        fits: Fits { kind: Kind::Door, model: 1, revision: 1, target: Text::new("host").expect("short") },
        firmware: [1, 2, 3],
        security: 1,
        length: image.len() as u32,
        words: Text::new("").expect("short"),
        sha256: digest(&SHA256, &image).as_ref().try_into().expect("32 bytes"),
    };
    let mut head = [0; HEADER_LEN];
    header.encode(&mut head).expect("its length");
    [&head[..], key(seed).sign(&signed_message(&head)).as_ref(), &image].concat()
}

fn order(image: u64) -> Change {
    let bus = "lobby".to_owned();
    let row = OrderRow { plan: 1, bus, address: 3, image, from: 0, until: 9, even_if_open: false };
    Change::put("order", 7, &row)
}

fn rows(image: u64, of: u64) -> Vec<Change> {
    let public = public(1).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut rows = vec![Change::put("key", 1, &KeyRow { public }), order(of)];
    rows.extend(file_rows(image, &file(1)));
    rows
}

fn put_together(rows: &[Change]) -> Result<Firmware, FirmwareFault> {
    let rows = rows.iter().filter_map(|change| match change {
        Change::Put { table, id, row } => Some((table.as_str(), *id, row.get())),
        Change::Remove { .. } => None,
    });
    assemble(rows)
}

#[test]
fn rows_make_the_file_that_they_were_made_of() {
    let rows = rows(4, 4);
    let firmware = put_together(&rows).expect("it is right");
    assert_eq!(firmware.images[&4].file[..], file(1));
    assert_eq!(firmware.orders[&7].address, 3);
    for chunk in chunks(Set::Firmware, None, 1, Digest::default(), rows) {
        assert!(wire::encode(&chunk).len() <= wire::LARGEST, "every part fits a payload");
    }
}

#[test]
fn rows_that_are_not_whole_or_not_signed_make_nothing() {
    let all = rows(4, 4);
    for missing in 2..all.len() {
        let mut rows = all.clone();
        let gone = rows.remove(missing);
        assert!(put_together(&rows).is_err(), "without {gone:?}");
    }
    let mut unsigned = all.clone();
    unsigned.remove(0);
    assert_eq!(put_together(&unsigned), Err(FirmwareFault::Image(4, BadImage::Signature)));
    assert!(matches!(put_together(&rows(4, 5)), Err(FirmwareFault::Row { .. })), "an order for no image");
    let many: Vec<Change> = (0..5).flat_map(|image| rows(image, 1)).collect();
    assert_eq!(put_together(&many), Err(FirmwareFault::TooMany("images")));
    let table = [Change::put("people", 1, &1)];
    assert!(matches!(put_together(&table), Err(FirmwareFault::Row { .. })));
}

#[test]
fn a_file_is_taken_with_the_right_key_and_every_byte_as_it_was_signed() {
    let good = file(1);
    assert!(Image::check(good.clone().into(), &[public(2), public(1)]).is_ok());
    assert_eq!(Image::check(good.clone().into(), &[public(2)]), Err(BadImage::Signature));
    assert_eq!(Image::check(good[..100].into(), &[public(1)]), Err(BadImage::Short));
    assert_eq!(Image::check(good[..good.len() - 1].into(), &[public(1)]), Err(BadImage::Length));
    for at in [0, 5, 30, 40, 95, 96, 159, 160, good.len() - 1] {
        let mut altered = good.clone();
        altered[at] ^= 1;
        assert!(Image::check(altered.into(), &[public(1)]).is_err(), "byte {at}");
    }
}
