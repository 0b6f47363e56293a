//! The door board on QEMU's STM32L475.
#![no_std]
#![no_main]

use board_logic::InputSetup;
use board_tasks::{BAUD, Line, Model};
use embassy_stm32::gpio::{Input, Level, Output, Pull, Speed};
use embassy_stm32::usart::{BufferedUart, Config};
use endpoints::supervision::{Contact, Windows};
use endpoints::vendor::Kind;
use static_cell::StaticCell;
use stm32l475::{Hardware, Irqs, init, latch_wiegand, set_safe_outputs, start, switches};

include!(concat!(env!("OUT_DIR"), "/door.rs"));

static BUFFERS: StaticCell<([u8; 512], [u8; 1024])> = StaticCell::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = init();
    let outputs = outputs!(p).into_iter().collect();
    set_safe_outputs(&SAFE);
    let (usart, rx, tx, de) = serial!(p);
    let (tx_buffer, rx_buffer) = BUFFERS.init(([0; 512], [0; 1024]));
    let mut config = Config::default();
    config.baudrate = BAUD;
    // QEMU's serial port does not say when the line is idle.
    config.eager_reads = Some(1);
    let uart = BufferedUart::new_with_de(usart, rx, tx, de, Irqs, tx_buffer, rx_buffer, config);
    start(Hardware {
        model: &MODEL,
        lines: lines!(p).into_iter().collect(),
        outputs,
        status: status!(p),
        switches: switches(address!(p), ADDRESS_ON_HIGH),
        uart: uart.expect("115200 baud is within what the clock allows"),
        wiegand: latch_wiegand(wiegand!(p), &WIEGAND),
    })
}
