//! The checks that kill: a kitchen with orders in hand, then the balancer.
//!
//! Kills only through the supervisor that started the processes. Gives how long it took until every order of the dead
//! kitchen was leased elsewhere, and until the balancer took orders again.

use std::path::Path;
use std::time::Duration;

use protocol::api::{Health, KitchenView};
use protocol::{FencingToken, KitchenId, OrderId};
use tokio::time::{Instant, sleep};

use super::Verdict;
use super::checks::{burst, open_kitchens};
use crate::city::control::{By, Supervisor};
use crate::city::record::Record;
use crate::client::{Client, OrderFilter};
use crate::load::settle;
use crate::output;

/// The promise: a dead kitchen's orders are leased elsewhere within this.
const RECOVERED_WITHIN: Duration = Duration::from_secs(3);
/// The kitchen stays down for longer than that, so that its return is not mistaken for a recovery.
const HOLD: Duration = Duration::from_secs(4);
/// Orders in flight when something is killed: few enough that the rest of the built-in city has stations for them.
const BURST: usize = 10;
/// A standby takes over within 3 s; with one balancer it is a restart, after its back-off.
const BALANCER_WITHIN: Duration = Duration::from_secs(15);
/// The supervisor starts it again after at most 10 s.
const BACK_WITHIN: Duration = Duration::from_secs(20);
/// How long the orders may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(300);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);

pub(super) async fn check(client: &Client, supervisor: &Supervisor, dir: &Path) -> Verdict {
    let ids = match supervisor.list().await {
        Ok(ids) => ids,
        Err(error) => return Verdict::Skipped(format!("{error}; give --data-dir of the `chef up` on this machine")),
    };
    let record = Record::read(dir).unwrap_or_default();
    let urls = client.urls();
    if !record.balancers.iter().any(|balancer| balancer.url.as_ref().is_some_and(|url| urls.contains(url))) {
        return Verdict::Skipped(format!("the city in {} is not the one at {}", dir.display(), urls.join(", ")));
    }
    Verdict::of(both(client, supervisor, &ids).await)
}

async fn both(client: &Client, supervisor: &Supervisor, ids: &[String]) -> Result<String, String> {
    let kitchen = kitchen_dies(client, supervisor, ids).await?;
    let balancer = balancer_dies(client, supervisor).await?;
    let proof = client.proof().await?;
    if !proof.holds() {
        return Err(format!("the promise is broken: lost {}, twice {}", proof.lost, proof.twice));
    }
    Ok(format!("{kitchen}; {balancer}"))
}

async fn kitchen_dies(client: &Client, supervisor: &Supervisor, ids: &[String]) -> Result<String, String> {
    let orders = burst(client, 13, BURST).await?;
    let victim = victim(open_kitchens(client).await?, ids).ok_or("no kitchen of this city is open")?;
    let held = held_by(client, &victim).await?;
    let count = held.len();
    let killed = Instant::now();
    supervisor.kill(victim.as_str(), HOLD, &by()).await?;
    until_elsewhere(client, &victim, held).await?;
    let took = killed.elapsed();
    let outcome = settle(client, orders, ENDS_WITHIN, |_| ()).await?;
    let words = format!("{victim} killed with {count} orders, all elsewhere after {}", output::duration(took));
    if !outcome.is_clean() {
        return Err(format!("{words}; then {outcome:?}"));
    }
    if took > RECOVERED_WITHIN {
        return Err(format!("{words}: promised are {}", output::duration(RECOVERED_WITHIN)));
    }
    until_alive(client, &victim).await?;
    Ok(words)
}

/// Who kills here, for the supervisor's log.
fn by() -> By {
    By::new(Some("chef test"), Some("failover"))
}

/// The busiest kitchen whose orders find a free station elsewhere: without room no order can be leased within the promise.
fn victim(open: Vec<KitchenView>, ids: &[String]) -> Option<KitchenId> {
    let held = |kitchen: &KitchenView| kitchen.queued + kitchen.cooking;
    let free = |kitchen: &KitchenView| kitchen.stations.saturating_sub(held(kitchen));
    let all_free: u32 = open.iter().map(free).sum();
    let fits = |kitchen: &KitchenView| held(kitchen) <= all_free - free(kitchen);
    let ours = open.iter().filter(|kitchen| ids.iter().any(|id| id == kitchen.id.as_str()));
    let chosen =
        ours.max_by_key(|kitchen| if fits(kitchen) { (1, held(kitchen)) } else { (0, u32::MAX - held(kitchen)) });
    chosen.map(|kitchen| kitchen.id.clone())
}

/// What a kitchen holds, each with its newest right.
type Held = Vec<(OrderId, Option<FencingToken>)>;

async fn held_by(client: &Client, kitchen: &KitchenId) -> Result<Held, String> {
    let filter = OrderFilter { kitchen: Some(kitchen.clone()), limit: Some(200), ..OrderFilter::default() };
    let orders = client.orders(&filter).await?.orders;
    Ok(orders.into_iter().filter(|order| order.state.is_open()).map(|order| (order.id, order.token)).collect())
}

/// An order is elsewhere when it has ended, has left the kitchen, or has a newer lease than in the dead process.
async fn until_elsewhere(client: &Client, victim: &KitchenId, mut held: Held) -> Result<(), String> {
    let until = Instant::now() + 4 * RECOVERED_WITHIN;
    while Instant::now() < until {
        let Some((id, token)) = held.last().copied() else { return Ok(()) };
        let now = client.order(id).await?;
        let leased_anew = now.kitchen.is_some() && now.token > token;
        if !now.state.is_open() || leased_anew || now.kitchen.as_ref().is_some_and(|kitchen| kitchen != victim) {
            held.pop();
        } else {
            sleep(LOOK).await;
        }
    }
    Err(format!("{} orders of {victim} are still there after {} s", held.len(), 4 * RECOVERED_WITHIN.as_secs()))
}

async fn until_alive(client: &Client, kitchen: &KitchenId) -> Result<(), String> {
    let until = Instant::now() + BACK_WITHIN;
    while Instant::now() < until {
        if client.kitchen(kitchen).await?.health == Health::Alive {
            return Ok(());
        }
        sleep(LOOK).await;
    }
    Err(format!("{kitchen} is not alive again after {} s", BACK_WITHIN.as_secs()))
}

async fn balancer_dies(client: &Client, supervisor: &Supervisor) -> Result<String, String> {
    let before = client.proof().await?;
    let orders = burst(client, 17, BURST).await?;
    let killed = Instant::now();
    supervisor.kill("leader", Duration::ZERO, &by()).await?;
    sleep(LOOK).await;
    let after = client.proof().await?;
    let took = killed.elapsed();
    let words = format!("balancer killed, orders taken again after {}", output::duration(took));
    if after.accepted < before.accepted + orders.len() as u64 {
        return Err(format!(
            "{words}, but {} orders are missing",
            before.accepted + orders.len() as u64 - after.accepted
        ));
    }
    if took > BALANCER_WITHIN {
        return Err(format!("{words}: that is too long"));
    }
    let outcome = settle(client, orders, ENDS_WITHIN, |_| ()).await?;
    if outcome.is_clean() { Ok(words) } else { Err(format!("{words}; then {outcome:?}")) }
}
