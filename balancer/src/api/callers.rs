//! Whose requests are heard at all: by the name they were sent to, and by whose web page sent them.
//!
//! There are no keys on loopback, so the browser's own signs are what keeps a web page out. Owns both rules:
//!
//! - **Name.** A page can let its own name lead to 127.0.0.1 and then asks from "the same origin"; its requests carry that
//!   name in `Host`. So on loopback the name is `localhost` or a loopback address, with any port; on a wider address (an
//!   isolated network, by `--insecure-lab`) also any address and any name without a dot, which is how containers call one
//!   another. Other names are told by `--allowed-hosts`.
//! - **Origin.** A page that asks by the right name is named by the browser: `Origin` is this very balancer (or a name of
//!   `--allowed-hosts`), and `Sec-Fetch-Site` says `same-origin` or `none`. Programs send neither header.
//!
//! Never looks at what is asked for. A standby asks the same questions before it hands a request on, without those headers.

use std::net::IpAddr;

use hyper::Uri;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use protocol::api::Problem;
use protocol::host::Authority;

use super::problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which this balancer is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Callers {
    /// It listens beyond loopback.
    wide: bool,
    /// Names, or names with a port, in lower case.
    allowed: Vec<String>,
}

impl Callers {
    /// Of a balancer that listens on `address`, calls itself `url` and is also known as `allowed`.
    pub(crate) fn new(address: IpAddr, url: &str, allowed: &[String]) -> Self {
        let own = url.strip_prefix("http://").into_iter();
        let names = own.chain(allowed.iter().map(String::as_str)).filter(|name| !name.is_empty());
        Self { wide: !address.is_loopback(), allowed: names.map(str::to_ascii_lowercase).collect() }
    }

    /// Whether a request is heard.
    ///
    /// # Errors
    /// Says which of its headers speaks against it, and the mend.
    pub(super) fn hear(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let host = one(headers, header::HOST)?.ok_or_else(|| problem::bad_host("is missing: name the host you ask"))?;
        self.knows(host)?;
        // `GET http://name/path`: the name there counts as much.
        if let Some(target) = uri.authority() {
            self.knows(target.as_str())?;
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            let same = headers.get_all(header::ORIGIN).iter().all(|value| value == origin);
            if !same || !self.is_own(origin, host) {
                return Err(problem::foreign_origin(format!(
                    "the web page {} may not ask this balancer",
                    shown(origin)
                )));
            }
        }
        let is_page = |value: &HeaderValue| !matches!(value.as_bytes(), b"same-origin" | b"none");
        if headers.get_all(SEC_FETCH_SITE).iter().any(is_page) {
            return Err(problem::foreign_origin("a web page of another site may not ask this balancer"));
        }
        Ok(())
    }

    fn knows(&self, host: &str) -> Result<(), Problem> {
        let authority = Authority::read(host).ok_or_else(|| problem::bad_host("is not a name with perhaps a port"))?;
        let known = authority.is_loopback()
            || self.wide && (authority.address().is_some() || authority.is_local_name())
            || self.is_allowed(&authority, host);
        if known {
            return Ok(());
        }
        let name = protocol::text::clean(authority.name, 100);
        Err(problem::foreign_origin(format!(
            "this balancer is not known as {name}: ask for localhost, or start it with --allowed-hosts {name}"
        )))
    }

    fn is_allowed(&self, authority: &Authority<'_>, host: &str) -> bool {
        self.allowed.iter().any(|name| name.eq_ignore_ascii_case(authority.name) || name.eq_ignore_ascii_case(host))
    }

    /// Whether a page of this origin came from here.
    fn is_own(&self, origin: &HeaderValue, host: &str) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let Some(rest) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) else {
            return false;
        };
        let Some(authority) = Authority::read(rest) else { return false };
        rest.eq_ignore_ascii_case(host) || self.is_allowed(&authority, rest)
    }
}

/// The only header of this name, as text.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(problem::bad_host("is there twice"));
    }
    first.to_str().map(Some).map_err(|_| problem::bad_host("is not a name with perhaps a port"))
}

fn shown(value: &HeaderValue) -> String {
    protocol::text::clean(&String::from_utf8_lossy(value.as_bytes()), 100)
}

/// Takes away what was judged here: the leader is asked by this balancer now.
pub(super) fn forget(headers: &mut HeaderMap) {
    headers.remove(header::ORIGIN);
    headers.remove(SEC_FETCH_SITE);
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use hyper::Request;

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const EVERYWHERE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

    fn ask(callers: &Callers, headers: &[(&str, &str)]) -> Option<(u16, String)> {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let request = request.body(()).expect("a request");
        let refused = callers.hear(request.uri(), request.headers()).err()?;
        Some((refused.status, refused.code))
    }

    fn foreign() -> Option<(u16, String)> {
        Some((403, "foreign_origin".into()))
    }

    #[test]
    fn on_loopback_only_loopback_is_a_name() {
        let callers = Callers::new(LOOPBACK, "http://127.0.0.1:8080", &[]);
        for host in ["localhost", "localhost:3", "127.0.0.1:8080", "127.8.0.1", "[::1]:8080"] {
            assert_eq!(ask(&callers, &[("host", host)]), None, "{host}");
        }
        for host in ["evil.example", "balancer:8080", "10.0.0.1", "0.0.0.0:8080", "localhost.evil.example"] {
            assert_eq!(ask(&callers, &[("host", host)]), foreign(), "{host}");
        }
    }

    #[test]
    fn in_a_closed_network_containers_call_one_another_by_name_and_a_bought_name_is_still_foreign() {
        let callers = Callers::new(EVERYWHERE, "http://[::1]:8080", &[]);
        for host in ["balancer:8080", "10.0.0.7:8080", "localhost", "[fe80::1]"] {
            assert_eq!(ask(&callers, &[("host", host)]), None, "{host}");
        }
        assert_eq!(ask(&callers, &[("host", "evil.example:8080")]), foreign());
        assert_eq!(ask(&callers, &[("host", "balancer:8080"), ("origin", "http://evil.example")]), foreign());
    }

    #[test]
    fn its_own_url_and_the_names_it_was_told_are_its_own() {
        let callers = Callers::new(EVERYWHERE, "http://b1.chef.svc:8080", &["Chef.Example".into(), String::new()]);
        for host in ["b1.chef.svc:8080", "chef.example", "chef.example:443"] {
            assert_eq!(ask(&callers, &[("host", host)]), None, "{host}");
        }
        assert_eq!(ask(&callers, &[("host", "b1.chef.svc:9090")]), foreign());
        assert_eq!(ask(&callers, &[("host", "localhost"), ("origin", "https://chef.example")]), None);
    }

    #[test]
    fn a_page_of_another_origin_is_foreign_also_on_another_port() {
        let callers = Callers::new(LOOPBACK, "http://127.0.0.1:8080", &[]);
        let from = |origin| ask(&callers, &[("host", "localhost:8080"), ("origin", origin)]);
        assert_eq!(from("http://localhost:8080"), None);
        for origin in [
            "http://localhost:3000",
            "http://evil.example",
            "null",
            "",
            "file://",
            "http://localhost:8080@evil.example",
        ] {
            assert_eq!(from(origin), foreign(), "{origin}");
        }
        let site = |site| ask(&callers, &[("host", "localhost"), ("sec-fetch-site", site)]);
        assert_eq!((site("none"), site("same-origin")), (None, None));
        assert_eq!((site("same-site"), site("cross-site"), site("later-word")), (foreign(), foreign(), foreign()));
        let two = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://evil.example")];
        assert_eq!(ask(&callers, &two), foreign());
    }

    #[test]
    fn a_request_names_one_host() {
        let callers = Callers::new(LOOPBACK, "http://127.0.0.1:8080", &[]);
        let bad = Some((400, "bad_host".into()));
        assert_eq!(ask(&callers, &[]), bad);
        assert_eq!(ask(&callers, &[("host", "localhost"), ("host", "localhost")]), bad);
        assert_eq!(ask(&callers, &[("host", "a b")]), bad);
    }
}
