//! What the live feed costs the thread that decides, and how many bytes a frame has.
//!
//! ```text
//! cargo bench -p balancer --bench feed
//! ```
//!
//! Medians of a hundred ticks of 50 ms in virtual time, so a stolen time slice spoils a tick and not the figure. Every claim is
//! a comparison within one run: more events make no larger frame than all rows, more readers make no second text, and the
//! readers who come together share one snapshot.

use std::time::Duration;

use balancer::probe::{Cost, Probe};

const TICKS: usize = 101;
const TICKS_A_SECOND: usize = 20;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    println!("a tick, by events (10 readers)");
    head(&["kitchens", "events/s"]);
    let (mut town, mut country) = (busy(1_000), busy(10_000));
    for rate in [0, 1_000, 10_000, 100_000] {
        line(&[1_000, rate], &ticks(&mut town, rate, 10));
    }
    for rate in [0, 10_000, 100_000] {
        line(&[10_000, rate], &ticks(&mut country, rate, 10));
    }
    println!("\na tick, by readers (1,000 kitchens, 10,000 events/s)");
    head(&["readers"]);
    for readers in [1, 10, 100, 1_000] {
        line(&[readers as u64], &ticks(&mut town, 10_000, readers));
    }
    println!("\nreaders who come in one tick: on the thread that decides, and the text of their snapshot elsewhere");
    println!(
        "{:>9} {:>9} {:>11} {:>14} {:>9} {:>9}",
        "kitchens", "readers", "here, us", "elsewhere, us", "texts", "kB"
    );
    for (kitchens, probe) in [(1_000, &mut town), (10_000, &mut country)] {
        for readers in [1, 100, 1_000] {
            arrivals(kitchens, probe, readers);
        }
    }
}

/// A fleet in which every kitchen has its orders in hand, so that the frames are of the usual size.
fn busy(kitchens: u32) -> Probe {
    let mut probe = Probe::new(kitchens);
    probe.run(TICKS_A_SECOND, kitchens as usize);
    probe
}

fn ticks(probe: &mut Probe, rate: u64, readers: usize) -> Cost {
    let events = usize::try_from(rate).unwrap_or(usize::MAX) / TICKS_A_SECOND;
    probe.leave();
    probe.join(readers);
    let mut costs: Vec<Cost> = (0..TICKS_A_SECOND + TICKS).map(|_| probe.tick_and_read(events)).collect();
    costs.drain(..TICKS_A_SECOND); // everybody has a snapshot from here on
    assert!(costs.iter().all(|cost| cost.encodes <= 1), "one text a tick, however many read it");
    median(&costs)
}

fn arrivals(kitchens: u32, probe: &mut Probe, readers: usize) {
    let costs = (0..11).map(|_| {
        probe.leave();
        probe.join(readers);
        probe.tick_and_read(kitchens as usize / 10)
    });
    let costs: Vec<Cost> = costs.collect();
    assert!(costs.iter().all(|cost| cost.encodes == 1), "one snapshot for all who come together");
    let cost = median(&costs);
    println!(
        "{kitchens:>9} {readers:>9} {:>11} {:>14} {:>9} {:>9}",
        cost.total().as_micros(),
        cost.elsewhere.as_micros(),
        cost.encodes,
        cost.bytes / 1_000
    );
}

/// Each part's median.
fn median(costs: &[Cost]) -> Cost {
    let middle = |part: fn(&Cost) -> u64| {
        let mut values: Vec<u64> = costs.iter().map(part).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let time = |part: fn(&Cost) -> u64| Duration::from_nanos(middle(part));
    Cost {
        observe: time(|cost| cost.observe.as_nanos() as u64),
        build: time(|cost| cost.build.as_nanos() as u64),
        send: time(|cost| cost.send.as_nanos() as u64),
        elsewhere: time(|cost| cost.elsewhere.as_nanos() as u64),
        encodes: middle(|cost| cost.encodes),
        bytes: middle(|cost| cost.bytes),
    }
}

fn head(keys: &[&str]) {
    let keys: String = keys.iter().map(|key| format!("{key:>9} ")).collect();
    println!(
        "{keys}{:>11} {:>9} {:>9} {:>9} {:>8} {:>7} {:>9}",
        "observe, us", "build, us", "send, us", "all, us", "% core", "texts", "bytes"
    );
}

fn line(keys: &[u64], cost: &Cost) {
    let keys: String = keys.iter().map(|key| format!("{key:>9} ")).collect();
    let share = cost.total().as_secs_f64() * TICKS_A_SECOND as f64 * 100.0;
    let us = |time: Duration| time.as_micros();
    println!(
        "{keys}{:>11} {:>9} {:>9} {:>9} {share:>8.2} {:>7} {:>9}",
        us(cost.observe),
        us(cost.build),
        us(cost.send),
        us(cost.total()),
        cost.encodes,
        cost.bytes
    );
}
