//! The sending half of the bus, which knows when the last bit has left.

use embassy_rp::uart::{BufferedUartTx, Error};
use embassy_time::Timer;
use embedded_io_async::{ErrorType, Write};

/// embassy's `flush` ends when the last byte is in the UART's own FIFO; the bus may be let go only when it has left.
pub struct Sender(pub BufferedUartTx);

impl ErrorType for Sender {
    type Error = Error;
}

impl Write for Sender {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.0.flush().await?;
        while self.0.busy() {
            Timer::after_micros(20).await;
        }
        Ok(())
    }
}
