//! A serial line whose driver is switched on by a pin, for chips whose UART does not do it.

use embedded_hal::digital::OutputPin;
use embedded_io_async::{ErrorType, Write};

/// Drives the bus while it writes; `flush` waits for the last bit and lets go.
pub struct HalfDuplex<W, P> {
    line: W,
    enable: P,
}

impl<W, P: OutputPin> HalfDuplex<W, P> {
    /// A line that drives while `enable` is high. `line.flush()` must wait for the last stop bit.
    pub const fn new(line: W, enable: P) -> Self {
        Self { line, enable }
    }
}

impl<W: ErrorType, P> ErrorType for HalfDuplex<W, P> {
    type Error = W::Error;
}

impl<W: Write, P: OutputPin> Write for HalfDuplex<W, P> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, W::Error> {
        // A pin of a microcontroller cannot fail; the trait allows for port expanders.
        let _ = self.enable.set_high();
        self.line.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), W::Error> {
        let sent = self.line.flush().await;
        let _ = self.enable.set_low();
        sent
    }
}
