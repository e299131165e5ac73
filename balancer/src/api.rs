//! The HTTP side: accepts connections within limits, and leads each request to its handler. Decides nothing.
//!
//! An accept loop of our own, because `axum::serve` has no time limits: idle sockets, half-sent heads and peers that take
//! nothing would stay for ever. `socket` has the times, `room` the memory, `callers` and `head` what is refused unread.

mod actions;
mod answer;
pub(crate) mod callers;
mod head;
mod kitchens;
mod ops;
mod orders;
mod pages;
mod problem;
pub(crate) mod room;
pub(crate) mod routes;
mod shared;
mod socket;
mod standby;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::{Body, Incoming};
use hyper::header::{SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::hub::Hub;
use crate::shutdown::Shutdown;
use crate::standby::Node;
use crate::{feed, link};
use answer::{Answer, Response};
use routes::{Route, Takes, Verb};
use socket::{Phase, Socket};

/// Connections at one time: 10,000 clients, 1,000 consoles, and some to spare. About 3 kB each when idle.
const CONNECTIONS_MAX: usize = 12_000;
/// Connections beyond that which take everything but new orders: customers never lock the operators and kitchens out.
const RESERVED_MAX: usize = 1_000;
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
    let phase = Phase::default();
    let socket = Socket::new(stream, phase.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (node, phase) = (Arc::clone(&node), phase.clone());
        let (mut head, mut body) = request.into_parts();
        // A WebSocket keeps its connection's place after the upgrade.
        if head.headers.contains_key(UPGRADE) {
            head.extensions.insert(Arc::clone(&place));
        }
        async move {
            phase.serving();
            let response = serve_one(&node, takes_orders, &mut head, &mut body).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                phase.opened()
            } else {
                phase.answered()
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    // No flush is put off for pipelined requests: while an answer waits to be taken, the next request is not looked at, so
    // a connection holds one answer at most.
    let served = http1::Builder::new()
        .header_read_timeout(None)
        // Whoever has said all it has to say still wants its answer.
        .half_close(true)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(socket), service)
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

/// A request that goes no further: the name under which it is counted, and its answer.
type Turned = (&'static str, Box<Answer>);

/// Every check that needs only the head, and where the request leads.
fn admit<'a>(
    node: &Node,
    takes_orders: bool,
    head: &'a Parts,
    has_body: bool,
) -> Result<(&'static Route, &'a str), Turned> {
    let turned = |path, answer: Answer| (path, Box::new(answer));
    node.callers.hear(&head.uri, &head.headers).map_err(|problem| turned("other", problem.into()))?;
    let path = head.uri.path();
    let (route, id) = match routes::find(&head.method, path) {
        Ok(found) => found,
        Err(others) if others.is_empty() => return Err(turned("other", problem::not_found(path).into())),
        Err(others) => {
            let answer = Answer::from(problem::method_not_allowed(&head.method));
            return Err(turned("other", answer.allowing(&others)));
        }
    };
    if route.places_orders() && !takes_orders {
        return Err(turned(route.path, Answer::from(problem::too_many_connections()).closing()));
    }
    head::check(route, head, has_body).map_err(|problem| turned(route.path, problem.into()))?;
    Ok((route, id))
}

async fn serve_one(node: &Arc<Node>, takes_orders: bool, head: &mut Parts, body: &mut Incoming) -> Response {
    let began = Instant::now();
    let admitted = admit(node, takes_orders, head, !body.is_end_stream());
    let Some(hub) = node.hub() else {
        return match admitted {
            Ok((route, _)) => Box::pin(standby::serve(node, route, head, body)).await,
            Err((_, answer)) => answer.into_response(),
        };
    };
    let (path, response) = match admitted {
        // hyper moves the future of each request, and one with room for every route would be kilobytes.
        Ok((route, _)) if route.verb == Verb::PlaceOrder => {
            (route.path, orders::place(hub, &head.headers, body).await.into_response())
        }
        Ok((route, id)) => {
            let id = id.to_owned();
            (route.path, Box::pin(answer(hub, route, &id, head, body)).await.into_response())
        }
        Err((path, answer)) => (path, answer.into_response()),
    };
    hub.lock().metrics.answered(path, response.status().as_u16(), began.elapsed());
    response
}

/// A leader's answer.
async fn answer(hub: &Arc<Hub>, route: &Route, id: &str, head: &mut Parts, body: &mut Incoming) -> Answer {
    if route.takes == Takes::NoField
        && let Err(problem) = orders::no_field(body).await
    {
        return problem.into();
    }
    let headers = &head.headers;
    let query = head.uri.query().unwrap_or_default();
    match route.verb {
        Verb::PlaceOrder => orders::place(hub, headers, body).await,
        Verb::PlaceBatch => orders::place_batch(hub, body).await,
        Verb::ListOrders => orders::list(hub, query).await,
        Verb::ShowOrder => orders::show(hub, id).await,
        Verb::History => orders::history(hub, id).await,
        Verb::Explain => orders::explain(hub, id).await,
        Verb::CancelOrder => orders::cancel(hub, headers, id).await,
        Verb::Release => orders::release(hub, headers, id).await,
        Verb::Migrate => orders::migrate(hub, headers, body, id).await,
        Verb::ListKitchens => kitchens::list(hub).await,
        Verb::ShowKitchen => kitchens::show(hub, id).await,
        Verb::Cordon => kitchens::cordon(hub, headers, id).await,
        Verb::Uncordon => kitchens::uncordon(hub, headers, id).await,
        Verb::Drain => kitchens::drain(hub, headers, body, id).await,
        Verb::Gone => kitchens::gone(hub, headers, body, id).await,
        Verb::Actions => actions::list(hub, query).await,
        Verb::Policy => ops::policy(hub).await,
        Verb::SetPolicy => ops::set_policy(hub, headers, body).await,
        Verb::Migrations => ops::migrations(hub, query).await,
        Verb::Rush => ops::rush(hub).await,
        Verb::StartRush => ops::start_rush(hub, headers, body).await,
        Verb::StopRush => ops::stop_rush(hub, headers).await,
        Verb::Proof => ops::proof(hub).await,
        Verb::Status => ops::status(hub).await,
        Verb::Standby => standby::asked(hub, headers, body).await,
        Verb::Feed => upgrade(head, with(Arc::clone(hub), feed::serve)),
        Verb::Link => upgrade(head, with(Arc::clone(hub), link::serve)),
        Verb::Healthz => Answer::text("ok\n"),
        Verb::Readyz => ops::ready(hub),
        Verb::Metrics => ops::metrics(hub).await,
    }
}

fn with<F>(hub: Arc<Hub>, serve: impl FnOnce(Arc<Hub>, Upgraded) -> F) -> impl FnOnce(Upgraded) -> F {
    |upgraded| serve(hub, upgraded)
}

/// The connection of this request, once its 101 has been sent.
fn upgraded(head: &mut Parts) -> OnUpgrade {
    let mut request = Request::new(());
    std::mem::swap(request.extensions_mut(), &mut head.extensions);
    hyper::upgrade::on(request)
}

/// Answers 101 and hands the connection to `serve`.
fn upgrade<F>(head: &mut Parts, serve: impl FnOnce(Upgraded) -> F + Send + 'static) -> Answer
where
    F: Future<Output = ()> + Send + 'static,
{
    let wants = head.headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let speaks = head.version >= Version::HTTP_11
        && head.headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let key = head.headers.get(SEC_WEBSOCKET_KEY).filter(|_| wants && speaks);
    let Some(accept) = key.map(|key| derive_accept_key(key.as_bytes())) else {
        return Answer::from(problem::upgrade_required());
    };
    let place = head.extensions.remove::<Arc<OwnedSemaphorePermit>>();
    let upgraded = upgraded(head);
    tokio::spawn(async move {
        // A client that broke off in the middle wants nothing more.
        if let Ok(connection) = upgraded.await {
            serve(connection).await;
        }
        drop(place);
    });
    Answer::switching(&accept)
}
