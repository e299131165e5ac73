//! Requests about kitchens.

use std::sync::Arc;
use std::time::Duration;

use balancer_core::{Input, Now, Refused};
use hyper::HeaderMap;
use hyper::body::Incoming;
use protocol::KitchenId;
use protocol::api::{Drain, Gone, Kitchens, PREFIX};

use super::answer::Answer;
use super::orders::{answer, json_or_default, operator};
use super::{pages, problem, shared};
use crate::hub::{Hub, Inner};
use crate::views::{self, Figures};

pub(super) async fn list(hub: &Arc<Hub>) -> Answer {
    let place = match pages::place().await {
        Ok(place) => place,
        Err(problem) => return problem.into(),
    };
    hub.lock().write_cards();
    let look = |inner: &Inner, now: Now| (views::all_figures(inner, now), inner.core.state().position());
    match hub.read(look).await {
        Ok((figures, position)) => {
            let words = move || figures.into_iter().map(Figures::view).collect();
            place.json(move || Kitchens { kitchens: words(), position }).await
        }
        Err(stopping) => stopping.into(),
    }
}

pub(super) async fn show(hub: &Arc<Hub>, id: &str) -> Answer {
    let id: KitchenId = match id.parse() {
        Ok(id) => id,
        Err(error) => return problem::bad_id(&error).into(),
    };
    let seen = hub.read(|inner, now| {
        let number = inner.core.state().find_kitchen(&id)?;
        Some(views::kitchen(inner, now, number))
    });
    match seen.await {
        Ok(Some(kitchen)) => Answer::json(&kitchen),
        Ok(None) => problem::refused(&Refused::NoSuchKitchen(id)).into(),
        Err(stopping) => stopping.into(),
    }
}

pub(super) async fn cordon(hub: &Arc<Hub>, headers: &HeaderMap, id: &str) -> Answer {
    let (kitchen, by) =
        match id.parse().map_err(|error| problem::bad_id(&error)).and_then(|id| Ok((id, operator(headers)?))) {
            Ok(wish) => wish,
            Err(problem) => return problem.into(),
        };
    answer(hub.ask(|request| Input::Cordon { request, kitchen, by }).await)
}

pub(super) async fn uncordon(hub: &Arc<Hub>, headers: &HeaderMap, id: &str) -> Answer {
    let (kitchen, by) =
        match id.parse().map_err(|error| problem::bad_id(&error)).and_then(|id| Ok((id, operator(headers)?))) {
            Ok(wish) => wish,
            Err(problem) => return problem.into(),
        };
    answer(hub.ask(|request| Input::Uncordon { request, kitchen, by }).await)
}

pub(super) async fn drain(hub: &Arc<Hub>, headers: &HeaderMap, body: &mut Incoming, id: &str) -> Answer {
    let (kitchen, by) =
        match id.parse().map_err(|error| problem::bad_id(&error)).and_then(|id| Ok((id, operator(headers)?))) {
            Ok(wish) => wish,
            Err(problem) => return problem.into(),
        };
    let Drain { deadline_ms, force } = match json_or_default(body).await {
        Ok(drain) => drain,
        Err(problem) => return problem.into(),
    };
    if deadline_ms.is_some_and(|ms| ms > 3_600_000) {
        return problem::invalid("deadline", "deadline_ms is at most 3600000").into();
    }
    let deadline = deadline_ms.map(Duration::from_millis);
    answer(hub.ask(|request| Input::Drain { request, kitchen, deadline, force, by }).await)
}

/// A death whose connection has not ended within this is not believed: the system closes a dead process's sockets at once.
const DEATH_SHOWS: Duration = Duration::from_millis(200);
/// Between two looks at that connection.
const DEATH_LOOK: Duration = Duration::from_millis(5);

/// A certain death, from whoever owned the process.
pub(super) async fn gone(hub: &Arc<Hub>, headers: &HeaderMap, body: &mut Incoming, id: &str) -> Answer {
    let kitchen: KitchenId = match id.parse() {
        Ok(kitchen) => kitchen,
        Err(error) => return problem::bad_id(&error).into(),
    };
    let path = format!("{PREFIX}/kitchens/{id}/gone");
    let Gone { pid } = match shared::json(hub, headers, &path, body).await {
        Ok(gone) => gone,
        Err(problem) => return problem.into(),
    };
    let looks = DEATH_SHOWS.as_millis() / DEATH_LOOK.as_millis();
    for _ in 0..looks {
        if !hub.lock().core.is_connected(&kitchen, pid) {
            return answer(hub.ask(|request| Input::Gone { request, kitchen, pid }).await);
        }
        tokio::time::sleep(DEATH_LOOK).await;
    }
    problem::still_connected(&kitchen, pid).into()
}
