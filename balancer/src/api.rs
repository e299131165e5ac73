//! The HTTP side: accepts connections within limits, and leads each request to its handler. Decides nothing.
//!
//! hyper's own loop with a timer, because `axum::serve` has no header timeout: idle sockets and half-sent headers would
//! stay open for ever.

mod actions;
mod answer;
mod kitchens;
mod ops;
mod orders;
mod problem;
mod standby;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::hub::Hub;
use crate::shutdown::Shutdown;
use crate::standby::Node;
use crate::{feed, link};
use answer::{Answer, Response};

/// Connections at one time: 10,000 clients, 1,000 consoles, and some to spare. About 3 kB each when idle.
const CONNECTIONS_MAX: usize = 12_000;
/// Connections beyond that which take everything but new orders: customers never lock the operators and kitchens out.
const RESERVED_MAX: usize = 1_000;
/// The whole head of a request comes within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A request's head is at most so long, in bytes.
const HEAD_MAX: usize = 16 * 1024;

/// Serves until told to end, then lets running requests finish.
pub(crate) async fn serve(listener: TcpListener, node: Arc<Node>, mut shutdown: Shutdown) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let reserved = Arc::new(Semaphore::new(RESERVED_MAX));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Over the limit the connection is closed: a client sees that, and an open one is not slowed down.
                    let place = Arc::clone(&places).try_acquire_owned();
                    let takes_orders = place.is_ok();
                    if let Ok(place) = place.or_else(|_| Arc::clone(&reserved).try_acquire_owned()) {
                        let (node, shutdown) = (Arc::clone(&node), shutdown.clone());
                        connections.spawn(async move {
                            connection(stream, node, shutdown, Arc::new(place), takes_orders).await;
                        });
                    }
                }
                Err(error) => {
                    // Out of descriptors, most likely: others may end meanwhile.
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = shutdown.wanted() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    node: Arc<Node>,
    mut shutdown: Shutdown,
    place: Arc<OwnedSemaphorePermit>,
    takes_orders: bool,
) {
    // Without it small answers would wait for the client's acknowledgement; failing costs only time.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let node = Arc::clone(&node);
        // A WebSocket keeps its connection's place after the upgrade.
        request.extensions_mut().insert(Arc::clone(&place));
        async move {
            let refused = !takes_orders && places_orders(&request);
            Ok::<_, std::convert::Infallible>(if refused {
                Answer::from(problem::too_many_connections()).closing().into_response()
            } else {
                timed(node, request).await
            })
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(served);
    tokio::select! {
        // A client that broke off is its own affair.
        _ = served.as_mut() => {}
        () = shutdown.wanted() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}

/// Whether a request brings new orders.
fn places_orders(request: &Request<Incoming>) -> bool {
    let path = request.uri().path().trim_end_matches('/');
    let path = path.strip_prefix(protocol::api::PREFIX);
    request.method() == Method::POST && matches!(path, Some("/orders" | "/orders/batch"))
}

async fn timed(node: Arc<Node>, request: Request<Incoming>) -> Response {
    let Some(hub) = node.hub() else { return standby::serve(&node, request).await };
    let began = Instant::now();
    let (route, answer) = route(hub, request).await;
    let response = answer.into_response();
    hub.lock().metrics.answered(route, response.status().as_u16(), began.elapsed());
    response
}

/// The handler of a request, and the name under which it is counted.
async fn route(hub: &Arc<Hub>, request: Request<Incoming>) -> (&'static str, Answer) {
    // Nearly every request is this one.
    if request.uri().path() == "/api/v1/orders" && request.method() == Method::POST {
        return ("/orders", orders::place(hub, request).await);
    }
    let path = request.uri().path().to_owned();
    let Some(rest) = path.strip_prefix(protocol::api::PREFIX) else { return at_root(hub, &request, &path).await };
    let segments: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
    match (request.method(), segments.as_slice()) {
        (&Method::POST, ["orders"]) => ("/orders", orders::place(hub, request).await), // as `/orders/`
        (&Method::POST, ["orders", "batch"]) => ("/orders/batch", orders::place_batch(hub, request).await),
        (&Method::GET, ["orders"]) => ("/orders", orders::list(hub, &request).await),
        (&Method::GET, ["orders", id]) => ("/orders/{id}", orders::show(hub, id).await),
        (&Method::DELETE, ["orders", id]) => ("/orders/{id}", orders::cancel(hub, &request, id).await),
        (&Method::GET, ["orders", id, "history"]) => ("/orders/{id}/history", orders::history(hub, id).await),
        (&Method::GET, ["orders", id, "explain"]) => ("/orders/{id}/explain", orders::explain(hub, id).await),
        (&Method::POST, ["orders", id, "release"]) => {
            ("/orders/{id}/release", orders::release(hub, &request, id).await)
        }
        (&Method::POST, ["orders", id, "migrate"]) => ("/orders/{id}/migrate", orders::migrate(hub, request, id).await),
        (&Method::GET, ["kitchens"]) => ("/kitchens", kitchens::list(hub).await),
        (&Method::GET, ["kitchens", id]) => ("/kitchens/{id}", kitchens::show(hub, id).await),
        (&Method::POST, ["kitchens", id, "cordon"]) => {
            ("/kitchens/{id}/cordon", kitchens::cordon(hub, &request, id).await)
        }
        (&Method::POST, ["kitchens", id, "uncordon"]) => {
            ("/kitchens/{id}/uncordon", kitchens::uncordon(hub, &request, id).await)
        }
        (&Method::POST, ["kitchens", id, "drain"]) => ("/kitchens/{id}/drain", kitchens::drain(hub, request, id).await),
        (&Method::POST, ["kitchens", id, "gone"]) => ("/kitchens/{id}/gone", kitchens::gone(hub, request, id).await),
        (&Method::GET, ["actions"]) => ("/actions", actions::list(hub, &request).await),
        (&Method::GET, ["policy"]) => ("/policy", ops::policy(hub).await),
        (&Method::PUT, ["policy"]) => ("/policy", ops::set_policy(hub, request).await),
        (&Method::GET, ["migrations"]) => ("/migrations", ops::migrations(hub, &request).await),
        (&Method::GET, ["rush"]) => ("/rush", ops::rush(hub).await),
        (&Method::POST, ["rush"]) => ("/rush", ops::start_rush(hub, request).await),
        (&Method::DELETE, ["rush"]) => ("/rush", ops::stop_rush(hub, &request).await),
        (&Method::GET, ["proof"]) => ("/proof", ops::proof(hub).await),
        (&Method::GET, ["status"]) => ("/status", ops::status(hub).await),
        (&Method::POST, ["standby"]) => ("/standby", standby::asked(hub, request).await),
        (&Method::GET, ["feed"]) => ("/feed", upgrade(request, with(Arc::clone(hub), feed::serve))),
        (&Method::GET, ["link"]) => ("/link", upgrade(request, with(Arc::clone(hub), link::serve))),
        (_, known) if is_known(known) => ("other", Answer::from(problem::method_not_allowed(request.method()))),
        _ => ("other", Answer::from(problem::not_found(&path))),
    }
}

fn is_known(segments: &[&str]) -> bool {
    matches!(
        segments,
        ["orders"
            | "kitchens"
            | "policy"
            | "migrations"
            | "rush"
            | "proof"
            | "status"
            | "feed"
            | "link"
            | "standby"
            | "actions",]
            | ["orders" | "kitchens", _]
            | ["orders", _, "history" | "explain" | "migrate" | "release"]
            | ["kitchens", _, "cordon" | "uncordon" | "drain" | "gone"]
    )
}

async fn at_root(hub: &Arc<Hub>, request: &Request<Incoming>, path: &str) -> (&'static str, Answer) {
    match (request.method(), path) {
        (&Method::GET | &Method::HEAD, "/healthz") => ("/healthz", Answer::text("ok\n")),
        (&Method::GET | &Method::HEAD, "/readyz") => ("/readyz", Answer::text("leading\n")),
        (&Method::GET, "/metrics") => ("/metrics", ops::metrics(hub).await),
        (method, "/healthz" | "/readyz" | "/metrics") => ("other", Answer::from(problem::method_not_allowed(method))),
        _ => ("other", Answer::from(problem::not_found(path))),
    }
}

fn with<F>(hub: Arc<Hub>, serve: impl FnOnce(Arc<Hub>, Upgraded) -> F) -> impl FnOnce(Upgraded) -> F {
    |upgraded| serve(hub, upgraded)
}

/// Answers 101 and hands the connection to `serve`.
fn upgrade<F>(mut request: Request<Incoming>, serve: impl FnOnce(Upgraded) -> F + Send + 'static) -> Answer
where
    F: Future<Output = ()> + Send + 'static,
{
    let wants = request.headers().get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let key = request.headers().get(SEC_WEBSOCKET_KEY).filter(|_| wants);
    let Some(accept) = key.map(|key| derive_accept_key(key.as_bytes())) else {
        return Answer::from(problem::upgrade_required());
    };
    let place = request.extensions_mut().remove::<Arc<OwnedSemaphorePermit>>();
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // A client that broke off in the middle wants nothing more.
        if let Ok(connection) = upgraded.await {
            serve(connection).await;
        }
        drop(place);
    });
    Answer::switching(&accept)
}
