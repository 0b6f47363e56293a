//! The door board on an RP2350A.
#![no_std]
#![no_main]

use board_logic::InputSetup;
use board_tasks::{BAUD, Line, Model};
use embassy_rp::adc::Channel;
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::uart::{BufferedUart, Config};
use endpoints::supervision::{Contact, Windows};
use endpoints::vendor::Kind;
use rp2350::{Hardware, Irqs, set_safe_outputs, start, switches};
use static_cell::StaticCell;

include!(concat!(env!("OUT_DIR"), "/door.rs"));

static BUFFERS: StaticCell<([u8; 512], [u8; 1024])> = StaticCell::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_rp::init(Default::default());
    let outputs = outputs!(p).into_iter().collect();
    set_safe_outputs(&SAFE);
    let (uart, tx, rx, driver_enable) = serial!(p);
    let (tx_buffer, rx_buffer) = BUFFERS.init(([0; 512], [0; 1024]));
    let mut config = Config::default();
    config.baudrate = BAUD;
    start(Hardware {
        model: &MODEL,
        lines: lines!(p).into_iter().collect(),
        outputs,
        status: status!(p),
        switches: switches(address!(p), ADDRESS_ON_HIGH),
        uart: BufferedUart::new(uart, tx, rx, Irqs, tx_buffer, rx_buffer, config),
        driver_enable,
        wiegand: wiegand!(p),
        converter: p.ADC,
        flash: p.FLASH,
        random: p.TRNG,
        watchdog: p.WATCHDOG,
    })
}
