//! Heads of answers.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| seaworthy_gateway::fuzz::response(input));
