//! A board without logic: sends back what it receives, and puts port D's pins 0..=3 on port F. Pin 4 makes it panic, pin 5 makes it hang.
//! The emulator's own tests measure with it.
#![no_std]
#![no_main]

use core::fmt::Write as _;

use board_tasks::{InterruptLines, Level, Lines};
use embassy_executor::Spawner;
use embassy_time::Timer;
use embedded_hal::digital::OutputPin;
use embedded_hal_async::digital::Wait;
use embedded_io_async::{Read, Write};
use lm3s6965::{
    Chip, Console, Input, Output, Pin, Port, Receiver, Transmitter, Watchdog, run, set_safe_outputs,
};

const LINES: usize = 4;
const WATCHDOG_MS: u32 = 500;

static OFF: [(Pin, bool); LINES] = [
    (Pin::new(Port::F, 0), false),
    (Pin::new(Port::F, 1), false),
    (Pin::new(Port::F, 2), false),
    (Pin::new(Port::F, 3), false),
];

#[cortex_m_rt::entry]
fn main() -> ! {
    set_safe_outputs(&OFF);
    let (mut chip, reset) = Chip::start();
    let (receiver, transmitter) = chip.uart(115_200);
    let watchdog = chip.watchdog(WATCHDOG_MS);
    run(|spawner: Spawner| {
        spawner.spawn(echo(receiver, transmitter).expect("spawned once"));
        spawner.spawn(mirror().expect("spawned once"));
        spawner.spawn(feed(watchdog).expect("spawned once"));
        spawner.spawn(panic_when_told().expect("spawned once"));
        spawner.spawn(hang_when_told().expect("spawned once"));
        let _ = writeln!(Console, "loopback ready after {reset:?}");
    })
}

#[embassy_executor::task]
async fn echo(mut receiver: Receiver, mut transmitter: Transmitter) {
    let mut buffer = [0; 256];
    loop {
        let Ok(count) = receiver.read(&mut buffer).await;
        let Ok(()) = transmitter.write_all(&buffer[..count]).await;
    }
}

#[embassy_executor::task]
async fn mirror() {
    let pins = (0..LINES).map(|line| (Input::new(Pin::new(Port::D, line as u8)), true));
    let mut inputs = InterruptLines(pins.collect());
    let mut outputs = OFF.map(|(pin, high)| Output::new(pin, high));
    loop {
        let levels =
            core::array::from_fn::<_, LINES, _>(|line| inputs.look(line).expect("as many inputs as lines"));
        for (level, output) in levels.iter().zip(&mut outputs) {
            let Ok(()) = if *level == Level::Plain(true) { output.set_high() } else { output.set_low() };
        }
        inputs.changed(&levels).await;
    }
}

#[embassy_executor::task]
async fn feed(mut watchdog: Watchdog) {
    loop {
        watchdog.feed();
        Timer::after_millis(u64::from(WATCHDOG_MS) / 5).await;
    }
}

#[embassy_executor::task]
async fn panic_when_told() {
    let Ok(()) = Input::new(Pin::new(Port::D, 4)).wait_for_high().await;
    panic!("told to");
}

#[embassy_executor::task]
async fn hang_when_told() {
    let Ok(()) = Input::new(Pin::new(Port::D, 5)).wait_for_high().await;
    loop {
        cortex_m::asm::nop();
    }
}
