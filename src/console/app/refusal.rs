//! What a refusal says by its code, which stands in brackets at the end of the words: `no zone is called Mars (unknown_zone)`.
//!
//! Owns what a code means to the console. Never says it to a person: the words before it do.

/// Why a request never left.
pub(super) const NOT_SENT: &str = "not sent: the link is busy or gone";

/// Codes after which an order was not placed under its key, nor will be: the balancer has read it and said no.
const NOT_PLACED: [&str; 8] = [
    "unknown_dish",
    "unknown_zone",
    "quantity",
    "items_count",
    "invalid_customer",
    "invalid_key",
    "idempotency_conflict",
    "malformed_json",
];

/// The code of a refusal; absent where no balancer said the words.
pub(super) fn code(why: &str) -> Option<&str> {
    let (_, code) = why.strip_suffix(')')?.rsplit_once(" (")?;
    let is_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (!code.is_empty() && code.bytes().all(is_code)).then_some(code)
}

/// Whether an order is certainly not placed. A balancer that is busy, or does not answer, may have placed it before.
pub(super) fn is_definite(why: &str) -> bool {
    code(why).is_some_and(|code| NOT_PLACED.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_at_the_end_in_brackets() {
        assert_eq!(code("no zone is called Mars (unknown_zone)"), Some("unknown_zone"));
        for other in ["no balancer reachable: Connection refused (os error 111)", NOT_SENT, "", "()", " ()"] {
            assert_eq!(code(other), None, "{other}");
        }
    }
}
