//! How much the processor does from the last byte of a command to the pin: a figure that no busy host can spoil.

use std::time::Instant;

use emulator::Bus;

use crate::panel::Panel;
use crate::support::{SOON, counted};

/// From the last byte of the frame: its check, its MAC, the command, and the sealed reply, which is made before the pins are driven.
/// 53,500 were counted when this was written, 23,300 of them after the frame was verified (the goal for those is 20,000).
const MOST: usize = 60_000;

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
    let decoded = lines[..pin].iter().rposition(|line| line.contains("Command6decode"));
    let instructions = |from: usize| lines[from..pin].iter().filter(|line| line.starts_with("Trace")).count();
    let counted = instructions(byte);
    println!(
        "last byte to lock: {counted} instructions, {:?} after the frame was verified",
        decoded.map(instructions)
    );
    assert!(counted <= MOST, "{counted} instructions from the last byte to the lock");
    assert!(counted > 1_000, "{counted} instructions: the trace has gaps");
}
