//! Input lines: plain pins that interrupt, or pins and converter channels that are sampled.

use core::future::pending;

use embassy_futures::select::select_array;
use embassy_time::{Duration, Ticker};
use embedded_hal::digital::InputPin;
use embedded_hal_async::digital::Wait;
use heapless::Vec;

/// The most inputs and the most outputs a board has.
pub const MAX_LINES: usize = 16;
/// How often sampled lines are looked at: well inside the shortest debounce time (5 ms).
const SAMPLED_EVERY: Duration = Duration::from_millis(1);

/// What a line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A plain pin: whether it is active.
    Plain(bool),
    /// A supervised line: its voltage, per mille of the converter's reference.
    Voltage(u16),
}

/// All input lines of a board, by number.
pub trait Lines {
    /// What line `number` shows now; none if there is no such line.
    fn look(&mut self, number: usize) -> Option<Level>;

    /// Waits until one may show something else than in `known`.
    fn changed(&mut self, known: &[Level]) -> impl Future<Output = ()>;
}

/// Plain pins that interrupt, and whether each is active when high.
pub struct InterruptLines<I>(pub Vec<(I, bool), MAX_LINES>);

impl<I: Wait + InputPin> Lines for InterruptLines<I> {
    fn look(&mut self, number: usize) -> Option<Level> {
        self.0.get_mut(number).map(|(pin, active_high)| plain(pin, *active_high))
    }

    /// It waits for the other *level* of each pin, not for an edge, so a change between looking and waiting is not missed.
    async fn changed(&mut self, known: &[Level]) {
        let mut lines = self.0.iter_mut().zip(known);
        let waits = [(); MAX_LINES].map(|()| {
            let line = lines.next();
            async move {
                // A pin that fails is looked at again, like one that moved.
                let _ = match line {
                    Some(((pin, active_high), level)) if (*level == Level::Plain(true)) == *active_high => {
                        pin.wait_for_low().await
                    }
                    Some(((pin, _), _)) => pin.wait_for_high().await,
                    None => pending().await,
                };
            }
        });
        select_array(waits).await;
    }
}

/// Reads a voltage.
pub trait Converter {
    /// A pin it can read.
    type Channel;

    /// The voltage in per mille of the reference; none when the converter failed.
    fn per_mille(&mut self, channel: &mut Self::Channel) -> Option<u16>;
}

/// One line that is sampled.
pub enum Line<C, I> {
    /// With end-of-line resistors.
    Supervised(C),
    /// A plain pin, and whether it is active when high.
    Plain(I, bool),
}

/// Lines that are looked at every millisecond.
pub struct SampledLines<A: Converter, I> {
    lines: Vec<Line<A::Channel, I>, MAX_LINES>,
    converter: A,
    ticker: Ticker,
}

impl<A: Converter, I> SampledLines<A, I> {
    /// Lines by number.
    pub fn new(lines: Vec<Line<A::Channel, I>, MAX_LINES>, converter: A) -> Self {
        Self { lines, converter, ticker: Ticker::every(SAMPLED_EVERY) }
    }
}

impl<A: Converter, I: InputPin> Lines for SampledLines<A, I> {
    /// A converter that fails is taken for a cut line: for fire and break-glass that means released.
    fn look(&mut self, number: usize) -> Option<Level> {
        let level = match self.lines.get_mut(number)? {
            Line::Supervised(channel) => Level::Voltage(self.converter.per_mille(channel).unwrap_or(1000)),
            Line::Plain(pin, active_high) => plain(pin, *active_high),
        };
        Some(level)
    }

    async fn changed(&mut self, _known: &[Level]) {
        self.ticker.next().await;
    }
}

/// A pin that cannot be read is taken to be active.
fn plain(pin: &mut impl InputPin, active_high: bool) -> Level {
    Level::Plain(pin.is_high().map_or(true, |high| high == active_high))
}
