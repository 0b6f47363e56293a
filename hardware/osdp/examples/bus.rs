//! How quick a bus is: 16 boards at 115200 bits a second with Secure Channel, in virtual time.
//!
//! Prints one line of JSON. `wire_us` is what the line itself needs for a cycle: a secured poll and its
//! acknowledgement for each board, and the required silence of two characters before each. The boards answer
//! after exactly that silence.
//!
//! ```text
//! cargo run -p osdp --example bus -- [boards] [bits a second]
//! ```

#[path = "../tests/it/line.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod line;

use line::{World, address};
use osdp::{
    Baud, BusConfig, Check, Command, EventKind, Micros, OutputAction, OutputControl, RawCard, Records, Reply,
    Token, sealed_len,
};

const ROUNDS: u64 = 400;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: u32| match arguments.next() {
        Some(text) => text.parse().unwrap_or_else(|_| panic!("{text} is not a number")),
        None => otherwise,
    };
    let (boards, bits) = (number(16), number(115_200));
    let boards = u8::try_from(boards).ok().filter(|count| (1..=32).contains(count)).expect("1 to 32 boards");
    let baud = Baud::new(bits).expect("a speed");

    let mut world = World::with(BusConfig { poll_interval: 0, ..BusConfig::new(baud) }, [7; 16]);
    for at in 0..boards {
        world.secure_board(at);
    }
    for at in 0..boards {
        world.wait_online(at);
    }
    world.run_for(1_000_000);

    let poll = baud.characters(sealed_len(0, Check::Crc16));
    let wire = u64::from(boards) * (2 * poll + 2 * baud.characters(2));
    println!(
        "{{\"boards\":{boards},\"baud\":{bits},\"cycle_us\":{},\"wire_us\":{wire},\"event_latency_us_p50\":{},\
         \"event_latency_us_p95\":{},\"output_latency_us_p50\":{},\"output_latency_us_p95\":{}}}",
        cycle(&mut world, boards),
        percentile(&mut cards(&mut world, boards), 50),
        percentile(&mut cards(&mut world, boards), 95),
        percentile(&mut outputs(&mut world, boards), 50),
        percentile(&mut outputs(&mut world, boards), 95),
    );
}

/// Time for each board to be polled once.
fn cycle(world: &mut World, boards: u8) -> Micros {
    let polled = |world: &World| {
        world.boards.iter().map(|board| u64::from(board.pd.statistics().commands)).sum::<u64>()
    };
    let (from, before) = (world.now, polled(world));
    world.run_for(10_000_000);
    (world.now - from) * u64::from(boards) / (polled(world) - before)
}

/// From a card at a reader to the event in the panel.
fn cards(world: &mut World, boards: u8) -> Vec<Micros> {
    let shown = |round: u64| {
        world.run_for(10_000 + round * 7_919 % 50_000);
        let at = (round * 5 % u64::from(boards)) as u8;
        let card = RawCard { reader: 0, format: 1, bits: 26, data: &[0x12, 0x34, 0x56, 0x80] };
        let from = world.now;
        world.boards[usize::from(at)].pd.post(from, &Reply::Raw(card)).expect("room");
        world.wait_for(1_000_000, |event| {
            event.address == address(at) && matches!(event.kind, EventKind::Card(_))
        });
        world.now - from
    };
    (0..ROUNDS).map(shown).collect()
}

/// From a decision in the panel to the board that drives its output.
fn outputs(world: &mut World, boards: u8) -> Vec<Micros> {
    let driven = |round: u64| {
        world.run_for(10_000 + round * 7_919 % 50_000);
        let at = (round * 5 % u64::from(boards)) as u8;
        let record = OutputControl { output: 0, action: OutputAction::OnForTimer, timer_100ms: 50 };
        let (from, token) = (world.now, Token(round));
        let command = Command::Output(Records::new(core::slice::from_ref(&record)));
        world.cp.submit(from, address(at), &command, token, from + 1_000_000).expect("on-line");
        let board = usize::from(at);
        let before = world.boards[board].driven.len();
        while world.boards[board].driven.len() == before {
            world.run_for(10);
        }
        world.now - from
    };
    (0..ROUNDS).map(driven).collect()
}

fn percentile(times: &mut [Micros], percent: usize) -> Micros {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}
