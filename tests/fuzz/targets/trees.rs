//! Drives `fuzz::trees`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cr0sync::database::fuzz::trees(bytes));
