//! Short histories: one sample a second for five minutes, and six-second steps for a kitchen's load.
//!
//! Owns the time axis. A sample that is not known (no link) is absent, never zero. Each push says whether the picture
//! moved, so that a flat line costs no frame.
//!
//! - A column of a chart is a bucket of whole seconds that begins at a multiple of its width, so a finished column never
//!   changes: only the newest one moves, and all shift left when it ends.

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
    /// Orders refused at the door.
    #[serde(default)]
    pub refused: u32,
    /// Whether another leader's word was heard first in it.
    #[serde(default)]
    pub new_leader: bool,
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
        quiet && !self.new_leader && self.moves + self.recovered + self.lost + self.hot == 0
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
    /// Rows that waited are shown now.
    pub rows: bool,
}

impl std::ops::BitOrAssign for Moved {
    fn bitor_assign(&mut self, other: Self) {
        self.rate |= other.rate;
        self.pairs |= other.pairs;
        self.sparks |= other.sparks;
        self.timeline |= other.timeline;
        self.rows |= other.rows;
    }
}

/// The last five minutes, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Series {
    seconds: VecDeque<Second>,
    /// Seconds in which orders were accepted, and seconds with any mark.
    busy: usize,
    marked: usize,
    /// Seconds ever added: the number of the next one.
    #[serde(default)]
    ended: u64,
}

/// Seconds that stand in one column of a chart.
#[derive(Debug, Clone)]
pub struct Bucket<'a> {
    /// Oldest first; absent ones were not seen.
    pub seconds: Vec<Option<&'a Second>>,
    /// How many seconds it has when it is over.
    pub width: usize,
}

impl Bucket<'_> {
    /// Orders a second: the mean of what is known.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let known: Vec<f64> = self.accepted().collect();
        #[expect(clippy::cast_precision_loss, reason = "at most 300 samples")]
        let count = known.len() as f64;
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / count)
    }

    /// As [`Bucket::rate`], as if nothing came in what is left of it: it only grows while the bucket runs, so that an axis
    /// made of it does not flap.
    #[must_use]
    pub fn sure_rate(&self) -> f64 {
        let (known, sum) = self.accepted().fold((0, 0.0), |(known, sum), one| (known + 1, sum + one));
        #[expect(clippy::cast_precision_loss, reason = "at most 300 samples")]
        let [seconds, known, width] = [self.seconds.len(), known.max(1), self.width.max(1)].map(|count| count as f64);
        sum * (seconds / known) / width
    }

    fn accepted(&self) -> impl Iterator<Item = f64> + '_ {
        self.seconds.iter().flatten().filter_map(|second| second.accepted).map(f64::from)
    }

    /// Whether anything is known of it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.seconds.iter().flatten().any(|second| second.known)
    }
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
        self.ended = self.ended.max(self.seconds.len() as u64) + 1;
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

    /// The last five minutes in at most `columns` buckets, oldest first.
    #[must_use]
    pub fn buckets(&self, columns: usize) -> Vec<Bucket<'_>> {
        if columns == 0 {
            return Vec::new();
        }
        let width = SECONDS.div_ceil(columns);
        let ended = self.ended.max(self.seconds.len() as u64);
        // How much of the newest bucket has gone by: all of it when it is just over.
        let running = match usize::try_from(ended % width as u64).unwrap_or(0) {
            0 => width,
            some => some,
        };
        let count = SECONDS / width;
        let all: Vec<Option<&Second>> = self.last((count - 1) * width + running).collect();
        let (older, newest) = all.split_at((count - 1) * width);
        older.chunks(width).chain([newest]).map(|seconds| Bucket { seconds: seconds.to_vec(), width }).collect()
    }

    /// Orders refused a second, over those of the last ten seconds that are known.
    #[must_use]
    pub fn refused_per_s(&self) -> f64 {
        let known: Vec<f64> =
            self.seconds.iter().rev().take(10).filter(|s| s.known).map(|s| f64::from(s.refused)).collect();
        #[expect(clippy::cast_precision_loss, reason = "at most ten samples")]
        let count = known.len().max(1) as f64;
        known.iter().sum::<f64>() / count
    }

    /// How many seconds back the oldest known one is.
    #[must_use]
    pub fn known_for(&self) -> usize {
        self.seconds.iter().position(|second| second.known).map_or(0, |at| self.seconds.len() - at)
    }
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

    fn rates(series: &Series, columns: usize) -> Vec<Option<f64>> {
        series.buckets(columns).iter().map(Bucket::rate).collect()
    }

    #[test]
    fn the_rate_is_the_mean_of_what_is_known() {
        let mut series = Series::default();
        for _ in 0..9 {
            series.push(Second { accepted: Some(8), ..Second::default() });
        }
        series.push(Second { accepted: None, ..Second::default() });
        let rate = rates(&series, 30);
        assert_eq!(rate.len(), 30);
        assert_eq!((rate[29], rate[28], rate[0]), (Some(8.0), None, None));
        assert_eq!(rates(&series, 1), vec![Some(8.0)]);
        assert!(rates(&series, 0).is_empty());
    }

    #[test]
    fn a_finished_column_never_changes_and_the_top_only_grows_while_one_runs() {
        for columns in [8, 12, 31, 60, 150, 300] {
            let mut series = Series::default();
            let (mut before, mut top): (Vec<Option<f64>>, f64) = (Vec::new(), 0.0);
            for n in 0..700_u32 {
                series.push(Second { known: true, accepted: Some(n * 7_919 % 83), ..Second::default() });
                let now = rates(&series, columns);
                let last = now.len() - 1;
                let width = SECONDS.div_ceil(columns) as u32;
                let newest = series.buckets(columns)[last].sure_rate();
                if n % width == 0 {
                    assert!(before.is_empty() || now[..last] == before[1..], "{columns} columns, second {n}");
                } else {
                    assert_eq!(now[..last], before[..last], "{columns} columns, second {n}");
                    assert!(newest >= top, "{columns} columns, second {n}");
                }
                (before, top) = (now, newest);
            }
        }
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
