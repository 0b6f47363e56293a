//! Wiegand lines on EXTI, latched in the interrupt. (embassy's own EXTI inputs tell a task, which comes too late for two edges.)
#![expect(unsafe_code, reason = "an interrupt is enabled that only this module handles")]

use core::cell::Cell;
use core::marker::PhantomData;

use board_tasks::{WiegandEdge, WiegandEdges};
use critical_section::Mutex;
use embassy_stm32::gpio::Input;
use embassy_stm32::interrupt::InterruptExt;
use embassy_stm32::interrupt::typelevel::{Handler, Interrupt};
use embassy_stm32::{interrupt, pac};
use embassy_time::Instant;

/// EXTI line to (reader, ones).
type Places = [Option<(u8, bool)>; 16];

static EDGES: WiegandEdges = WiegandEdges::new();
static LINES: Mutex<Cell<Places>> = Mutex::new(Cell::new([None; 16]));

/// Latches every falling edge from now on. `places` are (port, pin) of D0 and D1 in reader order, pins 4 to 9, each number once;
/// `_inputs` are the same pins, configured as inputs and given up.
pub fn latch_wiegand<const N: usize>(
    _inputs: [Input<'static>; N],
    places: &'static [[(u8, u8); 2]],
) -> &'static WiegandEdges {
    let mut lines = [None; 16];
    let mut mask = 0;
    for (reader, pair) in places.iter().enumerate() {
        for (one, (port, pin)) in [false, true].into_iter().zip(pair) {
            let line = usize::from(*pin);
            assert!(
                (4..=9).contains(&line) && lines[line].is_none(),
                "Wiegand pins are numbered 4 to 9, each once"
            );
            lines[line] = Some((reader as u8, one));
            mask |= 1 << line;
            pac::SYSCFG.exticr(line / 4).modify(|select| select.set_exti(line % 4, *port));
        }
    }
    critical_section::with(|section| LINES.borrow(section).set(lines));
    pac::EXTI.ftsr(0).modify(|falling| falling.0 |= mask);
    pac::EXTI.pr(0).write(|pending| pending.0 = mask);
    pac::EXTI.imr(0).modify(|enabled| enabled.0 |= mask);
    // SAFETY: their handler is below; it takes critical sections for what it shares.
    unsafe {
        interrupt::EXTI4.enable();
        interrupt::EXTI9_5.enable();
    }
    &EDGES
}

/// The handler of the EXTI interrupts of lines 4 to 9.
pub struct Latch<I>(PhantomData<I>);

impl<I: Interrupt> Handler<I> for Latch<I> {
    unsafe fn on_interrupt() {
        let lines = critical_section::with(|section| LINES.borrow(section).get());
        let pending = pac::EXTI.pr(0).read().0 & pac::EXTI.imr(0).read().0;
        let at = Instant::now().as_micros();
        for (line, place) in lines.into_iter().enumerate() {
            let Some((reader, one)) = place.filter(|_| pending & 1 << line != 0) else { continue };
            pac::EXTI.pr(0).write(|cleared| cleared.0 = 1 << line);
            EDGES.latch(WiegandEdge { reader, one, at });
        }
    }
}
