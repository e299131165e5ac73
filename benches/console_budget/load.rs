//! A city of 1,000 kitchens and 10,000 events a second, on a fast terminal and on a slow one.

use std::path::Path;
use std::time::{Duration, Instant};

use protocol::WallTime;

use super::fake_feed::{FakeFeed, Load};
use super::idle::key_to_byte;
use super::process::Counters;
use super::pty::{AT_ONCE, Pty, Reading};
use super::{CHEF, Row, SIZE, percentile, row};

const BUSY: Load = Load { kitchens: 1_000, events: 10_000, frames: 20 };
/// 8 kB/s in steps of an eighth of a second; after 64 kB two seconds in which nothing is taken.
const SLOW: Reading =
    Reading { chunk: 1_000, pause: Duration::from_millis(125), stall_every: 64, stall: Duration::from_secs(2) };
const ALARMS: usize = 100;
/// A prime number of milliseconds, so that alarms fall anywhere between two frames; rarer than what the console takes for a flood.
const BETWEEN_ALARMS: Duration = Duration::from_millis(617);
/// How long the slow terminal is watched: some stalls.
const SLOW_FOR: Duration = Duration::from_secs(45);

fn console(feed: &FakeFeed, reading: Reading) -> Pty {
    let pty = Pty::start_read(Path::new(CHEF), &["console", "--balancer", &feed.url], &[], SIZE, reading);
    pty.until_shows("mark-");
    pty
}

pub fn busy(lasting: Duration) -> Vec<Row> {
    let feed = FakeFeed::start(BUSY);
    let pty = console(&feed, AT_ONCE);
    std::thread::sleep(Duration::from_secs(5));
    let (before, bytes) = (Counters::of(pty.pid()), pty.seen().bytes.len());
    let mut ages = watch_marks(&pty, &feed, lasting);
    let after = Counters::of(pty.pid());
    let used = after.since(&before);
    let written = (pty.seen().bytes.len() - bytes) as f64 / used.seconds / 1e3;
    let mut waits = key_to_byte(&pty, true);
    let (p50, p99) = (percentile(&mut waits, 0.5), percentile(&mut waits, 0.99));
    let age = percentile(&mut ages, 0.99);
    let alarm = percentile(&mut alarms(&pty, &feed), 0.99);
    pty.type_keys("q");
    let minutes = used.seconds / 60.0;
    vec![
        row(
            "load: processor, decoding included",
            format!("{:.1} % of a core", used.cpu_percent),
            "4 %",
            Some(used.cpu_percent <= 4.0),
        ),
        row("load: bytes", format!("{written:.1} kB/s"), "10 kB/s", Some(written <= 10.0)),
        row(
            format!("load: memory after {minutes:.1} min"),
            format!("{:.1} -> {:.1} MB", before.rss_mb(), after.rss_mb()),
            "25 MB after 10 min",
            Some(after.rss_mb() <= 25.0),
        ),
        row("load: event to screen", format!("p99 {age:.0} ms of {}", ages.len()), "p99 115 ms", Some(age <= 115.0)),
        row("load: alarm to screen", format!("p99 {alarm:.0} ms of {ALARMS}"), "p99 25 ms", Some(alarm <= 25.0)),
        row(
            "load: key to first byte",
            format!("p50 {p50:.1} ms, p99 {p99:.1} ms"),
            "p50 3 ms, p99 12 ms",
            Some(p50 <= 3.0 && p99 <= 12.0),
        ),
    ]
}

/// Milliseconds from each notable event (one a second) to its line on the screen.
fn watch_marks(pty: &Pty, feed: &FakeFeed, lasting: Duration) -> Vec<f64> {
    let (began, mut ages) = (Instant::now(), Vec::new());
    let mut number = feed.marked.load(std::sync::atomic::Ordering::Acquire);
    while began.elapsed() < lasting {
        number += 1;
        let mark = format!("mark-{number:06}");
        pty.until(&mark, |seen| seen.parser.screen().contents().contains(&mark));
        let shown = WallTime::now();
        ages.push(shown.0.saturating_sub(feed.marked_at.load(std::sync::atomic::Ordering::Relaxed)) as f64);
    }
    ages
}

/// Milliseconds from each alarm to its line on the screen.
fn alarms(pty: &Pty, feed: &FakeFeed) -> Vec<f64> {
    let one = |number| {
        std::thread::sleep(BETWEEN_ALARMS);
        let (subject, began) = (format!("alarm-{number:04}"), Instant::now());
        feed.alarm();
        pty.until(&subject, |seen| seen.parser.screen().contents().contains(&subject));
        began.elapsed().as_secs_f64() * 1e3
    };
    (1..=ALARMS).map(one).collect()
}

pub fn slow_link() -> Vec<Row> {
    let feed = FakeFeed::start(BUSY);
    let pty = console(&feed, SLOW);
    let before = Counters::of(pty.pid());
    let (began, mut ages) = (Instant::now(), Vec::new());
    // The newest mark on the screen against the newest sent: how many seconds the picture is behind.
    while began.elapsed() < SLOW_FOR {
        std::thread::sleep(Duration::from_millis(100));
        let sent = feed.marked.load(std::sync::atomic::Ordering::Acquire);
        let since = WallTime::now().0.saturating_sub(feed.marked_at.load(std::sync::atomic::Ordering::Relaxed)) as f64;
        let text = pty.seen().shown.contents();
        let newest = text.split("mark-").skip(1).filter_map(|rest| rest.get(..6)?.parse::<u64>().ok()).max();
        let behind = sent.saturating_sub(newest.unwrap_or(0)) as f64;
        // Not behind: it shows the newest there is. Else the oldest it misses was sent that long ago.
        ages.push(if behind == 0.0 { 0.0 } else { (behind - 1.0) * 1e3 + since });
    }
    let after = Counters::of(pty.pid());
    let worst = ages.iter().copied().fold(0.0, f64::max);
    let (p50, p99) = (percentile(&mut ages, 0.5), percentile(&mut ages, 0.99));
    let grown = after.rss_mb() - before.rss_mb();
    vec![
        row(
            "slow link (8 kB/s, stalls of 2 s): age of screen",
            format!("p50 {:.1} s, p99 {:.1} s, worst {:.1} s", p50 / 1e3, p99 / 1e3, worst / 1e3),
            "1.5 s beside the stall's 2 s",
            Some(p99 <= 3_500.0),
        ),
        row("slow link: memory", format!("{:+.1} MB, {:.1} MB", grown, after.rss_mb()), "flat", Some(grown <= 2.0)),
    ]
}
