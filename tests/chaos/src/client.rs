//! Customers and operators as HTTP sees them, with small types of their own.
//!
//! | what happened | then |
//! |---|---|
//! | nobody could be connected to | the next balancer at once; after a round through all, a pause of 50 ms to 1 s |
//! | sent, and no answer in 2 s | unknown: the same key again, to the next balancer |
//! | 429, 502, 503, 504 | again after `Retry-After` and a pause; at once elsewhere if it only says that it does not lead |
//! | any other answer | final |
//!
//! An order is tried so for 30 s, as `chef load` does. Never invents an answer: what it records is what came.

use std::time::Duration;

use color_eyre::eyre::{bail, ensure};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::clock;
use crate::record::{Line, Recorder};

/// A stopped balancer's kernel still takes connections; a customer does not wait longer than this for words.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// A crowd of customers leaves no connections behind: what is open in a calm is the balancer's own doing.
const IDLE_MAX: Duration = Duration::from_secs(3);
/// An order is tried so long.
pub const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// All balancers of a city.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    urls: Vec<String>,
}

/// `GET /proof`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[expect(missing_docs, reason = "the names are the public contract's")]
pub struct Proof {
    pub position: u64,
    pub accepted: u64,
    pub open: u64,
    pub completed: u64,
    pub cancelled: u64,
    pub dead_lettered: u64,
    pub lost: i64,
    pub twice: u64,
    pub stale_refused: u64,
}

/// An order to place.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its idempotency key.
    pub key: String,
    /// Its body, the same for each try.
    pub body: String,
}

impl Order {
    /// One dish.
    #[must_use]
    pub fn new(key: String, dish: &str, zone: &str) -> Self {
        Self { key, body: serde_json::json!({"items": [{"dish": dish, "quantity": 1}], "zone": zone}).to_string() }
    }
}

/// How an order's placing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in.
    Placed {
        /// Its id.
        id: String,
    },
    /// It was told no, or never got an answer.
    Failed {
        /// The last code.
        why: String,
        /// It was shed with a time to come back.
        shed: bool,
    },
}

enum Answer {
    Placed(String),
    Again { why: String, elsewhere: bool, after: Duration, shed: bool },
    Final(String),
}

#[derive(Deserialize)]
struct Receipt {
    id: String,
    position: u64,
}

impl Client {
    /// For these balancers.
    ///
    /// # Errors
    /// There is none.
    pub fn new(urls: Vec<String>) -> Result<Self> {
        ensure!(!urls.is_empty(), "no balancer to talk to");
        let http = reqwest::Client::builder().connect_timeout(ANSWER_MAX).timeout(ANSWER_MAX);
        let http = http.pool_idle_timeout(IDLE_MAX).build()?;
        Ok(Self { http, urls })
    }

    /// Asks one balancer after the other until one answers 2xx.
    ///
    /// # Errors
    /// None did; the last one's reason.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    /// The same for an operator's wish.
    ///
    /// # Errors
    /// None took it; the last one's reason.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// The same for what an operator sets.
    ///
    /// # Errors
    /// None took it; the last one's reason.
    pub async fn put(&self, path: &str, body: Value) -> Result<Value> {
        self.ask(Method::PUT, path, Some(body)).await
    }

    /// The same for what an operator takes back.
    ///
    /// # Errors
    /// None took it; the last one's reason.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.ask(Method::DELETE, path, None).await
    }

    /// Calls an order off; the status of the first answer that is about the order, if there is one.
    pub async fn cancel(&self, id: &str, recorder: &Recorder) -> Option<u16> {
        for url in &self.urls {
            let record = |status| recorder.write(&Line::Cancel { at: clock::now(), order: id.into(), status });
            record(None);
            let answer = self.http.delete(format!("{url}/api/v1/orders/{id}")).send().await.ok();
            let status = answer.map(|answer| answer.status().as_u16());
            record(status);
            if status.is_some_and(|status| status < 500) {
                return status;
            }
        }
        None
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let mut last = String::new();
        for url in &self.urls {
            let mut request = self.http.request(method.clone(), format!("{url}/api/v1{path}"));
            if let Some(body) = &body {
                request = request.json(body);
            }
            match request.send().await {
                Err(error) => last = error.to_string(),
                Ok(answer) if answer.status().is_success() => return Ok(answer.json().await?),
                Ok(answer) => last = format!("{} {}", answer.status(), answer.text().await.unwrap_or_default()),
            }
        }
        bail!("{path}: {last}")
    }

    /// The proof of this moment.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn proof(&self) -> Result<Proof> {
        Ok(serde_json::from_value(self.get("/proof").await?)?)
    }

    /// Places an order, trying again as the table above says for so long; records every step.
    pub async fn place(&self, order: &Order, first: usize, patience: Duration, recorder: &Recorder) -> Outcome {
        let began = Instant::now();
        let body = blake3::hash(order.body.as_bytes()).to_hex()[..16].to_owned();
        let (mut to, mut round) = (first % self.urls.len(), 0);
        for attempt in 1.. {
            let url = &self.urls[to];
            let key = order.key.clone();
            recorder.write(&Line::Sent { at: clock::now(), key, body: body.clone(), attempt, url: url.clone() });
            let (why, elsewhere, after, shed) = match self.try_once(url, order, attempt, recorder).await {
                Answer::Placed(id) => return Outcome::Placed { id },
                Answer::Final(why) => return Outcome::Failed { why, shed: false },
                Answer::Again { why, elsewhere, after, shed } => (why, elsewhere, after, shed),
            };
            to = (to + 1) % self.urls.len();
            if elsewhere && !(attempt as usize).is_multiple_of(self.urls.len()) && patience > Duration::ZERO {
                continue;
            }
            let pause =
                after + PAUSE_MIN.saturating_mul(1 << round).min(PAUSE_MAX).mul_f64(0.5 + fastrand::f64() / 2.0);
            round = (round + 1).min(10);
            if began.elapsed() + pause > patience {
                return Outcome::Failed { why, shed };
            }
            sleep(pause).await;
        }
        unreachable!("the loop ends by its returns")
    }

    async fn try_once(&self, url: &str, order: &Order, attempt: u32, recorder: &Recorder) -> Answer {
        let got = |status: Option<StatusCode>, receipt: Option<&Receipt>, why: Option<String>| {
            recorder.write(&Line::Got {
                at: clock::now(),
                key: order.key.clone(),
                attempt,
                status: status.map(|status| status.as_u16()),
                order: receipt.map(|receipt| receipt.id.clone()),
                position: receipt.map(|receipt| receipt.position),
                why,
            });
        };
        let request = self.http.post(format!("{url}/api/v1/orders")).header("idempotency-key", &order.key);
        let sent = request.header("content-type", "application/json").body(order.body.clone()).send().await;
        let answered = match sent {
            Ok(answer) => {
                let (status, after) = (answer.status(), retry_after(&answer));
                answer.text().await.map(|text| (status, after, text))
            }
            Err(error) => Err(error),
        };
        let (status, after, text) = match answered {
            Ok(answered) => answered,
            Err(error) => {
                let why = if error.is_connect() { "no connection" } else { "no answer" };
                got(None, None, Some(why.into()));
                return Answer::Again { why: why.into(), elsewhere: true, after: Duration::ZERO, shed: false };
            }
        };
        if status.is_success() {
            return match serde_json::from_str::<Receipt>(&text) {
                Ok(receipt) => {
                    got(Some(status), Some(&receipt), None);
                    Answer::Placed(receipt.id)
                }
                Err(error) => {
                    got(Some(status), None, Some(format!("not a receipt: {error}")));
                    Answer::Final(format!("not a receipt: {error}"))
                }
            };
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let why = problem["code"].as_str().map_or_else(|| format!("http_{}", status.as_u16()), str::to_owned);
        got(Some(status), None, Some(why.clone()));
        if !matches!(status.as_u16(), 429 | 502 | 503 | 504) {
            return Answer::Final(why);
        }
        let after = problem["retry_after_ms"].as_u64().map_or(after, Duration::from_millis);
        let elsewhere = why.contains("leader");
        Answer::Again { why, elsewhere, after, shed: !elsewhere }
    }
}

fn retry_after(answer: &reqwest::Response) -> Duration {
    let header = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    Duration::from_secs(header.and_then(|text| text.trim().parse().ok()).unwrap_or(0).min(PATIENCE.as_secs()))
}
