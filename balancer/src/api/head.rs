//! What a head says beside its path: that the body is JSON, and that nothing is there which its route would leave out.
//!
//! Owns the rule that what was sent is heeded or refused: a limit that is ignored gives the wrong page, and a key that is
//! ignored a second order. Reads no byte of a body.

use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use protocol::api::{IDEMPOTENCY_KEY, Problem};

use super::problem;
use super::routes::{Route, Takes, Verb};

/// The header of an order's key.
pub(super) const KEY: HeaderName = HeaderName::from_static(IDEMPOTENCY_KEY);

/// Checks the head of a request for this route.
///
/// # Errors
/// Names what is there and would be left out, and the mend.
pub(super) fn check(route: &Route, head: &Parts, has_body: bool) -> Result<(), Problem> {
    match route.takes {
        Takes::Anything => return Ok(()),
        Takes::Query => {}
        Takes::Nothing | Takes::NoField | Takes::Body => {
            if head.uri.query().is_some_and(|query| !query.is_empty()) {
                return Err(problem::bad_query("this path takes no query"));
            }
        }
    }
    key(route, &head.headers)?;
    if !has_body {
        return Ok(());
    }
    match route.takes {
        Takes::Body | Takes::NoField => json(&head.headers),
        Takes::Anything | Takes::Query | Takes::Nothing => Err(problem::unexpected_body()),
    }
}

/// A key belongs to one order; what only reads may carry one, for it changes nothing.
fn key(route: &Route, headers: &HeaderMap) -> Result<(), Problem> {
    let mut keys = headers.get_all(KEY).iter();
    if keys.next().is_none() {
        return Ok(());
    }
    if *route.method() == Method::GET {
        Ok(())
    } else if route.verb == Verb::PlaceBatch {
        Err(problem::key_on_batch())
    } else if route.verb != Verb::PlaceOrder {
        Err(problem::key_misplaced())
    } else if keys.next().is_some() {
        Err(problem::key_twice("there are two idempotency keys: send one"))
    } else {
        Ok(())
    }
}

/// The body is JSON, as it is: in UTF-8, and not compressed.
fn json(headers: &HeaderMap) -> Result<(), Problem> {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let kind = kinds.next().and_then(|kind| kind.to_str().ok()).filter(|_| kinds.next().is_none());
    // Nearly every request says it so.
    let is_json = kind.is_some_and(|kind| kind == "application/json" || is_json(kind));
    if is_json && !headers.contains_key(header::CONTENT_ENCODING) { Ok(()) } else { Err(problem::not_json()) }
}

fn is_json(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let is_it = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_it
        && parts.all(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_json_with_its_charset_and_nothing_else_is() {
        for kind in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(is_json(kind), "{kind}");
        }
        for kind in [
            "",
            "text/plain",
            "application/jsonp",
            "application/json; charset=utf-16",
            "text/plain; application/json",
            "application/problem+json",
        ] {
            assert!(!is_json(kind), "{kind}");
        }
    }
}
