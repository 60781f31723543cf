//! Bytes on a connection to the server: requests, and what is none.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| koor_fuzz::exchange(bytes));
