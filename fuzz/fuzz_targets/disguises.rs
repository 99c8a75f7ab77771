#![no_main]
//! libFuzzer on the target `disguises`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::disguises::run(data));
