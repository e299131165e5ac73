//! A terminal in which nothing happens, and a person who presses a key: the console, btop and htop side by side.

use std::path::Path;
use std::time::{Duration, Instant};

use super::fake_feed::{FakeFeed, Load};
use super::process::Counters;
use super::pty::Pty;
use super::{CHEF, Row, SIZE, percentile, rivals, row};

/// How long idling is measured.
const IDLE: Duration = Duration::from_secs(20);
/// Keys that are pressed.
const KEYS: usize = 200;
/// Between two keys: a fast reader of lists; every other wait is different so that it does not fall in step with a timer.
const BETWEEN_KEYS: [u64; 4] = [37, 51, 73, 44];

pub fn measure() -> Vec<Row> {
    let feed = FakeFeed::start(Load { kitchens: 40, events: 0, frames: 0 });
    let chef = ["console", "--balancer", &feed.url];
    let mut rows = one("chef", Path::new(CHEF), &chef, "kitchen_3", true);
    rows.extend(writes_a_frame(&chef));
    for (name, path) in rivals() {
        rows.extend(one(name, &path, &[], "", false));
    }
    rows
}

fn one(name: &str, program: &Path, args: &[&str], shows: &str, ours: bool) -> Vec<Row> {
    let goal = |goal| if ours { goal } else { "" };
    let verdict = |kept: bool| ours.then_some(kept);
    let began = Instant::now();
    let pty = Pty::start(program, args, &[], SIZE);
    pty.until("a first byte", |seen| seen.first.is_some());
    let first = pty.seen().first.map_or(0.0, |at| at.duration_since(began).as_secs_f64() * 1e3);
    pty.until_shows(shows);
    // What a program does when it begins is not idling; our sparks fill for a minute.
    std::thread::sleep(Duration::from_secs(if ours { 66 } else { 3 }));
    let (before, bytes) = (Counters::of(pty.pid()), pty.seen().bytes.len());
    std::thread::sleep(IDLE);
    let after = Counters::of(pty.pid());
    let used = after.since(&before);
    let written = (pty.seen().bytes.len() - bytes) as f64 / used.seconds;
    let mut waits = key_to_byte(&pty, ours);
    let (p50, p99) = (percentile(&mut waits, 0.5), percentile(&mut waits, 0.99));
    pty.type_keys("q");
    vec![
        row(
            format!("{name}: first byte after the start"),
            format!("{first:.1} ms"),
            goal("30 ms"),
            verdict(first <= 30.0),
        ),
        row(format!("{name}: idle, bytes"), format!("{written:.0} B/s"), goal("0 B/s"), verdict(written == 0.0)),
        row(
            format!("{name}: idle, processor"),
            format!("{:.2} %", used.cpu_percent),
            goal("0.1 %"),
            verdict(used.cpu_percent <= 0.1),
        ),
        row(
            format!("{name}: idle, wake-ups"),
            format!("{:.1} /s", used.wakeups_per_s),
            goal("2 /s"),
            verdict(used.wakeups_per_s <= 2.0),
        ),
        row(
            format!("{name}: key to first byte"),
            format!("p50 {p50:.1} ms, p99 {p99:.1} ms"),
            goal("p50 3 ms, p99 12 ms"),
            verdict(p50 <= 3.0 && p99 <= 12.0),
        ),
        row(format!("{name}: memory"), format!("{:.1} MB", after.rss_mb()), "", None),
    ]
}

/// Milliseconds from each key to the next byte that comes out. Keys that change something: down and up.
pub fn key_to_byte(pty: &Pty, ours: bool) -> Vec<f64> {
    let keys = if ours { ["j", "k"] } else { ["\x1b[B", "\x1b[A"] };
    let mut waits = Vec::new();
    for at in 0..KEYS {
        std::thread::sleep(Duration::from_millis(BETWEEN_KEYS[at % BETWEEN_KEYS.len()]));
        let reads = pty.seen().reads;
        let began = Instant::now();
        pty.type_keys(keys[at % 2]);
        pty.until("an answer to a key", |seen| seen.reads > reads);
        waits.push(began.elapsed().as_secs_f64() * 1e3);
    }
    waits
}

/// Frames and writes to the terminal, as strace counts them.
fn writes_a_frame(args: &[&str]) -> Option<Row> {
    let log = std::env::temp_dir().join(format!("chef-strace-{}", std::process::id()));
    let log_text = log.to_string_lossy().into_owned();
    let mut traced = vec!["-f", "-s", "16", "-e", "trace=write,writev", "-o", &log_text, CHEF];
    traced.extend(args);
    let strace = Path::new("/usr/bin/strace");
    if !strace.exists() {
        println!("skipped: no strace");
        return None;
    }
    let mut pty = Pty::start(strace, &traced, &[], SIZE);
    pty.until_shows("kitchen_3");
    for key in ["j", "2", "1", "k", "5"] {
        let reads = pty.seen().reads;
        pty.type_keys(key);
        pty.until("a frame", |seen| seen.reads > reads);
    }
    pty.type_keys("q");
    pty.until_ended();
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    // Everything else the console writes is to sockets, eventfds and a pipe, none of which begins with an escape.
    let writes = text.lines().filter(|line| line.contains("write") && line.contains("\"\\33[")).count();
    let frames = text.lines().filter(|line| line.contains("\"\\33[?2026h")).count();
    // Taking the terminal and giving it back are a write each.
    let extra = writes.saturating_sub(frames);
    let seen = pty.seen();
    let count = |needle: &[u8]| seen.bytes.windows(needle.len()).filter(|window| *window == needle).count();
    let (opened, closed) = (count(b"\x1b[?2026h"), count(b"\x1b[?2026l"));
    let kept = opened == frames && closed == frames + 1 && extra <= 2;
    let found = format!("{frames} frames in {frames} writes, {extra} besides");
    Some(row("chef: writes a frame", found, "1, ?2026 balanced", Some(kept)))
}
