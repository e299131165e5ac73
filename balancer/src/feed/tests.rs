//! Readers come and go; each frame becomes text once, and everybody ends with the same picture.

use std::collections::BTreeMap;

use protocol::feed::{Frame, KitchenRow};

use crate::probe::Probe;

/// The note of a kitchen, and what waits and is cooked in its drain.
type Remark = (Option<String>, Option<(u32, u32)>);

/// What a reader knows, folded from the texts it got.
#[derive(Debug, Default, PartialEq)]
struct Picture {
    rows: BTreeMap<u32, KitchenRow>,
    remarks: BTreeMap<u32, Remark>,
    events: usize,
    snapshots: usize,
}

impl Picture {
    fn take(&mut self, texts: &[String]) {
        for text in texts {
            let frame: Frame = serde_json::from_str(text).expect("a frame");
            self.snapshots += usize::from(frame.snapshot.is_some());
            self.events += frame.events.len();
            self.rows.extend(frame.kitchens.iter().map(|row| (row.no, *row)));
            for remark in frame.remarks {
                let drain = remark.drain.map(|drain| (drain.waiting, drain.cooking));
                if remark.note.is_none() && drain.is_none() {
                    self.remarks.remove(&remark.no);
                } else {
                    self.remarks.insert(remark.no, (remark.note, drain));
                }
            }
        }
    }
}

#[test]
fn a_frame_becomes_text_once_however_many_read_it() {
    for readers in [1, 10, 100] {
        let mut probe = Probe::new(20);
        assert_eq!(probe.tick_and_read(20).encodes, 0, "nobody reads");
        probe.join(readers);
        assert_eq!(probe.tick_and_read(20).encodes, 1, "one snapshot for {readers} readers");
        for _ in 0..20 {
            assert_eq!(probe.tick_and_read(20).encodes, 1, "one delta for {readers} readers");
        }
    }
}

#[test]
fn a_tick_in_which_nothing_happens_makes_no_frame_and_a_calm_second_makes_one() {
    let mut probe = Probe::new(3);
    probe.join(2);
    let encodes: u64 = (0..60).map(|_| probe.tick_and_read(0).encodes).sum();
    assert!((3..=8).contains(&encodes), "a snapshot, and a sign of life a second: {encodes}");
}

#[test]
fn who_comes_later_sees_what_the_others_see() {
    let mut probe = Probe::new(12);
    probe.run(5, 30);
    probe.join(1);
    let (mut first, mut second) = (Picture::default(), Picture::default());
    for tick in 0..30 {
        match tick {
            7 => probe.join(1),
            26 => probe.drain(3),
            _ => {}
        }
        probe.tick(25);
        first.take(&probe.texts(0));
        second.take(&probe.texts(1));
    }
    assert_eq!((first.rows.len(), &first.rows), (12, &second.rows));
    assert_eq!((first.remarks.len(), &first.remarks), (1, &second.remarks));
    assert_eq!((first.snapshots, second.snapshots), (1, 1));
}

#[test]
fn a_remark_about_a_kitchen_comes_once_a_second_and_its_end_is_told() {
    let mut probe = Probe::new(6);
    probe.run(5, 40);
    probe.join(1);
    probe.drain(2);
    let (mut told, mut picture) = (0, Picture::default());
    let mut seen = BTreeMap::new();
    for _ in 0..120 {
        probe.tick(10);
        let texts = probe.texts(0);
        told += texts.iter().filter(|text| text.contains("\"remarks\":[")).count();
        picture.take(&texts);
        seen.extend(picture.remarks.clone());
    }
    assert!((2..=7).contains(&told), "in six seconds: {told}");
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [1], "of the drained kitchen, and of no other");
    assert_eq!(picture.remarks, BTreeMap::new(), "the drain is over");
}

#[test]
fn what_happens_in_one_turn_has_positions_of_its_own() {
    let mut probe = Probe::new(6);
    probe.join(1);
    probe.tick(0);
    probe.texts(0);
    probe.drain(2);
    probe.drain(3);
    probe.tick(5);
    let frames = probe.texts(0).into_iter().map(|text| serde_json::from_str(&text).expect("a frame"));
    let events: Vec<_> = frames.flat_map(|frame: Frame| frame.events).collect();
    let drains: Vec<_> = events.iter().filter(|event| event.kind == "drain_started").collect();
    assert_eq!(drains.len(), 2, "{events:?}");
    assert!(drains[0].position < drains[1].position, "{drains:?}");
}
