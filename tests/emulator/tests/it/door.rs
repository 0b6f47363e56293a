//! The door board, from power on.

use std::time::Instant;

use crate::support::{SOON, door, median};

#[test]
fn request_to_exit_releases_the_lock() {
    let (board, _flash) = door(None, "rex", 1);
    let mut times = Vec::new();
    for _ in 0..20 {
        let pressed = Instant::now();
        board.press("rex").expect("pressed");
        times.push(board.edge("lock", true, pressed, SOON).expect("released") - pressed);
        board.release("rex").expect("let go");
        board.edge("lock", false, pressed, SOON).expect("locked again");
    }
    println!("request to exit to lock, debounce included: median {:?} (emulated)", median(times));
}
