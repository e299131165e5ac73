//! Several addresses of one system, of which any may be silent: who answers first.
//!
//! Owns when the next one is begun. Never knows what is asked: a try is any future.
//!
//! A frozen process accepts connections and says nothing, a lost address not even that; to wait for either in turn is what
//! a person calls down. So nobody is waited for alone: each try begins a moment after the one before, or as soon as that
//! one has failed, and the first success is taken.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until, timeout};

/// How long one is waited for alone: far above an answer on the same network, and nothing that a person notices.
pub(super) const HEAD_START: Duration = Duration::from_millis(250);

/// The first success; none came `within`: the last failure, if there was one.
pub(super) async fn race<T, E, F>(tries: impl IntoIterator<Item = F>, within: Duration) -> Result<T, Option<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut last = None;
    let racing = async {
        let (mut waiting, mut running) = (tries.into_iter(), FuturesUnordered::new());
        let mut more = true;
        loop {
            if more {
                match waiting.next() {
                    Some(one) => running.push(one),
                    None => more = false,
                }
            }
            let next = Instant::now() + HEAD_START;
            tokio::select! {
                outcome = running.next() => match outcome {
                    Some(Ok(won)) => return Some(won),
                    Some(Err(why)) => last = Some(why),
                    None if more => {}
                    None => return None,
                },
                () = sleep_until(next), if more => {}
            }
        }
    };
    timeout(within, racing).await.ok().flatten().ok_or(last)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const NEVER: u32 = 1_000_000;
    type Outcome = Result<u32, &'static str>;

    /// What came, and whether it took as many head starts.
    async fn run(tries: &[(u32, Outcome)], head_starts: u32) -> Result<u32, Option<&'static str>> {
        let began = Instant::now();
        let tries = tries.iter().map(|(after, outcome)| async move {
            sleep(*after * MS).await;
            *outcome
        });
        let outcome = race(tries, 4 * HEAD_START).await;
        let took = began.elapsed();
        assert!((head_starts * HEAD_START..(head_starts + 1) * HEAD_START).contains(&took), "{took:?}");
        outcome
    }

    #[tokio::test]
    async fn the_silent_cost_a_head_start_each_and_the_dead_nothing() {
        const DEAD: (u32, Outcome) = (1, Err("refused"));
        assert_eq!(run(&[(1, Ok(1)), (0, Ok(2))], 0).await, Ok(1));
        assert_eq!(run(&[(NEVER, Ok(1)), (1, Ok(2))], 1).await, Ok(2));
        assert_eq!(run(&[(NEVER, Ok(1)), (NEVER, Ok(2)), (1, Ok(3))], 2).await, Ok(3));
        assert_eq!(run(&[DEAD, DEAD, (1, Ok(3))], 0).await, Ok(3));
        assert_eq!(run(&[(NEVER, Ok(1)), DEAD, (1, Ok(3))], 1).await, Ok(3));
        assert_eq!(run(&[(300, Ok(1)), (NEVER, Ok(2))], 1).await, Ok(1), "the slow one goes on");
        assert_eq!(run(&[DEAD, (NEVER, Ok(2))], 4).await, Err(Some("refused")));
        assert_eq!(run(&[DEAD], 0).await, Err(Some("refused")));
        assert_eq!(run(&[], 0).await, Err(None));
    }
}
