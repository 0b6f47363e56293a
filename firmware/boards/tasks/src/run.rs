//! The board's loop: whatever comes goes into the logic, whatever the logic wants goes out.

use core::sync::atomic::{AtomicU32, Ordering};

use board_logic::{Board, Done, InputSetup, Job, Outputs, Restored};
use embassy_futures::select::{Either6, select6};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer};
use embedded_hal::digital::OutputPin;
use embedded_io_async::{Read, Write};
use endpoints::Link;
use heapless::Vec;

use crate::lines::{Level, Lines, MAX_LINES};
use crate::wiegand::{WiegandEdge, WiegandEdges};

/// The longest frame a board sends: its peripheral's buffer, and a mark.
const LONGEST_FRAME: usize = 264;
/// A board that has nothing to do looks around all the same: the watchdog wants to see it alive.
const IDLE: Duration = Duration::from_millis(500);

/// What passes between the board and what is slower than it: the bus's transmitter and the storage. One a board, in a static.
pub struct Exchange {
    frames: Channel<CriticalSectionRawMutex, Vec<u8, LONGEST_FRAME>, 2>,
    pub(crate) jobs: Channel<CriticalSectionRawMutex, Job, 1>,
    pub(crate) done: Channel<CriticalSectionRawMutex, Done, 1>,
    pub(crate) restored: Signal<CriticalSectionRawMutex, Restored>,
    rounds: AtomicU32,
}

impl Exchange {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            frames: Channel::new(),
            jobs: Channel::new(),
            done: Channel::new(),
            restored: Signal::new(),
            rounds: AtomicU32::new(0),
        }
    }
}

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}

/// The hardware of a board's loop.
pub struct Parts<L, R, O: 'static> {
    /// Its inputs by number, and after them its reset button.
    pub lines: L,
    /// What counts as a change of each.
    pub setups: &'static [InputSetup],
    /// The bus.
    pub receiver: R,
    /// Its outputs by number, and whether each is on when high.
    pub outputs: Vec<(O, bool), MAX_LINES>,
    /// The status lamp, lit while a controller polls, and whether it is lit when high.
    pub status: (O, bool),
    /// Its Wiegand readers.
    pub wiegand: &'static WiegandEdges,
    /// Starts the chip anew: outputs go to what they are without a program.
    pub restart: fn() -> !,
}

/// Runs the board for ever. The board is some kilobytes: it lives in a static. It never waits for the storage or for the bus to take a frame.
pub async fn run_board<L: Lines, R: Read, O: OutputPin>(
    board: &'static mut Board,
    mut parts: Parts<L, R, O>,
    exchange: &'static Exchange,
) -> ! {
    let mut known: Vec<Level, MAX_LINES> = Vec::new();
    let mut shown = Shown::default();
    let mut buffer = [0; 64];
    loop {
        let now = micros();
        look(board, &mut parts, &mut known, now);
        if board.deadline(now).is_some_and(|at| at <= now) {
            board.handle_timeout(now);
        }
        shown.show(board, &mut parts);
        if board.wants_restart(now) {
            (parts.restart)();
        }
        while let Some(frame) = board.poll_transmit(now) {
            // A peripheral has one reply under way; should the line be stuck, the panel asks again.
            if let Ok(frame) = Vec::from_slice(frame) {
                let _ = exchange.frames.try_send(frame);
            }
        }
        while let Some(job) = board.next_job() {
            exchange.jobs.try_send(job).unwrap_or_else(|_| unreachable!("the board gives one job at a time"));
        }
        exchange.rounds.fetch_add(1, Ordering::Relaxed);

        let latest = Instant::now() + IDLE;
        let wake = board.deadline(now).map_or(latest, |at| Instant::from_micros(at).min(latest));
        let came = select6(
            parts.lines.changed(&known),
            parts.wiegand.next(),
            parts.receiver.read(&mut buffer),
            exchange.done.receive(),
            exchange.restored.wait(),
            Timer::at(wake),
        )
        .await;
        let now = micros();
        match came {
            Either6::First(()) => {}
            Either6::Second(edge) => wiegand(board, edge),
            Either6::Third(Ok(count)) => board.handle_serial(now, &buffer[..count]),
            // What the line garbled is missing from its frame, which fails its check.
            Either6::Third(Err(_)) => {}
            Either6::Fourth(done) => board.job_done(now, done),
            Either6::Fifth(restored) => board.restore(now, restored),
            Either6::Sixth(()) => board.handle_timeout(now),
        }
    }
}

/// Puts frames on the bus, one after the other.
pub async fn run_transmitter<W: Write>(mut line: W, exchange: &'static Exchange) -> ! {
    loop {
        let frame = exchange.frames.receive().await;
        // A frame that did not go out whole is asked for again.
        let _ = line.write_all(&frame).await;
        let _ = line.flush().await;
    }
}

/// Feeds the watchdog while the board's loop goes round, every `every`. Runs where the storage runs, so that it too is seen alive.
pub async fn run_watchdog(mut feed: impl FnMut(), every: Duration, exchange: &'static Exchange) -> ! {
    let mut seen = exchange.rounds.load(Ordering::Relaxed);
    feed();
    loop {
        Timer::after(every.max(IDLE * 2)).await;
        let rounds = exchange.rounds.load(Ordering::Relaxed);
        if rounds != seen {
            feed();
        }
        seen = rounds;
    }
}

fn micros() -> u64 {
    Instant::now().as_micros()
}

/// Tells the board every line that shows something new. Voltages wander; only what they mean counts.
fn look<L: Lines, R, O>(
    board: &mut Board,
    parts: &mut Parts<L, R, O>,
    known: &mut Vec<Level, MAX_LINES>,
    now: u64,
) {
    for (number, setup) in parts.setups.iter().enumerate().take(MAX_LINES) {
        let Some(level) = parts.lines.look(number) else { return };
        let input = number as u8;
        let meant = |level| match level {
            Level::Plain(active) => (active, None),
            Level::Voltage(reading) => (false, Some(setup.windows.decode(setup.contact, reading))),
        };
        match known.get_mut(number) {
            Some(before) if meant(*before) == meant(level) => continue,
            Some(before) => *before = level,
            None => known.push(level).expect("fewer than the most lines"),
        }
        match level {
            Level::Plain(active) => board.handle_input(now, input, active),
            Level::Voltage(reading) => board.handle_reading(now, input, reading),
        }
    }
    let button = parts.setups.len();
    let Some(level @ Level::Plain(pressed)) = parts.lines.look(button) else { return };
    match known.get_mut(button) {
        Some(before) if *before == level => return,
        Some(before) => *before = level,
        None => known.push(level).expect("fewer than the most lines"),
    }
    board.handle_button(now, pressed);
}

fn wiegand(board: &mut Board, edge: WiegandEdge) {
    let line = if edge.one { board_logic::Line::D1 } else { board_logic::Line::D0 };
    board.handle_wiegand(edge.at, edge.reader, line);
}

/// What the outputs show; none before the first time.
#[derive(Default)]
struct Shown {
    outputs: Option<Outputs>,
    status: Option<bool>,
}

impl Shown {
    fn show<L, R, O: OutputPin>(&mut self, board: &Board, parts: &mut Parts<L, R, O>) {
        let outputs = board.outputs();
        if self.outputs != Some(outputs) {
            for (number, pin) in parts.outputs.iter_mut().enumerate() {
                drive(pin, outputs.is_on(number as u8));
            }
            self.outputs = Some(outputs);
        }
        let lit = board.link() == Link::Up;
        if self.status != Some(lit) {
            drive(&mut parts.status, lit);
            self.status = Some(lit);
        }
    }
}

fn drive<O: OutputPin>((pin, active_high): &mut (O, bool), on: bool) {
    // A pin of a microcontroller cannot fail; the trait allows for port expanders.
    let _ = if on == *active_high { pin.set_high() } else { pin.set_low() };
}
