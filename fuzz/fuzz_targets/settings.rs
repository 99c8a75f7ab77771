#![no_main]
//! libFuzzer on the target `settings`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::settings::run(data));
