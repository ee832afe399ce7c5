#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| brunt_injector::fuzzing::http_requests(bytes));
