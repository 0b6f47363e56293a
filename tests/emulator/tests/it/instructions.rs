//! How much the processor does from the last byte of a command to the pin: a figure that no busy host can spoil.

use std::time::Instant;

use emulator::Bus;

use crate::panel::Panel;
use crate::support::{SOON, counted};

/// From the frame's being verified (its command is decoded) to the lock: 5,000 were counted when this was written, 6,300 when a timer fell due
/// on the way. The goal is 20,000: the reply is sealed only after the pins are driven, which is 13,000 more.
const MOST_AFTER_VERIFIED: usize = 7_500;
/// From the frame's last byte: the check, MAC and cipher too, 13,600 of 23,200; and up to 9,000 more when the byte came while the board was busy
/// with the ones before it.
const MOST: usize = 36_000;

#[test]
fn from_a_command_s_last_byte_to_the_lock() {
    let bus = Bus::start().expect("a bus");
    let panel = Panel::on(&bus);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let board = counted("door", &bus, 1, &folder);
    panel.install(1);
    let (_, trace) = board
        .trace(|| {
            let asked = Instant::now();
            panel.release(1, 0, 3);
            board.edge("lock", true, asked, SOON).expect("released")
        })
        .expect("traced");

    // The lock is the first output of the streamed port, F, to rise: QEMU calls that port device[13].
    let lines: Vec<&str> = trace.lines().collect();
    let rose = |line: &&str| line.contains("device[13] setting output 0 to 1");
    let pin = lines.iter().position(rose).expect("the lock's edge is in the trace");
    let byte = lines[..pin].iter().rposition(|line| line.starts_with("pl011_read addr 0x00000000"));
    let byte = byte.expect("the frame's last byte is in the trace");
    let instructions = |from: usize| lines[from..pin].iter().filter(|line| line.starts_with("Trace")).count();
    let decoded = lines[byte..pin].iter().position(|line| line.contains("Command6decode"));
    let (all, verified) = (instructions(byte), instructions(byte + decoded.expect("the command is decoded")));
    println!("last byte to lock: {all} instructions, {verified} after the frame was verified");
    assert!(verified <= MOST_AFTER_VERIFIED, "{verified} instructions from the verified command to the lock");
    assert!(all <= MOST, "{all} instructions from the last byte to the lock");
    assert!(verified > 1_000, "{verified} instructions: the trace has gaps");
}
