//! Which rows could be the answer, by the widest instructions this processor has.

mod wide;

use crate::codes::{Block, LANES, Query};

/// A way through the processor that exists on this machine.
///
/// Only [`Path::all`] and [`Path::best`] make one, after asking the processor; that is what makes calling the wide
/// instructions sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Path {
    /// All ways this machine has, the quickest last.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self(Kind::Plain)];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                all.push(Self(Kind::Avx2));
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vnni")
            {
                all.push(Self(Kind::Avx512));
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            all.push(Self(Kind::Neon));
        }
        all
    }

    /// The quickest way this machine has; asked of the processor once.
    pub fn best() -> Self {
        static BEST: std::sync::LazyLock<Path> =
            std::sync::LazyLock::new(|| *Path::all().last().expect("the plain path is always there"));
        *BEST
    }

    /// Its name: `plain`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Plain => "plain",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
        }
    }

    /// The first block from `from` on in which a row's upper bound reaches `floor`, and a bit for each such row.
    pub(crate) fn next(
        self,
        query: &Query,
        blocks: &[Block],
        from: usize,
        floor: f32,
    ) -> Option<(usize, u16)> {
        match self.0 {
            Kind::Plain => plain(query, blocks, from, floor),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => wide::avx2(query, blocks, from, floor),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => wide::avx512(query, blocks, from, floor),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => wide::neon(query, blocks, from, floor),
        }
    }
}

fn plain(query: &Query, blocks: &[Block], from: usize, floor: f32) -> Option<(usize, u16)> {
    for (at, block) in blocks.iter().enumerate().skip(from) {
        let mut dots = [0_i32; LANES];
        for (rows, numbers) in block.numbers.iter().zip(&query.numbers) {
            for (dot, row) in dots.iter_mut().zip(rows) {
                for (&a, &b) in row.iter().zip(numbers) {
                    *dot += i32::from(a) * i32::from(b);
                }
            }
        }
        let reached = bits(query, block, &dots, floor);
        if reached != 0 {
            return Some((at, reached));
        }
    }
    None
}

/// The rows whose upper bound reaches the floor.
fn bits(query: &Query, block: &Block, dots: &[i32; LANES], floor: f32) -> u16 {
    (0..LANES).fold(0, |bits, lane| {
        // Below 2^24, so exact as a float.
        let middle = block.step[lane] * query.step * dots[lane] as f32;
        let upper = middle + query.rest + block.rest[lane] * query.reach;
        bits | (u16::from(upper >= floor) << lane)
    })
}
