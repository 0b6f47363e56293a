//! What the tests share.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use emulator::{Board, Bus, Image, Pins, Setup};
use tempfile::TempDir;

/// Long for a busy host; nothing waits so long that goes well.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A board without logic, and the folder of its flash.
pub(crate) fn loopback(bus: Option<&Bus>, name: &str) -> (Board, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let board = Board::start(Setup {
        name: name.to_owned(),
        image: Image::named("loopback").unwrap_or_else(|error| panic!("{error}")),
        pins: Pins::loopback(),
        address: 0,
        flash: folder.path().join("flash"),
        bus: bus.cloned(),
        count_instructions: false,
    })
    .unwrap_or_else(|error| panic!("{error}"));
    board.wait_console("loopback ready", SOON).expect("the image starts");
    (board, folder)
}

/// Sends all of `bytes` and reads as many back.
pub(crate) fn exchange(line: &mut UnixStream, bytes: &[u8]) -> Vec<u8> {
    line.set_read_timeout(Some(SOON)).expect("a socket");
    let mut write = line.try_clone().expect("a socket");
    let sent = bytes.to_vec();
    let sender = std::thread::spawn(move || write.write_all(&sent).expect("the board takes all bytes"));
    let mut back = vec![0; bytes.len()];
    line.read_exact(&mut back).expect("as many bytes come back");
    sender.join().expect("sent");
    back
}

/// Bytes that look like nothing in particular, the same each time.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_u32;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        })
        .collect()
}

/// Times in words: how many, the middle one, the one that nineteen of twenty stay below.
pub(crate) fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let count = times.len();
    format!(
        "{count} times, median {:?}, p95 {:?}",
        times[count / 2],
        times[(count * 95 / 100).min(count - 1)]
    )
}

/// A door board with new flash, and the folder it is in.
pub(crate) fn door(bus: Option<&Bus>, name: &str, address: u8) -> (Board, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let board = kind("door", bus, name, address, &folder);
    (board, folder)
}

/// A board of any kind; its flash is in `folder`.
pub(crate) fn kind(kind: &str, bus: Option<&Bus>, name: &str, address: u8, folder: &TempDir) -> Board {
    start(kind, bus, name, address, folder, false)
}

/// The same, run instruction by instruction.
pub(crate) fn counted(kind: &str, bus: &Bus, address: u8, folder: &TempDir) -> Board {
    start(kind, Some(bus), "counted", address, folder, true)
}

fn start(
    kind: &str,
    bus: Option<&Bus>,
    name: &str,
    address: u8,
    folder: &TempDir,
    count_instructions: bool,
) -> Board {
    let board = Board::start(Setup {
        name: name.to_owned(),
        image: Image::named(kind).unwrap_or_else(|error| panic!("{error}")),
        pins: Pins::of(kind).unwrap_or_else(|error| panic!("{error}")),
        address,
        flash: folder.path().join("flash"),
        bus: bus.cloned(),
        count_instructions,
    })
    .unwrap_or_else(|error| panic!("{error}"));
    board.wait_console("board ready", SOON).expect("the image starts");
    board
}
