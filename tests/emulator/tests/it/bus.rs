//! Two boards on one bus.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use emulator::Bus;

use crate::support::{SOON, loopback};

fn heard(line: &mut UnixStream, count: usize) -> Vec<u8> {
    line.set_read_timeout(Some(SOON)).expect("a socket");
    let mut bytes = vec![0; count];
    line.read_exact(&mut bytes).expect("as many bytes");
    bytes
}

#[test]
fn what_one_says_all_others_hear() {
    let bus = Bus::start().expect("a bus");
    let mut a = bus.tap("a").expect("a member");
    let mut b = bus.tap("b").expect("a member");
    let mut c = bus.tap("c").expect("a member");
    a.write_all(b"poll").expect("sent");
    assert_eq!(heard(&mut b, 4), b"poll");
    assert_eq!(heard(&mut c, 4), b"poll");
    b.write_all(b"ack").expect("sent");
    assert_eq!(heard(&mut a, 3), b"ack", "and nothing of its own before");
    assert_eq!(heard(&mut c, 3), b"ack");
}

#[test]
fn an_unplugged_member_is_deaf_and_dumb() {
    let bus = Bus::start().expect("a bus");
    let mut a = bus.tap("a").expect("a member");
    let mut b = bus.tap("b").expect("a member");
    let mut c = bus.tap("c").expect("a member");
    assert!(bus.unplug("b"));
    a.write_all(b"1").expect("sent");
    assert_eq!(heard(&mut c, 1), b"1");
    assert!(bus.plug("b"));
    a.write_all(b"2").expect("sent");
    assert_eq!(heard(&mut b, 1), b"2", "what was said meanwhile is gone");
    assert!(!bus.unplug("nobody"));
}

#[test]
fn bits_flip_at_their_rate_and_the_same_each_time() {
    let run = || {
        let bus = Bus::start().expect("a bus");
        let mut a = bus.tap("a").expect("a member");
        let mut b = bus.tap("b").expect("a member");
        bus.flip(0.01, 7);
        let mut all = Vec::new();
        for _ in 0..100 {
            a.write_all(&[0; 100]).expect("sent");
            all.extend(heard(&mut b, 100));
        }
        (all, bus.flipped())
    };
    let (first, flipped) = run();
    assert_eq!(run(), (first, flipped), "the seed says which bits");
    assert!((600..1000).contains(&flipped), "1 % of 80,000 bits is about 800, not {flipped}");
}

#[test]
fn two_boards_answer_on_a_pseudo_terminal() {
    let bus = Bus::start().expect("a bus");
    let (one, _folder_one) = loopback(Some(&bus), "one");
    let path = bus.pty("controller").expect("a terminal");
    let mut port =
        std::fs::File::options().read(true).write(true).open(path).expect("opens like a serial port");
    // One board alone, for two that repeat each other would never stop.
    port.write_all(b"hello").expect("sent");
    let mut back = [0; 5];
    port.read_exact(&mut back).expect("the board answers");
    assert_eq!(&back, b"hello");

    assert!(bus.unplug("one"));
    let (two, _folder_two) = loopback(Some(&bus), "two");
    port.write_all(b"again").expect("sent");
    port.read_exact(&mut back).expect("the other board answers");
    assert_eq!(&back, b"again");
    assert_eq!((bus.dropped("one"), bus.dropped("two")), (0, 0));
    one.wait_output("out0", false, Duration::from_secs(1)).expect("still running");
    two.wait_output("out0", false, Duration::from_secs(1)).expect("still running");
}
