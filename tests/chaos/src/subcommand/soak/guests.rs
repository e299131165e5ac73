//! Lanes of guests: hostile ones of every kind, some at a time, and now and then a whole crowd of polite page readers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::stage::{Lane, Stage};
use crate::clock;
use crate::hostile::{Guest, Visits, visit};
use crate::record::Line;

/// Page readers that come all at once.
const CROWD: usize = 300;
/// Hostile guests of one kind that come at once: far below what a balancer lets in, so that customers still are.
const HOSTILE_MAX: usize = 24;

/// All lanes until the time is over.
pub(super) async fn come(stage: &Stage<'_>) -> BTreeMap<Guest, Visits> {
    let (crowds, hostile) = tokio::join!(crowds(stage), hostile(stage));
    let mut all = hostile;
    all.entry(Guest::Polite).or_default().add(crowds);
    all
}

async fn crowds(stage: &Stage<'_>) -> Visits {
    let (mut random, mut visits) = (stage.random(Lane::Crowd), Visits::default());
    while stage.pause(&mut random, 20_000, 40_000).await {
        let Some(to) = stage.balancer(&mut random) else { break };
        visits.add(recorded(stage, Guest::Polite, CROWD, to, Duration::ZERO).await);
    }
    visits
}

async fn hostile(stage: &Stage<'_>) -> BTreeMap<Guest, Visits> {
    let (mut random, mut visits) = (stage.random(Lane::Hostile), BTreeMap::<Guest, Visits>::new());
    while stage.pause(&mut random, 500, 4_000).await {
        let kinds = [Guest::NeverReads, Guest::HalfHeader, Guest::SilentFeed];
        // Two kinds side by side, of sizes and for times of their own.
        let [one, two] = [(); 2].map(|()| {
            let (guest, count) = (kinds[random.usize(..kinds.len())], random.usize(1..=HOSTILE_MAX));
            let lasts = Duration::from_millis(random.u64(2_000..15_000));
            stage.balancer(&mut random).map(|to| async move { (guest, recorded(stage, guest, count, to, lasts).await) })
        });
        let Some((one, two)) = one.zip(two) else { break };
        let (one, two) = tokio::join!(one, two);
        [one, two].into_iter().for_each(|(guest, came)| visits.entry(guest).or_default().add(came));
    }
    visits
}

/// A visit that stands in the record: what happens to a balancer meanwhile may be its doing.
async fn recorded(stage: &Stage<'_>, guest: Guest, count: usize, to: SocketAddr, lasts: Duration) -> Visits {
    let number = stage.number();
    stage.recorder.fault(number, guest.word(), &format!("{to}, {count} of them"));
    let visits = visit(guest, count, to, lasts).await;
    stage.recorder.write(&Line::Healed { at: clock::now(), number, calm: Some(clock::now()) });
    visits
}
