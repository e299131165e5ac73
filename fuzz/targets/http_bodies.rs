//! Bodies of HTTP requests and answers. The body is [`fuzz::http_bodies`].
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::write_seeds(&fuzz::http_bodies::seeds()), |bytes: &[u8]| fuzz::http_bodies::body(bytes));
