//! The emulated part itself, by an image that sends back its bytes and copies its inputs.

use std::time::{Duration, Instant};

use crate::support::{SOON, exchange, loopback, noise, spread};

#[test]
fn sixteen_bytes_come_back_each_time() {
    let (board, _folder) = loopback(None, "echo");
    let mut line = board.uart().expect("powered");
    let times = (0..500)
        .map(|round| {
            let sent = [round as u8; 16];
            let asked = Instant::now();
            assert_eq!(exchange(&mut line, &sent), sent, "round {round}");
            asked.elapsed()
        })
        .collect();
    println!("echo of 16 bytes: {} (emulated)", spread(times));
}

#[test]
fn ten_thousand_bytes_at_once_lose_none() {
    let (board, _folder) = loopback(None, "flood");
    let sent = noise(10_000);
    assert!(exchange(&mut board.uart().expect("powered"), &sent) == sent, "every byte came back, in order");
}

#[test]
fn an_input_reaches_its_output_by_interrupt() {
    let (board, _folder) = loopback(None, "pins");
    let mut times = Vec::new();
    for round in 0..100 {
        let line = round % 4;
        let (input, output) = (format!("in{line}"), format!("out{line}"));
        let pressed = Instant::now();
        board.press(&input).expect("pressed");
        times.push(board.edge(&output, true, pressed, SOON).expect("on") - pressed);
        assert!(board.is_on(&output).expect("readable"));
        let released = Instant::now();
        board.release(&input).expect("released");
        board.edge(&output, false, released, SOON).expect("off");
    }
    println!("input to output: {} (emulated)", spread(times));
}

#[test]
fn edges_are_kept_in_order() {
    let (board, _folder) = loopback(None, "edges");
    let since = Instant::now();
    for input in ["in0", "in2", "in1"] {
        board.press(input).expect("pressed");
        board.edge(&input.replace("in", "out"), true, since, SOON).expect("on");
    }
    let seen: Vec<_> =
        board.edges(since).expect("powered").into_iter().map(|edge| (edge.output, edge.on)).collect();
    assert_eq!(seen, [("out0".to_owned(), true), ("out2".to_owned(), true), ("out1".to_owned(), true)]);
}

#[test]
fn a_board_without_power_keeps_its_wiring() {
    let (board, _folder) = loopback(None, "power");
    board.cut_power();
    assert!(board.is_on("out0").is_err(), "no power, no pins");
    board.press("in0").expect("a wire can be pulled without power");
    board.power_on().expect("power");
    board.wait_output("out0", true, SOON).expect("the input was active when power came");
}

#[test]
fn an_idle_board_rests() {
    let (board, _folder) = loopback(None, "idle");
    let used = || {
        let id = board.process_id().expect("powered");
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("running");
        let after_name = stat.rsplit(')').next().expect("a name").split_whitespace();
        after_name.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum::<u64>()
    };
    let before = used();
    let since = Instant::now();
    assert!(board.edge("out0", true, since, Duration::from_secs(2)).is_err(), "nothing happens");
    let ticks = used() - before;
    println!("idle for 2 s: {ticks} clock ticks of 10 ms");
    assert!(ticks <= 20, "an idle board took {ticks} clock ticks of 200: is it spinning?");
}

#[test]
fn unknown_names_are_told() {
    let (board, _folder) = loopback(None, "names");
    let error = board.press("in9").expect_err("no such input").to_string();
    assert_eq!(error, "the board has no input called `in9`");
    let error = emulator::Image::named("no-such-image").expect_err("no such image").to_string();
    assert!(error.contains("no-such-image not found: build it with `cargo xtask firmware`"), "{error}");
}

/// Outputs on, then the board fails by `fault`: they go off, the board starts again and says why it did.
fn fails_safe(fault: &str, cause: &str) {
    let (board, _folder) = loopback(None, fault);
    let since = Instant::now();
    board.press("in0").expect("pressed");
    board.edge("out0", true, since, SOON).expect("on");
    board.release("in0").expect("released");
    board.edge("out0", false, since, SOON).expect("off");
    board.press("in1").expect("pressed");
    board.edge("out1", true, since, SOON).expect("on");

    let failed = Instant::now();
    board.press(fault).expect("pressed");
    let safe = board.edge("out1", false, failed, SOON).expect("safe outputs");
    board.release(fault).expect("released");
    board.wait_console(&format!("ready after {cause}"), SOON).expect("started again");
    println!("{cause}: outputs safe after {:?} (emulated)", safe - failed);
    assert!(board.resets() >= 1);
    board.wait_output("out1", true, SOON).expect("the wire is still pulled");
    let mut line = board.uart().expect("powered");
    assert_eq!(exchange(&mut line, b"and it works"), b"and it works");
}

#[test]
fn a_panic_makes_outputs_safe_and_starts_again() {
    fails_safe("in4", "Panic");
}

#[test]
fn a_hang_is_ended_by_the_watchdog() {
    fails_safe("in5", "Watchdog");
}
