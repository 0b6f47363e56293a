//! The scan in wide instructions: the only unsafe code of this crate.
//!
//! Two things here need it. Calling a function compiled for instructions beyond the platform's base is sound because a
//! [`super::Path`] of that kind exists only after the processor said it has them. Loading a register from memory is
//! sound because every pointer comes from a reference to an array at least as long as the register.
#![expect(
    unsafe_code,
    reason = "calls into checked instruction sets, and register loads from arrays of that size"
)]

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64 as arm;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as x86;

use crate::codes::{Block, Query};

/// AVX-512 with VNNI: 64 products a step, sixteen rows at once.
#[cfg(target_arch = "x86_64")]
pub(super) fn avx512(query: &Query, blocks: &[Block], from: usize, floor: f32) -> Option<(usize, u16)> {
    // SAFETY: `Path::all` asked for exactly the features named on the function.
    return unsafe { scan(query, blocks, from, floor) };

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn scan(query: &Query, blocks: &[Block], from: usize, floor: f32) -> Option<(usize, u16)> {
        let flip = x86::_mm512_set1_epi8(-128);
        // VNNI multiplies unsigned by signed: rows go in 128 too high, and 128 times the query's sum comes off.
        let start = x86::_mm512_set1_epi32(-128 * query.sum);
        let step = x86::_mm512_set1_ps(query.step);
        let rest = x86::_mm512_set1_ps(query.rest);
        let reach = x86::_mm512_set1_ps(query.reach);
        let floor = x86::_mm512_set1_ps(floor);
        let numbers = query.numbers.map(together);
        for (at, block) in blocks.iter().enumerate().skip(from) {
            let mut sums = [
                start,
                x86::_mm512_setzero_si512(),
                x86::_mm512_setzero_si512(),
                x86::_mm512_setzero_si512(),
            ];
            for (rows, numbers) in block.numbers.as_chunks::<4>().0.iter().zip(numbers.as_chunks::<4>().0) {
                for ((sum, rows), &numbers) in sums.iter_mut().zip(rows).zip(numbers) {
                    // SAFETY: `rows` is 16 x 4 bytes.
                    let rows = unsafe { x86::_mm512_loadu_si512(rows.as_ptr().cast()) };
                    let rows = x86::_mm512_xor_si512(rows, flip);
                    *sum = x86::_mm512_dpbusd_epi32(*sum, rows, x86::_mm512_set1_epi32(numbers));
                }
            }
            let dots = x86::_mm512_add_epi32(
                x86::_mm512_add_epi32(sums[0], sums[1]),
                x86::_mm512_add_epi32(sums[2], sums[3]),
            );
            // SAFETY: both arrays are 16 floats.
            let (row_step, row_rest) = unsafe {
                (x86::_mm512_loadu_ps(block.step.as_ptr()), x86::_mm512_loadu_ps(block.rest.as_ptr()))
            };
            let middle =
                x86::_mm512_mul_ps(x86::_mm512_mul_ps(row_step, step), x86::_mm512_cvtepi32_ps(dots));
            let upper = x86::_mm512_add_ps(middle, x86::_mm512_fmadd_ps(row_rest, reach, rest));
            let reached = x86::_mm512_cmp_ps_mask::<{ x86::_CMP_GE_OQ }>(upper, floor);
            if reached != 0 {
                return Some((at, reached));
            }
        }
        None
    }
}

/// AVX2: 32 products a step, eight rows at once.
#[cfg(target_arch = "x86_64")]
pub(super) fn avx2(query: &Query, blocks: &[Block], from: usize, floor: f32) -> Option<(usize, u16)> {
    // SAFETY: `Path::all` asked for exactly the feature named on the function.
    return unsafe { scan(query, blocks, from, floor) };

    #[target_feature(enable = "avx2")]
    fn scan(query: &Query, blocks: &[Block], from: usize, floor: f32) -> Option<(usize, u16)> {
        let ones = x86::_mm256_set1_epi16(1);
        let (step, rest) = (x86::_mm256_set1_ps(query.step), x86::_mm256_set1_ps(query.rest));
        let (reach, floor) = (x86::_mm256_set1_ps(query.reach), x86::_mm256_set1_ps(floor));
        let numbers = query.numbers.map(together);
        for (at, block) in blocks.iter().enumerate().skip(from) {
            let mut sums = [x86::_mm256_setzero_si256(); 2];
            for (rows, &numbers) in block.numbers.iter().zip(&numbers) {
                let numbers = x86::_mm256_set1_epi32(numbers);
                let size = x86::_mm256_abs_epi8(numbers);
                for (sum, rows) in sums.iter_mut().zip(rows.as_chunks::<8>().0) {
                    // SAFETY: `rows` is 8 x 4 bytes.
                    let rows = unsafe { x86::_mm256_loadu_si256(rows.as_ptr().cast()) };
                    // |query| x (row with the query's sign): 2 x 127 x 127 fits 16 bits.
                    let pairs = x86::_mm256_maddubs_epi16(size, x86::_mm256_sign_epi8(rows, numbers));
                    *sum = x86::_mm256_add_epi32(*sum, x86::_mm256_madd_epi16(pairs, ones));
                }
            }
            let mut reached = 0;
            for (half, dots) in sums.into_iter().enumerate() {
                // SAFETY: both arrays are 16 floats; `half` is 0 or 1.
                let (row_step, row_rest) = unsafe {
                    (
                        x86::_mm256_loadu_ps(block.step[half * 8..].as_ptr()),
                        x86::_mm256_loadu_ps(block.rest[half * 8..].as_ptr()),
                    )
                };
                let middle =
                    x86::_mm256_mul_ps(x86::_mm256_mul_ps(row_step, step), x86::_mm256_cvtepi32_ps(dots));
                let beyond = x86::_mm256_add_ps(rest, x86::_mm256_mul_ps(row_rest, reach));
                let upper = x86::_mm256_add_ps(middle, beyond);
                let over = x86::_mm256_cmp_ps::<{ x86::_CMP_GE_OQ }>(upper, floor);
                reached |= (x86::_mm256_movemask_ps(over) as u16) << (half * 8);
            }
            if reached != 0 {
                return Some((at, reached));
            }
        }
        None
    }
}

/// NEON: 16 products a step, four rows at once.
#[cfg(target_arch = "aarch64")]
pub(super) fn neon(query: &Query, blocks: &[Block], from: usize, floor: f32) -> Option<(usize, u16)> {
    // SAFETY: `Path::all` asked for exactly the feature named on the function.
    return unsafe { scan(query, blocks, from, floor) };

    #[target_feature(enable = "neon")]
    fn scan(query: &Query, blocks: &[Block], from: usize, floor: f32) -> Option<(usize, u16)> {
        let numbers = query.numbers.map(together);
        for (at, block) in blocks.iter().enumerate().skip(from) {
            let mut sums = [arm::vdupq_n_s32(0); 4];
            for (rows, &numbers) in block.numbers.iter().zip(&numbers) {
                let numbers = arm::vreinterpretq_s8_s32(arm::vdupq_n_s32(numbers));
                for (sum, rows) in sums.iter_mut().zip(rows.as_chunks::<4>().0) {
                    // SAFETY: `rows` is 4 x 4 bytes.
                    let rows = unsafe { arm::vld1q_s8(rows.as_ptr().cast()) };
                    let low = arm::vmull_s8(arm::vget_low_s8(rows), arm::vget_low_s8(numbers));
                    let high = arm::vmull_high_s8(rows, numbers);
                    // Two products fit 16 bits: 2 x 127 x 127.
                    *sum = arm::vpadalq_s16(*sum, arm::vpaddq_s16(low, high));
                }
            }
            let mut dots = [0_i32; crate::codes::LANES];
            for (dots, sum) in dots.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
                // SAFETY: `dots` is four 32-bit numbers.
                unsafe { arm::vst1q_s32(dots.as_mut_ptr(), sum) };
            }
            let reached = super::bits(query, block, &dots, floor);
            if reached != 0 {
                return Some((at, reached));
            }
        }
        None
    }
}

/// Four small numbers as the 32 bits that lie in memory.
fn together(numbers: [i8; 4]) -> i32 {
    i32::from_ne_bytes(numbers.map(|number| number as u8))
}
