//! What embassy's drivers ask of the part and QEMU's model of it has not: the power controller's registers; reading and writing
//! the serial port by bytes; and a clear register that clears only the flags it has.
//!
//! The memory protection unit forbids these register blocks, and the fault that an access causes carries it out, as the part would.
#![expect(
    unsafe_code,
    reason = "faults are taken, decoded and carried out on the registers that the fault saved"
)]

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::MPU;

/// The power controller.
const PWR: u32 = 0x4000_7000;
/// The bus's serial port, USART 1.
const USART: u32 = 0x4001_3800;
/// Both are as long, bytes.
const BLOCK: u32 = 0x400;
/// The serial port's interrupt flag clear register, and the flags it clears (RM0351 40.8.9). QEMU lets it clear all.
const ICR: u32 = 0x20;
const ICR_FLAGS: u32 = 0x0012_1B5F;

/// The power controller's registers in use: it remembers what is written.
static POWER: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];

/// From now on these blocks are stood in for.
pub(crate) fn stand_in() {
    const SIZE_1_KIB: u32 = 9 << 1;
    const DEVICE: u32 = 1 << 16;
    const NEVER_EXECUTE: u32 = 1 << 28;
    // SAFETY: nobody else uses the protection unit; the memory it forbids is used by faults alone.
    unsafe {
        let mpu = &*MPU::PTR;
        for (number, block) in (0..).zip([PWR, USART]) {
            mpu.rnr.write(number);
            mpu.rbar.write(block);
            mpu.rasr.write(NEVER_EXECUTE | DEVICE | SIZE_1_KIB | 1);
        }
        // Everything else stays as it is, and a fault's handler may do all.
        mpu.ctrl.write(1 << 2 | 1);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

// The processor saved r0-r3, r12, lr, pc and the status; r4-r11 are saved here.
core::arch::global_asm!(
    ".section .HardFault.user, \"ax\"",
    ".thumb_func",
    ".global HardFault",
    ".type HardFault, %function",
    "HardFault:",
    "mrs r0, msp",
    "push {{r3-r11, lr}}",
    "add r1, sp, #4",
    "bl {carry_out}",
    "pop {{r3-r11, pc}}",
    ".size HardFault, . - HardFault",
    ".text",
    carry_out = sym carry_out,
);

/// The registers that the processor saved, in its order.
#[repr(C)]
struct Frame {
    r0_to_r3: [u32; 4],
    r12: u32,
    lr: u32,
    pc: u32,
    status: u32,
}

extern "C" fn carry_out(frame: &mut Frame, r4_to_r11: &mut [u32; 8]) {
    let Some(access) = Access::at(frame, r4_to_r11) else {
        panic!("a fault at {:#x} that is no access to memory", frame.pc);
    };
    let known = (access.address & !(BLOCK - 1) == PWR || access.address & !(BLOCK - 1) == USART)
        && (access.byte || access.address.is_multiple_of(4));
    assert!(known, "a fault at {:#x}: access to {:#x}", frame.pc, access.address);
    let value = register(frame, r4_to_r11, access.register).map_or(0, |value| *value);
    if access.load {
        let loaded = load(access.address & !3) >> (access.address % 4 * 8);
        if let Some(to) = register(frame, r4_to_r11, access.register) {
            *to = if access.byte { loaded & 0xFF } else { loaded };
        }
    } else {
        store(access.address & !3, if access.byte { value & 0xFF } else { value });
    }
    frame.pc += access.length;
    frame.status = after_one_instruction(frame.status);
}

fn load(address: u32) -> u32 {
    match address {
        PWR..USART => power(address).map_or(0, |word| word.load(Ordering::Relaxed)),
        // SAFETY: a register of the serial port, aligned.
        _ => unsafe { (address as *const u32).read_volatile() },
    }
}

fn store(address: u32, value: u32) {
    let value = if address == USART + ICR { value & ICR_FLAGS } else { value };
    match address {
        PWR..USART => {
            if let Some(word) = power(address) {
                word.store(value, Ordering::Relaxed);
            }
        }
        // SAFETY: a register of the serial port, aligned.
        _ => unsafe { (address as *mut u32).write_volatile(value) },
    }
}

fn power(address: u32) -> Option<&'static AtomicU32> {
    POWER.get(((address - PWR) / 4) as usize)
}

/// One load or store.
struct Access {
    load: bool,
    byte: bool,
    /// The register that is stored or loaded.
    register: u32,
    address: u32,
    /// The instruction's length, bytes.
    length: u32,
}

impl Access {
    /// The instruction at the fault, if it is one that a driver reaches a register by (ARMv7-M ARM, A7.7).
    fn at(frame: &mut Frame, saved: &mut [u32; 8]) -> Option<Self> {
        // SAFETY: the processor has just fetched it from there.
        let halfword = |at: u32| u32::from(unsafe { (at as *const u16).read() });
        let (first, second) = (halfword(frame.pc), halfword(frame.pc + 2));
        let mut value = |number| register(frame, saved, number).map(|value| *value);
        let five = first >> 6 & 31;
        let short = match first >> 11 {
            // By an offset, words and bytes.
            0b01100 | 0b01101 => Some((five * 4, false)),
            0b01110 | 0b01111 => Some((five, true)),
            // By a register; the odd ones are halfwords.
            0b01010 | 0b01011 if first >> 9 & 1 == 0 => Some((value(five & 7)?, first >> 10 & 1 == 1)),
            _ => None,
        };
        if let Some((offset, byte)) = short {
            let address = value(first >> 3 & 7)?.wrapping_add(offset);
            return Some(Self { load: first >> 11 & 1 == 1, byte, register: first & 7, address, length: 2 });
        }
        let (byte, load) = match first >> 4 & !8 {
            0xF80 => (true, false),
            0xF81 => (true, true),
            0xF84 => (false, false),
            0xF85 => (false, true),
            _ => return None,
        };
        let offset = if first >> 7 & 1 == 1 {
            second & 0xFFF
        } else if second & 0xFC0 == 0 {
            value(second & 15)? << (second >> 4 & 3)
        } else if second >> 8 & 15 == 0b1100 {
            (second & 0xFF).wrapping_neg()
        } else {
            return None;
        };
        let address = value(first & 15)?.wrapping_add(offset);
        Some(Self { load, byte, register: second >> 12, address, length: 4 })
    }
}

fn register<'a>(frame: &'a mut Frame, saved: &'a mut [u32; 8], number: u32) -> Option<&'a mut u32> {
    match number {
        0..=3 => frame.r0_to_r3.get_mut(number as usize),
        4..=11 => saved.get_mut(number as usize - 4),
        12 => Some(&mut frame.r12),
        14 => Some(&mut frame.lr),
        _ => None,
    }
}

/// The status with its if-then state moved on by one instruction (ARMv7-M ARM, A7.3.3).
fn after_one_instruction(status: u32) -> u32 {
    let state = status >> 25 & 3 | status >> 8 & 0xFC;
    let next = if state & 7 == 0 { 0 } else { state & 0xE0 | state << 1 & 0x1F };
    status & !(3 << 25 | 0xFC << 8) | (next & 3) << 25 | (next & 0xFC) << 8
}
