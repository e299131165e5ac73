//! Frames that a balancer might send. The body is [`fuzz::balancer_frames`].
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::write_seeds(&fuzz::balancer_frames::seeds()), |bytes: &[u8]| fuzz::balancer_frames::body(bytes));
