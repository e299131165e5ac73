//! Short texts on their way into JSON: ids, tokens, times.
//!
//! Owns one thing: that such a text goes to the serializer in one piece. `collect_str` hands over each part of a `Display`
//! by itself, and an answer about an order has a dozen of them.

use std::fmt::{self, Display, Write};

use serde::Serializer;

/// A buffer on the stack.
struct Short {
    bytes: [u8; 48],
    len: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Serializes a value as its text.
pub(crate) fn serialize<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    let mut short = Short { bytes: [0; 48], len: 0 };
    match write!(short, "{value}").map(|()| std::str::from_utf8(&short.bytes[..short.len])) {
        Ok(Ok(text)) => serializer.serialize_str(text),
        // It is longer.
        Ok(Err(_)) | Err(_) => serializer.collect_str(value),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_that_does_not_fit_is_written_all_the_same() {
        for length in [0, 1, 48, 49, 200] {
            let (text, mut json) = ("ä".repeat(length), Vec::new());
            super::serialize(&text, &mut serde_json::Serializer::new(&mut json)).expect("json");
            assert_eq!(serde_json::from_slice::<String>(&json).expect("json"), text);
        }
    }
}
