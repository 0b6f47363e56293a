//! What is read once, at the start.

use embassy_stm32::gpio::Input;
use embassy_stm32::pac;
use embassy_time::Duration;
use endpoints::vendor::Reset;

/// The address switches as a number, least significant first.
pub fn switches<const N: usize>(pins: [Input<'static>; N], on_high: bool) -> u8 {
    // The pull-ups charge the lines in microseconds.
    embassy_time::block_for(Duration::from_millis(1));
    pins.iter().enumerate().fold(0, |number, (bit, pin)| number | u8::from(pin.is_high() == on_high) << bit)
}

/// Why the chip started, once: asked again it does not know.
pub fn cause() -> Reset {
    let flags = pac::RCC.csr().read();
    pac::RCC.csr().modify(|csr| csr.set_rmvf(true));
    if flags.iwdgrstf() {
        Reset::Watchdog
    } else if flags.sftrstf() {
        // Nothing asks for a restart yet but the panic handler.
        Reset::Other
    } else if flags.borrstf() {
        Reset::PowerOn
    } else {
        Reset::Other
    }
}
