//! What the kernel counts for a process: processor time, wake-ups, memory.

use std::time::Instant;

/// Clock ticks a second, as `/proc` counts; it is 100 on every Linux we run on.
const TICKS: f64 = 100.0;

/// Counters at a moment.
#[derive(Clone, Copy)]
pub struct Counters {
    at: Instant,
    ticks: u64,
    wakeups: u64,
    pub rss_kb: u64,
}

/// Between two moments.
pub struct Used {
    pub seconds: f64,
    /// Of one core.
    pub cpu_percent: f64,
    pub wakeups_per_s: f64,
}

impl Counters {
    pub fn of(pid: u32) -> Self {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let wakeups = tasks.filter_map(|task| status(&task.path().join("status"), "voluntary_ctxt_switches:")).sum();
        let rss_kb = status(format!("/proc/{pid}/status").as_ref(), "VmRSS:").unwrap_or(0);
        Self { at: Instant::now(), ticks, wakeups, rss_kb }
    }

    pub fn since(&self, before: &Self) -> Used {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        let cpu_percent = self.ticks.saturating_sub(before.ticks) as f64 / TICKS / seconds * 100.0;
        Used { seconds, cpu_percent, wakeups_per_s: self.wakeups.saturating_sub(before.wakeups) as f64 / seconds }
    }

    pub fn rss_mb(&self) -> f64 {
        self.rss_kb as f64 / 1_024.0
    }
}

fn status(path: &std::path::Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}
