//! One request on its way: which balancer is asked, what is tried again, and when it is given up.
//!
//! Owns the rule of retries. Never knows what a request means beyond whether repeating it is harmless.
//!
//! | what happened | harmless to repeat | not harmless |
//! |---|---|---|
//! | nobody could be connected to | again until the patience ends, free of charge | the same: nothing was sent |
//! | sent, and no answer came | again, from the budget | unknown: told as such |
//! | 429, 502, 503, 504 | again after `Retry-After`, from the budget | told |
//! | any other answer | told | told |
//!
//! Of several balancers one that is silent is passed over (`living.rs`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::api;
use reqwest::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Client;
use super::error::{ClientError, problem_from};

/// The longest answer that is read: a page of 1,000 orders is below 2 MiB.
const BODY_MAX: usize = 32 * 1024 * 1024;
/// The first pause before a repeat; it doubles up to [`PAUSE_MAX`], and each is drawn between half and all of it.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Short, because a leader is replaced within 3 s.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A request, before it is known who gets it.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// From the root, with its query.
    pub(super) path: &'a str,
    pub(super) body: Option<Vec<u8>>,
    pub(super) key: Option<&'a str>,
    /// Whether doing it twice is the same as once.
    pub(super) repeatable: bool,
    /// That this process shares the balancer's data directory.
    pub(super) proof: Option<String>,
}

/// An answer of status 2xx.
pub(super) struct Reply {
    pub(super) body: Vec<u8>,
    /// It repeats an earlier answer to the same idempotency key.
    pub(super) replayed: bool,
}

enum Trouble {
    /// Nothing was sent.
    Nobody(String),
    /// Sent, and no answer.
    Silence(String),
    /// An answer that asks for patience.
    Busy(api::Problem),
    /// An answer that is final.
    Told(ClientError),
}

impl Client {
    pub(super) async fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, ClientError> {
        let what = format!("{} {}", call.method, call.path);
        parse(&what, &self.send(call).await?.body)
    }

    pub(super) async fn send(&self, call: Call<'_>) -> Result<Reply, ClientError> {
        let started = Instant::now();
        self.budget().deposit(self.now());
        for tries in 0.. {
            let trouble = match self.ask_each(&call).await {
                Ok(reply) => return Ok(reply),
                Err(trouble) => trouble,
            };
            if matches!(trouble, Trouble::Busy(_)) {
                self.counts.shed.fetch_add(1, Ordering::Relaxed);
            }
            match self.pause_before_repeat(&call, &trouble, tries, started.elapsed()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(self.told(trouble, &call)),
            }
        }
        unreachable!("the loop has no end but its returns")
    }

    /// How long to wait before the next try; none if there is no next try.
    fn pause_before_repeat(&self, call: &Call, trouble: &Trouble, tries: u32, elapsed: Duration) -> Option<Duration> {
        let full = PAUSE_MIN.saturating_mul(1 << tries.min(10)).min(PAUSE_MAX);
        let drawn = full.mul_f64(0.5 + fastrand::f64() / 2.0);
        let (pause, limit, free) = match trouble {
            Trouble::Told(_) => return None,
            Trouble::Nobody(_) => {
                let known = self.known.load(Ordering::Relaxed);
                let limit = if known { self.patience.restarting } else { self.patience.unreachable };
                (drawn, limit, true)
            }
            Trouble::Silence(_) => (drawn, self.patience.busy, false),
            Trouble::Busy(problem) => {
                let asked = Duration::from_millis(problem.retry_after_ms.unwrap_or(0));
                (asked + drawn, self.patience.busy, false)
            }
        };
        if elapsed + pause > limit || !(free || call.repeatable && self.budget().withdraw(self.now())) {
            return None;
        }
        let counter = if free { &self.counts.reconnects } else { &self.counts.retries };
        counter.fetch_add(1, Ordering::Relaxed);
        Some(pause)
    }

    fn told(&self, trouble: Trouble, call: &Call) -> ClientError {
        let unreachable = |why| ClientError::Unreachable { urls: self.urls(), why };
        match trouble {
            Trouble::Told(error) => error,
            Trouble::Busy(problem) => ClientError::Refused(problem),
            Trouble::Nobody(why) => unreachable(why),
            Trouble::Silence(why) if call.repeatable => unreachable(why),
            Trouble::Silence(why) => unreachable(format!("{why}; it is not known whether the request was carried out")),
        }
    }

    /// Asks the balancer that answered last, then the others until one takes the request; those that are silent are passed
    /// over.
    async fn ask_each(&self, call: &Call<'_>) -> Result<Reply, Trouble> {
        let urls = self.all_urls();
        let mut left = self.by_preference(urls.len());
        let mut last = Trouble::Nobody("no URL given".into());
        while !left.is_empty() {
            let index = match self.choose(&urls, &left, call.repeatable).await {
                Ok(index) => index,
                Err(why) if matches!(last, Trouble::Nobody(_)) => return Err(Trouble::Nobody(why)),
                Err(_) => break,
            };
            left.retain(|other| *other != index);
            let others = if call.repeatable { left.as_slice() } else { &[] };
            match self.wait_for(self.ask(&urls[index], call), &urls, index, others).await {
                None => last = Trouble::Silence("no answer in time".into()),
                Some(Err(trouble)) if passes_on(&trouble) => last = trouble,
                Some(Err(trouble @ Trouble::Silence(_))) => {
                    self.preferred.store((index + 1) % urls.len(), Ordering::Relaxed);
                    return Err(trouble);
                }
                Some(answer) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    self.known.store(true, Ordering::Relaxed);
                    self.heard(index);
                    return answer;
                }
            }
        }
        Err(last)
    }

    async fn ask(&self, url: &str, call: &Call<'_>) -> Result<Reply, Trouble> {
        let mut request = self.http.request(call.method.clone(), format!("{url}{}", call.path));
        request = request.headers(self.headers.clone());
        if let Some(key) = call.key {
            request = request.header(api::IDEMPOTENCY_KEY, key);
        }
        if let Some(proof) = &call.proof {
            request = request.header(protocol::shared::HEADER, proof);
        }
        if let Some(body) = &call.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = request.send().await.map_err(|error| sending_failed(&error))?;
        let status = response.status();
        let after = retry_after(response.headers());
        let replayed = response.headers().get(api::IDEMPOTENT_REPLAYED).is_some_and(|value| value == "true");
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Trouble::Silence(cause(&error)))? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(Trouble::Told(ClientError::Protocol(format!("{url} sent more than {BODY_MAX} bytes"))));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() { Ok(Reply { body, replayed }) } else { Err(refused(status, &body, after)) }
    }
}

/// Whether the next balancer may be asked at once: this one has not taken the request.
fn passes_on(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Nobody(_) => true,
        Trouble::Busy(problem) => problem.status == 503 && problem.code.contains("leader"),
        Trouble::Silence(_) | Trouble::Told(_) => false,
    }
}

fn refused(status: StatusCode, body: &[u8], retry_after_ms: Option<u64>) -> Trouble {
    let mut problem = problem_from(status.as_u16(), body);
    problem.retry_after_ms = problem.retry_after_ms.or(retry_after_ms);
    match status.as_u16() {
        429 | 502 | 503 | 504 => Trouble::Busy(problem),
        _ => Trouble::Told(ClientError::Refused(problem)),
    }
}

fn retry_after(headers: &header::HeaderMap) -> Option<u64> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.min(3_600) * 1_000)
}

fn sending_failed(error: &reqwest::Error) -> Trouble {
    if error.is_builder() {
        Trouble::Told(ClientError::Protocol(cause(error)))
    } else if error.is_connect() {
        Trouble::Nobody(cause(error))
    } else {
        Trouble::Silence(cause(error))
    }
}

/// The innermost cause: `Connection refused (os error 111)`, not the three layers around it.
pub(super) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() && !error.is_connect() {
        return "no answer in time".into();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// Reads JSON; an empty body reads as `null`.
pub(super) fn parse<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, ClientError> {
    let body = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(body)
        .map_err(|error| ClientError::Protocol(format!("{what}: the answer cannot be read: {error}")))
}

/// A value for a path or a query, so that no `/`, `?` or `&` in it means anything.
pub(super) fn escape(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Line, Scripted};
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_place_in_a_path() {
        assert_eq!(escape("kitchen_1"), "kitchen_1");
        assert_eq!(escape("../a?b&c d"), "..%2Fa%3Fb%26c%20d");
    }

    #[test]
    fn only_a_balancer_that_did_not_take_the_request_is_passed_over() {
        let problem = |status, code: &str| api::Problem { code: code.into(), ..problem_from(status, b"") };
        assert!(passes_on(&Trouble::Nobody(String::new())));
        assert!(passes_on(&Trouble::Busy(problem(503, "no_leader"))));
        assert!(!passes_on(&Trouble::Busy(problem(503, "overloaded"))));
        assert!(!passes_on(&Trouble::Silence(String::new())));
    }

    fn refusal(status: u16, code: &str) -> Line {
        let problem = api::Problem { code: code.into(), ..problem_from(status, b"") };
        Line::Answer(status, "retry-after: 0\r\n", serde_json::to_string(&problem).expect("plain data"))
    }

    fn receipt() -> Line {
        let receipt = r#"{"id":"o1","state":"queued","kitchen":null,"attempt":0,"token":null,
            "placed_at":"2026-01-01T00:00:00Z","position":1}"#;
        Line::Answer(201, "idempotent-replayed: true\r\n", receipt.into())
    }

    fn pizza() -> api::PlaceOrder {
        serde_json::from_str(r#"{"items":[{"dish":"pizza"}],"zone":"Downtown"}"#).expect("an order")
    }

    fn key_of(request: &str) -> &str {
        request.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).expect("every placement has a key")
    }

    #[tokio::test]
    async fn a_lost_answer_and_a_shed_order_are_asked_for_again_under_the_same_key() {
        let balancer = Scripted::new(vec![Line::HangUp, refusal(503, "overloaded"), receipt()]).await;
        let client = Client::new(vec![balancer.url.clone()], Some("ada \u{e9}".into())).expect("a URL");
        let placed = client.place(&pizza(), None).await.expect("the third time");
        assert!(placed.replayed);
        let asked = balancer.asked();
        assert_eq!(asked.len(), 3);
        assert!(asked.iter().all(|request| key_of(request) == key_of(&asked[0])));
        assert!(asked[0].contains("chef-operator: ada ?"), "{}", asked[0]);
        assert_eq!((client.retries(), client.shed()), (2, 1));
    }

    #[tokio::test]
    async fn a_standby_without_a_leader_passes_the_request_on_at_no_charge() {
        let standby = Scripted::new(vec![refusal(503, "no_leader")]).await;
        let leader = Scripted::new(vec![receipt(), receipt()]).await;
        let client = Client::new(vec![standby.url.clone(), leader.url.clone()], None).expect("URLs");
        client.place(&pizza(), Some("k1")).await.expect("the leader takes it");
        client.place(&pizza(), Some("k2")).await.expect("the leader is asked first now");
        assert_eq!((standby.asked().len(), leader.asked().len()), (1, 2));
        assert_eq!(client.retries(), 0);
        assert_eq!(client.urls()[0], leader.url);
    }

    #[tokio::test]
    async fn what_one_balancer_says_of_another_is_remembered_for_its_death() {
        let other = Scripted::new(vec![receipt()]).await;
        let client = Client::new(vec!["http://127.0.0.1:1".into()], None).expect("a URL");
        let view = |url: &str| {
            let (id, role, url) = ("b".into(), "standby".into(), Some(url.into()));
            api::BalancerView { id, role, pid: 1, url, position: None }
        };
        client.learn(&[view(&other.url), view("https://elsewhere"), view(&other.url)]);
        assert_eq!(client.urls().len(), 2, "only what can be used, and once");
        client.place(&pizza(), None).await.expect("the other takes it");
        assert_eq!(client.urls()[0], other.url);
        (0..100).for_each(|port| client.learn(&[view(&format!("http://127.0.0.1:{}", 2_000 + port))]));
        assert_eq!(client.urls().len(), super::super::URLS_MAX);
    }

    #[tokio::test]
    async fn what_may_not_be_done_twice_is_not_sent_twice() {
        let balancer = Scripted::new(vec![Line::HangUp, receipt()]).await;
        let client = Client::new(vec![balancer.url.clone()], None).expect("a URL");
        let to = "kitchen_2".parse().expect("an id");
        let error = client.migrate(protocol::OrderId(1), to).await.expect_err("no answer");
        assert!(error.to_string().contains("not known whether"), "{error}");
        assert_eq!(balancer.asked().len(), 1);
    }

    #[tokio::test]
    async fn a_refusal_is_told_with_its_code() {
        let balancer = Scripted::new(vec![refusal(422, "unknown_dish")]).await;
        let client = Client::new(vec![balancer.url.clone()], None).expect("a URL");
        let error = client.place(&pizza(), None).await.expect_err("refused");
        assert_eq!(error.code(), "unknown_dish");
        assert_eq!(client.retries(), 0);
    }

    #[tokio::test]
    async fn an_empty_budget_ends_the_retries() {
        let always = (0..9).map(|_| refusal(429, "overloaded")).collect();
        let balancer = Scripted::new(always).await;
        let mut client = Client::new(vec![balancer.url.clone()], None).expect("a URL");
        client.budget = std::sync::Arc::new(std::sync::Mutex::new(super::super::Budget::new(2)));
        let error = client.place(&pizza(), None).await.expect_err("shed to the end");
        assert_eq!(error.code(), "overloaded");
        assert_eq!(balancer.asked().len(), 3);
    }
}
