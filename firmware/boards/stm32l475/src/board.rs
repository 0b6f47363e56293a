//! A whole board on this chip: the logic in an interrupt, its storage in one below.
#![expect(unsafe_code, reason = "executors are run by their interrupts")]

use core::convert::Infallible;
use core::fmt::Write;

use board_logic::Board;
use board_tasks::{
    Converter, Exchange, Line, MAX_LINES, Model, Parts, SampledLines, WiegandEdges, run_board, run_storage,
    run_transmitter,
};
use embassy_executor::InterruptExecutor;
use embassy_stm32::gpio::{Input, Output};
use embassy_stm32::interrupt::{self, InterruptExt, Priority};
use embassy_stm32::usart::{BufferedUart, BufferedUartRx, BufferedUartTx};
use heapless::Vec;
use semihost::{Console, Flash, entropy};
use static_cell::StaticCell;

/// The serial number of the board with all address switches off; the emulated part has none of its own.
const FIRST_SERIAL: u32 = 0x4C34_0000;

/// A board's inputs, by number, and the reset button.
pub type Lines = Vec<Line<Infallible, Input<'static>>, MAX_LINES>;

/// What `main` takes from the chip.
pub struct Hardware {
    /// What does not depend on the chip.
    pub model: &'static Model,
    /// Inputs by number, and the reset button.
    pub lines: Lines,
    /// Outputs by number, safe, and whether each is on when high.
    pub outputs: Vec<(Output<'static>, bool), MAX_LINES>,
    /// The status lamp, and whether it is lit when high.
    pub status: (Output<'static>, bool),
    /// The address switches as a number.
    pub switches: u8,
    /// The bus.
    pub uart: BufferedUart<'static>,
    /// The readers' edges.
    pub wiegand: &'static WiegandEdges,
}

/// QEMU models no converter: no line is supervised.
struct NoConverter;

impl Converter for NoConverter {
    type Channel = Infallible;

    fn per_mille(&mut self, channel: &mut Infallible) -> Option<u16> {
        match *channel {}
    }
}

static EXCHANGE: Exchange = Exchange::new();
static BOARD: StaticCell<Board> = StaticCell::new();
static ABOVE: InterruptExecutor = InterruptExecutor::new();
static BELOW: InterruptExecutor = InterruptExecutor::new();

/// Runs the board for ever. There is no watchdog: QEMU does not model this part's.
pub fn start(hardware: Hardware) -> ! {
    let serial = FIRST_SERIAL + u32::from(hardware.switches);
    let setup = hardware.model.setup(hardware.switches, serial, stm32::cause());
    let (address, reset) = (setup.address, setup.reset);
    let (transmitter, receiver) = hardware.uart.split();
    let parts = Parts {
        lines: SampledLines::new(hardware.lines, NoConverter),
        setups: hardware.model.inputs,
        receiver,
        outputs: hardware.outputs,
        status: hardware.status,
        wiegand: hardware.wiegand,
        restart: cortex_m::peripheral::SCB::sys_reset,
    };

    // Below every device, and the storage below the logic. (embassy's executor in thread mode sleeps by WFE, which QEMU does not.)
    interrupt::UART5.set_priority(Priority::P14);
    interrupt::UART4.set_priority(Priority::P15);
    let above = ABOVE.start(interrupt::UART5);
    above.spawn(board(BOARD.init_with(|| Board::new(setup)), parts).expect("spawned once"));
    above.spawn(transmit(transmitter).expect("spawned once"));
    let _ = writeln!(Console, "board ready at address {address} after {reset:?}");
    BELOW.start(interrupt::UART4).spawn(keep().expect("spawned once"));
    loop {
        cortex_m::asm::wfi();
    }
}

/// The executors' interrupts: UART 4's and 5's, which nobody uses.
#[embassy_stm32::interrupt]
unsafe fn UART5() {
    // SAFETY: its own interrupt, which is let through only once it has started.
    unsafe { ABOVE.on_interrupt() }
}

#[embassy_stm32::interrupt]
unsafe fn UART4() {
    // SAFETY: as above.
    unsafe { BELOW.on_interrupt() }
}

#[embassy_executor::task]
async fn board(
    board: &'static mut Board,
    parts: Parts<SampledLines<NoConverter, Input<'static>>, BufferedUartRx<'static>, Output<'static>>,
) {
    run_board(board, parts, &EXCHANGE).await
}

#[embassy_executor::task]
async fn transmit(line: BufferedUartTx<'static>) {
    run_transmitter(line, &EXCHANGE).await
}

#[embassy_executor::task]
async fn keep() {
    match Flash::open() {
        Some(flash) => run_storage(flash, None, entropy(), &EXCHANGE).await,
        None => {
            let _ =
                writeln!(Console, "no flash: the host's file cannot be opened; the board stays off the bus");
        }
    }
}
