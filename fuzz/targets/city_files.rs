//! City files. The body is [`fuzz::city_files`].
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::write_seeds(&fuzz::city_files::seeds()), |bytes: &[u8]| fuzz::city_files::body(bytes));
