//! What a frame of the console costs: time to draw and bytes to write, at three sizes, for 1,000 and 10,000 kitchens.
//!
//! `cargo bench -p chef --bench console_frame`. Each frame changes 50 kitchens and the counts, as a busy feed does, and
//! lets 100 ms pass. Prints a table and asserts nothing; the budgets are in the design.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use chef::console::app::{App, Input, Setup};
use chef::console::color::Depth;
use chef::console::event_loop::Console;
use chef::console::link::Signal;
use chef::console::theme::Theme;
use protocol::api::{Health, Proof, Schedulable};
use protocol::city::Zone;
use protocol::feed::{Frame, KitchenInfo, KitchenRow, Snapshot};
use protocol::{Epoch, Position, WallTime};
use ratatui::layout::Size;

const FRAMES: u64 = 400;

/// Counts writes; keeps nothing.
#[derive(Default)]
struct Sink {
    writes: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn row(no: u32, held: u32) -> KitchenRow {
    let (cooking, queued) = (held.min(10), held.saturating_sub(10));
    let (health, schedulable) = (Health::Alive, Schedulable::Open);
    KitchenRow { no, health, schedulable, queued, cooking, in_the_oven: 1, completed: 7, avg_ms: 3_200, silent_ms: 0 }
}

fn frame(position: u64, rows: Vec<KitchenRow>) -> Frame {
    Frame {
        snapshot: None,
        epoch: Epoch(1),
        position: Position(position),
        age_ms: 1,
        at: WallTime(1_788_000_000_000 + position * 100),
        proof: Some(Proof {
            accepted: position * 1_000,
            completed: position * 999,
            open: position,
            ..Proof::default()
        }),
        flow: None,
        registered: Vec::new(),
        kitchens: rows,
        remarks: Vec::new(),
        events: Vec::new(),
        collapsed: BTreeMap::from([("accepted".to_owned(), 1_000), ("completed".to_owned(), 999)]),
        dropped: 0,
        moves: Vec::new(),
        alerts: None,
        balancers: None,
    }
}

fn first(kitchens: u32) -> Frame {
    let zones: Vec<Zone> = (0..8).map(|zone| Zone { name: format!("zone-{zone}"), x_km: 0.0, y_km: 0.0 }).collect();
    let registered = (0..kitchens).filter_map(|no| {
        let id = format!("k{no:05}").parse().ok()?;
        let zone = zones[no as usize % 8].name.clone();
        Some(KitchenInfo {
            no,
            id,
            name: format!("Kitchen {no}"),
            zone,
            capacity: 20,
            stations: 10,
            specialties: Vec::new(),
        })
    });
    let registered = registered.collect();
    let (city, leader) = ("bench".to_owned(), "b1".to_owned());
    let snapshot = Snapshot { city, zones, dishes: Vec::new(), leader, overload_threshold: 0.9 };
    let rows = (0..kitchens).map(|no| row(no, no * 7 % 21)).collect();
    Frame { snapshot: Some(Box::new(snapshot)), registered, ..frame(1, rows) }
}

fn measure(kitchens: u32, size: (u16, u16)) -> io::Result<(Duration, Duration, Duration, u64, u64)> {
    let setup = Setup {
        read_only: false,
        symbols: chef::console::symbols::Symbols::Unicode,
        keys: chef::console::keymap::Keymap::default(),
        depth: Depth::Rgb,
        banner: None,
    };
    let app = App::new(setup, Theme::fallback(Depth::Rgb, false), size);
    let mut console = Console::new(app, Sink::default(), Some(Size { width: size.0, height: size.1 }), 10)?;
    console.take(Input::Signal(Signal::Frame(Box::new(first(kitchens)))), Duration::ZERO);
    console.draw_if_due(Duration::ZERO)?;
    let before = console.terminal.backend().written();
    let (mut drawn, mut folded) = (Vec::new(), Vec::new());
    for n in 1..=FRAMES {
        let now = Duration::from_millis(n * 100);
        let changed = (0..50_u32).map(|k| row((n as u32 * 31 + k * 97) % kitchens, (n as u32 * 5 + k) % 21)).collect();
        let input = Input::Signal(Signal::Frame(Box::new(frame(n + 1, changed))));
        let began = Instant::now();
        console.take(input, now);
        folded.push(began.elapsed());
        let began = Instant::now();
        console.draw_if_due(now)?;
        drawn.push(began.elapsed());
    }
    let written = console.terminal.backend().written();
    drawn.sort();
    folded.sort();
    let (middle, late) = (drawn.len() / 2, drawn.len() * 99 / 100);
    let bytes = (written.bytes - before.bytes) / FRAMES;
    Ok((drawn[middle], drawn[late], folded[middle], bytes, console.terminal.backend().out().writes))
}

fn main() -> io::Result<()> {
    println!(
        "{:>8} {:>9} {:>10} {:>10} {:>10} {:>9} {:>13}",
        "kitchens", "size", "p50 us", "p99 us", "fold us", "B/frame", "writes/frame"
    );
    for kitchens in [1_000, 10_000] {
        for size in [(80, 24), (120, 36), (200, 60)] {
            let (p50, p99, fold, bytes, writes) = measure(kitchens, size)?;
            let writes = writes as f64 / (FRAMES + 1) as f64;
            println!(
                "{kitchens:>8} {:>9} {:>10} {:>10} {:>10} {bytes:>9} {writes:>13.2}",
                format!("{}x{}", size.0, size.1),
                p50.as_micros(),
                p99.as_micros(),
                fold.as_micros()
            );
        }
    }
    Ok(())
}
