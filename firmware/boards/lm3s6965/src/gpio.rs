//! GPIO ports A to G (PL061): inputs that wait by interrupt, outputs, and Wiegand lines latched in the interrupt.

use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;

use embassy_sync::waitqueue::AtomicWaker;
use embedded_hal::digital::{ErrorType, InputPin, OutputPin, StatefulOutputPin};
use embedded_hal_async::digital::Wait;

use crate::mmio::Register;
use crate::vectors::{Interrupt, unmask};
use crate::wiegand;

/// A port of eight pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "ports have letters for names")]
pub enum Port {
    A,
    B,
    C,
    D,
    E,
    F,
    G,
}

impl Port {
    const ALL: [Self; 7] = [Self::A, Self::B, Self::C, Self::D, Self::E, Self::F, Self::G];

    const fn base(self) -> usize {
        match self {
            Self::A => 0x4000_4000,
            Self::B => 0x4000_5000,
            Self::C => 0x4000_6000,
            Self::D => 0x4000_7000,
            Self::E => 0x4002_4000,
            Self::F => 0x4002_5000,
            Self::G => 0x4002_6000,
        }
    }

    const fn interrupt(self) -> Interrupt {
        match self {
            Self::A => Interrupt::GpioA,
            Self::B => Interrupt::GpioB,
            Self::C => Interrupt::GpioC,
            Self::D => Interrupt::GpioD,
            Self::E => Interrupt::GpioE,
            Self::F => Interrupt::GpioF,
            Self::G => Interrupt::GpioG,
        }
    }

    const fn register(self, offset: usize) -> Register {
        Register::at(self.base() + offset)
    }

    /// The data register seen through `mask`: writes change those pins alone, atomically.
    const fn data(self, mask: u32) -> Register {
        self.register((mask as usize) << 2)
    }
}

const DIRECTION: usize = 0x400;
const SENSE_LEVEL: usize = 0x404;
const BOTH_EDGES: usize = 0x408;
const RISING: usize = 0x40C;
const INTERRUPT_MASK: usize = 0x410;
const MASKED_STATUS: usize = 0x418;
const CLEAR: usize = 0x41C;
const ALTERNATE: usize = 0x420;
const PULL_UP: usize = 0x510;
const DIGITAL: usize = 0x51C;

/// One pin's place. A board's pin map has each place once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    port: Port,
    number: u8,
}

impl Pin {
    /// Pin `number` (0..=7) of `port`.
    pub const fn new(port: Port, number: u8) -> Self {
        assert!(number < 8, "a port has eight pins");
        Self { port, number }
    }

    const fn mask(self) -> u32 {
        1 << self.number
    }

    fn waker(self) -> &'static AtomicWaker {
        &WAKERS[self.port as usize][usize::from(self.number)]
    }

    fn set_bit(self, offset: usize, on: bool) {
        critical_section::with(|_| {
            self.port
                .register(offset)
                .modify(|bits| if on { bits | self.mask() } else { bits & !self.mask() });
        });
    }

    fn is_high(self) -> bool {
        self.port.data(self.mask()).read() != 0
    }
}

static WAKERS: [[AtomicWaker; 8]; 7] = [const { [const { AtomicWaker::new() }; 8] }; 7];

/// UART 0's pins leave GPIO; every port's interrupt is let through, every pin's own is still masked.
pub(crate) fn start() {
    Port::A.register(ALTERNATE).write(0b11);
    Port::A.register(DIGITAL).write(0b11);
    for port in Port::ALL {
        unmask(port.interrupt());
    }
}

/// An input with its pull-up on.
pub struct Input(Pin);

impl Input {
    /// Makes `pin` an input.
    pub fn new(pin: Pin) -> Self {
        pin.set_bit(DIRECTION, false);
        pin.set_bit(PULL_UP, true);
        pin.set_bit(DIGITAL, true);
        Self(pin)
    }

    /// Whether it is high.
    pub(crate) fn is_high_now(&self) -> bool {
        self.0.is_high()
    }

    fn arm(&self, edge: Edge) {
        critical_section::with(|_| {
            self.0.set_bit(SENSE_LEVEL, false);
            self.0.set_bit(BOTH_EDGES, edge == Edge::Any);
            self.0.set_bit(RISING, edge == Edge::Rising);
            self.0.port.register(CLEAR).write(self.0.mask());
            self.0.set_bit(INTERRUPT_MASK, true);
        });
    }

    /// The interrupt takes an arming away when its edge comes.
    async fn edge(&mut self) {
        poll_fn(|context| {
            self.0.waker().register(context.waker());
            let armed = self.0.port.register(INTERRUPT_MASK).read() & self.0.mask() != 0;
            if armed { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    async fn level(&mut self, high: bool) {
        self.arm(if high { Edge::Rising } else { Edge::Falling });
        // Armed first, then looked: a change in between is seen by one of the two.
        if self.0.is_high() != high {
            self.edge().await;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Rising,
    Falling,
    Any,
}

impl ErrorType for Input {
    type Error = Infallible;
}

impl InputPin for Input {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.is_high())
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.is_high())
    }
}

impl Wait for Input {
    async fn wait_for_high(&mut self) -> Result<(), Infallible> {
        self.level(true).await;
        Ok(())
    }

    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        self.level(false).await;
        Ok(())
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), Infallible> {
        self.arm(Edge::Rising);
        self.edge().await;
        Ok(())
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), Infallible> {
        self.arm(Edge::Falling);
        self.edge().await;
        Ok(())
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), Infallible> {
        self.arm(Edge::Any);
        self.edge().await;
        Ok(())
    }
}

/// A push-pull output.
pub struct Output(Pin);

impl Output {
    /// Makes `pin` an output that starts at `high`, without a glitch: the level is set before the direction.
    pub fn new(pin: Pin, high: bool) -> Self {
        let level = if high { pin.mask() } else { 0 };
        pin.port.data(pin.mask()).write(level);
        pin.set_bit(DIRECTION, true);
        pin.port.data(pin.mask()).write(level);
        pin.set_bit(DIGITAL, true);
        Self(pin)
    }
}

impl ErrorType for Output {
    type Error = Infallible;
}

impl OutputPin for Output {
    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.port.data(self.0.mask()).write(self.0.mask());
        Ok(())
    }

    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.port.data(self.0.mask()).write(0);
        Ok(())
    }
}

impl StatefulOutputPin for Output {
    fn is_set_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.is_high())
    }

    fn is_set_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.is_high())
    }
}

/// Latches every falling edge of a Wiegand line, from now on, in the interrupt. `line` 0 carries the zeros, 1 the ones.
pub(crate) fn latch_falling(pin: Pin) {
    let input = Input::new(pin);
    input.arm(Edge::Falling);
}

fn on_port(port: Port) {
    let fired = port.register(MASKED_STATUS).read();
    port.register(CLEAR).write(fired);
    let mut disarm = 0;
    for number in 0..8 {
        let pin = Pin { port, number };
        if fired & pin.mask() == 0 {
            continue;
        }
        if !wiegand::latch(pin) {
            disarm |= pin.mask();
            pin.waker().wake();
        }
    }
    critical_section::with(|_| port.register(INTERRUPT_MASK).modify(|mask| mask & !disarm));
}

macro_rules! handlers {
    ($($name:ident $port:ident),*) => {
        $(pub(crate) extern "C" fn $name() { on_port(Port::$port); })*
    };
}
handlers!(on_port_a A, on_port_b B, on_port_c C, on_port_d D, on_port_e E, on_port_f F, on_port_g G);
