//! The only door to a balancer: typed requests, the feed, and what the console asks for.
//!
//! ```text
//! client.rs         one client of several balancers         client/calls.rs   what can be asked
//! client/http.rs    which balancer, what is tried again    client/budget.rs  how often
//! client/living.rs  which of several answers at all        client/race.rs    several at once
//! client/feed.rs    the live feed, reconnecting            client/desk.rs    the console's requests
//! ```
//! Knows several balancers as one, and learns of further ones from `GET /status` and the feed, so that who was given one URL
//! survives that one's death. Keeps nothing else of what an answer said.

mod budget;
mod calls;
pub mod desk;
mod error;
pub mod feed;
mod http;
mod living;
mod race;
#[cfg(test)]
mod scripted;
mod url;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use protocol::api;
use protocol::{KitchenId, OrderState};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

pub use budget::Budget;
pub use calls::fresh_key;
pub use error::ClientError;
use http::escape;
use url::{bad_url, base_url};

/// Where a balancer listens if nothing else is said.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8080";
/// A balancer on the same network answers a connection in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longer than the 5 s for which a standby parks a request while there is no leader.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A balancer closes a connection that is idle for 75 s: ours is given up before, or a request would meet the closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Retries of a person's command: enough for one bad moment.
const RESERVE: u32 = 10;
/// Balancers that are remembered: more than a city has.
const URLS_MAX: usize = 16;

/// How long a request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// While nobody can be connected to, and nobody ever could.
    pub unreachable: Duration,
    /// While nobody can be connected to of a system that is known to have been there: it is being restarted.
    pub restarting: Duration,
    /// While balancers ask to wait or answers get lost.
    pub busy: Duration,
}

impl Default for Patience {
    /// A person waits: say soon that nothing is there, but sit out a failover or a balancer's restart (3 s) and a busy
    /// moment.
    fn default() -> Self {
        let [unreachable, restarting, busy] = [1, 3, 10].map(Duration::from_secs);
        Self { unreachable, restarting, busy }
    }
}

#[derive(Debug, Default)]
struct Counts {
    retries: AtomicU64,
    reconnects: AtomicU64,
    shed: AtomicU64,
}

/// Speaks to one or several balancers of one system; cheap to clone, and clones share the retry budget.
#[derive(Debug, Clone)]
pub struct Client {
    urls: Arc<RwLock<Vec<String>>>,
    http: reqwest::Client,
    headers: HeaderMap,
    preferred: Arc<AtomicUsize>,
    /// When each balancer, by its place in `urls`, was last heard to answer, since `born`.
    heard: Arc<Mutex<BTreeMap<usize, Duration>>>,
    /// Held by the one request that looks who lives.
    probing: Arc<tokio::sync::Mutex<()>>,
    /// Somebody answered, or several are known: if nobody can be connected to, that will pass.
    known: Arc<AtomicBool>,
    budget: Arc<Mutex<Budget>>,
    counts: Arc<Counts>,
    born: Instant,
    patience: Patience,
}

/// An accepted order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What the balancer promises.
    pub receipt: api::Receipt,
    /// The order was already there under the same key.
    pub replayed: bool,
}

/// Which orders to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderFilter {
    /// Only in this state.
    pub state: Option<OrderState>,
    /// Only of this kitchen.
    pub kitchen: Option<KitchenId>,
    /// At most so many.
    pub limit: Option<u32>,
    /// From an earlier page.
    pub cursor: Option<String>,
}

impl OrderFilter {
    fn path(&self) -> String {
        let parts = [
            self.state.map(|state| format!("state={}", state.word())),
            self.kitchen.as_ref().map(|kitchen| format!("kitchen={}", escape(kitchen.as_str()))),
            self.limit.map(|limit| format!("limit={limit}")),
            self.cursor.as_ref().map(|cursor| format!("cursor={}", escape(cursor))),
        ];
        let query: Vec<String> = parts.into_iter().flatten().collect();
        if query.is_empty() { "/orders".into() } else { format!("/orders?{}", query.join("&")) }
    }
}

impl Client {
    /// A client of the balancers at `urls`, acting in the name of `operator`.
    ///
    /// # Errors
    /// An entry is no `http://` URL, or there is none.
    pub fn new(urls: Vec<String>, operator: Option<String>) -> Result<Self, ClientError> {
        let urls: Vec<String> = urls.iter().map(|url| base_url(url)).collect::<Result<_, _>>()?;
        if urls.is_empty() {
            return Err(bad_url("", "give at least one, like http://127.0.0.1:8080"));
        }
        let several = urls.len() > 1;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| ClientError::Protocol(format!("the HTTP client does not start: {error}")))?;
        let client = Self {
            urls: Arc::new(RwLock::new(urls)),
            http,
            headers: HeaderMap::new(),
            preferred: Arc::default(),
            heard: Arc::default(),
            probing: Arc::default(),
            known: Arc::new(AtomicBool::new(several)),
            budget: Arc::new(Mutex::new(Budget::new(RESERVE))),
            counts: Arc::default(),
            born: Instant::now(),
            patience: Patience::default(),
        };
        Ok(client.with_header(api::OPERATOR, operator.as_deref()))
    }

    /// The same, giving the operator's reason with each request.
    #[must_use]
    pub fn with_reason(self, reason: Option<&str>) -> Self {
        self.with_header(api::REASON, reason)
    }

    /// The same, with this patience and a budget for so many requests at risk at once.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration, at_risk: u32) -> Self {
        self.patience = Patience { unreachable: patience, restarting: patience, busy: patience };
        self.budget = Arc::new(Mutex::new(Budget::new(at_risk.max(RESERVE))));
        self
    }

    fn with_header(mut self, name: &'static str, value: Option<&str>) -> Self {
        let clean = |text: &str| -> String {
            text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).take(128).collect()
        };
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(clean(text).trim()).ok()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Remembers that the balancer at `url` has answered.
    fn prefer(&self, url: &str) {
        if let Some(index) = self.all_urls().iter().position(|known| known == url) {
            self.preferred.store(index, Ordering::Relaxed);
            self.heard(index);
        }
    }

    /// The balancers, the one that answered last first.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let mut urls = self.all_urls();
        let first = self.preferred.load(Ordering::Relaxed) % urls.len().max(1);
        urls.rotate_left(first);
        urls
    }

    fn all_urls(&self) -> Vec<String> {
        self.urls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// In whose name it acts.
    #[must_use]
    pub fn operator(&self) -> Option<&str> {
        self.headers.get(api::OPERATOR).and_then(|name| name.to_str().ok())
    }

    /// Remembers where other balancers of the system answer.
    pub fn learn<'a>(&self, balancers: impl IntoIterator<Item = &'a api::BalancerView>) {
        for url in balancers.into_iter().filter_map(|balancer| base_url(balancer.url.as_deref()?).ok()) {
            let mut urls = self.urls.write().unwrap_or_else(PoisonError::into_inner);
            if urls.len() < URLS_MAX && !urls.contains(&url) {
                urls.push(url);
            }
        }
    }

    /// Requests sent again so far.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.counts.retries.load(Ordering::Relaxed)
    }

    /// Connections tried again so far.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.counts.reconnects.load(Ordering::Relaxed)
    }

    /// Answers so far that asked to come again later.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.counts.shed.load(Ordering::Relaxed)
    }

    /// Whether something may be sent again by the caller; counts it if so.
    #[must_use]
    pub fn may_repeat(&self) -> bool {
        let allowed = self.budget().withdraw(self.now());
        self.counts.retries.fetch_add(u64::from(allowed), Ordering::Relaxed);
        allowed
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.born.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_only_what_it_asks_for() {
        assert_eq!(OrderFilter::default().path(), "/orders");
        let filter = OrderFilter { state: Some(OrderState::Cooking), limit: Some(5), ..OrderFilter::default() };
        assert_eq!(filter.path(), "/orders?state=cooking&limit=5");
    }

    #[tokio::test]
    async fn nobody_there_is_told_with_the_urls() {
        let client = Client::new(vec!["http://127.0.0.1:1".into()], None).expect("a URL");
        let error = client.proof().await.expect_err("port 1 is closed");
        assert!(matches!(&error, ClientError::Unreachable { urls, .. } if urls.len() == 1), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
        assert!(client.reconnects() > 0);
        assert_eq!(client.retries(), 0);
    }
}
