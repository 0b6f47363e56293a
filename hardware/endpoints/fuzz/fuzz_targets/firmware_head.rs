#![no_main]

#[path = "../../tests/it/chaos.rs"]
mod chaos;

libfuzzer_sys::fuzz_target!(|input: &[u8]| chaos::firmware_head(input));
