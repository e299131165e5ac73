//! Records folded into a picture.
//!
//! Owns what a keyframe holds: the city (folded by [`City`], as live), the link, and the operator's trail. Time passes second
//! by second, so that a fold from the beginning and one from any keyframe are the same picture.
//! Never reads a file.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::WallTime;
use protocol::feed::Tone;
use serde::{Deserialize, Serialize};

use super::line::{Record, Said};
use super::told::Answers;
use crate::console::app::city::City;
use crate::console::app::series::SECONDS;
use crate::console::untrusted::Untrusted;

/// Lines of the trail that are kept: more than a screen shows.
const TRAIL: usize = 200;

/// When a lost link is tried again that never is: the recording is damaged there.
pub(in crate::console) const NEVER: u64 = u64::MAX;

/// What is said of a damaged line.
pub(in crate::console) fn damaged(offset: u64) -> String {
    format!("the recording is damaged at byte {offset}")
}

/// The link at a moment of the recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::console) enum Line {
    /// Frames came.
    Live,
    /// A try had begun, there.
    Connecting(Untrusted),
    /// It was lost; why, and when it would be tried again, in milliseconds since the recording began.
    Lost(Untrusted, u64),
    /// Not yet.
    #[default]
    None,
}

/// A line of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// Milliseconds since the recording began.
    pub t: u64,
    /// `key`, `mark`, `link`, `gap` or `session`.
    pub kind: Untrusted,
    /// What.
    pub text: Untrusted,
}

/// A picture at a moment of the recording.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Fold {
    /// The moment, in milliseconds since the recording began.
    pub t: u64,
    /// The city.
    pub city: City,
    pub(in crate::console) line: Line,
    /// When the last frame came, and how old it was then.
    pub(in crate::console) heard: Option<(u64, u64)>,
    /// The recorder's wall clock at the beginning of the session, and when that was.
    pub(in crate::console) session: Option<(WallTime, u64)>,
    /// The operator's trail.
    pub notes: Notes,
    /// What pages were told.
    #[serde(default)]
    pub answers: Answers,
}

/// Keys, marks and losses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Oldest first; the last [`TRAIL`].
    pub trail: VecDeque<Trail>,
    /// Lines ever added.
    pub added: u64,
    linked: bool,
}

impl Notes {
    /// Takes a record. Frames leave no line, but the first after a loss does.
    pub fn take(&mut self, record: &Record) {
        let was = self.linked;
        let (kind, text) = match &record.said {
            Said::Frame(_) => {
                self.linked = true;
                if was {
                    return;
                }
                ("link", "live".to_owned())
            }
            Said::Lost(why, _) => {
                self.linked = false;
                if !was {
                    return;
                }
                ("link", format!("lost: {why}"))
            }
            Said::Connecting(_) | Said::Told(_) | Said::Picture(_) => return,
            Said::Key(key) => ("key", key.clone()),
            Said::Mark(text) => ("mark", text.clone()),
            Said::Gap(records) => ("gap", format!("{records} records are missing: the disk was too slow")),
            Said::Damaged(offset) => {
                self.linked = false;
                ("gap", damaged(*offset))
            }
            Said::Session(at) => {
                self.linked = false;
                ("session", format!("begins {}", at.clock()))
            }
        };
        if self.trail.len() >= TRAIL {
            self.trail.pop_front();
        }
        self.added += 1;
        self.trail.push_back(Trail { t: record.t, kind: Untrusted::new(kind), text: Untrusted::new(&text) });
    }
}

impl Fold {
    /// Lets time pass up to `t`.
    pub fn pass(&mut self, t: u64) {
        // A pause that is longer than the charts: only what they still hold.
        let from = (self.t / 1_000).max((t / 1_000).saturating_sub(SECONDS as u64 + 1));
        let linked = self.line == Line::Live;
        for second in from + 1..=t / 1_000 {
            self.city.advance(Duration::from_secs(second), linked);
        }
        self.city.advance(Duration::from_millis(t), linked);
        self.t = self.t.max(t);
    }

    /// Takes a record; says how many bad events were in it.
    pub fn take(&mut self, record: &Record) -> u64 {
        self.pass(record.t);
        self.notes.take(record);
        match &record.said {
            Said::Frame(frame) => {
                self.line = Line::Live;
                let now = Duration::from_millis(record.t);
                let ignored = self.city.ignored;
                self.city.apply(frame, now);
                if self.city.ignored == ignored {
                    self.heard = Some((record.t, frame.age_ms));
                }
                frame.events.iter().filter(|event| event.tone == Tone::Bad).count() as u64
            }
            Said::Lost(why, retry_ms) => {
                self.line = Line::Lost(Untrusted::new(why), record.t.saturating_add(*retry_ms));
                0
            }
            Said::Connecting(url) => {
                self.line = Line::Connecting(Untrusted::new(url));
                0
            }
            Said::Session(at) => {
                self.session = Some((*at, record.t));
                0
            }
            Said::Told(told) => {
                self.answers.take(self.city.at, (**told).clone());
                0
            }
            Said::Damaged(offset) => {
                self.line = Line::Lost(Untrusted::new(&damaged(*offset)), NEVER);
                0
            }
            Said::Picture(fold) => {
                *self = (**fold).clone();
                0
            }
            Said::Key(_) | Said::Mark(_) | Said::Gap(_) => 0,
        }
    }

    /// A fold out of a file, checked; none if it is damaged.
    pub(super) fn restored(self) -> Option<Self> {
        let whole = self.notes.trail.len() <= TRAIL;
        Some(Self { city: self.city.restored().filter(|_| whole)?, ..self })
    }
}
