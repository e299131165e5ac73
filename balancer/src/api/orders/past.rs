//! Orders that memory has forgotten, looked up in the projection on a thread that may wait for the disk.
//!
//! Owns the merge of both on one page. Whatever memory knows goes over what the projection says.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::api::OrderPage;
use protocol::{OrderId, Position};

use super::{Remembered, pages};
use crate::hub::Hub;
use crate::projection::{self, Archive, Found};

/// One order and its events; none when there is no such order or the projection cannot be read.
pub(super) async fn find(hub: &Arc<Hub>, id: OrderId, wanted: Position) -> Option<Found> {
    let dir = hub.data_dir.clone();
    tokio::task::spawn_blocking(move || projection::find(&dir, id, wanted)).await.ok().flatten()
}

/// The same for a request that is no page: it waits for its place among those that read the disk.
pub(super) async fn find_alone(hub: &Arc<Hub>, id: OrderId, wanted: Position) -> Option<Found> {
    let _place = pages::place().await.ok()?;
    find(hub, id, wanted).await
}

/// Puts forgotten orders between and behind those that memory knows.
pub(super) async fn fill(hub: &Arc<Hub>, seen: Remembered, filter: super::Filter) -> OrderPage {
    if filter.state.is_some_and(protocol::OrderState::is_open) {
        return seen.page; // what memory has forgotten has ended
    }
    let dir = hub.data_dir.clone();
    let wanted = projection::Filter {
        from: seen.floor,
        below: filter.below,
        state: filter.state,
        kitchen: filter.kitchen,
        // Those that memory knows are left out afterwards.
        limit: filter.limit + seen.looked.len() + 1,
    };
    let position = seen.page.position;
    let listed = tokio::task::spawn_blocking(move || {
        let archive = Archive::reach(&dir, position)?;
        let listed = archive.list(&wanted);
        listed.inspect_err(|error| tracing::warn!(%error, "old orders cannot be listed")).ok()
    });
    let listed = listed.await.ok().flatten().unwrap_or_default();
    let Remembered { mut page, looked, .. } = seen;
    let known: BTreeSet<OrderId> = looked.into_iter().collect();
    page.orders.extend(listed.into_iter().filter(|order| !known.contains(&order.id)));
    page.orders.sort_by_key(|order| std::cmp::Reverse(order.id));
    if page.orders.len() > filter.limit {
        page.orders.truncate(filter.limit);
        page.next = page.orders.last().map(|order| order.id.to_string());
    }
    page
}
