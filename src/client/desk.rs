//! The desk: carries out what the console asks for, and brings the answers back.
//!
//! Owns the translation of a console's request into requests to a balancer or to the supervisor. Never decides whether
//! a request is allowed: the console has asked its person, and the balancer refuses what cannot be.

use std::sync::Arc;

use protocol::api;
use protocol::text::clean;
use tokio::sync::{Semaphore, mpsc};

use super::{Client, OrderFilter};
use crate::city::control::{By, ControlError, Supervisor};
use crate::console::link::{Answer, KILL_HOLD, Request, Sent, Signal};

/// Requests under way at once: a person does not wait for more, and a stuck balancer must not pile them up.
const AT_ONCE: usize = 8;
/// Orders of one kitchen that are shown.
const ORDERS_OF: u32 = 100;

/// Acts of operators on one page: more than a screen shows, and a few kilobytes.
const ACTIONS: u32 = 100;

/// Serves until the console is gone.
pub async fn serve(
    client: Client,
    supervisor: Supervisor,
    mut requests: mpsc::Receiver<Sent>,
    signals: mpsc::Sender<Signal>,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(Sent { id, request, reason }) = requests.recv().await {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let client = client.clone().with_reason(reason.as_deref());
        let (supervisor, signals) = (supervisor.clone(), signals.clone());
        tokio::spawn(async move {
            let outcome = carry_out(&client, &supervisor, request, reason.as_deref()).await;
            let _ = signals.send(Signal::Answer { request: id, outcome }).await;
            drop(place);
        });
    }
}

async fn carry_out(
    client: &Client,
    supervisor: &Supervisor,
    request: Request,
    reason: Option<&str>,
) -> Result<Answer, String> {
    let done = |text: String| Ok(Answer::Done(text));
    match request {
        Request::Order(id) => Ok(Answer::Order(Box::new(client.order(id).await?))),
        Request::Explain(id) => Ok(Answer::Explain(Box::new(client.explain(id).await?))),
        Request::History(id) => Ok(Answer::History(Box::new(client.history(id).await?))),
        Request::Kitchen(id) => Ok(Answer::Kitchen(Box::new(client.kitchen(&id).await?))),
        Request::OrdersOf(kitchen) => {
            let filter = OrderFilter { kitchen: Some(kitchen), limit: Some(ORDERS_OF), ..OrderFilter::default() };
            Ok(Answer::Orders(Box::new(client.orders(&filter).await?)))
        }
        Request::Migrations => Ok(Answer::Migrations(Box::new(client.migrations().await?))),
        Request::Cordon(id) => {
            client.cordon(&id).await?;
            done(format!("{id} gets no new orders"))
        }
        Request::Uncordon(id) => {
            client.uncordon(&id).await?;
            done(format!("{id} takes orders again"))
        }
        Request::Actions { before } => Ok(Answer::Actions(Box::new(client.actions(ACTIONS, before).await?))),
        Request::Policy => Ok(Answer::Policy(Box::new(client.policy().await?))),
        Request::Supervisor => Ok(Answer::Supervisor(supervisor.list().await.map_err(nobody)?)),
        Request::Drain { kitchen, deadline_ms, force } => {
            client.drain(&kitchen, &api::Drain { deadline_ms, force }).await?;
            done(format!("{kitchen} is being drained"))
        }
        Request::Release(id) => {
            client.release(id).await?;
            done(format!("{id} is tried again"))
        }
        Request::SetPolicy(change) => {
            client.set_policy(&change).await?;
            done("the policy is changed".into())
        }
        Request::Migrate { order, to } => {
            client.migrate(order, to.clone()).await?;
            done(format!("{order} moves to {to}"))
        }
        Request::Cancel(id) => {
            client.cancel(id).await?;
            done(format!("{id} is cancelled"))
        }
        Request::Place(order) => {
            let placed = client.place(&order, order.key.as_deref()).await?;
            Ok(Answer::Placed { receipt: Box::new(placed.receipt), replayed: placed.replayed })
        }
        Request::Rush { rate, for_s, zone } => {
            client.start_rush(&api::StartRush { rate, for_s, zone }).await?;
            done(format!("rush: {rate} orders/s for {for_s} s"))
        }
        Request::StopRush => {
            client.stop_rush().await?;
            done("the rush is over".into())
        }
        Request::Kill(kitchen) => {
            let by = By::new(client.operator(), reason);
            Ok(Answer::Done(supervisor.kill(kitchen.as_str(), KILL_HOLD, &by).await.map_err(nobody)?))
        }
    }
}

/// What a person in front of the console can do about it; the cause stands in `chef kill`'s words.
fn nobody(error: ControlError) -> String {
    match error {
        ControlError::Nobody { place, .. } => {
            let place = clean(&place.display().to_string(), 100);
            format!("no supervisor at {place}: give --data-dir of the chef up that runs the city")
        }
        ControlError::Refused(why) => why,
    }
}
