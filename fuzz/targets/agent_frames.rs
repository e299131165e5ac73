//! Frames that an agent might send. The body is [`fuzz::agent_frames`].
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::write_seeds(&fuzz::agent_frames::seeds()), |bytes: &[u8]| fuzz::agent_frames::body(bytes));
