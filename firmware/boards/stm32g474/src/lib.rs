//! The STM32G474RE under the boards: embassy's drivers, what they leave to us (`stm32`), and supervised lines by the converter.
//!
//! Built in CI and never run there: no such board was at hand. Never decides anything; the binaries join it to the board's logic.
#![no_std]

mod board;
mod panic;
mod voltages;

use core::ops::Range;

use board_tasks::{Region, Span};
use embassy_stm32::bind_interrupts;
use embassy_stm32::flash::{Blocking, Flash};
use embassy_stm32::interrupt::typelevel::{EXTI4, EXTI9_5};
use embassy_stm32::peripherals::{RNG, USART1};
use embassy_stm32::rcc::{self, Hse, HseMode, Pll, PllMul, PllPreDiv, PllRDiv, PllSource, Sysclk, mux};
use embassy_stm32::time::Hertz;
use embassy_stm32::{Config, rng, usart};
use stm32::g474;

pub use board::{Hardware, Lines, start};
pub use stm32::{latch_wiegand, set_safe_outputs, switches};
pub use voltages::Voltages;

bind_interrupts!(
    /// The interrupts in use.
    pub struct Irqs {
        EXTI4 => stm32::Latch<EXTI4>;
        EXTI9_5 => stm32::Latch<EXTI9_5>;
        RNG => rng::InterruptHandler<RNG>;
        USART1 => usart::BufferedInterruptHandler<USART1>;
    }
);

/// The board's part of the flash: its store, then the place for an image and the bootloader's marks.
pub const SPANS: [Span; 4] =
    [span(g474::STORE), span(g474::STORE_BEFORE), span(g474::PLACE), span(g474::MARKS)];
/// The place for an image, in that part.
pub const PLACE: Range<u32> = STORE_LENGTH..STORE_LENGTH + SPANS[2].1;
/// The bootloader's marks, in that part.
pub const MARKS: Range<u32> = PLACE.end..PLACE.end + SPANS[3].1;
const STORE_LENGTH: u32 = SPANS[0].1 + SPANS[1].1;

const fn span(range: Range<u32>) -> Span {
    (range.start, range.end - range.start)
}

/// The board's store in the chip's flash.
pub type Store = Region<Flash<'static, Blocking>>;

/// The clocks: an 8 MHz crystal to 160 MHz, and the internal 48 MHz for the random numbers.
pub fn clocks() -> Config {
    let mut config = Config::default();
    config.rcc.hse = Some(Hse { freq: Hertz(8_000_000), mode: HseMode::Oscillator });
    config.rcc.hsi48 = Some(rcc::Hsi48Config { sync_from_usb: false });
    config.rcc.pll = Some(Pll {
        source: PllSource::HSE,
        prediv: PllPreDiv::DIV2,
        mul: PllMul::MUL80,
        divp: None,
        divq: None,
        divr: Some(PllRDiv::DIV2),
    });
    config.rcc.sys = Sysclk::PLL1_R;
    config.rcc.mux.clk48sel = mux::Clk48sel::HSI48;
    config.rcc.mux.adc12sel = mux::Adcsel::SYS;
    config
}
