//! Which of several balancers answers at all, found out before and while one is asked.
//!
//! Owns the probe. Never sends what a request means: a probe changes nothing, so it may go to all of them.
//!
//! - What may not be done twice is sent only to one that has just answered a probe: a frozen process would take it, and
//!   carry it out when it goes on.
//! - What may be done twice goes at once to one that was heard lately. If it is silent then, it is left for another only if
//!   it does not answer a probe either, and another does: one that parks requests during a failover, or is busy, is not left.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::Client;
use super::http::cause;
use super::race::{HEAD_START, race};

/// How long the probes may take in all: a connection and an answer over a line with a round trip of half a second.
const PROBE: Duration = Duration::from_millis(1_500);
/// Who was heard within this time is not probed before a request that may be repeated.
const LATELY: Duration = Duration::from_secs(1);

impl Client {
    /// Remembers that the balancer at this place has answered.
    pub(super) fn heard(&self, index: usize) {
        let now = self.now();
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(index, now);
    }

    fn was_heard_since(&self, index: usize, since: Duration) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(&index).copied();
        heard.is_some_and(|heard| heard >= since)
    }

    fn was_heard_lately(&self, index: usize) -> bool {
        self.was_heard_since(index, self.now().saturating_sub(LATELY))
    }

    /// All places, the one that answered last first.
    pub(super) fn by_preference(&self, count: usize) -> Vec<usize> {
        let first = self.preferred.load(Ordering::Relaxed);
        (0..count).map(|step| (first + step) % count).collect()
    }

    /// Whom to ask of these, in sequence of preference.
    ///
    /// # Errors
    /// Nobody answers; the cause, in words.
    pub(super) async fn choose(&self, urls: &[String], order: &[usize], repeatable: bool) -> Result<usize, String> {
        match order {
            // Of one alone its own answer says all there is to know.
            [first, ..] if urls.len() == 1 || repeatable && self.was_heard_lately(*first) => Ok(*first),
            _ => self.find_living(urls, order).await,
        }
    }

    /// Waits for an answer of `index`; none if it has gone silent and one of the others lives.
    pub(super) async fn wait_for<T>(
        &self,
        answer: impl Future<Output = T>,
        urls: &[String],
        index: usize,
        others: &[usize],
    ) -> Option<T> {
        let mut answer = pin!(answer);
        let mut patience = HEAD_START;
        loop {
            let asked = self.now();
            if let Ok(answer) = timeout(patience, &mut answer).await {
                return Some(answer);
            }
            patience = LATELY;
            tokio::select! {
                biased;
                answer = &mut answer => return Some(answer),
                silent = self.is_silent(asked, urls, index, others) => {
                    if silent && self.may_repeat() {
                        return None;
                    }
                }
            }
        }
    }

    /// Whether `index` has said nothing since then, also to a probe, while one of the others has. Many requests may wait
    /// for the same one: what one of them finds out is enough for all.
    async fn is_silent(&self, asked: Duration, urls: &[String], index: usize, others: &[usize]) -> bool {
        if others.is_empty() || self.was_heard_since(index, asked) {
            return false;
        }
        let _turn = self.probing.lock().await;
        let another_lives = || others.iter().any(|other| self.was_heard_since(*other, asked));
        if !self.was_heard_since(index, asked) && !another_lives() {
            let order: Vec<usize> = std::iter::once(index).chain(others.iter().copied()).collect();
            let _ = self.find_living(urls, &order).await; // whoever answers is remembered
        }
        !self.was_heard_since(index, asked) && another_lives()
    }

    /// The first that answers a probe, and is ready before one that is not.
    async fn find_living(&self, urls: &[String], order: &[usize]) -> Result<usize, String> {
        let unready = OnceLock::new();
        let unready_first = &unready;
        let probes = order.iter().copied().map(|index| async move {
            let ready = self.probe(&urls[index]).await?;
            self.heard(index);
            if !ready {
                unready_first.get_or_init(|| index);
                return Err("not ready".to_owned());
            }
            Ok(index)
        });
        match race(probes, PROBE).await {
            Ok(index) => Ok(index),
            Err(why) => unready.get().copied().ok_or_else(|| why.unwrap_or_else(|| "no answer in time".into())),
        }
    }

    /// Whether it is ready; an error if it gives no whole answer.
    async fn probe(&self, url: &str) -> Result<bool, String> {
        let answer = self.http.get(format!("{url}/readyz")).send().await.map_err(|error| cause(&error))?;
        let ready = answer.status().is_success();
        answer.bytes().await.map_err(|error| cause(&error))?;
        Ok(ready)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::time::Instant;

    use super::super::scripted::{Line, Scripted};
    use super::*;
    use crate::client::Client;

    /// What a silent address may cost.
    const COST_MAX: Duration = Duration::from_secs(1);
    /// What is asked afterwards costs nothing of it.
    const AFTERWARDS: Duration = Duration::from_millis(200);

    /// Addresses at which nobody answers, each in its own way; what keeps them so.
    async fn silent_ones() -> (Vec<(&'static str, String)>, Vec<TcpStream>) {
        let mut all = Vec::new();
        let kinds: [(&str, &[u8]); 4] = [
            ("accepts and says nothing", b""),
            ("answers garbage", b"220 mail ready\r\n"),
            ("answers half a head", b"HTTP/1.1 200 OK\r\ncontent-le"),
            ("answers half a body", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"),
        ];
        for (what, said) in kinds {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            all.push((what, listener.local_addr().expect("bound")));
            tokio::spawn(async move {
                let mut held = Vec::new();
                while let Ok((mut stream, _)) = listener.accept().await {
                    let _ = stream.read(&mut [0; 1_024]).await;
                    let _ = stream.write_all(said).await;
                    held.push(stream);
                }
            });
        }
        let (full, fill) = full_backlog().await;
        all.push(("has a full backlog", full));
        let closed = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr());
        all.push(("is closed", closed.expect("a free port")));
        (all.into_iter().map(|(what, address)| (what, format!("http://{address}"))).collect(), fill)
    }

    /// As a stopped process with more callers than its kernel keeps: a connection is not even made.
    async fn full_backlog() -> (std::net::SocketAddr, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let listener = socket.listen(1).expect("it listens");
        let address = listener.local_addr().expect("bound");
        std::mem::forget(listener); // never accepts; the process of the test closes it
        let mut fill = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_millis(50), TcpStream::connect(address)).await {
            fill.push(stream);
        }
        (address, fill)
    }

    fn receipt() -> Line {
        let receipt = r#"{"id":"o1","state":"queued","kitchen":null,"attempt":0,"token":null,
            "placed_at":"2026-01-01T00:00:00Z","position":1}"#;
        Line::Answer(201, "", receipt.into())
    }

    fn done() -> Line {
        Line::Answer(200, "", "null".into())
    }

    fn pizza() -> protocol::api::PlaceOrder {
        serde_json::from_str(r#"{"items":[{"dish":"pizza"}],"zone":"Downtown"}"#).expect("an order")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_silent_address_costs_a_moment_once_whatever_its_silence_is_like() {
        let (silent, _fill) = silent_ones().await;
        for (what, url) in silent {
            let living = Scripted::new(vec![done(), receipt(), done()]).await;
            let client = Client::new(vec![url, living.url.clone()], None).expect("URLs");
            let began = Instant::now();
            // The first is one that may not be sent twice.
            client.stop_rush().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            let first = began.elapsed();
            client.place(&pizza(), None).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            client.stop_rush().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            let rest = began.elapsed() - first;
            assert!(first < COST_MAX && rest < AFTERWARDS, "{what}: {first:?}, then {rest:?}");
            assert_eq!(living.asked().len(), 3, "{what}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_silent_ones_before_the_living_cost_no_more_than_a_second() {
        let (silent, _fill) = silent_ones().await;
        let mut urls: Vec<String> = silent.into_iter().take(2).map(|(_, url)| url).collect();
        let living = Scripted::new(vec![receipt()]).await;
        urls.push(living.url.clone());
        let began = Instant::now();
        Client::new(urls, None).expect("URLs").place(&pizza(), None).await.expect("the living one takes it");
        assert!(began.elapsed() < COST_MAX, "{:?}", began.elapsed());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_freezes_with_a_request_in_hand_is_left_and_the_same_request_goes_to_another() {
        let frozen = Scripted::new(vec![receipt(), Line::Freeze]).await;
        let living = Scripted::new(vec![receipt(), done()]).await;
        let client = Client::new(vec![frozen.url.clone(), living.url.clone()], None).expect("URLs");
        client.place(&pizza(), Some("k1")).await.expect("it lives still");
        tokio::time::sleep(LATELY).await;
        let began = Instant::now();
        client.place(&pizza(), Some("k2")).await.expect("the other takes it");
        assert!(began.elapsed() < COST_MAX, "{:?}", began.elapsed());
        assert!(frozen.asked().len() <= 2 && living.asked()[0].contains("idempotency-key: k2"));
        client.stop_rush().await.expect("and what may not be done twice, once");
        assert_eq!(living.asked().len(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_may_not_be_done_twice_is_never_sent_to_a_frozen_one() {
        let frozen = Scripted::new(vec![Line::Freeze]).await;
        let living = Scripted::new(vec![done()]).await;
        // It takes a request, and freezes with it.
        let _ = timeout(AFTERWARDS, Client::new(vec![frozen.url.clone()], None).expect("a URL").proof()).await;
        let client = Client::new(vec![frozen.url.clone(), living.url.clone()], None).expect("URLs");
        client.stop_rush().await.expect("the living one does it");
        assert_eq!((frozen.asked().len(), living.asked().len()), (1, 1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_who_answers_is_told_within_the_patience() {
        let (silent, _fill) = silent_ones().await;
        let urls = silent.into_iter().map(|(_, url)| url).collect();
        let began = Instant::now();
        let error = Client::new(urls, None).expect("URLs").stop_rush().await.expect_err("nobody");
        assert_eq!(error.code(), "unreachable");
        assert!(!error.to_string().contains("not known whether"), "nothing was sent: {error}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_feed_is_opened_at_the_one_that_sends_a_frame() {
        let (mut silent, _fill) = silent_ones().await;
        let (_, closed) = silent.pop().expect("the closed one");
        let urls: Vec<String> = silent.into_iter().map(|(_, url)| url).chain([closed]).collect();
        let client = Client::new(urls, None).expect("URLs");
        let began = Instant::now();
        assert!(crate::client::feed::Feed::open(&client).await.is_err());
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    }
}
