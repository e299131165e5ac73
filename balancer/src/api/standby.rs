//! What a balancer answers while it does not lead, and what a leader answers to a standby.
//!
//! Owns which requests are answered here: signs of life, metrics, and agents, who are sent on at once. Everything else goes
//! to the leader as it came.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::SinkExt;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Incoming};
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use protocol::api::{BalancerView, PREFIX};
use protocol::link::{self, BalancerMessage, Refusal};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Duration, Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use super::answer::{Answer, Response};
use super::routes::{Route, Verb};
use super::{callers, orders, problem, shared, upgrade, upgraded};
use crate::hub::Hub;
use crate::leadership::Leader;
use crate::standby::forward::{FORWARDED, PARKED_MAX, Unanswered, Wish};
use crate::standby::{Node, probe};
use crate::{VERSION, clock};

/// The largest body of any request: a batch's.
const BODY_MAX: usize = 4 * 1024 * 1024;
/// Between two tries to reach a leader whose loss is not noticed yet.
const AGAIN: Duration = Duration::from_millis(50);
/// An agent that is sent on takes its answer within this time.
const FAREWELL: Duration = Duration::from_secs(1);

/// `POST /standby` on a leader: answers at once, whatever the disk does, so that silence means a hang.
pub(super) async fn asked(hub: &Arc<Hub>, headers: &HeaderMap, body: &mut Incoming) -> Answer {
    let path = format!("{PREFIX}{}", probe::PATH);
    let standby: BalancerView = match shared::json(hub, headers, &path, body).await {
        Ok(standby) => standby,
        Err(problem) => return problem.into(),
    };
    let (epoch, end) = {
        let inner = hub.lock();
        (inner.core.state().epoch(), inner.core.state().position())
    };
    // Whoever follows is behind what is decided here, always: one that is ahead has followed another, longer ledger.
    if standby.position.is_some_and(|followed| followed > end) && !hub.accepts_older {
        hub.outlived.store(true, Ordering::Relaxed);
    }
    hub.peers.heard(clock::mono(), standby);
    let BalancerView { id, pid, url, .. } = hub.peers.leader(None);
    Answer::json(&Leader { id, pid, url: url.unwrap_or_default(), epoch })
}

/// Serves one request on a balancer that does not lead.
pub(super) async fn serve(node: &Arc<Node>, route: &Route, head: &mut Parts, body: &mut Incoming) -> Response {
    let answer = match route.verb {
        Verb::Healthz => Answer::text("ok\n"),
        Verb::Readyz => ready(node),
        Verb::Metrics => Answer::text(metrics(node)),
        Verb::Link => upgrade(head, send_on),
        Verb::Standby => problem::no_leader().into(),
        // The rest is the leader's, and goes on at most once.
        _ if head.headers.contains_key(FORWARDED) => problem::no_leader().into(),
        Verb::Feed => return tunnel(node, head).await,
        _ => return forward(node, route, head, body).await,
    };
    answer.into_response()
}

fn ready(node: &Node) -> Answer {
    if node.leader().is_some() { Answer::text("following\n") } else { problem::no_leader().into() }
}

/// What only a leader knows is not here.
fn metrics(node: &Node) -> String {
    let seen = node.seen();
    let gauges = [
        ("chef_leader", "1 if this balancer leads", 0),
        ("chef_epoch", "The leader's reign", u64::from(seen.epoch.0)),
        ("chef_ledger_position", "The last position that was followed", seen.position.0),
    ];
    let mut out = String::new();
    for (name, help, value) in gauges {
        let _ = writeln!(out, "# HELP {name} {help}.\n# TYPE {name} gauge\n{name} {value}");
    }
    let _ = writeln!(out, "# HELP chef_build_info The version that runs.\n# TYPE chef_build_info gauge");
    let _ = writeln!(out, "chef_build_info{{version=\"{VERSION}\"}} 1");
    out
}

/// Tells an agent to try another balancer; it listens before it says anything that matters.
async fn send_on(upgraded: Upgraded) {
    let config = crate::link::socket_config();
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let frame = link::encode(&[BalancerMessage::Refused(Refusal::NotLeader)]);
    // It is told if it listens; the connection ends in any case.
    let _ = timeout(FAREWELL, async {
        socket.send(Message::Binary(frame.into())).await?;
        socket.close(None).await
    })
    .await;
}

async fn forward(node: &Node, route: &Route, head: &mut Parts, body: &mut Incoming) -> Response {
    let hint = body.size_hint();
    let most = hint.upper().map_or(BODY_MAX, |bytes| usize::try_from(bytes).unwrap_or(BODY_MAX).min(BODY_MAX));
    let Some(place) = node.forwarder.place(most) else {
        return Answer::from(problem::too_many_parked()).into_response();
    };
    let body = match orders::read(body, BODY_MAX).await {
        Ok(body) => body,
        Err(problem) => return Answer::from(problem).into_response(),
    };
    callers::forget(&mut head.headers);
    let sent = node.forwarder.send(node, &Wish::new(route.verb, head, body)).await;
    drop(place);
    sent.unwrap_or_else(|why| unanswered(why).into_response())
}

fn unanswered(why: Unanswered) -> Answer {
    match why {
        Unanswered::NoLeader => problem::no_leader().into(),
        Unanswered::Unknown => problem::unknown_outcome().into(),
        Unanswered::NoRoom => problem::no_room().into(),
    }
}

/// Joins the feed's connection to one of the leader's: what either says, the other hears.
async fn tunnel(node: &Node, head: &mut Parts) -> Response {
    let deadline = Instant::now() + PARKED_MAX;
    let Some(place) = node.forwarder.place(0) else { return Answer::from(problem::too_many_parked()).into_response() };
    let mut wish = (head.uri.clone(), std::mem::take(&mut head.headers));
    callers::forget(&mut wish.1);
    let opened = timeout_at(deadline, async {
        loop {
            if let Some(leader) = node.leader_within(PARKED_MAX).await
                && let Some(opened) = open(&leader, &wish, &node.id).await
            {
                return opened;
            }
            sleep(AGAIN).await;
        }
    });
    let Ok(mut opened) = opened.await else { return unanswered(Unanswered::NoLeader).into_response() };
    drop(place);
    if opened.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (head, body) = opened.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        return Response::from_parts(head, Full::new(body));
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = opened.status();
    *response.headers_mut() = std::mem::take(opened.headers_mut());
    let connection = head.extensions.remove::<Arc<OwnedSemaphorePermit>>();
    let ends = (upgraded(head), hyper::upgrade::on(opened));
    tokio::spawn(async move {
        if let (Ok(reader), Ok(leader)) = tokio::join!(ends.0, ends.1) {
            let (mut from_reader, mut to_reader) = tokio::io::split(TokioIo::new(reader));
            let (mut from_leader, mut to_leader) = tokio::io::split(TokioIo::new(leader));
            // Whichever end goes first ends both: a reader that was cut off must not keep its place by staying.
            tokio::select! {
                _ = tokio::io::copy(&mut from_reader, &mut to_leader) => {}
                _ = tokio::io::copy(&mut from_leader, &mut to_reader) => {}
            }
        }
        drop(connection);
    });
    response
}

async fn open(leader: &Leader, wish: &(hyper::Uri, HeaderMap), id: &str) -> Option<hyper::Response<Incoming>> {
    let host = leader.url.strip_prefix("http://")?;
    let stream = TcpStream::connect(host).await.ok()?;
    // Frames are small and wait for nobody; failing costs only time.
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection.with_upgrades());
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = wish.0.path_and_query()?.as_str().parse().ok()?;
    *request.headers_mut() = wish.1.clone();
    request.headers_mut().insert(hyper::header::HOST, host.parse().ok()?);
    request.headers_mut().insert(FORWARDED, id.parse().ok()?);
    let response = sender.send_request(request).await.ok()?;
    // Another standby: it does not lead either.
    (response.status() != StatusCode::SERVICE_UNAVAILABLE).then_some(response)
}
