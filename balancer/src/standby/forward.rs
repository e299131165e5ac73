//! A request on its way from a standby to the leader, across a failover if need be.
//!
//! Owns the rule of repeats. Never looks into an order beyond whether it has a key; never answers in the leader's place.
//!
//! | what happened | may be done twice | may not |
//! |---|---|---|
//! | nobody leads, or it was not sent | parked until somebody does, [`PARKED_MAX`] at most | the same |
//! | sent, and the leader ended before its answer | sent again to the next one | 503 `unknown_outcome` |
//! | the leader says that it is going down | as above | its answer |
//! | any other answer | handed on | handed on |
//!
//! May be done twice: what only reads, `PUT /policy`, and orders with an idempotency key. `POST /orders` without a key gets
//! one here, so that it may.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body as _;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use protocol::api::{IDEMPOTENCY_KEY, Problem};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Node;
use crate::api::room::{self, Room};
use crate::api::routes::Verb;
use crate::leadership::Leader;

/// How long a request is parked while nobody leads: twice the time in which a leader is replaced, and half of the 10 s for
/// which our own client waits.
pub(crate) const PARKED_MAX: Duration = Duration::from_secs(5);
/// From its arrival to the last try, parked or not.
const TRIED_MAX: Duration = Duration::from_secs(9);
/// After a try that nobody took, when the loss of the leader is not noticed yet.
const AGAIN: Duration = Duration::from_millis(25);
/// The leader is on this machine: its kernel answers in microseconds or not at all.
const CONNECT_MAX: Duration = Duration::from_millis(500);
/// Connections that are kept open to the leader.
const IDLE_MAX: usize = 256;
/// A connection that was not used for so long is closed.
const IDLE_FOR: Duration = Duration::from_secs(4);
/// What a request counts at least, in bytes: its head may be so long.
const PLACE: usize = 16 * 1024;
/// Requests that are held here at once, parked or under way, as places of 16 KiB: 8,192 small ones, or 32 of the largest
/// batches, are 128 MiB.
const PLACES: usize = 8_192;
/// The longest answer that is handed on: a page of 1,000 orders is below 2 MiB.
const ANSWER_MAX: usize = 32 * 1024 * 1024;
/// Says that a standby has handed the request on already: it goes no further.
pub(crate) const FORWARDED: HeaderName = HeaderName::from_static("chef-forwarded");
/// Of one connection, not of the request.
const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    header::HOST,
    header::CONTENT_LENGTH,
];

/// Speaks to the leader.
pub(super) type Client = legacy::Client<HttpConnector, Full<Bytes>>;

/// A client that keeps at most so many idle connections.
pub(super) fn client(idle: usize) -> Client {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_MAX));
    legacy::Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_FOR)
        .pool_max_idle_per_host(idle)
        .pool_timer(TokioTimer::new())
        .build(connector)
}

/// Whether nobody listens there.
pub(super) fn is_refused(error: &legacy::Error) -> bool {
    has_kind(error, ErrorKind::ConnectionRefused)
}

/// Whether the connection was not made in time.
pub(super) fn is_timeout(error: &legacy::Error) -> bool {
    has_kind(error, ErrorKind::TimedOut)
}

fn has_kind(error: &legacy::Error, kind: ErrorKind) -> bool {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = source {
        if cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == kind) {
            return true;
        }
        source = cause.source();
    }
    false
}

/// A request as it is sent, as often as need be.
pub(crate) struct Wish {
    method: Method,
    /// From the root, with its query.
    target: String,
    headers: HeaderMap,
    body: Bytes,
    repeatable: bool,
}

/// Why there is no answer of a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Nobody led for as long as it was parked; nothing was done.
    NoLeader,
    /// It was sent, and what became of it is not known.
    Unknown,
    /// It only reads, and there is no room for the answer.
    NoRoom,
}

/// A leader that has not answered by now hangs, or its disk does: longer than any answer of a healthy one takes.
const ANSWER_MAX_WAIT: Duration = Duration::from_secs(15);

/// One try.
enum Tried {
    Answered(Response<Full<Bytes>>),
    /// Nothing was done.
    NotTaken,
    /// Nothing was done, and the answer does not fit.
    NoRoom,
    /// Perhaps it was done.
    Lost,
    /// The leader is going down; perhaps it was done.
    GoingDown(Response<Full<Bytes>>),
}

/// The means of forwarding.
pub(crate) struct Forwarder {
    client: Client,
    places: Arc<Semaphore>,
    name: HeaderValue,
    /// [`PARKED_MAX`], but for a test.
    parked_max: Duration,
}

impl Forwarder {
    pub(super) fn new(id: &str) -> Self {
        let name = HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("standby"));
        Self { client: client(IDLE_MAX), places: Arc::new(Semaphore::new(PLACES)), name, parked_max: PARKED_MAX }
    }

    /// Room for a request with a body of at most so many bytes; none when too many are held here.
    pub(crate) fn place(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let places = u32::try_from(bytes / PLACE + 1).ok()?;
        Arc::clone(&self.places).try_acquire_many_owned(places).ok()
    }

    /// Hands it to the leader, and to the next one if that ends.
    pub(crate) async fn send(&self, node: &Node, wish: &Wish) -> Result<Response<Full<Bytes>>, Unanswered> {
        let last = Instant::now() + TRIED_MAX;
        let mut parked_until = Instant::now() + self.parked_max;
        // Once it may have been done, nobody may be told that nothing was: the client would ask again under another key.
        let mut sent = false;
        let nobody = |sent| if sent && !wish.is_read() { Unanswered::Unknown } else { Unanswered::NoLeader };
        loop {
            let limit = parked_until.min(last).saturating_duration_since(Instant::now());
            let Some(leader) = node.leader_within(limit).await else { return Err(nobody(sent)) };
            match self.once(node, &leader, wish).await {
                Tried::Answered(response) => return Ok(response),
                Tried::GoingDown(response) if !wish.repeatable => return Ok(response),
                Tried::Lost if !wish.repeatable => return Err(Unanswered::Unknown),
                Tried::Lost | Tried::GoingDown(_) => {
                    sent = true;
                    parked_until = Instant::now() + self.parked_max;
                }
                Tried::NotTaken => {}
                Tried::NoRoom => return Err(Unanswered::NoRoom),
            }
            if Instant::now() + AGAIN > parked_until.min(last) {
                return Err(nobody(sent));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn once(&self, node: &Node, leader: &Leader, wish: &Wish) -> Tried {
        let mut leaders = node.watch_leader();
        let replaced = leaders.wait_for(|now| now.as_ref().is_some_and(|now| now != leader));
        tokio::select! {
            tried = self.exchange(leader, wish) => tried,
            // What a stopped process has in its socket buffers is never answered once it is killed.
            _ = replaced => Tried::Lost,
            () = tokio::time::sleep(ANSWER_MAX_WAIT) => Tried::Lost,
        }
    }

    async fn exchange(&self, leader: &Leader, wish: &Wish) -> Tried {
        let mut request = Request::new(Full::new(wish.body.clone()));
        *request.method_mut() = wish.method.clone();
        *request.headers_mut() = wish.headers.clone();
        request.headers_mut().insert(FORWARDED, self.name.clone());
        let Ok(uri) = format!("{}{}", leader.url, wish.target).parse() else { return Tried::NotTaken };
        *request.uri_mut() = uri;
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Tried::NotTaken,
            Err(_) => return Tried::Lost,
        };
        let (mut head, body) = response.into_parts();
        let length = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(ANSWER_MAX);
        let room = match room::outgoing(length.min(ANSWER_MAX)).await {
            Some(room) => room,
            None if wish.is_read() => return Tried::NoRoom,
            // It has been done, so it must be told.
            None => Room::default(),
        };
        let Ok(body) = Limited::new(body, ANSWER_MAX).collect().await else { return Tried::Lost };
        let body = room.around(body.to_bytes());
        drop_hop_by_hop(&mut head.headers);
        let code = code_of(head.status, &body);
        let response = Response::from_parts(head, Full::new(body));
        match code.as_deref() {
            Some("no_leader") => Tried::NotTaken,
            Some("stopping") => Tried::GoingDown(response),
            Some(_) | None => Tried::Answered(response),
        }
    }
}

/// The code of a 503.
fn code_of(status: StatusCode, body: &[u8]) -> Option<String> {
    if status != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    serde_json::from_slice::<Problem>(body).ok().map(|problem| problem.code)
}

impl Wish {
    /// A request whose body has come.
    pub(crate) fn new(verb: Verb, head: &mut Parts, body: Bytes) -> Self {
        let target = head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let mut headers = std::mem::take(&mut head.headers);
        drop_hop_by_hop(&mut headers);
        let repeatable = if matches!(head.method, Method::GET | Method::HEAD) {
            true
        } else if verb == Verb::PlaceOrder {
            give_key(&mut headers, &body);
            true
        } else {
            verb == Verb::PlaceBatch && all_have_keys(&body)
        };
        Self { method: head.method.clone(), target, headers, body, repeatable }
    }

    /// Changes nothing, however often it is sent.
    fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

#[derive(Deserialize)]
struct Keyed {
    #[serde(default)]
    key: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct KeyedBatch {
    orders: Vec<Keyed>,
}

/// A random key, unless the order has one. A body that cannot be read is refused by the leader, however often it is sent.
fn give_key(headers: &mut HeaderMap, body: &[u8]) {
    let has_key = headers.contains_key(IDEMPOTENCY_KEY)
        || serde_json::from_slice::<Keyed>(body).is_ok_and(|order| order.key.is_some());
    if has_key {
        return;
    }
    // 128 bits hashed under keys that the operating system drew: nobody else will draw the same.
    let draw = || RandomState::new().hash_one(());
    if let Ok(key) = HeaderValue::from_str(&format!("standby-{:016x}{:016x}", draw(), draw())) {
        headers.insert(IDEMPOTENCY_KEY, key);
    }
}

fn all_have_keys(body: &[u8]) -> bool {
    serde_json::from_slice::<KeyedBatch>(body).is_ok_and(|batch| batch.orders.iter().all(|order| order.key.is_some()))
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::callers::Callers;

    fn wish(method: Method, path: &str, key: Option<&str>, body: &'static str) -> Wish {
        let mut request = Request::builder().method(method).uri(path).header("connection", "x-odd, keep-alive");
        request = request.header("x-odd", "1").header("host", "a").header("chef-operator", "ada");
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        let (route, _) = crate::api::routes::find(&head.method, head.uri.path()).expect("a path of the table");
        Wish::new(route.verb, &mut head, Bytes::from_static(body.as_bytes()))
    }

    const ORDER: &str = r#"{"items":[{"dish":"pizza"}],"zone":"Downtown"}"#;

    #[test]
    fn an_order_without_a_key_gets_one_and_one_with_a_key_keeps_it() {
        let key = |wish: &Wish| wish.headers.get(IDEMPOTENCY_KEY).map(|key| key.to_str().expect("ascii").to_owned());
        let one = wish(Method::POST, "/api/v1/orders", None, ORDER);
        let other = wish(Method::POST, "/api/v1/orders", None, ORDER);
        assert!(one.repeatable && key(&one).is_some() && key(&one) != key(&other));
        let own = wish(Method::POST, "/api/v1/orders", Some("k"), ORDER);
        assert_eq!(key(&own).as_deref(), Some("k"));
        let within = wish(Method::POST, "/api/v1/orders", None, r#"{"items":[],"zone":"x","key":"k"}"#);
        assert!(within.repeatable && key(&within).is_none(), "a header would take the place of the key in the body");
    }

    #[test]
    fn what_may_not_be_done_twice_is_not_sent_twice() {
        for (method, path) in [
            (Method::DELETE, "/api/v1/orders/o1"),
            (Method::POST, "/api/v1/orders/o1/migrate"),
            (Method::POST, "/api/v1/rush"),
        ] {
            assert!(!wish(method, path, Some("k"), "{}").repeatable, "{path}");
        }
        assert!(wish(Method::GET, "/api/v1/orders?limit=3", None, "").repeatable);
        assert!(!wish(Method::PUT, "/api/v1/policy", None, "{}").repeatable);
        assert!(wish(Method::POST, "/api/v1/orders/batch", None, r#"{"orders":[{"key":"a"},{"key":"b"}]}"#).repeatable);
        assert!(!wish(Method::POST, "/api/v1/orders/batch", None, r#"{"orders":[{"key":"a"},{}]}"#).repeatable);
    }

    #[test]
    fn query_and_headers_are_kept_and_those_of_the_connection_are_not() {
        let wish = wish(Method::GET, "/api/v1/orders?limit=3&state=queued", None, "");
        assert_eq!(wish.target, "/api/v1/orders?limit=3&state=queued");
        let names: Vec<&str> = wish.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["chef-operator"]);
    }

    #[tokio::test]
    async fn without_a_leader_a_request_is_parked_and_then_told_so() {
        let mut node = Node::new("b2".into(), "http://127.0.0.1:1".into(), Callers::default());
        node.forwarder.parked_max = Duration::from_millis(60);
        let began = Instant::now();
        let wish = wish(Method::GET, "/api/v1/proof", None, "");
        assert_eq!(node.forwarder.send(&node, &wish).await.map(drop), Err(Unanswered::NoLeader));
        assert!(began.elapsed() >= Duration::from_millis(60));
    }

    #[test]
    fn places_are_bounded() {
        let forwarder = Forwarder::new("b2");
        let held: Vec<_> = (0..PLACES).map_while(|_| forwarder.place(0)).collect();
        assert_eq!(held.len(), PLACES);
        assert!(forwarder.place(0).is_none());
        drop(held);
        assert!(forwarder.place(4 * 1024 * 1024).is_some());
    }
}
