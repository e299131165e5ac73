//! The two frames: what changed since the last tick, and everything as it is.
//!
//! Owns what was told last. A tick looks at each kitchen once and keeps no copy but the rows; nothing here is done for a
//! reader.

use std::collections::BTreeMap;
use std::time::Duration;

use balancer_core::Now;
use protocol::Position;
use protocol::api::{BalancerView, Proof};
use protocol::feed::{Flow, Frame, KEEPALIVE_MS, KitchenRow};

use super::remarks::Remarks;
use crate::hub::{Hub, Inner};
use crate::views;

/// What the readers know.
#[derive(Debug, Default)]
pub(super) struct Told {
    rows: Vec<KitchenRow>,
    /// The agents' processes, by kitchen.
    registered: Vec<u64>,
    proof: Option<Proof>,
    flow: Option<Flow>,
    /// Up to where the flow's stages were counted.
    counted: Option<Position>,
    /// Whether they know the alerts of the last look.
    pub(super) alerts: bool,
    balancers: Vec<BalancerView>,
    balancers_at: Duration,
    remarks: Remarks,
    /// When the last frame was built.
    pub(super) at: Duration,
}

/// The frame of a tick, or nothing if nothing changed and it is not time for a sign of life.
pub(super) fn delta(hub: &Hub, inner: &mut Inner, now: Now) -> Option<Frame> {
    let rows = views::rows(inner, now.mono);
    let proof = inner.core.state().proof();
    // Looking at every order that is cooked is most of a tick: not again while nothing has happened.
    let known = inner.feed.told.flow.as_ref().filter(|_| inner.feed.told.counted == Some(proof.position));
    let flow = views::flow(inner, now, known.map(|flow| flow.stages.as_slice()));
    let current = views::remarks(inner, now.mono);
    let remarks = inner.feed.told.remarks.due(&current, now);
    let balancers = hub.peers.all(now.mono);
    let (feed, told) = (&inner.feed, &inner.feed.told);
    let sessions = || inner.core.state().kitchens().iter().map(|kitchen| kitchen.session);
    let new: Vec<usize> = sessions()
        .enumerate()
        .filter(|(at, session)| told.registered.get(*at) != Some(session))
        .map(|(at, _)| at)
        .collect();
    let is_new = |(at, row): &(usize, &KitchenRow)| told.rows.get(*at) != Some(row);
    let changed: Vec<KitchenRow> = rows.iter().enumerate().filter(is_new).map(|(_, row)| *row).collect();
    let same_proof = told.proof.is_some_and(|old| Proof { position: proof.position, ..old } == proof);
    let (same_flow, same_alerts) = (told.flow.as_ref() == Some(&flow), told.alerts);
    let same_balancers = are_same(&balancers, &told.balancers);
    let same = same_proof && same_flow && same_alerts && same_balancers;
    let nothing_new = new.is_empty() && changed.is_empty() && remarks.is_empty();
    let quiet = same && nothing_new && feed.events.is_empty() && feed.moves.is_empty();
    if quiet && now.mono < told.at + Duration::from_millis(KEEPALIVE_MS) {
        return None;
    }
    // Where a standby is changes with every event: told with a frame that goes anyway, once a second.
    let due = told.balancers_at + Duration::from_millis(KEEPALIVE_MS) <= now.mono && balancers != told.balancers;
    let tell_balancers = due || !same_balancers;
    let registered = (!new.is_empty()).then(|| sessions().collect());
    let infos = new.into_iter().map(|index| views::info(inner.core.state(), index)).collect();
    let (epoch, position) = (inner.core.state().epoch(), inner.core.state().position());
    let feed = &mut inner.feed;
    let told = &mut feed.told;
    (told.at, told.rows, told.proof, told.alerts) = (now.mono, rows, Some(proof), true);
    told.counted = Some(proof.position);
    if let Some(registered) = registered {
        told.registered = registered;
    }
    if !same_flow {
        told.flow = Some(flow.clone());
    }
    if tell_balancers {
        told.balancers_at = now.mono;
        told.balancers.clone_from(&balancers);
    }
    let collapsed = std::mem::take(&mut feed.collapsed);
    Some(Frame {
        proof: (!same_proof).then_some(proof),
        flow: (!same_flow).then_some(flow),
        registered: infos,
        kitchens: changed,
        remarks,
        events: std::mem::take(&mut feed.events),
        collapsed: collapsed.into_iter().map(|(word, count)| (word.to_owned(), count)).collect(),
        dropped: std::mem::take(&mut feed.dropped),
        moves: std::mem::take(&mut feed.moves),
        alerts: (!same_alerts).then(|| feed.alerts.clone()),
        balancers: tell_balancers.then_some(balancers),
        ..Frame::empty(epoch, position, now.wall)
    })
}

/// Whether the same processes have the same parts, wherever they are in the ledger.
fn are_same(some: &[BalancerView], others: &[BalancerView]) -> bool {
    let part = |one: &BalancerView| (one.id.clone(), one.role.clone(), one.pid, one.url.clone());
    some.iter().map(part).eq(others.iter().map(part))
}

/// Everything as it is now but what the kitchens are, for those who have just come; right after a delta, so that the next
/// one goes on from here.
pub(super) fn snapshot(hub: &Hub, inner: &Inner, now: Now) -> Frame {
    let (state, feed) = (inner.core.state(), &inner.feed);
    Frame {
        snapshot: Some(Box::new(views::snapshot(hub, state))),
        proof: Some(state.proof()),
        flow: feed.told.flow.clone(),
        kitchens: feed.told.rows.clone(),
        remarks: feed.told.remarks.all(now.wall),
        events: feed.recent.iter().cloned().collect(),
        collapsed: BTreeMap::new(),
        alerts: Some(feed.alerts.clone()),
        balancers: Some(hub.peers.all(now.mono)),
        ..Frame::empty(state.epoch(), state.position(), now.wall)
    }
}
