#![no_main]

#[path = "../../tests/it/chaos.rs"]
#[expect(dead_code, reason = "each target calls one of the functions")]
mod chaos;

libfuzzer_sys::fuzz_target!(|input: &[u8]| chaos::pd_sealed(input));
