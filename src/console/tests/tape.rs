//! Recordings: what was recorded is what is played, wherever the deck is, and a torn file is cut with a word.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use protocol::api::{HopKind, MoveResult};
use protocol::feed::{Flow, Frame, Tone};
use protocol::{OrderId, WallTime};

use super::fixture::{
    NOON, app, dead, event, flow, four, frame, moved, proof, row, screen, setup, snapshot, type_keys,
};
use crate::console::app::{App, Input};
use crate::console::event_loop::Console;
use crate::console::link::{Request, Signal};
use crate::console::replay::{At, Deck, Steer};
use crate::console::tape::{Fold, Recorder, Said, Tape};

const SIZE: (u16, u16) = (120, 36);
const FRAME_MS: u64 = 250;

/// A file of its own, removed with the test.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("chef-tape-{name}-{}.chef", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Frame number `n` of a busy city: loads, moves, a kitchen that dies, a rush.
fn nth(n: u64) -> Frame {
    if n == 0 {
        return snapshot(9_000, four());
    }
    let accepted = 1_204 + n * 3;
    let mut frame = frame(9_000 + n, n * FRAME_MS);
    frame.proof = Some(proof(accepted, accepted - 30));
    frame.flow = Some(Flow { queued: n % 17, ..flow(6, 8) });
    frame.kitchens = vec![row(1, (n % 5) as u32, 7), row(3, 0, (n % 11) as u32)];
    if n.is_multiple_of(7) {
        let result = if n.is_multiple_of(2) { MoveResult::Done } else { MoveResult::InFlight };
        frame.moves.push(moved(800 + n, 0, 3, HopKind::Reassign, result));
    }
    if n == 100 {
        frame.kitchens.push(dead(row(2, 0, 0), 3_000));
        frame.events.push(event(9_100, n * FRAME_MS, "kitchen_lost", Tone::Bad, "kitchen_3", "silent for 3 s"));
    }
    frame
}

/// Records `frames` frames, a lost link in the middle, and a key.
fn record(file: &TempFile, frames: u64) {
    let mut recorder = Recorder::begin(&file.0, WallTime(NOON)).expect("a file");
    for n in 0..frames {
        let at = Duration::from_millis(n * FRAME_MS);
        if n == frames / 2 {
            recorder.note(at, Said::Lost("reset".into(), 5_000));
            recorder.note(at, Said::Key("K".into()));
        } else if n < frames / 2 || n > frames / 2 + 24 {
            recorder.note(at, Said::Frame(Box::new(nth(n))));
        }
        // The recorder never waits for its thread; this test does, or the queue would overflow.
        while recorder.state().records() + 200 < n {
            std::thread::yield_now();
        }
    }
}

/// The picture of a fold.
fn picture(fold: Fold, deck: &Deck) -> String {
    let mut app = app(SIZE);
    app.load(fold, deck.view());
    screen(&app)
}

#[test]
fn a_seek_shows_what_playing_to_that_moment_shows() {
    let file = TempFile::new("seek");
    record(&file, 1_200);
    let tape = Tape::open(&file.0).expect("a recording");
    assert!(tape.keys().len() > 3, "{} keyframes", tape.keys().len());
    for at_ms in [0, 900, 24_900, 25_100, 151_000, 155_500, 299_750] {
        let (deck, sought) =
            Deck::open(&file.0, Some(At::After(Duration::from_millis(at_ms))), 1.0).expect("a recording");
        let mut played = Fold::default();
        let mut tape = Tape::open(&file.0).expect("a recording");
        while let Some(record) = tape.peek_until(at_ms).expect("it reads") {
            played.take(&record);
        }
        played.pass(at_ms);
        assert_eq!(picture(sought, &deck), picture(played, &deck), "at {at_ms} ms");
    }
}

/// The live console that saw the same frames at the same times.
fn live(to_ms: u64) -> App {
    let mut app = app((SIZE.0, SIZE.1 - 1));
    for n in 0..=to_ms / FRAME_MS {
        let at = Duration::from_millis(n * FRAME_MS);
        app.update(Input::Signal(Signal::Frame(Box::new(nth(n)))), at);
    }
    app
}

#[test]
fn live_and_replay_show_the_same_panels() {
    let file = TempFile::new("live");
    record(&file, 1_200);
    let at_ms = 60_000;
    let (deck, fold) = Deck::open(&file.0, Some(At::After(Duration::from_millis(at_ms))), 1.0).expect("a recording");
    let mut replayed = app(SIZE);
    replayed.load(fold, deck.view());
    for screens in ["1", "2"] {
        let mut live = live(at_ms);
        // Until somebody chooses a row, the first that was seen is selected.
        type_keys(&mut live, &["g", "g", screens]);
        type_keys(&mut replayed, &["1", "g", "g", screens]);
        // All between the top and the footer, which say REPLAY and that actions are off.
        let body =
            |text: &str| text.lines().skip(2).take(usize::from(SIZE.1) - 4).map(str::to_owned).collect::<Vec<_>>();
        for (one, other) in body(&screen(&live)).iter().zip(body(&screen(&replayed))) {
            assert_eq!(*one, other);
        }
    }
    let top = screen(&replayed);
    assert!(top.contains("REPLAY 10:41:00"), "{top}");
    assert!(!top.contains("STALE"));
}

fn deck_console(file: &TempFile) -> Console<Vec<u8>> {
    let (deck, fold) = Deck::open(&file.0, None, 1.0).expect("a recording");
    let mut app = app(SIZE);
    app.load(fold, deck.view());
    let size = ratatui::layout::Size { width: SIZE.0, height: SIZE.1 };
    let mut console = Console::new(app, Vec::new(), Some(size), 10).expect("a console");
    console.deck = Some(deck);
    console
}

/// Plays a script of keys, each at a wall time, and gives the screens.
fn script(file: &TempFile) -> Vec<String> {
    let mut console = deck_console(file);
    let keys = [
        (2_000, "4"),
        (3_000, ">"),
        (9_000, "space"),
        (9_100, "."),
        (9_200, "."),
        (9_300, ","),
        (9_400, "right"),
        (9_500, "1"),
        (9_600, "]"),
        (9_700, "x"),
        (9_800, "space"),
        (12_000, "2"),
        (12_100, "K"),
        (12_200, "4"),
        (12_300, "end"),
        (12_400, "home"),
    ];
    let mut screens = Vec::new();
    for (at, key) in keys {
        let at = Duration::from_millis(at);
        console.play(at);
        let effects = console.take(Input::Key(super::fixture::key(key)), at);
        assert!(effects.send.is_empty(), "nothing leaves a replay");
        screens.push(screen(&console.app));
    }
    screens
}

#[test]
fn the_same_file_and_keys_give_the_same_screens() {
    let file = TempFile::new("script");
    record(&file, 400);
    let once = script(&file);
    assert_eq!(once, script(&file));
    // 3 s at x1 and 6 s at x2; then two frames on and one back.
    let seconds = |text: &str| text.lines().last().unwrap_or_default().to_owned();
    assert!(seconds(&once[2]).contains("00:15.000 / 01:39"), "{}", seconds(&once[2]));
    assert!(seconds(&once[2]).contains("PAUSED"));
    assert_eq!(seconds(&once[3]), seconds(&once[5]), "a step on and a step back are nothing");
    assert!(seconds(&once[6]).contains("00:20"), "{}", seconds(&once[6]));
    assert!(once[12].contains("this is a recording"), "{}", once[12]);
    assert!(seconds(&once[14]).contains("01:39 / 01:39"), "{}", seconds(&once[14]));
    assert!(seconds(&once[15]).contains("00:00.000 / 01:39"));
}

#[test]
fn a_lost_link_is_as_it_was_then() {
    let file = TempFile::new("lost");
    record(&file, 400);
    let show = |ms| {
        let (deck, fold) = Deck::open(&file.0, Some(At::After(Duration::from_millis(ms))), 1.0).expect("a recording");
        picture(fold, &deck)
    };
    // The link was lost from 50 s to 56.25 s.
    assert!(!show(49_900).contains("LOST"));
    let lost = show(54_500);
    assert!(lost.contains("LOST STALE"), "{lost}");
    assert!(!show(57_000).contains("STALE"));
}

#[test]
fn a_torn_tail_is_cut_off_and_the_recording_goes_on() {
    let file = TempFile::new("torn");
    record(&file, 40);
    let whole = std::fs::metadata(&file.0).expect("it is there").len();
    let mut torn = std::fs::OpenOptions::new().append(true).open(&file.0).expect("it is there");
    torn.write_all(b"{\"t\":99999,\"frame\":{\"epo").expect("written");
    drop(torn);
    let tape = Tape::open(&file.0).expect("a recording");
    assert!(tape.torn().is_some_and(|word| word.contains("24 bytes cut off")), "{:?}", tape.torn());
    assert_eq!((tape.end(), tape.length()), (whole, 20 * FRAME_MS));
    let mut recorder = Recorder::begin(&file.0, WallTime(NOON + 3_600_000)).expect("it goes on");
    assert!(recorder.found.as_ref().is_some_and(|found| found.contains("torn")), "{:?}", recorder.found);
    let second = Recorder::begin(&file.0, WallTime(NOON + 3_600_000)).expect_err("one writes into it already");
    assert!(second.to_string().contains("another chef"), "{second}");
    recorder.note(Duration::from_millis(500), Said::Mark("again".into()));
    drop(recorder);
    let (deck, fold) = Deck::open(&file.0, Some(At::After(Duration::from_secs(3_600))), 1.0).expect("a recording");
    assert_eq!(fold.notes.trail.back().map(|line| line.text.fit(20)), Some("again".to_owned()));
    assert_eq!(deck.view().wall, WallTime(NOON + 3_600_500), "the clock of the second session");
}

#[test]
fn rubbish_is_no_recording_and_a_damaged_line_is_passed_over() {
    let file = TempFile::new("rubbish");
    std::fs::write(&file.0, "hello\n").expect("written");
    assert!(Tape::open(&file.0).is_err_and(|bad| bad.to_string().contains("no recording")));
    assert!(Recorder::begin(&file.0, WallTime(0)).is_err(), "what is something else is never written to");
    assert_eq!(std::fs::read_to_string(&file.0).expect("it is there"), "hello\n");
    let _ = std::fs::remove_file(&file.0);
    record(&file, 40);
    let mut text = std::fs::read_to_string(&file.0).expect("it is there");
    text = text.replacen("\"t\":5000", "\"t\":5x00", 1);
    // A keyframe's picture is as untrusted as the rest: a kitchen in a zone that is not there is not believed.
    text = text.replacen("\"zone\":0", "\"zone\":77", 1);
    std::fs::write(&file.0, text).expect("written");
    let (_, fold) = Deck::open(&file.0, Some(At::After(Duration::from_secs(9))), 1.0).expect("a recording");
    assert_eq!(fold.city.kitchens.len(), 4);
}

#[test]
fn a_version_of_tomorrow_is_refused() {
    let file = TempFile::new("version");
    std::fs::write(&file.0, "{\"chef\":\"recording\",\"version\":9,\"at\":\"2026-08-29T10:40:00Z\"}\n")
        .expect("written");
    assert!(Tape::open(&file.0).is_err_and(|bad| bad.to_string().contains("newer chef")));
}

#[test]
fn without_a_recording_the_screen_says_how_to_make_one() {
    let mut app = super::fixture::app_with(setup(), (80, 24));
    type_keys(&mut app, &["4"]);
    assert!(screen(&app).contains("chef record FILE"));
    type_keys(&mut app, &["1"]);
    assert!(!screen(&app).contains("chef record FILE"));
}

/// Plays a recording from its beginning to its end, at 64 times its pace; every picture on the way, and the last.
fn play_all(file: &TempFile) -> (Vec<String>, Console<Vec<u8>>) {
    let mut console = deck_console(file);
    let mut pictures = Vec::new();
    for _ in 0..6 {
        console.take(Input::Key(super::fixture::key(">")), Duration::ZERO);
    }
    for step in 1..200_u64 {
        console.play(Duration::from_millis(step * 20));
        pictures.push(screen(&console.app));
    }
    (pictures, console)
}

/// The place of the line that begins so, and the line's length.
fn line_at(bytes: &[u8], wanted: &str) -> (usize, usize) {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let at = text.find(&format!("\n{wanted}")).expect("such a line") + 1;
    (at, text[at..].find('\n').expect("its end"))
}

#[test]
fn a_flipped_bit_is_reported_with_its_place_and_the_rest_plays_from_the_next_keyframe() {
    let file = TempFile::new("flipped");
    record(&file, 200);
    let whole = std::fs::read(&file.0).expect("it is there");
    let show = |ms| {
        let (deck, fold) = Deck::open(&file.0, Some(At::After(Duration::from_millis(ms))), 1.0).expect("a recording");
        (picture(fold, &deck), deck.view())
    };
    let (end, _) = show(49_000);
    // Two frames after the second keyframe.
    let t = Tape::open(&file.0).expect("a recording").keys()[1].t + 2 * FRAME_MS;
    let (at, length) = line_at(&whole, &format!("{{\"t\":{t},"));
    let mut damaged = whole.clone();
    damaged[at + length / 2] ^= 4;
    std::fs::write(&file.0, &damaged).expect("written");
    let (picture, view) = show(t + 100);
    let wanted = format!("damaged at byte {at}");
    assert!(picture.contains(&wanted), "{picture}");
    assert!(view.damage.is_some_and(|damage| damage.contains(&format!("byte {at} on"))));
    assert_eq!(show(49_000).0, end, "behind the next keyframe all is as it was");
    let (pictures, console) = play_all(&file);
    assert!(pictures.iter().any(|picture| picture.contains(&wanted)), "{}", pictures[30]);
    assert!(pictures.last().is_some_and(|last| !last.contains("LOST")), "{:?}", pictures.last());
    let frames = |ms| Tape::open(&file.0).expect("a recording").seek(ms).expect("it reads").city.position;
    assert_eq!(console.app.city().position, frames(60_000));
}

#[test]
fn wherever_one_bit_is_flipped_the_recording_opens_and_plays_to_its_end() {
    let file = TempFile::new("bits");
    record(&file, 60);
    let whole = std::fs::read(&file.0).expect("it is there");
    let end = |file: &TempFile| {
        let mut tape = Tape::open(&file.0)?;
        let mut fold = Fold::default();
        while let Some(record) = tape.peek_until(u64::MAX)? {
            fold.take(&record);
        }
        Ok::<_, crate::console::tape::BadTape>((fold, tape.damaged().next(), tape.torn().is_some()))
    };
    let mut random = super::fixture::Random(11);
    for n in 0..300 {
        let mut damaged = whole.clone();
        // The header's bytes too, and newlines.
        let at = if n < 60 { n } else { random.below(whole.len() as u64) as usize };
        damaged[at] ^= 1 << random.below(8);
        std::fs::write(&file.0, &damaged).expect("written");
        let (fold, place, torn) = end(&file).unwrap_or_else(|bad| panic!("byte {at}: {bad}"));
        let lost = matches!(fold.line, crate::console::tape::Line::Lost(..));
        assert!(lost || fold.city.kitchens.len() == 4, "byte {at}: what is shown is whole or lost");
        assert!(torn || place.is_some_and(|place| place <= at as u64), "byte {at} is not in the line at {place:?}");
    }
}

#[test]
fn a_recording_of_version_one_plays_as_before() {
    let file = TempFile::new("old");
    record(&file, 60);
    let text = std::fs::read_to_string(&file.0).expect("it is there");
    // What version 1 wrote: no sums.
    let old = text.lines().map(|line| match line.rfind(",\"crc\":") {
        Some(at) => format!("{}}}\n", &line[..at]),
        None => format!("{line}\n"),
    });
    std::fs::write(&file.0, old.collect::<String>().replacen("\"version\":2", "\"version\":1", 1)).expect("written");
    let mut tape = Tape::open(&file.0).expect("a recording");
    let fold = tape.seek(10_000).expect("it reads");
    assert_eq!((fold.city.kitchens.len(), tape.damaged().len(), tape.skipped()), (4, 0, None));
}

/// Records frames that come faster than figures are shown: one each 50 ms, and then nothing for a second.
fn record_bursts(file: &TempFile) {
    let mut recorder = Recorder::begin(&file.0, WallTime(NOON)).expect("a file");
    recorder.note(Duration::ZERO, Said::Frame(Box::new(snapshot(9_000, four()))));
    for n in 1..=400_u64 {
        let ms = n * 50 + n / 20 * 1_000;
        let mut frame = frame(9_000 + n, ms);
        frame.kitchens = vec![row(1, (n % 5) as u32, 3), row(3, 0, (n % 11) as u32)];
        recorder.note(Duration::from_millis(ms), Said::Frame(Box::new(frame)));
    }
}

/// The city of a console whose deck is opened at a moment, and then does this.
fn city_after(file: &TempFile, from_ms: u64, steps: impl FnOnce(&mut Console<Vec<u8>>)) -> String {
    let (deck, fold) = Deck::open(&file.0, Some(At::After(Duration::from_millis(from_ms))), 1.0).expect("a recording");
    let mut app = app(SIZE);
    app.load(fold, deck.view());
    let size = ratatui::layout::Size { width: SIZE.0, height: SIZE.1 };
    let mut console = Console::new(app, Vec::new(), Some(size), 10).expect("a console");
    console.deck = Some(deck);
    steps(&mut console);
    serde_json::to_string(console.app.city()).expect("JSON")
}

fn press(console: &mut Console<Vec<u8>>, key: &str, at_ms: u64) {
    let at = Duration::from_millis(at_ms);
    console.play(at);
    console.take(Input::Key(super::fixture::key(key)), at);
}

#[test]
fn a_recording_that_stands_still_shows_all_that_was_told_up_to_there() {
    let file = TempFile::new("still");
    record_bursts(&file);
    let shown = |console: &Console<Vec<u8>>| console.app.city().kitchens[3].row.map(|row| row.cooking);
    let told = |n: u64| Some((n % 11) as u32);
    city_after(&file, 0, |console| {
        press(console, "space", 475);
        assert_eq!(shown(console), told(9), "paused");
        press(console, ".", 500);
        assert_eq!(shown(console), told(10), "a step on");
        press(console, ",", 520);
        assert_eq!(shown(console), told(9), "a step back");
        press(console, "end", 540);
        assert_eq!(shown(console), told(400), "the end");
    });
}

#[test]
fn what_waits_is_shown_in_time_though_nothing_else_comes() {
    let file = TempFile::new("wait");
    record_bursts(&file);
    let (mut deck, _) = Deck::open(&file.0, None, 1.0).expect("a recording");
    // The nineteenth frame, and then nothing for a second.
    deck.due(Duration::from_millis(951)).expect("it reads");
    assert_eq!(deck.wake_at(), Some(Duration::from_millis(1_000)));
    deck.due(Duration::from_millis(1_001)).expect("it reads");
    assert_eq!(deck.wake_at(), Some(Duration::from_millis(1_200)));
    deck.due(Duration::from_millis(1_201)).expect("it reads");
    assert_eq!(deck.wake_at(), Some(Duration::from_millis(2_000)));
}

#[test]
fn a_seek_is_the_same_as_playing_to_there_with_whatever_stops_on_the_way() {
    let file = TempFile::new("same");
    record_bursts(&file);
    for to in [60, 310, 475, 999, 1_210, 2_333, 7_777, 15_010] {
        let sought = city_after(&file, to, |console| console.play(Duration::ZERO));
        let played = city_after(&file, 0, |console| {
            for at in (0..=to).step_by(37).chain([to]) {
                console.play(Duration::from_millis(at));
            }
        });
        assert_eq!(played, sought, "playing, at {to} ms");
        let stopped = city_after(&file, 0, |console| {
            press(console, "space", to / 3);
            press(console, "space", to);
            press(console, "space", to + to / 4);
            press(console, ",", to * 2);
            press(console, ".", to * 2);
            let before = console.app.replay.as_ref().map_or(0, |replay| replay.at);
            press(console, "space", to * 3);
            console.play(Duration::from_millis(to * 3 + to - before));
        });
        assert_eq!(stopped, sought, "with stops, at {to} ms");
        let still = city_after(&file, to, |console| press(console, "space", 0));
        let stopped = city_after(&file, 0, |console| press(console, "space", to));
        assert_eq!(stopped, still, "standing still, at {to} ms");
    }
}

#[test]
fn hours_that_are_due_at_once_are_sought() {
    let file = TempFile::new("hours");
    record(&file, 1_200);
    let (mut deck, _) = Deck::open(&file.0, None, 64.0).expect("a recording");
    let inputs = deck.due(Duration::from_secs(4)).expect("it reads");
    assert_eq!(inputs.len(), 2);
    assert!(matches!(inputs[0].0, Input::Rewind(_)));
    assert_eq!(inputs[0].1, Duration::from_secs(256));
    let inputs = deck.due(Duration::from_millis(4_500)).expect("it reads");
    assert!(inputs.len() > 50, "{} inputs: what is near is played", inputs.len());
}

#[test]
fn a_step_on_passes_a_damage_and_never_goes_back() {
    let file = TempFile::new("step");
    let mut recorder = Recorder::begin(&file.0, WallTime(NOON)).expect("a file");
    for n in 0..80 {
        recorder.note(Duration::from_millis(n * FRAME_MS), Said::Frame(Box::new(nth(n))));
        if n == 4 {
            recorder.note(Duration::from_millis(1_200), Said::Key("K".into()));
        }
    }
    drop(recorder);
    let mut bytes = std::fs::read(&file.0).expect("it is there");
    let (at, length) = line_at(&bytes, "{\"t\":1250,");
    bytes[at + length / 2] ^= 4;
    std::fs::write(&file.0, &bytes).expect("written");
    for from in [0, 1_100, 1_199] {
        let (mut deck, _) =
            Deck::open(&file.0, Some(At::After(Duration::from_millis(from))), 1.0).expect("a recording");
        let mut places = vec![deck.view().at];
        for _ in 0..12 {
            deck.steer(Steer::StepOn, Duration::ZERO).expect("it reads");
            places.push(deck.view().at);
        }
        assert!(places.is_sorted(), "{places:?}");
        assert!(places.last().is_some_and(|last| *last > 5_000), "{places:?}");
        assert!(deck.view().damage.is_some_and(|damage| damage.contains(&format!("byte {at} on"))));
    }
}

#[test]
fn a_file_that_is_nothing_but_damage_and_keyframes_of_nothing_opens_and_plays() {
    let file = TempFile::new("hostile");
    record(&file, 60);
    let mut bytes = std::fs::read(&file.0).expect("it is there");
    for n in 0..6_000 {
        // Keyframes that name none before them, a chain into the middle of a line, times behind all times, and rubbish.
        let line = match n % 4 {
            0 => "{\"keyframe\":14000,\"prev\":0,\"bad\":0,\"fold\":{}}".to_owned(),
            1 => format!("{{\"keyframe\":14000,\"prev\":{},\"bad\":0,\"fold\":{{}}}}", bytes.len() - 9),
            2 => format!("{{\"keyframe\":{},\"prev\":0,\"bad\":0,\"fold\":{{}}}}", u64::MAX),
            _ => "{\"t\":14000,\"key\":\"K\",\"crc\":\"00000000\"}".to_owned(),
        };
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    std::fs::write(&file.0, &bytes).expect("written");
    let (mut deck, _) = Deck::open(&file.0, None, 64.0).expect("a recording");
    deck.steer(Steer::End, Duration::ZERO).expect("it reads");
    let damage = deck.view().damage.expect("it is damaged");
    assert!(damage.contains("more than 1000 lines"), "{damage}");
    deck.steer(Steer::StepBack, Duration::ZERO).expect("it reads");
    assert!(deck.view().length < 20_000, "{}", deck.view().length);
}

/// Records a minute of the busy city, in which an operator looked at a kitchen and an order after half of it.
fn record_pages(file: &TempFile) {
    let mut recorder = Recorder::begin(&file.0, WallTime(NOON)).expect("a file");
    for n in 0..240 {
        let at = Duration::from_millis(n * FRAME_MS);
        recorder.hear(&Signal::Frame(Box::new(nth(n))), at);
        if n == 120 {
            for asked in [
                Request::Kitchen("kitchen_1".parse().expect("an id")),
                Request::OrdersOf("kitchen_1".parse().expect("an id")),
                Request::Order(OrderId(812)),
                Request::History(OrderId(812)),
                Request::Explain(OrderId(812)),
            ] {
                let outcome = super::fixture::balancer(&asked).expect("an answer");
                recorder.hear(&Signal::Answer { request: 1, outcome }, at);
            }
        }
    }
}

fn show_at(file: &TempFile, ms: u64, keys: &[&str]) -> App {
    let (deck, fold) = Deck::open(&file.0, Some(At::After(Duration::from_millis(ms))), 1.0).expect("a recording");
    let mut app = app(SIZE);
    app.load(fold, deck.view());
    type_keys(&mut app, keys);
    app
}

fn open(app: &mut App, line: &str) -> String {
    type_keys(app, &[":"]);
    super::fixture::type_text(app, line);
    assert!(type_keys(app, &["enter"]).is_empty(), "nothing leaves a replay");
    screen(app)
}

#[test]
fn pages_of_a_recording_show_what_was_asked_then_and_else_what_the_feed_told() {
    let file = TempFile::new("pages");
    record_pages(&file);
    // Before anybody asked.
    let mut early = show_at(&file, 28_000, &[]);
    let kitchen = open(&mut early, "kitchen kitchen_1");
    assert!(kitchen.contains("load, last minute") && kitchen.contains("failures: not in the recording"), "{kitchen}");
    assert!(kitchen.contains("what the feed told of it") && kitchen.contains("reassign"), "{kitchen}");
    assert!(kitchen.contains("its orders: not in the recording") && !kitchen.contains("asking"), "{kitchen}");
    let order = open(&mut early, "show o814");
    assert!(order.contains("kitchen_1 -> kitchen_4") && order.contains("pause 41 ms"), "{order}");
    assert!(order.contains("how far it is: not in the recording"), "{order}");
    let dead = open(&mut early, "kitchen kitchen_3");
    assert!(dead.contains("kitchen_lost") && dead.contains("silent for 3 s"), "{dead}");
    // After.
    let mut late = show_at(&file, 40_000, &[]);
    let kitchen = open(&mut late, "kitchen kitchen_1");
    assert!(kitchen.contains("asked 10:40:30") && kitchen.contains("o813"), "{kitchen}");
    let order = open(&mut late, "show o812");
    assert!(order.contains("2 pizza, 1 salad for Ada") && order.contains("lease_lost"), "{order}");
    assert!(order.contains("asked 10:40:30"), "{order}");
    let line = open(&mut late, "line o812");
    assert!(line.contains("in space and time"), "{line}");
    // What was told is in the keyframes: a seek to the end finds it too.
    let seen = show_at(&file, 59_500, &[]).clone();
    let mut end = seen;
    assert!(open(&mut end, "explain o812").contains("0.812"));
}
