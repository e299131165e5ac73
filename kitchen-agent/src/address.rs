//! Where a balancer is: `http://host:port` or `ws://host:port`, with an optional path before the link's own.
//!
//! Owns reading such an address. Never resolves or opens it.

use std::fmt;

use protocol::text;
use tokio_tungstenite::tungstenite::http::Uri;

/// One balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Without brackets, for the resolver.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The WebSocket's full address.
    pub(crate) link: String,
}

/// An address that cannot be used, with the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// An empty list.
    #[error("names no balancer: use http://HOST:PORT")]
    None,
    /// Not an address at all.
    #[error("`{0}` is not an address: use http://HOST:PORT")]
    Malformed(String),
    /// Encrypted schemes.
    #[error("`{0}`: the link speaks no TLS yet: use http://, on loopback or a private network")]
    Tls(String),
}

impl Address {
    /// Reads a list with at least one entry.
    pub(crate) fn parse_all(texts: &[String]) -> Result<Vec<Self>, BadAddress> {
        if texts.is_empty() {
            return Err(BadAddress::None);
        }
        texts.iter().map(|text| Self::parse(text)).collect()
    }

    fn parse(given: &str) -> Result<Self, BadAddress> {
        let shown = || text::clean(given, 80);
        let uri: Uri = given.parse().map_err(|_| BadAddress::Malformed(shown()))?;
        match uri.scheme_str() {
            Some("http" | "ws") => {}
            Some("https" | "wss") => return Err(BadAddress::Tls(shown())),
            Some(_) | None => return Err(BadAddress::Malformed(shown())),
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| BadAddress::Malformed(shown()))?;
        let port = uri.port_u16().unwrap_or(80);
        let prefix = uri.path().trim_end_matches('/');
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            link: format!("ws://{host}:{port}{prefix}{}", protocol::link::PATH),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gives_host_port_and_link() {
        for (given, shown, link) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "ws://127.0.0.1:8080/api/v1/link"),
            ("ws://b/", "b:80", "ws://b:80/api/v1/link"),
            ("http://[::1]:9/chef/", "[::1]:9", "ws://[::1]:9/chef/api/v1/link"),
        ] {
            let address = Address::parse(given).expect(given);
            assert_eq!((address.to_string().as_str(), address.link.as_str()), (shown, link));
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for given in ["b:8080", "ftp://b", "http://", "", "http://a b"] {
            assert!(matches!(Address::parse(given), Err(BadAddress::Malformed(_))), "{given}");
        }
        assert!(matches!(Address::parse("wss://b"), Err(BadAddress::Tls(_))));
    }
}
