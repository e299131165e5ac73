//! The console's budgets, measured on the real binary in a pseudo terminal of 120x36, beside btop, htop and bottom in the same run.
//!
//! ```text
//! cargo bench --bench console_budget                   1 minute of load
//! cargo bench --bench console_budget -- --minutes 10   the full run
//! cargo bench --bench console_budget -- --only load    one part: idle, load, slow, tape
//! ```
//! Owns the figures and their goals. The load is a feed made up on loopback ([`fake_feed`]): what is measured is the console,
//! never a balancer. A rival that is not installed is left out, and said.

#[path = "../tests/fake_feed/mod.rs"]
mod fake_feed;
#[path = "console_budget/idle.rs"]
mod idle;
#[path = "console_budget/load.rs"]
mod load;
#[path = "console_budget/process.rs"]
mod process;
#[path = "../tests/pty/mod.rs"]
mod pty;
#[path = "console_budget/tape.rs"]
mod tape;

use std::path::PathBuf;
use std::time::Duration;

/// The size everything is measured at.
const SIZE: (u16, u16) = (120, 36);
const CHEF: &str = env!("CARGO_BIN_EXE_chef");

/// A figure, its goal, and whether it was kept; without a goal it is for comparison.
struct Row {
    what: String,
    found: String,
    goal: &'static str,
    kept: Option<bool>,
}

fn row(what: impl Into<String>, found: impl Into<String>, goal: &'static str, kept: Option<bool>) -> Row {
    Row { what: what.into(), found: found.into(), goal, kept }
}

fn main() {
    let (minutes, only) = arguments();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let mut rows = Vec::new();
    if wanted("idle") {
        rows.extend(idle::measure());
    }
    if wanted("load") {
        rows.extend(load::busy(Duration::from_secs_f64(minutes * 60.0)));
    }
    if wanted("slow") {
        rows.extend(load::slow_link());
    }
    if wanted("tape") {
        rows.extend(tape::measure());
    }
    print(&rows);
}

/// `--minutes N` and `--only PART`; what cargo adds (`--bench`) is passed over.
fn arguments() -> (f64, Option<String>) {
    let (mut minutes, mut only) = (1.0, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--minutes" => minutes = words.next().and_then(|number| number.parse().ok()).unwrap_or(minutes),
            "--only" => only = words.next(),
            _ => {}
        }
    }
    (minutes, only)
}

fn print(rows: &[Row]) {
    println!("\n{:<46} {:>34}  {:<30} ", "what", "found", "goal");
    for Row { what, found, goal, kept } in rows {
        let verdict = match kept {
            Some(true) => "kept",
            Some(false) => "MISSED",
            None => "",
        };
        println!("{what:<46} {found:>34}  {goal:<30} {verdict}");
    }
}

/// The programs that are compared: name, where, arguments.
fn rivals() -> Vec<(&'static str, PathBuf)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |name: &'static str| {
        let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
        if found.is_none() {
            println!("skipped: no {name}");
        }
        found.map(|file| (name, file))
    };
    ["btop", "htop", "btm"].into_iter().filter_map(find).collect()
}

/// The value below which `share` of the values are.
fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share).ceil() as usize;
    values.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
