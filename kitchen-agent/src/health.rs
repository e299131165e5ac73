//! `GET /healthz` and `GET /metrics` on 127.0.0.1, for people and for Prometheus.
//!
//! Owns the responder and the text. Never holds numbers of its own: each request asks the loop, so an answer also shows
//! that the loop turns.

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, ORIGIN};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::host::Authority;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::info;

use crate::core::Agent;

/// The most connections at once: a scraper and a few curious people.
const CONNECTIONS_MAX: usize = 16;
/// How long a connection may live; a scrape takes a few milliseconds.
const CONNECTION: Duration = Duration::from_secs(10);
/// How long the loop may take to answer before it counts as stuck.
const ANSWER: Duration = Duration::from_secs(1);

/// A question for the loop.
pub(crate) struct Asked(oneshot::Sender<String>);

impl Asked {
    pub(crate) fn answer(self, agent: &Agent, reconnects: u64) {
        // Whoever asked may have gone: then nobody misses the answer.
        let _ = self.0.send(metrics(agent, reconnects));
    }
}

/// The loop's end of the responder.
pub(crate) struct Health {
    asked: mpsc::Receiver<Asked>,
}

impl Health {
    /// Listens on this port of 127.0.0.1 (0: a free one); without one nobody ever asks.
    pub(crate) async fn listen(port: Option<u16>) -> io::Result<Self> {
        let (sender, asked) = mpsc::channel(CONNECTIONS_MAX);
        if let Some(port) = port {
            let listener = TcpListener::bind(("127.0.0.1", port)).await?;
            info!("metrics on http://{}/metrics", listener.local_addr()?);
            tokio::spawn(accept(listener, sender));
        }
        Ok(Self { asked })
    }

    /// Waits for a question. Safe to cancel.
    pub(crate) async fn asked(&mut self) -> Asked {
        match self.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }
}

async fn accept(listener: TcpListener, loop_: mpsc::Sender<Asked>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let serving = serve(stream, loop_.clone());
                tokio::spawn(async move {
                    // A connection that breaks or lasts too long is its peer's affair.
                    let _ = tokio::time::timeout(CONNECTION, serving).await;
                    drop(place);
                });
            }
            // Out of descriptors, most likely: trying at once would only turn the processor.
            Err(_) => tokio::time::sleep(ANSWER).await,
        }
    }
}

async fn serve(stream: TcpStream, loop_: mpsc::Sender<Asked>) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| respond(request, loop_.clone()));
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn respond(request: Request<Incoming>, loop_: mpsc::Sender<Asked>) -> hyper::http::Result<Response<Full<Bytes>>> {
    if !is_ours(&request) {
        return text(StatusCode::FORBIDDEN, "ask for localhost, and not from a web page\n".into());
    }
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".into());
    }
    let path = request.uri().path();
    if path != "/healthz" && path != "/metrics" {
        return text(StatusCode::NOT_FOUND, "there is /healthz and /metrics\n".into());
    }
    let (sender, answer) = oneshot::channel();
    let asking = async {
        loop_.send(Asked(sender)).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(ANSWER, asking).await {
        Ok(Some(metrics)) if path == "/metrics" => text(StatusCode::OK, metrics),
        Ok(Some(_)) => text(StatusCode::OK, "ok\n".into()),
        Ok(None) | Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "the loop does not turn\n".into()),
    }
}

/// Asked by the name of this machine, and by no web page: a page can let its own name lead here, and browsers say whose
/// page asks.
fn is_ours<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter().filter_map(|host| host.to_str().ok()).chain(request.uri().host());
    let is_here = |host: &str| Authority::read(host).is_some_and(|host| host.is_loopback());
    let of_a_page = headers.contains_key(ORIGIN) || headers.get("sec-fetch-site").is_some_and(|site| site != "none");
    headers.get_all(HOST).iter().count() == 1 && hosts.all(is_here) && !of_a_page
}

fn text(status: StatusCode, body: String) -> hyper::http::Result<Response<Full<Bytes>>> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")
        .body(Full::new(Bytes::from(body)))
}

/// The Prometheus text.
fn metrics(agent: &Agent, reconnects: u64) -> String {
    let counters = agent.counters();
    let mut out = String::new();
    let gauges = [
        ("kitchen_leases", "Unfinished orders held.", agent.holding()),
        ("kitchen_cooking", "Orders being cooked.", agent.cooking()),
        ("kitchen_unsettled", "Finished orders whose report is not settled.", agent.unsettled()),
        ("kitchen_connected", "Whether a balancer has let this kitchen in.", usize::from(agent.connected())),
    ];
    for (name, help, value) in gauges {
        family(&mut out, name, help, "gauge");
        line(&mut out, &format!("{name} {value}"));
    }
    for (name, help, value) in [
        ("kitchen_completed_total", "Orders cooked to the end here.", counters.completed),
        ("kitchen_failed_total", "Orders whose cooking failed here.", counters.failed),
        ("kitchen_timed_out_total", "Commands that took too long and were killed.", counters.timed_out),
        ("kitchen_fenced_total", "Leases dropped at their fence.", counters.fenced),
        ("kitchen_stale_total", "Reports refused because the lease had gone elsewhere.", counters.stale),
        ("kitchen_declined_total", "Orders not taken: late, full or closing.", counters.declined),
        ("kitchen_reconnects_total", "Connections made anew.", reconnects),
    ] {
        family(&mut out, name, help, "counter");
        line(&mut out, &format!("{name} {value}"));
    }
    family(&mut out, "kitchen_stage_seconds", "Time spent, by stage.", "summary");
    for (stage, total) in &counters.stages {
        let stage = label(stage);
        line(&mut out, &format!("kitchen_stage_seconds_sum{{stage=\"{stage}\"}} {}", total.time.as_secs_f64()));
        line(&mut out, &format!("kitchen_stage_seconds_count{{stage=\"{stage}\"}} {}", total.count));
    }
    out
}

fn family(out: &mut String, name: &str, help: &str, kind: &str) {
    line(out, &format!("# HELP {name} {help}"));
    line(out, &format!("# TYPE {name} {kind}"));
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a string takes everything");
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{AgentConfig, Cooking};

    #[test]
    fn a_web_page_is_told_nothing() {
        let ours = |headers: &[(&str, &str)]| {
            let request =
                headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
            is_ours(&request.body(()).expect("a request"))
        };
        assert!(ours(&[("host", "localhost:9100")]) && ours(&[("host", "127.0.0.1"), ("sec-fetch-site", "none")]));
        assert!(
            !ours(&[]) && !ours(&[("host", "evil.example")]) && !ours(&[("host", "localhost"), ("host", "localhost")])
        );
        assert!(!ours(&[("host", "localhost"), ("origin", "http://evil.example")]));
        assert!(!ours(&[("host", "localhost"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn the_metrics_have_the_names_of_the_contract() {
        let agent = Agent::new(AgentConfig {
            kitchen: "k1".parse().expect("an id"),
            name: String::new(),
            zone: String::new(),
            capacity: 1,
            stations: 1,
            specialties: Vec::new(),
            session: 1,
            pid: 1,
            version: String::new(),
            speed: 1.0,
            cooking: Cooking::Simulated,
        });
        let text = metrics(&agent, 3);
        for expected in
            ["kitchen_leases 0\n", "kitchen_cooking 0\n", "kitchen_reconnects_total 3\n", "kitchen_fenced_total 0\n"]
        {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert_eq!(label("a\"b\\c\n"), "a\\\"b\\\\c\\n");
    }
}
