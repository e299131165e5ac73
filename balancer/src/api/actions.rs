//! What operators did, out of the tables of the past. Reads the disk on a thread that may wait for it.

use std::sync::Arc;

use protocol::Position;
use protocol::api::Problem;

use super::answer::Answer;
use super::orders::{PAGE_MAX, pairs};
use super::{pages, problem};
use crate::hub::Hub;
use crate::projection;

/// Entries of a page when nothing is said.
const PAGE_DEFAULT: usize = 100;

/// Which page.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    limit: usize,
    before: Position,
}

pub(super) async fn list(hub: &Arc<Hub>, query: &str) -> Answer {
    let Wanted { limit, before } = match wanted(query) {
        Ok(wanted) => wanted,
        Err(problem) => return problem.into(),
    };
    let place = match pages::place().await {
        Ok(place) => place,
        Err(problem) => return problem.into(),
    };
    let end = match hub.read(|inner, _| inner.core.state().position()).await {
        Ok(end) => end,
        Err(stopping) => return stopping.into(),
    };
    let dir = hub.data_dir.clone();
    let looked = tokio::task::spawn_blocking(move || projection::actions(&dir, before, limit, end));
    match looked.await.ok().flatten() {
        Some(page) => place.json(move || page).await,
        None => problem::actions_behind().into(),
    }
}

fn wanted(query: &str) -> Result<Wanted, Problem> {
    let mut wanted = Wanted { limit: PAGE_DEFAULT, before: Position(u64::MAX) };
    for (name, value) in pairs(query)? {
        let bad = |why: String| problem::bad_query(format!("{name}: {why}"));
        match name {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
                wanted.limit = limit.ok_or_else(|| bad(format!("1 to {PAGE_MAX}")))?;
            }
            "before" => wanted.before = Position(value.parse().map_err(|_| bad("a position, a whole number".into()))?),
            _ => return Err(bad("not one of limit, before".into())),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let page = |limit, before| Ok(Wanted { limit, before: Position(before) });
        assert_eq!(wanted(""), page(100, u64::MAX));
        assert_eq!(wanted("limit=7&before=42"), page(7, 42));
        for query in ["limit=0", "limit=1001", "limit=x", "before=-1", "after=3", "limit=1&limit=1"] {
            let problem = wanted(query).expect_err(query);
            assert_eq!((problem.status, problem.code.as_str()), (422, "bad_query"));
            assert!(problem.detail.starts_with(query.split('=').next().unwrap_or_default()), "{}", problem.detail);
        }
    }
}
