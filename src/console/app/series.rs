//! Short histories: one sample a second for five minutes, and six-second steps for a kitchen's load.
//!
//! Owns the time axis. A sample that is not known (no link) is absent, never zero. Each push says whether the picture
//! moved, so that a flat line costs no frame.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How many seconds are kept.
pub const SECONDS: usize = 300;
/// Steps of a kitchen's spark.
pub const STEPS: usize = 10;
/// Seconds of one step.
pub const STEP_S: u64 = 6;

/// What happened in one second.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Second {
    /// Whether the link was up.
    pub known: bool,
    /// Orders accepted; absent when it cannot be told.
    pub accepted: Option<u32>,
    /// Migrations done.
    pub moves: u32,
    /// Orders leased again after a loss.
    pub recovered: u32,
    /// Kitchens lost.
    pub lost: u32,
    /// Kitchens hot at its end.
    pub hot: u32,
    /// p99 at its end.
    pub p99_ms: Option<u64>,
    /// Whether a rush ran at its end.
    pub rush: bool,
}

impl Second {
    /// Whether orders were accepted.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.accepted.unwrap_or(0) > 0
    }

    /// Whether it leaves no mark on any chart.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let quiet = !self.is_busy() && self.p99_ms.is_none() && !self.rush;
        quiet && self.moves + self.recovered + self.lost + self.hot == 0
    }
}

/// Which pictures a second moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// What every screen shows: orders a second.
    pub rate: bool,
    /// What both screens show: moves by pair.
    pub pairs: bool,
    /// What Fleet shows where it is wide: the kitchens' sparks.
    pub sparks: bool,
    /// What Flow shows: the timeline.
    pub timeline: bool,
}

impl std::ops::BitOrAssign for Moved {
    fn bitor_assign(&mut self, other: Self) {
        self.rate |= other.rate;
        self.pairs |= other.pairs;
        self.sparks |= other.sparks;
        self.timeline |= other.timeline;
    }
}

/// The last five minutes, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Series {
    seconds: VecDeque<Second>,
    /// Seconds in which orders were accepted, and seconds with any mark.
    busy: usize,
    marked: usize,
}

impl Series {
    /// Adds a second; says which charts look different.
    pub fn push(&mut self, second: Second) -> Moved {
        let moved = Moved {
            rate: self.busy > 0 || second.is_busy(),
            timeline: self.marked > 0 || !second.is_blank(),
            ..Moved::default()
        };
        if self.seconds.len() == SECONDS
            && let Some(old) = self.seconds.pop_front()
        {
            self.busy -= usize::from(old.is_busy());
            self.marked -= usize::from(!old.is_blank());
        }
        self.busy += usize::from(second.is_busy());
        self.marked += usize::from(!second.is_blank());
        self.seconds.push_back(second);
        moved
    }

    /// Whether the counts are those of the seconds: out of a file they may be anything.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let busy = self.seconds.iter().filter(|second| second.is_busy()).count();
        let marked = self.seconds.iter().filter(|second| !second.is_blank()).count();
        self.seconds.len() <= SECONDS && (self.busy, self.marked) == (busy, marked)
    }

    /// Which charts time alone changes.
    #[must_use]
    pub fn moves(&self) -> Moved {
        Moved { rate: self.busy > 0, timeline: self.marked > 0, ..Moved::default() }
    }

    /// The last `count` seconds, oldest first, with absent ones where nothing was seen yet.
    pub fn last(&self, count: usize) -> impl Iterator<Item = Option<&Second>> + Clone {
        let missing = count.saturating_sub(self.seconds.len());
        let skip = self.seconds.len().saturating_sub(count);
        std::iter::repeat_n(None, missing).chain(self.seconds.iter().skip(skip).map(Some))
    }

    /// Orders a second in `columns` equal steps of the last five minutes: the mean of what is known.
    #[must_use]
    pub fn rate(&self, columns: usize) -> Vec<Option<f64>> {
        let all: Vec<Option<f64>> =
            self.last(SECONDS).map(|second| second.and_then(|second| second.accepted).map(f64::from)).collect();
        (0..columns).map(|column| mean(&all[seconds_of(column, columns)])).collect()
    }

    /// Seconds in `columns` equal steps of the last five minutes, absent ones where nothing was seen.
    pub fn steps(&self, columns: usize) -> impl Iterator<Item = Vec<Option<&Second>>> {
        let all: Vec<Option<&Second>> = self.last(SECONDS).collect();
        (0..columns).map(move |column| all[seconds_of(column, columns)].to_vec())
    }
}

/// Which of the last five minutes' seconds a column shows: at least one.
fn seconds_of(column: usize, columns: usize) -> std::ops::Range<usize> {
    let from = column * SECONDS / columns;
    from..((column + 1) * SECONDS / columns).max(from + 1).min(SECONDS)
}

fn mean(samples: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = samples.iter().flatten().copied().collect();
    #[expect(clippy::cast_precision_loss, reason = "at most 300 samples")]
    let count = known.len() as f64;
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / count)
}

/// A kitchen's load in steps of six seconds, in 255ths; 0 also before it was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadSpark {
    steps: [u8; STEPS],
}

impl LoadSpark {
    /// The highest of the running step.
    pub fn note(&mut self, load: f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
        let level = (load.clamp(0.0, 1.0) * 255.0).round() as u8;
        self.steps[STEPS - 1] = self.steps[STEPS - 1].max(level);
    }

    /// Begins a step; says whether the picture moved.
    pub fn step(&mut self, load: f64) -> bool {
        let before = *self;
        self.steps.rotate_left(1);
        self.steps[STEPS - 1] = 0;
        self.note(load);
        *self != before
    }

    /// Oldest first, 0 to 1.
    pub fn steps(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        self.steps.iter().map(|level| Some(f64::from(*level) / 255.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_line_moves_nothing() {
        let mut series = Series::default();
        assert_eq!(series.push(Second { known: true, accepted: Some(0), ..Second::default() }), Moved::default());
        assert!(series.push(Second { known: true, accepted: Some(3), ..Second::default() }).rate);
        for _ in 0..SECONDS {
            series.push(Second { known: true, accepted: Some(0), ..Second::default() });
        }
        assert_eq!(series.moves(), Moved::default());
        assert_eq!(series.push(Second::default()), Moved::default());
        assert!(!series.push(Second { hot: 1, ..Second::default() }).rate, "the rate is as flat as before");
    }

    #[test]
    fn the_rate_is_the_mean_of_what_is_known() {
        let mut series = Series::default();
        for _ in 0..10 {
            series.push(Second { accepted: Some(8), ..Second::default() });
        }
        series.push(Second { accepted: None, ..Second::default() });
        let rate = series.rate(30);
        assert_eq!(rate.len(), 30);
        assert_eq!(rate[29], Some(8.0));
        assert_eq!(rate[0], None);
        assert_eq!(series.rate(1), vec![Some(8.0)]);
        assert!(series.rate(0).is_empty());
    }

    #[test]
    fn the_load_spark_shows_a_minute() {
        let mut spark = LoadSpark::default();
        spark.note(0.5);
        assert!(spark.step(0.0));
        assert!((0..9).all(|_| spark.step(0.0)));
        assert!(!spark.step(0.0));
    }
}
