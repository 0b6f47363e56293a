//! The one place that touches device memory.
#![expect(unsafe_code, reason = "device registers are reached by address")]

/// A 32-bit device register. Made only from the addresses in this crate, all of which are device memory of the LM3S6965
/// that is always mapped and has no side effect on Rust's own memory.
#[derive(Clone, Copy)]
pub(crate) struct Register(usize);

impl Register {
    pub(crate) const fn at(address: usize) -> Self {
        assert!(address >= 0x4000_0000 && address.is_multiple_of(4), "a device register");
        Self(address)
    }

    pub(crate) fn read(self) -> u32 {
        // SAFETY: an aligned device register, see the type.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    pub(crate) fn write(self, value: u32) {
        // SAFETY: an aligned device register, see the type.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }

    /// Read, change, write; call it inside a critical section when an interrupt also writes the register.
    pub(crate) fn modify(self, change: impl FnOnce(u32) -> u32) {
        self.write(change(self.read()));
    }
}
