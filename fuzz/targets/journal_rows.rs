//! Bodies of journal rows. The body is [`fuzz::journal_rows`].
#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::write_seeds(&fuzz::journal_rows::seeds()), |bytes: &[u8]| fuzz::journal_rows::body(bytes));
