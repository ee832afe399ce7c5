#![no_main]

#[expect(dead_code, reason = "the load engine uses all of it, this target only what parses")]
#[path = "../../runner/src/load/http/framing.rs"]
mod framing;

#[path = "../checks/reply_framing.rs"]
mod reply_framing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reply_framing::check(bytes));
