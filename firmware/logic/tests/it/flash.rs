//! A NOR flash in memory, as strict as the STM32G4's: words of 8 bytes, each written once after an erase (zeros always); and power that fails before,
//! within or after any operation.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

pub(crate) const PAGE: usize = 2048;
pub(crate) const WORD: usize = 8;
pub(crate) const CAPACITY: usize = 68 * 1024;

/// How power fails at an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// Before anything of it happened.
    Before,
    /// In its middle: some words done, one torn.
    Within,
    /// In its middle, and of an erase everything is done but the first word.
    AllButTheFirst,
    /// After all of it happened, before anybody was told.
    After,
}

#[derive(Debug)]
pub(crate) enum Fault {
    /// There is no power.
    NoPower,
    /// A word was written twice without an erase, or not on its boundary.
    Misuse,
}

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

#[derive(Clone)]
struct Cells {
    bytes: Vec<u8>,
    operations: usize,
    fuse: Option<(usize, Cut)>,
    dead: bool,
    noise: u64,
    /// Which operations were erases.
    erases: Vec<usize>,
}

/// Clones share the same cells.
#[derive(Clone)]
pub(crate) struct Flash(Rc<RefCell<Cells>>);

impl Flash {
    pub(crate) fn new() -> Flash {
        Flash::of(vec![0xFF; CAPACITY])
    }

    pub(crate) fn of(bytes: Vec<u8>) -> Flash {
        let cells = Cells {
            bytes,
            operations: 0,
            fuse: None,
            dead: false,
            noise: 0x9E37_79B9_7F4A_7C15,
            erases: Vec::new(),
        };
        Flash(Rc::new(RefCell::new(cells)))
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }

    /// Writes and erases so far.
    pub(crate) fn operations(&self) -> usize {
        self.0.borrow().operations
    }

    /// Whether the operation with this number was an erase.
    pub(crate) fn is_erase(&self, operation: usize) -> bool {
        self.0.borrow().erases.contains(&operation)
    }

    /// Power fails at the operation with this number, counted from 0; `noise` says how what is torn looks.
    pub(crate) fn cut_at(&self, operation: usize, cut: Cut, noise: u64) {
        let mut cells = self.0.borrow_mut();
        cells.fuse = Some((operation, cut));
        cells.noise ^= noise << 1;
    }
}

impl Cells {
    fn random(&mut self) -> u8 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        self.noise.to_le_bytes()[3]
    }

    /// One operation: what of it happens.
    fn operate(&mut self) -> Result<Option<Cut>, Fault> {
        if self.dead {
            return Err(Fault::NoPower);
        }
        let number = self.operations;
        self.operations += 1;
        let cut = self.fuse.filter(|(at, _)| *at == number).map(|(_, cut)| cut);
        Ok(cut)
    }

    fn finish(&mut self, cut: Option<Cut>) -> Result<(), Fault> {
        self.dead |= cut.is_some();
        if self.dead { Err(Fault::NoPower) } else { Ok(()) }
    }
}

impl ErrorType for Flash {
    type Error = Fault;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), Fault> {
        let cells = self.0.borrow();
        if cells.dead {
            return Err(Fault::NoPower);
        }
        let offset = offset as usize;
        into.copy_from_slice(&cells.bytes[offset..offset + into.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        let mut cells = self.0.borrow_mut();
        for page in (from as usize..to as usize).step_by(PAGE) {
            let cut = cells.operate()?;
            let number = cells.operations - 1;
            cells.erases.push(number);
            match cut {
                Some(Cut::Before) => {}
                Some(Cut::Within) => {
                    // Part of the page is erased, part is not, and some cells are in between.
                    for at in page..page + PAGE {
                        match cells.random() % 4 {
                            0 => {}
                            1 => {
                                let noise = cells.random();
                                cells.bytes[at] |= noise;
                            }
                            _ => cells.bytes[at] = 0xFF,
                        }
                    }
                }
                Some(Cut::AllButTheFirst) => cells.bytes[page + WORD..page + PAGE].fill(0xFF),
                Some(Cut::After) | None => cells.bytes[page..page + PAGE].fill(0xFF),
            }
            cells.finish(cut)?;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        let offset = offset as usize;
        if !offset.is_multiple_of(WORD) || !bytes.len().is_multiple_of(WORD) {
            return Err(Fault::Misuse);
        }
        let mut cells = self.0.borrow_mut();
        for (at, word) in (offset..).step_by(WORD).zip(bytes.chunks(WORD)) {
            let cut = cells.operate()?;
            let zeros = word.iter().all(|b| *b == 0);
            if !zeros && cells.bytes[at..at + WORD].iter().any(|b| *b != 0xFF) {
                return Err(Fault::Misuse);
            }
            match cut {
                Some(Cut::Before) => {}
                Some(Cut::Within | Cut::AllButTheFirst) => {
                    for (i, byte) in word.iter().enumerate() {
                        let noise = cells.random();
                        cells.bytes[at + i] &= byte | noise;
                    }
                }
                Some(Cut::After) | None => {
                    for (i, byte) in word.iter().enumerate() {
                        cells.bytes[at + i] &= byte;
                    }
                }
            }
            cells.finish(cut)?;
        }
        Ok(())
    }
}

/// The measures of the RP2350's external flash; nothing is kept in it.
pub(crate) struct Sectors;

impl ErrorType for Sectors {
    type Error = Fault;
}

impl ReadNorFlash for Sectors {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, _: u32, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::NoPower)
    }

    fn capacity(&self) -> usize {
        0
    }
}

impl NorFlash for Sectors {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, _: u32, _: u32) -> Result<(), Fault> {
        Err(Fault::NoPower)
    }

    async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::NoPower)
    }
}

/// Runs a future that never waits for anything but this flash, which is always ready.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
