//! Seeking in an hour's recording: 72,000 frames of twenty kitchens, made up and recorded by the recorder itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chef::console::tape::{Recorder, Said, Tape};
use protocol::api::{Health, Proof, Schedulable};
use protocol::city::Zone;
use protocol::feed::{FeedEvent, Frame, KitchenInfo, KitchenRow, Snapshot, Tone};
use protocol::{Epoch, Position, WallTime};

use super::{Row, percentile, row};

const HOUR_MS: u64 = 3_600_000;
const FRAME_MS: u64 = 50;
const KITCHENS: u32 = 20;
const SEEKS: u64 = 100;

fn frame(n: u64) -> Frame {
    let rows = |every: u32| (0..KITCHENS).filter(move |no| no % every == (n as u32) % every);
    let row = |no: u32| KitchenRow {
        no,
        health: Health::Alive,
        schedulable: Schedulable::Open,
        queued: (n as u32 + no) % 7,
        cooking: (n as u32 * 3 + no) % 9,
        in_the_oven: 1,
        completed: n,
        avg_ms: 3_000,
        silent_ms: 0,
    };
    let proof =
        Proof { accepted: n * 3, completed: (n * 3).saturating_sub(40), open: (n * 3).min(40), ..Proof::default() };
    let mut frame = Frame {
        proof: Some(proof),
        kitchens: rows(4).map(row).collect(),
        collapsed: BTreeMap::from([("accepted".to_owned(), 3), ("completed".to_owned(), 3)]),
        ..Frame::empty(Epoch(1), Position(n + 1), WallTime(n * FRAME_MS))
    };
    if n.is_multiple_of(40) {
        frame.events.push(FeedEvent {
            position: Position(n + 1),
            at: WallTime(n * FRAME_MS),
            kind: "recovered".into(),
            tone: Tone::Info,
            subject: format!("o{n}"),
            text: "from kitchen_3 to kitchen_1".into(),
            count: 1,
        });
    }
    if n == 0 {
        let info = |no: u32| KitchenInfo {
            no,
            id: format!("kitchen_{no}").parse().expect("an id"),
            name: format!("Kitchen {no}"),
            zone: "Downtown".into(),
            capacity: 14,
            stations: 7,
            specialties: Vec::new(),
        };
        frame.registered = (0..KITCHENS).map(info).collect();
        frame.kitchens = rows(1).map(row).collect();
        frame.snapshot = Some(Box::new(Snapshot {
            city: "Fake".into(),
            zones: vec![Zone { name: "Downtown".into(), x_km: 0.0, y_km: 0.0 }],
            dishes: Vec::new(),
            leader: "b1".into(),
            overload_threshold: 0.9,
        }));
    }
    frame
}

pub fn measure() -> Vec<Row> {
    let path = std::env::temp_dir().join(format!("chef-hour-{}.chef", std::process::id()));
    let mut recorder = Recorder::begin(&path, WallTime(0)).expect("a file");
    for n in 0..HOUR_MS / FRAME_MS {
        recorder.note(Duration::from_millis(n * FRAME_MS), Said::Frame(Box::new(frame(n))));
        // Recorded faster than it could happen: the queue is for the disk, not for this.
        while recorder.state().records() + 500 < n {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    drop(recorder);
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    let began = Instant::now();
    let mut tape = Tape::open(&path).expect("a recording");
    let opened = began.elapsed().as_secs_f64() * 1e3;
    let mut waits: Vec<f64> = (0..SEEKS)
        .map(|n| {
            let began = Instant::now();
            // A prime number of milliseconds, so that no seek falls on a keyframe.
            tape.seek(n * 2_147_483_647 % HOUR_MS).expect("it reads");
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let worst = waits.iter().copied().fold(0.0, f64::max);
    let p50 = percentile(&mut waits, 0.5);
    let keys = tape.keys().len();
    let _ = std::fs::remove_file(&path);
    vec![
        row("recording: an hour, 20 kitchens", format!("{:.0} MB, {keys} keyframes", bytes as f64 / 1e6), "", None),
        row("recording: open", format!("{opened:.1} ms"), "100 ms", Some(opened <= 100.0)),
        row("recording: seek", format!("p50 {p50:.1} ms, worst {worst:.1} ms"), "100 ms", Some(worst <= 100.0)),
    ]
}
