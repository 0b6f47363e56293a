//! UART 0 (PL011), 8N1, receive by interrupt into a ring.
//!
//! Nothing received is dropped: a full ring masks the interrupt and leaves the bytes in the UART's FIFO, where QEMU holds back
//! the sender. What the UART itself lost (overrun) or could not read (framing, parity, break) is counted.

use core::cell::RefCell;
use core::convert::Infallible;
use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;

use critical_section::Mutex;
use embassy_sync::waitqueue::AtomicWaker;
use embedded_io_async::{ErrorType, Read, Write};

use crate::clock::CORE_HZ;
use crate::mmio::Register;
use crate::vectors::{Interrupt, unmask};

const DR: Register = Register::at(0x4000_C000);
const FR: Register = Register::at(0x4000_C018);
const IBRD: Register = Register::at(0x4000_C024);
const FBRD: Register = Register::at(0x4000_C028);
const LCRH: Register = Register::at(0x4000_C02C);
const CTL: Register = Register::at(0x4000_C030);
const IM: Register = Register::at(0x4000_C038);
const ICR: Register = Register::at(0x4000_C044);

const FR_BUSY: u32 = 1 << 3;
const FR_RECEIVE_EMPTY: u32 = 1 << 4;
const FR_TRANSMIT_FULL: u32 = 1 << 5;
const LCRH_8_BIT_FIFO: u32 = 0b111 << 4;
const CTL_ENABLE: u32 = 1 | 1 << 8 | 1 << 9;
const IM_RECEIVE: u32 = 1 << 4 | 1 << 6;
const IM_TRANSMIT: u32 = 1 << 5;
const DR_UNREADABLE: u32 = 0b111 << 8;
const DR_OVERRUN: u32 = 1 << 11;

/// Bytes the ring holds: 89 ms at 115200 baud.
const RING: usize = 1024;

struct Ring {
    bytes: [u8; RING],
    head: usize,
    filled: usize,
}

impl Ring {
    fn push(&mut self, byte: u8) {
        self.bytes[(self.head + self.filled) % RING] = byte;
        self.filled += 1;
    }

    fn pop_into(&mut self, buffer: &mut [u8]) -> usize {
        let taken = buffer.len().min(self.filled);
        for slot in &mut buffer[..taken] {
            *slot = self.bytes[self.head];
            self.head = (self.head + 1) % RING;
        }
        self.filled -= taken;
        taken
    }
}

static RECEIVED: Mutex<RefCell<Ring>> =
    Mutex::new(RefCell::new(Ring { bytes: [0; RING], head: 0, filled: 0 }));
static RECEIVE_WAKER: AtomicWaker = AtomicWaker::new();
static TRANSMIT_WAKER: AtomicWaker = AtomicWaker::new();
static OVERRUNS: AtomicU32 = AtomicU32::new(0);
static UNREADABLE: AtomicU32 = AtomicU32::new(0);

/// Starts the UART at `baud` (300..=500,000).
pub(crate) fn start(baud: u32) -> (Receiver, Transmitter) {
    // The divisor in 1/64ths: clock / (16 * baud), rounded.
    let divisor = (CORE_HZ * 8 / baud).div_ceil(2);
    CTL.write(0);
    IBRD.write(divisor / 64);
    FBRD.write(divisor % 64);
    LCRH.write(LCRH_8_BIT_FIFO);
    ICR.write(0x7FF);
    IM.write(IM_RECEIVE);
    CTL.write(CTL_ENABLE);
    unmask(Interrupt::Uart0);
    (Receiver(()), Transmitter(()))
}

/// Bytes lost by the UART's FIFO, and bytes dropped as unreadable (framing, parity, break), since start.
pub fn losses() -> (u32, u32) {
    (OVERRUNS.load(Ordering::Relaxed), UNREADABLE.load(Ordering::Relaxed))
}

/// The receiving half.
pub struct Receiver(());

/// The sending half.
pub struct Transmitter(());

impl ErrorType for Receiver {
    type Error = Infallible;
}

impl Read for Receiver {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        poll_fn(|context| {
            RECEIVE_WAKER.register(context.waker());
            critical_section::with(|section| {
                let taken = RECEIVED.borrow_ref_mut(section).pop_into(buffer);
                IM.modify(|mask| mask | IM_RECEIVE);
                if taken > 0 { Poll::Ready(Ok(taken)) } else { Poll::Pending }
            })
        })
        .await
    }
}

impl ErrorType for Transmitter {
    type Error = Infallible;
}

impl Write for Transmitter {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        if bytes.is_empty() {
            return Ok(0);
        }
        poll_fn(|context| {
            TRANSMIT_WAKER.register(context.waker());
            let mut sent = 0;
            while sent < bytes.len() && FR.read() & FR_TRANSMIT_FULL == 0 {
                DR.write(u32::from(bytes[sent]));
                sent += 1;
            }
            if sent > 0 {
                return Poll::Ready(Ok(sent));
            }
            critical_section::with(|_| IM.modify(|mask| mask | IM_TRANSMIT));
            Poll::Pending
        })
        .await
    }

    /// Waits for the last stop bit to leave.
    async fn flush(&mut self) -> Result<(), Infallible> {
        while FR.read() & FR_BUSY != 0 {
            embassy_time::Timer::after_micros(100).await;
        }
        Ok(())
    }
}

pub(crate) extern "C" fn on_interrupt() {
    critical_section::with(|section| {
        let mut ring = RECEIVED.borrow_ref_mut(section);
        while FR.read() & FR_RECEIVE_EMPTY == 0 {
            if ring.filled == RING {
                IM.modify(|mask| mask & !IM_RECEIVE);
                break;
            }
            let data = DR.read();
            if data & DR_OVERRUN != 0 {
                OVERRUNS.fetch_add(1, Ordering::Relaxed);
            }
            if data & DR_UNREADABLE != 0 {
                UNREADABLE.fetch_add(1, Ordering::Relaxed);
            } else {
                ring.push((data & 0xFF) as u8);
            }
        }
        if ring.filled > 0 {
            RECEIVE_WAKER.wake();
        }
        // The receive interrupts fall by themselves when the FIFO is empty; clearing one with bytes left would lose it.
        IM.modify(|mask| mask & !IM_TRANSMIT);
        ICR.write(IM_TRANSMIT);
    });
    TRANSMIT_WAKER.wake();
}
