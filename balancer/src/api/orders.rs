//! Requests about orders: bytes to inputs, replies to bytes. What cannot be parsed or named is refused here, before the core.

mod batch;
mod past;

use std::borrow::Cow;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use balancer_core::input::{NewOrder, Operator};
use balancer_core::{Input, Reply};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::{HeaderMap, StatusCode};
use protocol::api::{History, MigrateTo, OPERATOR, OrderPage, Problem, REASON};
use protocol::order::{CUSTOMER_MAX, ITEMS_MAX, KEY_MAX, QUANTITY_MAX};
use protocol::{Item, KitchenId, OrderId, OrderState, Position, Priority, text};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(super) use self::batch::place_batch;
use super::answer::Answer;
use super::head::KEY;
use super::pages::Place;
use super::{pages, problem, room};
use crate::hub::{Asked, Hub, Names, NoAnswer};
use crate::{history as ledger_history, views};

/// A body, in bytes.
pub(super) const BODY_MAX: usize = 64 * 1024;
/// The whole body comes within this time.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Entries on one page of a list.
pub(super) const PAGE_MAX: usize = 1_000;
const PAGE_DEFAULT: usize = 50;
/// Orders that one request looks at, however few fit its filter: `next` goes on from there.
const LOOKS_MAX: usize = 20_000;

/// [`protocol::api::PlaceOrder`] without copies: parsing is a tenth of an order's cost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed<'a> {
    #[serde(borrow)]
    items: Vec<PlacedItem<'a>>,
    #[serde(borrow)]
    zone: Cow<'a, str>,
    #[serde(borrow, default)]
    customer: Option<Cow<'a, str>>,
    #[serde(default)]
    priority: Priority,
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlacedItem<'a> {
    #[serde(borrow)]
    dish: Cow<'a, str>,
    #[serde(default = "one")]
    quantity: u64,
}

fn one() -> u64 {
    1
}

pub(super) async fn place(hub: &Arc<Hub>, headers: &HeaderMap, body: &mut Incoming) -> Answer {
    let body = match read(body, BODY_MAX).await {
        Ok(body) => body,
        Err(problem) => return problem.into(),
    };
    let mut placed: Placed<'_> = match serde_json::from_slice(&body) {
        Ok(placed) => placed,
        Err(error) => return problem::malformed(&error).into(),
    };
    if let Some(header) = headers.get(KEY) {
        let Ok(key) = header.to_str() else {
            return problem::invalid("invalid_key", "the idempotency key must be visible ASCII").into();
        };
        if placed.key.as_deref().is_some_and(|within| within != key) {
            return problem::key_twice("the header and the body have different idempotency keys: send one").into();
        }
        placed.key = Some(Cow::Borrowed(key));
    }
    let order = match check(&hub.lock().names, placed) {
        Ok(order) => order,
        Err(problem) => return problem.into(),
    };
    let old = match order.key {
        Some(_) => Box::pin(hub.old_order(&order, &mut Asked::default())).await,
        None => Ok(None),
    };
    let replied = match old {
        Ok(None) => hub.ask(|request| Input::Submit { request, order }).await,
        Ok(Some(reply)) => Ok(reply),
        Err(why) => return problem::no_key(why).into(),
    };
    match replied {
        Ok(Reply::Placed(receipt)) => Answer::json_with(StatusCode::CREATED, &receipt),
        Ok(Reply::Replayed(receipt)) => Answer::json(&receipt).replayed(),
        Ok(other) => reply(other),
        Err(stopping) => stopping.into(),
    }
}

/// Names to numbers, and every limit.
fn check(names: &Names, placed: Placed<'_>) -> Result<NewOrder, Problem> {
    if placed.items.is_empty() || placed.items.len() > ITEMS_MAX {
        return Err(problem::invalid(
            "items_count",
            format!("an order has 1 to {ITEMS_MAX} dishes, this one {}", placed.items.len()),
        ));
    }
    let mut items = Vec::with_capacity(placed.items.len());
    for item in &placed.items {
        let dish = names.dish(&item.dish).ok_or_else(|| problem::unknown_dish(&item.dish))?;
        let quantity = u16::try_from(item.quantity).ok().filter(|quantity| (1..=QUANTITY_MAX).contains(quantity));
        let quantity = quantity.ok_or_else(|| {
            problem::invalid("quantity", format!("a quantity is 1 to {QUANTITY_MAX}, this one {}", item.quantity))
        })?;
        items.push(Item { dish, quantity });
    }
    let zone = names.zone(&placed.zone).ok_or_else(|| problem::unknown_zone(&placed.zone))?;
    if let Some(Err(why)) = placed.customer.as_deref().map(|customer| text::check(customer, CUSTOMER_MAX)) {
        return Err(problem::invalid("invalid_customer", format!("the customer's name {why}")));
    }
    if let Some(Err(why)) = placed.key.as_deref().map(|key| text::check(key, KEY_MAX)) {
        return Err(problem::invalid("invalid_key", format!("the idempotency key {why}")));
    }
    let own = |text: Cow<'_, str>| text.into_owned().into_boxed_str();
    Ok(NewOrder {
        items,
        zone,
        customer: placed.customer.map(own),
        priority: placed.priority,
        key: placed.key.map(own),
    })
}

pub(super) async fn show(hub: &Arc<Hub>, id: &str) -> Answer {
    let id: OrderId = match id.parse() {
        Ok(id) => id,
        Err(error) => return problem::bad_id(&error).into(),
    };
    let found = hub.read(|inner, _| {
        let state = inner.core.state();
        let order = state.order(id).map(|order| views::order(state, order));
        (order, was_accepted(state, id), state.position())
    });
    match found.await {
        Ok((Some(order), _, _)) => Answer::json(&order),
        Ok((None, true, position)) => match past::find_alone(hub, id, position).await.and_then(|found| found.order) {
            // Forgotten means ended: one that seems open is from before the projection caught up.
            Some(order) if !order.state.is_open() => Answer::json(&order),
            Some(_) | None => problem::history_behind(id).into(),
        },
        Ok((None, false, _)) => problem::refused(&balancer_core::Refused::NoSuchOrder(id)).into(),
        Err(stopping) => stopping.into(),
    }
}

/// Whether there ever was such an order; memory may have forgotten it.
fn was_accepted(state: &balancer_core::State, id: OrderId) -> bool {
    id > OrderId(0) && id <= state.last_order()
}

pub(super) async fn list(hub: &Arc<Hub>, query: &str) -> Answer {
    let filter = match Filter::parse(query) {
        Ok(filter) => filter,
        Err(problem) => return problem.into(),
    };
    let place = match pages::place().await {
        Ok(place) => place,
        Err(problem) => return problem.into(),
    };
    let page = match hub.read(|inner, _| remembered(inner.core.state(), &filter)).await {
        Ok(seen) if seen.gaps => past::fill(hub, seen, filter).await,
        Ok(seen) => seen.page,
        Err(stopping) => return stopping.into(),
    };
    place.json(move || page).await
}

/// What memory says of one page.
struct Remembered {
    page: OrderPage,
    /// Ids that were looked at: what is forgotten lies between and below them.
    looked: Vec<OrderId>,
    /// The page covers ids from here on.
    floor: OrderId,
    /// Some of the ids that it covers are not in memory.
    gaps: bool,
}

fn remembered(state: &balancer_core::State, filter: &Filter) -> Remembered {
    let kitchen = filter.kitchen.as_ref().map(|id| state.find_kitchen(id));
    let fits = |order: &&balancer_core::state::Order| {
        filter.state.is_none_or(|wanted| order.state == wanted)
            && kitchen.is_none_or(|number| number.is_some() && order.kitchen == number)
    };
    let (mut orders, mut looked) = (Vec::new(), Vec::new());
    let mut below = state.orders().below(filter.below).peekable();
    while let Some(order) = below.next_if(|_| orders.len() < filter.limit && looked.len() < LOOKS_MAX) {
        looked.push(order.id);
        if fits(&order) {
            orders.push(views::order(state, order));
        }
    }
    let next = looked.last().filter(|_| below.peek().is_some()).map(ToString::to_string);
    let top = state.last_order().0.min(filter.below.0.saturating_sub(1));
    let floor = match (&next, looked.last()) {
        (Some(_), Some(last)) => *last,
        _ => OrderId(1),
    };
    let gaps = (top + 1).saturating_sub(floor.0) > looked.len() as u64;
    Remembered { page: OrderPage { orders, next, position: state.position() }, looked, floor, gaps }
}

struct Filter {
    state: Option<OrderState>,
    kitchen: Option<KitchenId>,
    limit: usize,
    below: OrderId,
}

impl Filter {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut filter = Self { state: None, kitchen: None, limit: PAGE_DEFAULT, below: OrderId(u64::MAX - 256) };
        for (name, value) in pairs(query)? {
            let bad = |why: String| problem::bad_query(format!("{name}: {why}"));
            match name {
                "state" => filter.state = Some(value.parse().map_err(bad)?),
                "kitchen" => {
                    filter.kitchen = Some(value.parse().map_err(|error: protocol::ids::BadId| bad(error.to_string()))?)
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
                    filter.limit = limit.ok_or_else(|| bad(format!("1 to {PAGE_MAX}")))?;
                }
                "cursor" => {
                    filter.below = value.parse().map_err(|error: protocol::ids::BadId| bad(error.to_string()))?
                }
                _ => return Err(bad("not one of state, kitchen, limit, cursor".into())),
            }
        }
        Ok(filter)
    }
}

/// `a=1&b=2`; ids and states need no percent signs.
///
/// # Errors
/// A name is there twice: one of its values would be left out.
pub(super) fn pairs(query: &str) -> Result<Vec<(&str, &str)>, Problem> {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(problem::bad_query(format!("{}: given twice", text::clean(name, 40))));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// [`History`] with the position up to which it was looked for.
#[derive(serde::Serialize)]
struct HistoryAt {
    #[serde(flatten)]
    history: History,
    position: Position,
}

pub(super) async fn history(hub: &Arc<Hub>, id: &str) -> Answer {
    let id: OrderId = match id.parse() {
        Ok(id) => id,
        Err(error) => return problem::bad_id(&error).into(),
    };
    let place = match pages::place().await {
        Ok(place) => place,
        Err(problem) => return problem.into(),
    };
    let found = hub.read(|inner, _| {
        let state = inner.core.state();
        let names: Vec<String> = state.kitchens().iter().map(|kitchen| kitchen.id.to_string()).collect();
        let known = state.order(id).map(|order| (names, order.position, order.last));
        (known, was_accepted(state, id), state.position())
    });
    let (names, first, last) = match found.await {
        Ok((Some(known), _, _)) => known,
        Ok((None, true, position)) => return past_history(hub, place, id, position).await,
        Ok((None, false, _)) => return problem::refused(&balancer_core::Refused::NoSuchOrder(id)).into(),
        Err(stopping) => return stopping.into(),
    };
    let dir = hub.data_dir.clone();
    match tokio::task::spawn_blocking(move || ledger_history::read(&dir, &names, id, (first, last))).await {
        Ok(Ok(Some(events))) => place.json(move || HistoryAt { history: History { id, events }, position: last }).await,
        // It waited for long, in quarantine or in a kitchen.
        Ok(Ok(None)) => match past::find(hub, id, last).await.filter(|found| found.position >= last) {
            Some(found) => {
                let (history, position) = (History { id, events: found.events }, found.position);
                place.json(move || HistoryAt { history, position }).await
            }
            None => problem::history_behind(id).into(),
        },
        Ok(Err(error)) => problem::unreadable(&error).into(),
        Err(panic) => problem::unreadable(&panic).into(),
    }
}

/// Of an order that memory has forgotten.
async fn past_history(hub: &Arc<Hub>, place: Place, id: OrderId, wanted: Position) -> Answer {
    match past::find(hub, id, wanted).await {
        Some(found) if found.order.as_ref().is_some_and(|order| !order.state.is_open()) => {
            let (history, position) = (History { id, events: found.events }, found.position);
            place.json(move || HistoryAt { history, position }).await
        }
        Some(_) | None => problem::history_behind(id).into(),
    }
}

pub(super) async fn explain(hub: &Arc<Hub>, id: &str) -> Answer {
    let id: OrderId = match id.parse() {
        Ok(id) => id,
        Err(error) => return problem::bad_id(&error).into(),
    };
    let found = hub.read(|inner, _| {
        let state = inner.core.state();
        let known = state.order(id).map(|order| order.attempt);
        (known, inner.core.decision(id).map(|decision| views::explain(state, decision)))
    });
    match found.await {
        Ok((Some(_), Some(explained))) => Answer::json(&explained),
        Ok((Some(0), None)) => {
            problem::no_decision(format!("{id} waits for a free place: nothing was decided yet")).into()
        }
        Ok((Some(_), None)) => problem::no_decision(format!("the decision about {id} is no longer remembered")).into(),
        Ok((None, _)) => problem::refused(&balancer_core::Refused::NoSuchOrder(id)).into(),
        Err(stopping) => stopping.into(),
    }
}

pub(super) async fn cancel(hub: &Arc<Hub>, headers: &HeaderMap, id: &str) -> Answer {
    match wish(headers, id) {
        Ok((order, by)) => answer(hub.ask(|request| Input::Cancel { request, order, by }).await),
        Err(problem) => problem.into(),
    }
}

/// Out of quarantine.
pub(super) async fn release(hub: &Arc<Hub>, headers: &HeaderMap, id: &str) -> Answer {
    match wish(headers, id) {
        Ok((order, by)) => answer(hub.ask(|request| Input::Release { request, order, by }).await),
        Err(problem) => problem.into(),
    }
}

/// What an operator's request is about, and who asks.
fn wish(headers: &HeaderMap, id: &str) -> Result<(OrderId, Operator), Problem> {
    let order = id.parse().map_err(|error| problem::bad_id(&error))?;
    Ok((order, operator(headers)?))
}

pub(super) async fn migrate(hub: &Arc<Hub>, headers: &HeaderMap, body: &mut Incoming, id: &str) -> Answer {
    let (order, by) = match wish(headers, id) {
        Ok(wish) => wish,
        Err(problem) => return problem.into(),
    };
    let MigrateTo { to } = match json(body).await {
        Ok(body) => body,
        Err(problem) => return problem.into(),
    };
    answer(hub.ask(|request| Input::Migrate { request, order, to, by }).await)
}

/// The answer to a wish.
pub(super) fn answer(replied: Result<Reply, NoAnswer>) -> Answer {
    match replied {
        Ok(replied) => reply(replied),
        Err(stopping) => stopping.into(),
    }
}

fn reply(replied: Reply) -> Answer {
    match replied {
        Reply::Placed(receipt) | Reply::Replayed(receipt) => Answer::json(&receipt),
        Reply::Done(done) => Answer::json(&serde_json::json!({ "done": done })),
        Reply::Refused(why) => problem::refused(&why).into(),
    }
}

/// Who asks and why, as the headers say it.
pub(super) fn operator(headers: &HeaderMap) -> Result<Operator, Problem> {
    let one = |name: &str, max: usize| -> Result<String, Problem> {
        let bad = |why: &str| problem::invalid("bad_header", format!("{name} {why}"));
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(String::new()) };
        if values.next().is_some() {
            return Err(bad("is there twice"));
        }
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| bad("is not UTF-8"))?;
        text::check(value, max).map_err(|why| bad(&why.to_string()))?;
        Ok(value.to_owned())
    };
    Ok(Operator { name: one(OPERATOR, 64)?, reason: one(REASON, 200)? })
}

/// A small JSON body.
pub(super) async fn json<T: DeserializeOwned>(body: &mut Incoming) -> Result<T, Problem> {
    let body = read(body, BODY_MAX).await?;
    serde_json::from_slice(&body).map_err(|error| problem::malformed(&error))
}

/// A small JSON body, or its default when there is none.
pub(super) async fn json_or_default<T: DeserializeOwned + Default>(body: &mut Incoming) -> Result<T, Problem> {
    let body = read(body, BODY_MAX).await?;
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&body).map_err(|error| problem::malformed(&error))
}

/// The body of a request without fields: nothing, or `{}`.
pub(super) async fn no_field(body: &mut Incoming) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoField {}
    if body.is_end_stream() {
        return Ok(());
    }
    let body = read(body, BODY_MAX).await?;
    if body.is_empty() {
        return Ok(());
    }
    serde_json::from_slice(&body).map(|NoField {}| ()).map_err(|error| problem::malformed(&error))
}

/// A body of at most so many bytes.
pub(super) async fn read<B>(body: B, limit: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(problem::too_large(limit));
    }
    let most = body.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(limit).min(limit);
    let room = room::incoming(most).await.ok_or_else(problem::no_room)?;
    let mut collecting = std::pin::pin!(Limited::new(body, limit).collect());
    // A small body has come with its head: no timer for it.
    let collected = match futures_util::poll!(collecting.as_mut()) {
        Poll::Ready(collected) => Ok(collected),
        Poll::Pending => Box::pin(tokio::time::timeout(BODY_TIMEOUT, collecting)).await,
    };
    match collected {
        Ok(Ok(collected)) => Ok(room.around(collected.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(problem::too_large(limit)),
        Ok(Err(_)) => Err(problem::body_broken()),
        Err(_) => Err(problem::body_timeout()),
    }
}
