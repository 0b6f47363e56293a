//! The converter that reads the supervised lines.

use board_tasks::Converter;
use embassy_rp::adc::{Adc, Blocking, Channel};

/// Full scale (12 bit).
const FULL_SCALE: u32 = 4095;

/// The ADC.
pub struct Voltages(pub Adc<'static, Blocking>);

impl Converter for Voltages {
    type Channel = Channel<'static>;

    fn per_mille(&mut self, channel: &mut Channel<'static>) -> Option<u16> {
        self.0.blocking_read(channel).ok().map(|reading| (u32::from(reading) * 1000 / FULL_SCALE) as u16)
    }
}
