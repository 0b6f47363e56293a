//! The host behind the emulator: messages and files, by Arm semihosting. A real board has no such host.
#![expect(unsafe_code, reason = "a semihosting call is a breakpoint instruction with a block of arguments")]

use core::arch::asm;
use core::fmt;

const SYS_OPEN: u32 = 0x01;
const SYS_WRITE0: u32 = 0x04;
const SYS_WRITE: u32 = 0x05;
const SYS_READ: u32 = 0x06;
const SYS_SEEK: u32 = 0x0A;
const SYS_FLEN: u32 = 0x0C;
const SYS_GET_CMDLINE: u32 = 0x15;
const SYS_ELAPSED: u32 = 0x30;
/// fopen's `r+b`.
const OPEN_READ_WRITE: u32 = 3;
/// fopen's `w+b`.
const OPEN_CREATE: u32 = 7;

fn call(operation: u32, block: *const u32) -> i32 {
    let result: u32;
    // SAFETY: the host reads and writes only what the block names; every caller below names its own live buffers.
    unsafe {
        asm!("bkpt 0xAB", inout("r0") operation => result, in("r1") block, options(nostack, preserves_flags));
    }
    result as i32
}

fn address<T>(items: &[T]) -> u32 {
    items.as_ptr() as u32
}

/// Writes to the emulator's standard error, in pieces of 63 bytes.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.as_bytes().chunks(63) {
            let mut line = [0_u8; 64];
            line[..piece.len()].copy_from_slice(piece);
            call(SYS_WRITE0, line.as_ptr().cast());
        }
        Ok(())
    }
}

/// The emulator's command line for the board (`-semihosting-config arg=…`), cut to `buffer`.
pub(crate) fn command_line(buffer: &mut [u8]) -> Option<usize> {
    let block = [address(buffer), buffer.len() as u32];
    let mut block = block;
    let ok = call(SYS_GET_CMDLINE, block.as_mut_ptr()) == 0;
    let length = block[1] as usize;
    (ok && length <= buffer.len()).then_some(length)
}

/// Nanoseconds since the emulator started. The host's clock: it goes on while the emulator is stopped.
pub fn elapsed_ns() -> u64 {
    let mut block = [0_u32; 2];
    call(SYS_ELAPSED, block.as_mut_ptr());
    // What the host wrote behind the compiler's back.
    let [low, high] = core::hint::black_box(block);
    u64::from(high) << 32 | u64::from(low)
}

/// Random bytes of the host; zeros if it has none to give. A real board has a source of its own.
pub fn entropy() -> [u8; 16] {
    let mut bytes = [0; 16];
    if let Some(file) = File::open(b"/dev/urandom\0", false) {
        call(SYS_READ, [file.0, address(&bytes), bytes.len() as u32].as_ptr());
        // What the host wrote behind the compiler's back.
        bytes = core::hint::black_box(bytes);
    }
    bytes
}

/// A file on the host.
pub(crate) struct File(u32);

impl File {
    /// Opens `path` (its last byte must be 0) for reading and writing, and creates it when `create`.
    pub(crate) fn open(path: &[u8], create: bool) -> Option<Self> {
        assert!(path.last() == Some(&0), "semihosting paths end with a zero byte");
        let mode = if create { OPEN_CREATE } else { OPEN_READ_WRITE };
        let handle = call(SYS_OPEN, [address(path), mode, path.len() as u32 - 1].as_ptr());
        u32::try_from(handle).ok().map(Self)
    }

    /// Bytes in the file.
    pub(crate) fn len(&self) -> Option<u32> {
        u32::try_from(call(SYS_FLEN, [self.0].as_ptr())).ok()
    }

    /// Fills `bytes` from `offset`; false when the file is shorter or failed.
    pub(crate) fn read(&mut self, offset: u32, bytes: &mut [u8]) -> bool {
        self.seek(offset) && call(SYS_READ, [self.0, address(bytes), bytes.len() as u32].as_ptr()) == 0
    }

    /// Writes all of `bytes` at `offset`; false when the host refused.
    pub(crate) fn write(&mut self, offset: u32, bytes: &[u8]) -> bool {
        self.seek(offset) && call(SYS_WRITE, [self.0, address(bytes), bytes.len() as u32].as_ptr()) == 0
    }

    fn seek(&mut self, offset: u32) -> bool {
        call(SYS_SEEK, [self.0, offset].as_ptr()) == 0
    }
}
