//! Bodies of HTTP requests and answers: what can be read is written and read again as the same, and a policy that the core
//! takes does not break it.

use std::time::Duration;

use balancer_core::input::{Operator, RequestId};
use balancer_core::{Core, Input, Now, Settings, State};
use protocol::api::{
    BatchResults, Drain, ExplainView, Gone, History, Kitchens, MigrateTo, Migrations, OrderPage, OrderView, PlaceBatch,
    PlaceOrder, PolicyChange, PolicyView, Problem, Proof, Receipt, RushView, StartRush, Status,
};
use protocol::city::City;
use protocol::{KitchenId, OrderId, OrderState, WallTime};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Any bytes.
pub fn body(bytes: &[u8]) {
    again::<PlaceOrder>(bytes);
    again::<PlaceBatch>(bytes);
    again::<MigrateTo>(bytes);
    again::<Drain>(bytes);
    again::<Gone>(bytes);
    again::<StartRush>(bytes);
    again::<PolicyChange>(bytes);
    again::<PolicyView>(bytes);
    again::<Receipt>(bytes);
    again::<BatchResults>(bytes);
    again::<OrderView>(bytes);
    again::<OrderPage>(bytes);
    again::<History>(bytes);
    again::<ExplainView>(bytes);
    again::<Kitchens>(bytes);
    again::<Migrations>(bytes);
    again::<Proof>(bytes);
    again::<RushView>(bytes);
    again::<Status>(bytes);
    again::<Problem>(bytes);
    if let Ok(policy) = serde_json::from_slice::<PolicyView>(bytes) {
        set(policy);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        names(text);
    }
}

/// Read, written and read again, it is written the same.
fn again<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Ok(first) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_vec(&first).expect("what was read can be written");
    let second: T = serde_json::from_slice(&written)
        .unwrap_or_else(|error| panic!("{} is not read back: {error}", String::from_utf8_lossy(&written)));
    let again = serde_json::to_vec(&second).expect("what was read can be written");
    assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&written));
}

/// Names in paths and queries.
fn names(text: &str) {
    if let Ok(id) = text.parse::<OrderId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(id) = text.parse::<KitchenId>() {
        assert_eq!(id.as_str(), text);
        assert!(!text.chars().any(char::is_control), "no control characters in an id");
    }
    if let Ok(state) = text.parse::<OrderState>() {
        assert_eq!(state.word(), text);
    }
    assert!(!protocol::text::clean(text, 80).chars().any(char::is_control), "what is shown is clean");
}

fn set(policy: PolicyView) {
    let mut core = Core::new(State::default(), Settings::default());
    let mut now = Now { mono: Duration::from_secs(9), wall: WallTime(1) };
    core.handle(now, Input::Lead { city: Box::new(City::built_in()), policy: Box::new(PolicyView::default()) });
    let by = Operator::default();
    core.handle(now, Input::SetPolicy { request: RequestId(1), policy: Box::new(policy), by });
    now.mono += Duration::from_secs(1);
    core.handle(now, Input::Tick);
}

/// A good body of most kinds.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let policy = serde_json::to_string(&PolicyView::default()).expect("plain data");
    [
        r#"{"items":[{"dish":"pizza","quantity":2},{"dish":"pasta"}],"zone":"Downtown","priority":"high","key":"k1"}"#,
        r#"{"orders":[{"items":[{"dish":"pizza"}],"zone":"Downtown","customer":"Ada"}]}"#,
        r#"{"to":"k2"}"#,
        r#"{"deadline_ms":30000,"force":true}"#,
        r#"{"pid":4711}"#,
        r#"{"rate":50.5,"for_s":30,"zone":"Downtown"}"#,
        r#"{"steal":false,"time_scale_ms":null,"weights":{"load":1,"specialty":0,"time":0,"distance":0.5}}"#,
        r#"{"id":"o1","state":"leased","kitchen":"k1","attempt":1,"token":"1.7","placed_at":"2026-01-01T00:00:00Z","position":9}"#,
        r#"{"position":9,"epoch":1,"accepted":1,"open":0,"completed":1,"cancelled":0,"dead_lettered":0,"lost":0,"twice":0,"stale_refused":0}"#,
        r#"{"type":"about:blank","status":429,"code":"queue_full","title":"Full","detail":"later","retry_after_ms":1000}"#,
        "o42",
        "k-1_a",
        "dead_lettered",
        &policy,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
