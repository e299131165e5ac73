//! What the processes of a city take: memory, open files and threads, looked at from outside; and whether it keeps growing.
//!
//! ```text
//! start ── minute 1 ── 2 ── 3 (the base) ── ... ── end, after a calm
//! ```
//! Processes die and roles change during a run, so kinds are compared, the largest of each: `balancer`, `kitchen` and
//! `up`. The rule: at the end at most 1.5 times the memory of the base and 20 MB, and at most so many more open files and
//! threads than at the start. A run that is shorter than four minutes has its first minute as base. A process that is
//! killed takes its growth with it, so there is a bound for every moment, too.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::world::World;

/// What memory may grow by between base and end, in percent: caches fill, and their bounds are reached later.
const MEMORY_PERCENT: u64 = 150;
/// Beyond that, in KiB: an allocator keeps what a rush needed.
const MEMORY_SLACK_KIB: u64 = 20 * 1024;
/// What no process may take at any moment, in KiB: ten times what a city of this size needs, and far below what its guests
/// ask for.
const MEMORY_PEAK_KIB: u64 = 512 * 1024;
/// Open files that a process may have more than at the start: links, pooled connections and database files come and go.
const FILES_SLACK: u64 = 64;
/// Threads that it may have more: a pool for blocking work is filled when it is first needed.
const THREADS_SLACK: u64 = 32;
/// The base of a run that is long enough.
const BASE_MINUTE: usize = 3;

/// Of one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory.
    pub kib: u64,
    /// Descriptors.
    pub files: u64,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// Of this process; none if it is gone.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches("kB").trim().parse().ok()
        };
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        Some(Self { kib: field("VmRSS:")?, files, threads: field("Threads:")? })
    }

    fn max(self, other: Self) -> Self {
        Self {
            kib: self.kib.max(other.kib),
            files: self.files.max(other.files),
            threads: self.threads.max(other.threads),
        }
    }
}

/// A kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Balancer,
    Kitchen,
    Up,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Balancer => "balancers",
            Self::Kitchen => "kitchens",
            Self::Up => "chef up",
        }
    }
}

/// One look at all processes.
#[derive(Debug, Clone, Default)]
struct Look {
    at: String,
    by_id: BTreeMap<(Kind, String), Usage>,
}

impl Look {
    fn largest(&self, kind: Kind) -> Option<Usage> {
        let of_kind = self.by_id.iter().filter(|((of, _), _)| *of == kind);
        of_kind.map(|(_, usage)| *usage).reduce(Usage::max)
    }
}

/// All looks of a run.
#[derive(Debug, Default)]
pub struct Watch {
    looks: Vec<Look>,
    /// The most of each process, of all looks.
    peak: BTreeMap<(Kind, String), Usage>,
}

impl Watch {
    /// Looks at every process that runs now; `at` is the column's head: `start`, `1`, `2`, ..., `end`.
    pub fn look(&mut self, world: &World, at: &str) {
        let by_id = Self::all(world);
        self.raise(&by_id);
        self.looks.push(Look { at: at.into(), by_id });
    }

    /// Looks without a column: for the peak alone.
    pub fn glance(&mut self, world: &World) {
        self.raise(&Self::all(world));
    }

    fn raise(&mut self, by_id: &BTreeMap<(Kind, String), Usage>) {
        for (id, usage) in by_id {
            let peak = self.peak.entry(id.clone()).or_default();
            *peak = peak.max(*usage);
        }
    }

    fn all(world: &World) -> BTreeMap<(Kind, String), Usage> {
        let record = world.city.record();
        let balancers = record.balancers.into_iter().map(|one| (Kind::Balancer, one.id, one.pid));
        let inner = record.kitchens.into_iter().map(|one| (Kind::Kitchen, one.id, one.pid));
        let outer = world.outers.iter().filter_map(|outer| {
            let process = outer.process().ok()?;
            Some((Kind::Kitchen, outer.id.clone(), process.pid))
        });
        let up = [(Kind::Up, "up".to_owned(), world.city.up_pid)];
        let all = balancers.chain(inner).chain(outer).chain(up);
        all.filter_map(|(kind, id, pid)| Some(((kind, id), Usage::of(pid)?))).collect()
    }

    /// A line for each process: MB, open files and threads of each look.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{:<15}", "MB/files/thr");
        let heads = self.looks.iter().map(|look| look.at.as_str()).chain(["peak"]);
        heads.for_each(|head| _ = write!(text, " {head:>11}"));
        for (id, peak) in &self.peak {
            let _ = write!(text, "\n{:<15}", id.1);
            let cells = self.looks.iter().map(|look| look.by_id.get(id)).chain([Some(peak)]);
            for usage in cells {
                let cell = usage.map(|usage| format!("{}/{}/{}", usage.kib / 1024, usage.files, usage.threads));
                let _ = write!(text, " {:>11}", cell.as_deref().unwrap_or("-"));
            }
        }
        text
    }

    /// What kept growing.
    #[must_use]
    pub fn grown(&self) -> Vec<String> {
        let high = self.peak.iter().filter(|(_, peak)| peak.kib > MEMORY_PEAK_KIB);
        let high = high.map(|((_, id), peak)| format!("{id}: {} KiB of memory, at most {MEMORY_PEAK_KIB}", peak.kib));
        let kinds = [Kind::Balancer, Kind::Kitchen, Kind::Up].into_iter();
        high.chain(kinds.flat_map(|kind| self.grown_of(kind))).collect()
    }

    fn grown_of(&self, kind: Kind) -> Vec<String> {
        let base = if self.looks.len() > BASE_MINUTE + 2 { BASE_MINUTE } else { 1 };
        let largest = |index: usize| self.looks.get(index).and_then(|look| look.largest(kind));
        let end = self.looks.last().and_then(|look| look.largest(kind));
        let Some(((start, base), end)) = largest(0).zip(largest(base)).zip(end) else {
            return vec![format!("{} were not seen at the start or at the end", kind.word())];
        };
        let word = kind.word();
        let limits = [
            ("KiB of memory", end.kib, base.kib * MEMORY_PERCENT / 100 + MEMORY_SLACK_KIB),
            ("open files", end.files, start.files + FILES_SLACK),
            ("threads", end.threads, start.threads + THREADS_SLACK),
        ];
        let above = limits.into_iter().filter(|(_, end, limit)| end > limit);
        above.map(|(what, end, limit)| format!("{word}: {end} {what} at the end, at most {limit}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(balancer: &[(u64, u64, u64)]) -> Watch {
        let usage = |(mb, files, threads)| Usage { kib: mb * 1024, files, threads };
        let others = [(Kind::Kitchen, "k1"), (Kind::Up, "up")];
        let look = |balancer| {
            let others = others.map(|(kind, id)| ((kind, id.to_owned()), usage((10, 10, 3))));
            let all = [((Kind::Balancer, "b1".to_owned()), usage(balancer))].into_iter().chain(others);
            Look { at: String::new(), by_id: all.collect() }
        };
        let mut watch = Watch { looks: balancer.iter().copied().map(look).collect(), ..Watch::default() };
        watch.looks.clone().iter().for_each(|look| watch.raise(&look.by_id));
        watch
    }

    #[test]
    fn this_process_has_memory_files_and_a_thread() {
        let usage = Usage::of(std::process::id()).expect("it runs");
        assert!(usage.kib > 0 && usage.files > 2 && usage.threads > 0, "{usage:?}");
        assert_eq!(Usage::of(u32::MAX), None);
    }

    #[test]
    fn growth_is_measured_from_the_third_minute_and_files_from_the_start() {
        let steady = [(20, 30, 4), (60, 40, 6), (90, 40, 6), (100, 40, 6), (150, 40, 6), (170, 90, 20)];
        assert_eq!(watch(&steady).grown(), Vec::<String>::new());
        let mut leaking = steady;
        leaking[5] = (171, 95, 37);
        let grown = watch(&leaking).grown();
        assert_eq!(grown.len(), 3, "{grown:?}");
        assert!(grown[0].contains("balancers: 175104 KiB of memory at the end, at most 174080"), "{grown:?}");
    }

    #[test]
    fn a_peak_is_found_though_it_is_over_at_the_end() {
        let grown = watch(&[(20, 30, 4), (513, 30, 4), (60, 30, 4)]).grown();
        assert_eq!(grown, ["b1: 525312 KiB of memory, at most 524288"]);
    }

    #[test]
    fn a_short_run_is_measured_from_its_first_minute() {
        assert_eq!(watch(&[(20, 30, 4), (60, 30, 4), (110, 30, 4)]).grown(), Vec::<String>::new());
        assert_eq!(watch(&[(20, 30, 4), (60, 30, 4), (111, 30, 4)]).grown().len(), 1);
        assert_eq!(Watch::default().grown().len(), 3);
    }
}
