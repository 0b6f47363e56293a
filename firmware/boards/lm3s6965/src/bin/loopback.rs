//! A board without logic: sends back what it receives, and puts port D on port F. The emulator's own tests measure with it.
#![no_std]
#![no_main]

use core::fmt::Write as _;

use board_tasks::changed;
use embassy_executor::Spawner;
use embedded_hal::digital::{InputPin, OutputPin};
use embedded_io_async::{Read, Write};
use lm3s6965::{Chip, Console, Input, Output, Pin, Port, Receiver, Transmitter, run, set_safe_outputs};

const LINES: usize = 4;

static OFF: [(Pin, bool); LINES] = [
    (Pin::new(Port::F, 0), false),
    (Pin::new(Port::F, 1), false),
    (Pin::new(Port::F, 2), false),
    (Pin::new(Port::F, 3), false),
];

#[cortex_m_rt::entry]
fn main() -> ! {
    set_safe_outputs(&OFF);
    let (mut chip, _) = Chip::start();
    let (receiver, transmitter) = chip.uart(115_200);
    run(|spawner: Spawner| {
        spawner.spawn(echo(receiver, transmitter).expect("spawned once"));
        spawner.spawn(mirror().expect("spawned once"));
        let _ = writeln!(Console, "loopback ready");
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
    let mut inputs: [Input; LINES] = core::array::from_fn(|line| Input::new(Pin::new(Port::D, line as u8)));
    let mut outputs: [Output; LINES] = core::array::from_fn(|line| Output::new(OFF[line].0, false));
    let mut levels = [false; LINES];
    loop {
        let Ok(()) = changed(&mut inputs, &levels).await;
        for ((input, output), level) in inputs.iter_mut().zip(&mut outputs).zip(&mut levels) {
            let Ok(high) = input.is_high();
            *level = high;
            let Ok(()) = if high { output.set_high() } else { output.set_low() };
        }
    }
}
