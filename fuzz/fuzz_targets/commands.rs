#![no_main]
//! libFuzzer on the target `commands`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::commands::run(data));
