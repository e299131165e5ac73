//! The authority in a `Host` header or a URL: a name and perhaps a port, and what the name can mean.
//!
//! Owns how it is read. Never looks a name up: what a name leads to is the business of whoever owns it, and that is why a
//! server on loopback asks for the name at all. A web page whose own name leads to 127.0.0.1 comes with that name.

use std::net::IpAddr;

/// Name and port as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name or an address; IPv6 without its brackets.
    pub name: &'a str,
    /// Without its colon; empty if there is none.
    pub port: &'a str,
}

impl<'a> Authority<'a> {
    /// Reads `name`, `name:port`, `[address]` or `[address]:port`; nothing else, and no user before an `@`.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let (name, port) = if let Some(rest) = text.strip_prefix('[') {
            let (name, rest) = rest.split_once(']')?;
            name.parse::<std::net::Ipv6Addr>().ok()?;
            (name, if rest.is_empty() { "" } else { rest.strip_prefix(':')? })
        } else {
            let (name, port) = text.split_once(':').unwrap_or((text, ""));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if name.is_empty() || !name.bytes().all(plain) {
                return None;
            }
            (name, port)
        };
        let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
        is_port.then_some(Self { name, port })
    }

    /// `localhost`, or an address of the loopback net: it leads to the machine of whoever asks, and nowhere else.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.name.eq_ignore_ascii_case("localhost") || self.address().is_some_and(|address| address.is_loopback())
    }

    /// An address, not a name: nobody has chosen what it leads to.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.name.parse().ok()
    }

    /// A name without a dot: it is known only inside of one network, and nobody can buy it.
    #[must_use]
    pub fn is_local_name(&self) -> bool {
        !self.name.contains(['.', ':'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(&str, &str)> {
        Authority::read(text).map(|found| (found.name, found.port))
    }

    #[test]
    fn a_name_and_a_port_are_read_and_nothing_else() {
        assert_eq!(read("localhost"), Some(("localhost", "")));
        assert_eq!(read("Chef.example:8080"), Some(("Chef.example", "8080")));
        assert_eq!(read("localhost:"), Some(("localhost", "")));
        assert_eq!(read("[::1]:80"), Some(("::1", "80")));
        assert_eq!(read("[::1]"), Some(("::1", "")));
        for bad in
            ["", ":80", "a b", "a@b", "a/b", "a:b", "a:1:2", "::1", "[::1", "[::1]x", "[x]", "a:123456", "a%2e", "ä"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_what_leads_to_the_own_machine_is_loopback() {
        let is = |text| Authority::read(text).is_some_and(|found| found.is_loopback());
        for good in ["localhost", "LOCALHOST:1", "127.0.0.1", "127.255.255.254:80", "[::1]:8080"] {
            assert!(is(good), "{good}");
        }
        for bad in
            ["0.0.0.0", "127.1", "2130706433", "localhost.", "localhost.evil.example", "127.0.0.1.nip.io", "[::]"]
        {
            assert!(!is(bad), "{bad}");
        }
    }

    #[test]
    fn a_local_name_has_no_dot() {
        let is = |text| Authority::read(text).is_some_and(|found| found.is_local_name());
        assert!(is("balancer:8080") && is("kitchen_1"));
        assert!(!is("chef.example") && !is("10.0.0.1") && !is("[fe80::1]"));
    }
}
