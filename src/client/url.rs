//! A balancer's address as it may be given, and as it is used.
//!
//! Owns the rule: plain http, host and port, nothing behind it.

use super::ClientError;

pub(super) fn bad_url(given: &str, why: &'static str) -> ClientError {
    ClientError::BadUrl { given: protocol::text::clean(given, 60), why }
}

/// `http://host:port`, without anything behind it.
pub(super) fn base_url(given: &str) -> Result<String, ClientError> {
    let (scheme, host) = given.trim().split_once("://").unwrap_or(("http", given.trim()));
    let host = host.trim_end_matches('/');
    if scheme == "https" {
        return Err(bad_url(given, "this program speaks plain http only; put a TLS proxy on both ends"));
    }
    if scheme != "http" {
        return Err(bad_url(given, "it starts with http://, like http://127.0.0.1:8080"));
    }
    let url = format!("http://{host}");
    let parsed = reqwest::Url::parse(&url).map_err(|_| bad_url(given, "write it like http://127.0.0.1:8080"))?;
    if host.contains(['/', '?', '#', '@']) || parsed.host_str().is_none() {
        return Err(bad_url(given, "only host and port, like http://127.0.0.1:8080"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_host_and_port() {
        assert_eq!(base_url("http://127.0.0.1:8080/").as_deref(), Ok("http://127.0.0.1:8080"));
        assert_eq!(base_url("localhost:9000").as_deref(), Ok("http://localhost:9000"));
        for bad in ["https://a", "ftp://a", "http://a/b", "http://", "http://u:p@a", ""] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
