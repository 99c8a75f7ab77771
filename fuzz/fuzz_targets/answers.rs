#![no_main]
//! libFuzzer on the target `answers`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::answers::run(data));
