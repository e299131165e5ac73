//! The checks that need nothing but a balancer: health, load, balance, migration.
//!
//! Each gives its evidence, or what is wrong. None changes anything but placing orders and moving one.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use protocol::api::{Health, HopKind, KitchenView, OrderView, PlaceOrder, Schedulable};
use protocol::order::OrderState;
use protocol::{KitchenId, OrderId};
use tokio::time::{Instant, sleep};

use super::Verdict;
use crate::client::{Client, ClientError, feed};
use crate::load::demand::Demand;
use crate::load::{Load, Plan, settle};
use crate::output;

/// How long a load may take until all its orders have ended.
const ENDS_WITHIN: Duration = Duration::from_secs(300);
/// Orders of a burst, of which some wait long enough to be moved.
const MOVE_BURST: usize = 24;
/// How many of them are tried to be moved: most may have been started meanwhile.
const MOVES_TRIED: usize = 12;
/// How long a move may take.
const MOVE_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

pub(super) async fn health(client: &Client) -> Result<String, String> {
    client.healthz().await?;
    let status = client.status().await?;
    if status.kitchens.alive == 0 {
        return Err("no kitchen is alive: start one with `chef kitchen`".into());
    }
    if !status.proof.holds() {
        return Err(format!("the promise is broken: lost {}, twice {}", status.proof.lost, status.proof.twice));
    }
    Ok(format!("{} kitchens alive, leader {}, epoch {}", status.kitchens.alive, status.leader.id, status.epoch))
}

pub(super) async fn load(client: &Client, orders: u32, placed: &mut Vec<OrderView>) -> Result<String, String> {
    let plan = Plan { orders, users: 10, batch: 1, rate: None, seed: 7 };
    let mut load = Load::new(client.clone(), plan).await.map_err(|failure| failure.message)?;
    load.place().await;
    let mut report = load.report();
    let outcome = load.settle(ENDS_WITHIN).await.map_err(|failure| failure.message)?;
    *placed = views(client, load.accepted()).await?;
    let words = format!(
        "{} of {orders} accepted at {:.0} orders/s, {} completed, all ended after {:.1} s",
        report.accepted, report.throughput_per_s, outcome.completed, outcome.seconds
    );
    report.ended = Some(outcome);
    let proof = client.proof().await?;
    if !proof.holds() {
        return Err(format!("{words}; the promise is broken: lost {}, twice {}", proof.lost, proof.twice));
    }
    if report.is_clean() { Ok(words) } else { Err(format!("{words}; errors {:?}", report.errors)) }
}

async fn views(client: &Client, orders: Vec<OrderId>) -> Result<Vec<OrderView>, ClientError> {
    let asked = iter(orders).map(|id| async move { client.order(id).await });
    asked.buffered(16).collect::<Vec<_>>().await.into_iter().collect()
}

/// Fails if the orders were not spread: with several kitchens open, one of them cooked all, or most cooked nothing.
pub(super) async fn balance(client: &Client, placed: &[OrderView]) -> Verdict {
    let open = match open_kitchens(client).await {
        Ok(open) => open,
        Err(why) => return Verdict::Failed(why),
    };
    if open.len() < 2 || placed.len() < 2 * open.len() {
        return Verdict::Skipped(format!("{} kitchens open, {} orders to look at", open.len(), placed.len()));
    }
    let mut cooked: BTreeMap<&KitchenId, usize> = BTreeMap::new();
    for kitchen in placed.iter().filter_map(|order| order.kitchen.as_ref()) {
        *cooked.entry(kitchen).or_default() += 1;
    }
    let most = cooked.iter().max_by_key(|(_, count)| **count);
    let Some((busiest, count)) = most else { return Verdict::Failed("no order has a kitchen".into()) };
    let words =
        format!("{} of {} kitchens cooked; {busiest} cooked {count} of {}", cooked.len(), open.len(), placed.len());
    if cooked.len() < open.len().div_ceil(2).max(2) { Verdict::Failed(words) } else { Verdict::Ok(words) }
}

pub(super) async fn open_kitchens(client: &Client) -> Result<Vec<KitchenView>, String> {
    let mut kitchens = client.kitchens().await?.kitchens;
    kitchens.retain(|kitchen| kitchen.health == Health::Alive && kitchen.schedulable == Schedulable::Open);
    Ok(kitchens)
}

/// Places orders all at once, so that kitchens are busy.
pub(super) async fn burst(client: &Client, seed: u64, count: usize) -> Result<Vec<OrderId>, String> {
    let snapshot = feed::snapshot(client).await?;
    let mut demand = Demand::of_snapshot(snapshot, seed).ok_or("the city has no zone or no dish to order")?;
    let orders: Vec<PlaceOrder> = (0..count).map(|_| demand.order()).collect();
    let placed = iter(orders).map(|order| async move { client.place(&order, None).await });
    let placed: Result<Vec<_>, ClientError> = placed.buffered(count).collect::<Vec<_>>().await.into_iter().collect();
    Ok(placed?.into_iter().map(|placed| placed.receipt.id).collect())
}

pub(super) async fn migration(client: &Client) -> Verdict {
    match open_kitchens(client).await {
        Ok(open) if open.len() < 2 => Verdict::Skipped(format!("needs 2 kitchens open, there are {}", open.len())),
        Ok(_) => Verdict::of(move_one(client).await),
        Err(why) => Verdict::Failed(why),
    }
}

async fn move_one(client: &Client) -> Result<String, String> {
    let orders = burst(client, 11, MOVE_BURST).await?;
    let mut refusals = Vec::new();
    for id in orders.iter().rev().take(MOVES_TRIED) {
        match try_move(client, *id).await {
            Ok(words) => {
                let outcome = settle(client, orders, ENDS_WITHIN, |_| ()).await?;
                return if outcome.is_clean() { Ok(words) } else { Err(format!("{words}, but {outcome:?}")) };
            }
            Err(why) => refusals.push(format!("{id}: {why}")),
        }
    }
    let last = refusals.pop().unwrap_or_default();
    Err(format!("none of {MOVES_TRIED} orders could be moved; the last one: {last}"))
}

async fn try_move(client: &Client, id: OrderId) -> Result<String, String> {
    let order = client.order(id).await?;
    let from = order.kitchen.filter(|_| matches!(order.state, OrderState::Leased | OrderState::Cooking));
    let from = from.ok_or_else(|| format!("is {}", order.state))?;
    let mut targets = open_kitchens(client).await?;
    targets.retain(|kitchen| kitchen.id != from && kitchen.load < 1.0);
    let target = targets.into_iter().min_by(|a, b| a.load.total_cmp(&b.load)).ok_or("no other kitchen has room")?;
    client.migrate(id, target.id.clone()).await?;
    let until = Instant::now() + MOVE_WITHIN;
    while Instant::now() < until {
        let view = client.order(id).await?;
        let moved = |kind| matches!(kind, HopKind::Reassign | HopKind::Handover);
        if let Some(hop) = view.hops.iter().find(|hop| hop.kitchen == target.id && moved(hop.kind)) {
            let pause = output::ms(hop.pause_ms);
            return Ok(format!("{id} moved from {from} to {} by {}, pause {pause}", target.id, hop.kind.word()));
        }
        if !view.state.is_open() {
            return Err(format!("{} before it moved", view.state));
        }
        sleep(LOOK).await;
    }
    Err(format!("not at {} after {} s", target.id, MOVE_WITHIN.as_secs()))
}
