//! Whether a leader that does not answer is lost, or only busy: silence alone kills nobody.
//!
//! ```text
//! its process         its ledger    in the last half second          given up after a silence of
//! stopped, a zombie   -             -                                1 s
//! alive               has grown     it works                         30 s
//! alive               stands        it computes, or waits for a core  5 s
//! alive               stands        it does nothing                  1 s
//! ```
//! Owns the table. Reads no clock: the silence is an argument. A process in good order answers between two inputs, so one
//! that sleeps and does not answer hangs; one that computes may be under a load that the next leader would inherit, and
//! killing it would only move the load. It is given up all the same when it gets nowhere.

use std::time::Duration;

use protocol::Position;

use super::silence::HUNG_AFTER;

/// Between two looks at what a silent process does: long enough for a clock tick (10 ms) and a commit to show.
const SAMPLE_EVERY: Duration = Duration::from_millis(400);
/// The first look comes after so much silence: ten questions a second are answered long before.
const SAMPLE_FROM: Duration = Duration::from_millis(300);
/// A process that computes and whose ledger stands: no turn of ours takes a tenth of this.
const BUSY_MAX: Duration = Duration::from_secs(5);
/// One whose ledger grows: orders are taken and cooked, only nobody hears of it.
const WORKING_MAX: Duration = Duration::from_secs(30);

/// What can be seen of a process from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// The letter of its state in `/proc/PID/stat`; none where that cannot be read.
    pub(super) state: Option<char>,
    /// The processor time it has had, in clock ticks.
    pub(super) ticks: u64,
    /// Where its ledger ends, as far as it was followed.
    pub(super) position: Position,
}

impl Sample {
    /// What `/proc/PID/stat` says, and the position.
    pub(super) fn read(stat: &str, position: Position) -> Self {
        // The name stands in brackets and may hold anything; the state is the first field behind it, both times the 12th and 13th.
        let mut fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        let state = fields.next().and_then(|state| state.chars().next());
        let mut times = fields.skip(10).map(|time| time.parse::<u64>().unwrap_or(0));
        let ticks = times.next().unwrap_or(0) + times.next().unwrap_or(0);
        Self { state, ticks, position }
    }
}

/// How long a silence is borne, given what was seen at two looks.
fn patience(before: Option<Sample>, now: Sample) -> Duration {
    let computes = before.is_some_and(|before| now.ticks > before.ticks);
    let works = before.is_some_and(|before| now.position > before.position);
    match now.state {
        Some('T' | 'Z' | 'X') => HUNG_AFTER,
        _ if works => WORKING_MAX,
        // Runnable and without a tick: others have the cores.
        Some('R') => BUSY_MAX,
        _ if computes => BUSY_MAX,
        _ => HUNG_AFTER,
    }
}

/// What was seen since the last answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Verdict {
    last: Option<(Duration, Sample)>,
    patience: Option<Duration>,
}

impl Verdict {
    /// It has been silent for so long; `look` says what it does. True: it will not come back by itself.
    pub(super) fn is_lost(&mut self, silent: Duration, look: impl FnOnce() -> Sample) -> bool {
        if silent < SAMPLE_FROM {
            *self = Self::default();
            return false;
        }
        let due = self.last.is_none_or(|(at, _)| silent >= at + SAMPLE_EVERY);
        if due {
            let now = look();
            // One look is a beginning, not a judgement.
            self.patience = self
                .last
                .map(|(_, before)| patience(Some(before), now))
                .or_else(|| Some(patience(None, now)).filter(|_| silent >= HUNG_AFTER));
            self.last = Some((silent, now));
        }
        silent >= HUNG_AFTER && self.patience.is_some_and(|patience| silent >= patience)
    }

    /// For the log: what it did when it was given up.
    pub(super) fn words(&self) -> String {
        let Some((_, sample)) = self.last else { return "unseen".into() };
        let state = match sample.state {
            Some('T') => "stopped",
            Some('Z' | 'X') => "ended",
            Some('R') => "running",
            Some(_) => "asleep",
            None => "unseen",
        };
        format!("{state}, its ledger at {}", sample.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK_MS: u64 = 50;

    /// When a leader whose state, ticks and position follow `what` (by the silence in milliseconds) is given up.
    fn given_up(what: impl Fn(u64) -> (char, u64, u64)) -> Option<u64> {
        let mut verdict = Verdict::default();
        (1..).map(|look| look * LOOK_MS).take_while(|ms| *ms <= 60_000).find(|ms| {
            let look = || {
                let (state, ticks, position) = what(*ms);
                Sample { state: Some(state), ticks, position: Position(position) }
            };
            verdict.is_lost(Duration::from_millis(*ms), look)
        })
    }

    #[test]
    fn what_does_nothing_is_given_up_after_a_second_and_what_works_is_not() {
        let a_second = |at: Option<u64>| at.is_some_and(|at| (1_000..=1_400).contains(&at));
        assert!(a_second(given_up(|_| ('T', 7, 7))), "stopped");
        assert!(a_second(given_up(|ms| ('T', ms, ms))), "stopped just now");
        assert!(a_second(given_up(|_| ('Z', 7, 7))), "ended");
        assert!(a_second(given_up(|_| ('S', 7, 7))), "asleep, and does not answer");
        assert!(a_second(given_up(|_| ('D', 7, 7))), "frozen by the kernel");
        assert_eq!(given_up(|ms| ('R', ms / 10, 7)), Some(5_000), "it spins");
        assert_eq!(given_up(|_| ('R', 7, 7)), Some(5_000), "it gets no core");
        assert_eq!(given_up(|ms| ('S', ms / 10, 7)), Some(5_000), "its other threads spin");
        assert_eq!(given_up(|ms| ('R', ms / 10, ms)), Some(30_000), "it works");
    }

    #[test]
    fn what_stops_in_the_middle_of_its_work_is_given_up_soon_after() {
        let stops = given_up(|ms| if ms < 3_000 { ('R', ms / 10, ms) } else { ('T', 300, 3_000) });
        assert!(stops.is_some_and(|at| (3_000..=3_450).contains(&at)), "{stops:?}");
        let hangs = given_up(|ms| if ms < 3_000 { ('R', ms / 10, ms) } else { ('S', 300, 3_000) });
        assert!(hangs.is_some_and(|at| (3_000..=3_850).contains(&at)), "{hangs:?}");
    }

    #[test]
    fn an_answer_begins_anew() {
        let mut verdict = Verdict::default();
        let idle = || Sample { state: Some('S'), ticks: 1, position: Position(1) };
        for ms in [300, 700, 999] {
            assert!(!verdict.is_lost(Duration::from_millis(ms), idle));
        }
        assert!(!verdict.is_lost(Duration::ZERO, idle));
        assert!(!verdict.is_lost(Duration::from_millis(350), idle));
        assert!(!verdict.is_lost(Duration::from_millis(999), idle));
    }

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat = "4242 (a ) R 1) S 1 2 3 0 -1 4194560 100 0 0 0 17 25 0 0 20 0 4 0 12345 0 0";
        let sample = Sample::read(stat, Position(9));
        assert_eq!(sample, Sample { state: Some('S'), ticks: 42, position: Position(9) });
        assert_eq!(Sample::read("", Position(0)).state, None);
        let own = std::fs::read_to_string("/proc/self/stat").expect("this very process");
        assert!(Sample::read(&own, Position(0)).state.is_some());
    }
}
