//! The deck: plays a recording into the model, in place of the link.
//!
//! Owns the position, the speed and the open file. Never draws and never reads a clock: the caller says how much wall time
//! went by, so the same file and the same keys at the same times give the same screens.
//!
//! - The model's time is the recording's time: ages, charts and the word STALE are what they were then.
//! - Playing feeds the model signal by signal, as the link does; seeking puts a folded picture in its place. Both come to the
//!   same picture: where it stands still the model shows all that was told, and going on begins at the fold.
//! - What cannot be read stops it: it is said once, and nothing is tried again by itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use protocol::WallTime;

use super::app::Input;
use super::app::city::FIGURES;
use super::link::Signal;
use super::tape::{self, BadTape, Fold, Key, Notes, Record, Said, Tape};
use super::untrusted::Untrusted;

/// Quarters of the recording's pace: a quarter to 64 times.
const SPEEDS: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// Its own pace.
const REAL_TIME: usize = 2;
/// What lies further ahead than this is sought and not played, in milliseconds: after a stop by ctrl-z hours may be due, and all
/// that is played in a step is gathered first.
const LEAP_MS: u64 = 60_000;
/// The most inputs gathered in a step; a minute of the feed is 1,200 frames.
const GATHERED: usize = 10_000;
/// What the operator wants of the deck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Steer {
    /// Play or pause.
    Play,
    /// To the frame before.
    StepBack,
    /// To the next frame.
    StepOn,
    /// Half the speed.
    Slower,
    /// Twice the speed.
    Faster,
    /// By so many seconds.
    By(i64),
    /// To the beginning.
    Start,
    /// To the end.
    End,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// So long after the beginning.
    After(Duration),
    /// The first time the clock (UTC) shows so many milliseconds of a day.
    Clock(u64),
}

/// What a screen shows of the deck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The file.
    pub name: Untrusted,
    /// The position, in milliseconds.
    pub at: u64,
    /// The end, in milliseconds.
    pub length: u64,
    /// The recorder's wall clock at the position.
    pub wall: WallTime,
    /// The speed in quarters.
    pub quarters: u32,
    /// Whether it stands still.
    pub paused: bool,
    /// What was cut off or could not be read.
    pub damage: Option<String>,
    /// The keyframes.
    pub keys: Arc<[Key]>,
    /// Keys, marks and losses.
    pub notes: Notes,
}

/// The deck.
#[derive(Debug)]
pub struct Deck {
    tape: Tape,
    name: Untrusted,
    keys: Arc<[Key]>,
    notes: Notes,
    session: (WallTime, u64),
    /// The position at `wall`.
    at: u64,
    wall: Duration,
    speed: usize,
    paused: bool,
    /// When the next record comes.
    next: Option<u64>,
    /// Until when rows of the last frame may wait.
    figures: u64,
    /// It could not be read on, so the model may lack what was read before.
    astray: bool,
    /// It stopped by itself, and no screen knows yet.
    untold: bool,
    damage: Option<String>,
}

impl Deck {
    /// Opens a recording at a time, playing.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn open(path: &Path, at: Option<At>, speed: f64) -> Result<(Self, Fold), BadTape> {
        let mut tape = Tape::open(path)?;
        let at = at.map_or(0, |at| position(at, tape.began(), tape.length()));
        let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
        let (keys, damage) = (tape.keys().into(), tape.torn());
        let began = tape.began();
        let fold = tape.seek(at)?;
        let next = tape.next_at()?;
        let deck = Self {
            tape,
            name: Untrusted::new(&name),
            keys,
            notes: fold.notes.clone(),
            session: fold.session.unwrap_or((began, 0)),
            at,
            wall: Duration::ZERO,
            speed: nearest_speed(speed),
            paused: false,
            next,
            figures: figures(&fold),
            astray: false,
            untold: false,
            damage,
        };
        Ok((deck, fold))
    }

    /// The position at a wall time.
    #[must_use]
    pub fn time(&self, wall: Duration) -> u64 {
        if self.paused {
            return self.at;
        }
        let ms = u64::try_from(wall.saturating_sub(self.wall).as_millis()).unwrap_or(u64::MAX);
        let gone = ms.saturating_mul(SPEEDS[self.speed].into()) / SPEEDS[REAL_TIME] as u64;
        self.at.saturating_add(gone).min(self.tape.length())
    }

    /// What the model has to take at this wall time, each with the recording's time.
    ///
    /// # Errors
    /// The file cannot be read; it stands still then.
    pub fn due(&mut self, wall: Duration) -> Result<Vec<(Input, Duration)>, BadTape> {
        if self.paused {
            let untold = std::mem::take(&mut self.untold);
            return Ok(untold.then(|| self.shown()).into_iter().collect());
        }
        let to = self.time(wall);
        self.paused = to >= self.tape.length();
        let outcome = self.go_on(to, wall);
        self.stop_if_broken(outcome, wall)
    }

    fn stop_if_broken<T>(&mut self, outcome: Result<T, BadTape>, wall: Duration) -> Result<T, BadTape> {
        if outcome.is_err() {
            (self.paused, self.astray, self.untold, self.wall) = (true, true, true, wall);
        }
        outcome
    }

    /// When something is due, in wall time, after [`Deck::due`]; absent: never.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        if self.paused {
            return self.untold.then_some(self.wall);
        }
        let next_second = (self.at / 1_000 + 1) * 1_000;
        let figures = Some(self.figures).filter(|figures| *figures > self.at);
        let next = [self.next, figures, Some(self.tape.length())].into_iter().flatten().fold(next_second, u64::min);
        let gone = next.saturating_sub(self.at).saturating_mul(SPEEDS[REAL_TIME].into());
        let ms = gone.div_ceil(SPEEDS[self.speed].into());
        Some(self.wall + Duration::from_millis(ms.max(1)))
    }

    /// Does what the operator wants.
    ///
    /// # Errors
    /// The file cannot be read; it stands still then.
    pub fn steer(&mut self, steer: Steer, wall: Duration) -> Result<Vec<(Input, Duration)>, BadTape> {
        let outcome = self.obey(steer, wall);
        self.stop_if_broken(outcome, wall)
    }

    fn obey(&mut self, steer: Steer, wall: Duration) -> Result<Vec<(Input, Duration)>, BadTape> {
        let mut inputs = if self.astray { self.seek(self.at, wall)? } else { self.due(wall)? };
        self.wall = wall;
        match steer {
            Steer::Play if self.paused => {
                self.paused = false;
                let from = if self.at >= self.tape.length() { 0 } else { self.at };
                return self.seek(from, wall);
            }
            Steer::Play => self.paused = true,
            Steer::Slower => self.speed = self.speed.saturating_sub(1),
            Steer::Faster => self.speed = (self.speed + 1).min(SPEEDS.len() - 1),
            Steer::StepOn => {
                self.paused = true;
                if let Some(to) = self.tape.next_frame_at()? {
                    inputs.extend(self.go_on(to.max(self.at), wall)?);
                    return Ok(inputs);
                }
            }
            Steer::StepBack => {
                self.paused = true;
                let to = self.tape.frame_before(self.at)?.unwrap_or(0);
                return self.seek(to, wall);
            }
            Steer::By(seconds) => {
                let to = self.at.saturating_add_signed(seconds.saturating_mul(1_000)).min(self.tape.length());
                return self.seek(to, wall);
            }
            Steer::Start => return self.seek(0, wall),
            Steer::End => return self.seek(self.tape.length(), wall),
        }
        inputs.push(self.shown());
        Ok(inputs)
    }

    fn seek(&mut self, to: u64, wall: Duration) -> Result<Vec<(Input, Duration)>, BadTape> {
        let fold = self.tape.seek(to)?;
        (self.at, self.wall, self.astray) = (to, wall, false);
        (self.next, self.figures) = (self.tape.next_at()?, figures(&fold));
        self.notes = fold.notes.clone();
        self.session = fold.session.unwrap_or((self.tape.began(), 0));
        Ok(vec![(Input::Rewind(Box::new(fold)), Duration::from_millis(to)), self.shown()])
    }

    /// Everything up to `to`, signal by signal; what is too much for one step is sought.
    fn go_on(&mut self, to: u64, wall: Duration) -> Result<Vec<(Input, Duration)>, BadTape> {
        let near = to.saturating_sub(self.at) <= LEAP_MS;
        let Some(mut inputs) = (if near { self.play_to(to)? } else { None }) else { return self.seek(to, wall) };
        (self.at, self.wall) = (to, wall);
        inputs.push(self.shown());
        Ok(inputs)
    }

    /// Every record up to `to`, with a tick at each second between them, as a live console has; none if there are too many.
    fn play_to(&mut self, to: u64) -> Result<Option<Vec<(Input, Duration)>>, BadTape> {
        let mut inputs = Vec::new();
        let mut second = self.at / 1_000;
        while let Some(record) = self.tape.peek_until(to)? {
            if inputs.len() >= GATHERED {
                return Ok(None);
            }
            ticks(&mut inputs, &mut second, record.t);
            let at = Duration::from_millis(record.t);
            self.note(&record);
            inputs.extend(input(record).map(|input| (input, at)));
        }
        ticks(&mut inputs, &mut second, to);
        self.next = self.tape.next_at()?;
        Ok(Some(inputs))
    }

    fn note(&mut self, record: &Record) {
        self.notes.take(record);
        match &record.said {
            Said::Session(wall) => self.session = (*wall, record.t),
            Said::Picture(fold) => {
                self.notes = fold.notes.clone();
                self.session = fold.session.unwrap_or(self.session);
                self.figures = figures(fold);
            }
            Said::Frame(_) => self.figures = until(record.t),
            Said::Lost(..)
            | Said::Connecting(_)
            | Said::Key(_)
            | Said::Mark(_)
            | Said::Told(_)
            | Said::Gap(_)
            | Said::Damaged(_) => {}
        }
    }

    fn shown(&self) -> (Input, Duration) {
        (Input::Deck(Box::new(self.view())), Duration::from_millis(self.at))
    }

    /// What is wrong with the file, as far as it was met.
    fn damage(&self) -> Option<String> {
        let skipped = self.tape.skipped().map(|lines| format!("{lines} lines cannot be read"));
        match (self.tape.damaged().next(), self.tape.damaged_lines()) {
            (Some(offset), Some(lines)) if lines == "1" => {
                Some(format!("byte {offset} on: one line is not as it was written"))
            }
            (Some(offset), Some(lines)) => {
                Some(format!("byte {offset} on: {lines} lines are not as they were written"))
            }
            (_, _) => skipped.or_else(|| self.damage.clone()),
        }
    }

    /// What a screen shows of it.
    #[must_use]
    pub fn view(&self) -> Replay {
        let (wall, since) = self.session;
        Replay {
            name: self.name.clone(),
            at: self.at,
            length: self.tape.length(),
            wall: WallTime(wall.0.saturating_add(self.at.saturating_sub(since))),
            quarters: SPEEDS[self.speed],
            paused: self.paused,
            damage: self.damage(),
            keys: self.keys.clone(),
            notes: self.notes.clone(),
        }
    }
}

/// Until when rows of a fold's last frame may wait.
fn figures(fold: &Fold) -> u64 {
    fold.heard.map_or(0, |(at, _)| until(at))
}

/// Until when a row that only moves figures may wait that was told then.
fn until(at: u64) -> u64 {
    at.saturating_add(u64::try_from(FIGURES.as_millis()).unwrap_or(u64::MAX))
}

fn input(record: Record) -> Option<Input> {
    match record.said {
        Said::Frame(frame) => Some(Input::Signal(Signal::Frame(frame))),
        Said::Lost(why, retry_ms) => {
            Some(Input::Signal(Signal::Lost { why, retry_in: Duration::from_millis(retry_ms) }))
        }
        Said::Connecting(url) => Some(Input::Signal(Signal::Connecting { url })),
        Said::Damaged(offset) => {
            let (why, retry_in) = (tape::damaged(offset), Duration::from_millis(tape::NEVER));
            Some(Input::Signal(Signal::Lost { why, retry_in }))
        }
        Said::Told(told) => Some(Input::Recall(told)),
        Said::Picture(fold) => Some(Input::Rewind(fold)),
        Said::Key(_) | Said::Mark(_) | Said::Gap(_) | Said::Session(_) => None,
    }
}

fn ticks(inputs: &mut Vec<(Input, Duration)>, second: &mut u64, to: u64) {
    // A pause longer than the charts: what they still hold is enough.
    *second = (*second).max((to / 1_000).saturating_sub(super::app::series::SECONDS as u64 + 1));
    while *second < to / 1_000 {
        *second += 1;
        inputs.push((Input::Tick, Duration::from_secs(*second)));
    }
}

fn nearest_speed(speed: f64) -> usize {
    let off = |quarters: u32| (f64::from(quarters) / 4.0 / speed.max(0.001)).ln().abs();
    (0..SPEEDS.len()).min_by(|a, b| off(SPEEDS[*a]).total_cmp(&off(SPEEDS[*b]))).unwrap_or(REAL_TIME)
}

fn position(at: At, began: WallTime, length: u64) -> u64 {
    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    let at = match at {
        At::After(after) => u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
        At::Clock(of_day) => (of_day + DAY_MS - began.0 % DAY_MS) % DAY_MS,
    };
    at.min(length)
}

/// `12:41:07`, or a time after the beginning: `90s`, `1m30s`.
///
/// # Errors
/// Says how it is written.
pub fn parse_at(text: &str) -> Result<At, String> {
    let wrong = || format!("`{text}` is neither a clock time like 12:41:07 nor a time after the beginning like 90s");
    if !text.contains(':') {
        let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        return seconds.or_else(|| humantime::parse_duration(text).ok()).map(At::After).ok_or_else(wrong);
    }
    let mut parts = text.split(':');
    let whole = |part: Option<&str>, below: u64| part?.parse::<u64>().ok().filter(|number| *number < below);
    let (hours, minutes) = (whole(parts.next(), 24), whole(parts.next(), 60));
    let seconds = parts.next().map_or(Some(0.0), |part| part.parse::<f64>().ok()).filter(|s| (0.0..60.0).contains(s));
    let (Some(hours), Some(minutes), Some(seconds), None) = (hours, minutes, seconds, parts.next()) else {
        return Err(wrong());
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 60,000")]
    let ms = (seconds * 1_000.0).round() as u64;
    Ok(At::Clock((hours * 60 + minutes) * 60_000 + ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_clock_or_a_distance() {
        assert_eq!(parse_at("12:41:07"), Ok(At::Clock(45_667_000)));
        assert_eq!(parse_at("12:41"), Ok(At::Clock(45_660_000)));
        assert_eq!(parse_at("1m30s"), Ok(At::After(Duration::from_secs(90))));
        assert_eq!(parse_at("90"), Ok(At::After(Duration::from_secs(90))));
        for bad in ["noon", "25:00", "12:00:61", "1:2:3:4", "-5"] {
            assert!(parse_at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_clock_time_is_the_first_after_the_beginning() {
        let began = WallTime(23 * 3_600_000 + 59 * 60_000);
        assert_eq!(position(At::Clock(60_000), began, u64::MAX), 120_000);
        assert_eq!(position(At::Clock(60_000), began, 5_000), 5_000);
    }

    #[test]
    fn what_cannot_be_read_on_stops_the_deck_and_is_not_tried_again_by_itself() {
        let path = std::env::temp_dir().join(format!("chef-broken-{}.chef", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut recorder = tape::Recorder::begin(&path, WallTime(0)).expect("a file");
        recorder.note(Duration::from_secs(9), Said::Mark("here".into()));
        drop(recorder);
        let (mut deck, _) = Deck::open(&path, None, 1.0).expect("a recording");
        let _ = std::fs::remove_file(&path);
        let wall = Duration::from_secs(1);
        deck.due(wall).expect("it reads");
        assert!(deck.stop_if_broken::<()>(Err(BadTape::NotOne), wall).is_err());
        // Once more, so that a screen says that it stands.
        assert_eq!(deck.wake_at(), Some(wall));
        assert!(matches!(&deck.due(wall).expect("it stands")[..], [(Input::Deck(view), _)] if view.paused));
        assert_eq!((deck.wake_at(), deck.due(wall * 2).expect("it stands").len()), (None, 0));
        // What was read before and never shown is read again.
        let inputs = deck.steer(Steer::StepOn, wall * 2).expect("it reads");
        assert!(matches!(inputs[0].0, Input::Rewind(_)));
    }

    #[test]
    fn the_speed_is_the_nearest_there_is() {
        assert_eq!(SPEEDS[nearest_speed(1.0)], 4);
        assert_eq!(SPEEDS[nearest_speed(0.1)], 1);
        assert_eq!(SPEEDS[nearest_speed(7.0)], 32);
        assert_eq!(SPEEDS[nearest_speed(1e9)], 256);
    }
}
