#![no_main]
//! libFuzzer on the target `statements`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::statements::run(data));
