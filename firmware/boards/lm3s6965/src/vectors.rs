//! The interrupts in use, and the device's vector table.
#![expect(
    unsafe_code,
    reason = "the vector table is found by the linker, and unmasking is a promise about priorities"
)]

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

/// Interrupt numbers of the LM3S6965 (data sheet, table 2-9).
#[derive(Clone, Copy)]
#[repr(u16)]
pub(crate) enum Interrupt {
    GpioA = 0,
    GpioB = 1,
    GpioC = 2,
    GpioD = 3,
    GpioE = 4,
    Uart0 = 5,
    Timer0A = 19,
    GpioF = 30,
    GpioG = 31,
    /// The second synchronous serial port's, which nobody uses: the upper executor runs in it.
    Above = 34,
}

// SAFETY: the numbers are the data sheet's.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// The three priority bits of this part are the upper ones; larger is later.
const LAST: u8 = 0b111 << 5;

/// Every device at the first priority, the upper executor at the last. Call it before any is unmasked.
pub(crate) fn set_priorities() {
    // SAFETY: called once at the start, while nothing else holds the controller.
    let mut peripherals = unsafe { cortex_m::Peripherals::steal() };
    // SAFETY: no code of this crate relies on a priority for exclusion; it uses critical sections.
    unsafe { peripherals.NVIC.set_priority(Interrupt::Above, LAST) };
}

/// Lets an interrupt through.
pub(crate) fn unmask(interrupt: Interrupt) {
    // SAFETY: no code of this crate relies on a masked interrupt for exclusion; it uses critical sections.
    unsafe { NVIC::unmask(interrupt) }
}

/// An interrupt that was never unmasked cannot come; should it, the panic handler makes the outputs safe.
extern "C" fn unexpected() {
    panic!("an interrupt that nobody enabled");
}

const COUNT: usize = 44;

#[used]
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(export_name = "__INTERRUPTS")]
static INTERRUPTS: [extern "C" fn(); COUNT] = {
    let mut table: [extern "C" fn(); COUNT] = [unexpected; COUNT];
    table[Interrupt::GpioA as usize] = crate::gpio::on_port_a;
    table[Interrupt::GpioB as usize] = crate::gpio::on_port_b;
    table[Interrupt::GpioC as usize] = crate::gpio::on_port_c;
    table[Interrupt::GpioD as usize] = crate::gpio::on_port_d;
    table[Interrupt::GpioE as usize] = crate::gpio::on_port_e;
    table[Interrupt::GpioF as usize] = crate::gpio::on_port_f;
    table[Interrupt::GpioG as usize] = crate::gpio::on_port_g;
    table[Interrupt::Above as usize] = crate::executor::on_above;
    table[Interrupt::Uart0 as usize] = crate::uart::on_interrupt;
    table[Interrupt::Timer0A as usize] = crate::clock::on_alarm;
    table
};
