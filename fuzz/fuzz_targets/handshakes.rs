#![no_main]
//! libFuzzer on the target `handshakes`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::handshakes::run(data));
