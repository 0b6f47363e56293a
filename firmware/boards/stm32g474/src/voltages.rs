//! The converter that reads the supervised lines.

use board_tasks::Converter;
use embassy_stm32::adc::{Adc, AnyAdcChannel, SampleTime};
use embassy_stm32::peripherals::ADC1;

/// Full scale (12 bit).
const FULL_SCALE: u32 = 4095;

/// ADC 1.
pub struct Voltages(pub Adc<'static, ADC1>);

impl Converter for Voltages {
    type Channel = AnyAdcChannel<'static, ADC1>;

    fn per_mille(&mut self, channel: &mut Self::Channel) -> Option<u16> {
        let reading = self.0.blocking_read(channel, SampleTime::CYCLES247_5);
        Some((u32::from(reading) * 1000 / FULL_SCALE) as u16)
    }
}
