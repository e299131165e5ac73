//! The form of a rush: how many orders a second, for how long, where, and why.
//!
//! Owns what the keys do in it and what is sent. Never sends: it hands a [`Verdict`] back.
//!
//! - A figure that stands there is selected when the focus comes to it: what is typed takes its place.
//! - Enter goes to the next line and from the reason to the button that starts; only there it sends.

use crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;

use super::dialog::{Verdict, changed, edit, edit_over, is_text};
use super::question::said;
use crate::console::link::Request;
use crate::console::untrusted::Untrusted;

/// Which line of the form has the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Orders a second.
    Rate,
    /// Seconds.
    Seconds,
    /// Where.
    Zone,
    /// Why.
    Reason,
    /// Do nothing.
    Cancel,
    /// Start it.
    Start,
}

impl Line {
    /// From the top.
    pub const ALL: [Self; 6] = [Self::Rate, Self::Seconds, Self::Zone, Self::Reason, Self::Cancel, Self::Start];

    fn moved(self, down: bool) -> Self {
        let at = Self::ALL.iter().position(|line| *line == self).unwrap_or(0);
        Self::ALL[(at + if down { 1 } else { Self::ALL.len() - 1 }) % Self::ALL.len()]
    }
}

/// The form of a rush.
#[derive(Debug, Clone)]
pub struct RushForm {
    /// Orders a second.
    pub rate: Input,
    /// Seconds.
    pub seconds: Input,
    /// Zones: shown and sent; the first is the whole city.
    pub zones: Vec<(Untrusted, Option<String>)>,
    /// Which zone.
    pub zone: usize,
    /// Why.
    pub reason: Input,
    /// What has the focus.
    pub focus: Line,
    /// Whether what stands in the figure with the focus is replaced by what is typed.
    pub selected: bool,
    /// What cannot be sent.
    pub error: Option<&'static str>,
}

impl RushForm {
    pub(super) fn key(&mut self, key: KeyEvent) -> Verdict {
        match (key.code, self.focus) {
            (KeyCode::Esc, _) | (KeyCode::Enter, Line::Cancel) => return Verdict::Close,
            (KeyCode::Enter, Line::Start) => return self.send(),
            (KeyCode::Enter, Line::Reason) | (KeyCode::Left | KeyCode::Right, Line::Cancel) => self.go(Line::Start),
            (KeyCode::Left | KeyCode::Right, Line::Start) => self.go(Line::Cancel),
            (KeyCode::Up | KeyCode::BackTab, line) => self.go(line.moved(false)),
            (KeyCode::Down | KeyCode::Tab | KeyCode::Enter, line) => self.go(line.moved(true)),
            (KeyCode::Left | KeyCode::Right, Line::Zone) => self.turn(key.code == KeyCode::Right),
            _ => return changed(self.type_in(key)),
        }
        Verdict::Changed
    }

    fn go(&mut self, to: Line) {
        self.focus = to;
        self.selected = matches!(to, Line::Rate | Line::Seconds);
    }

    fn turn(&mut self, right: bool) {
        let count = self.zones.len().max(1);
        self.zone = if right { (self.zone + 1) % count } else { (self.zone + count - 1) % count };
    }

    fn type_in(&mut self, key: KeyEvent) -> bool {
        self.error = None;
        let figure = !matches!(key.code, KeyCode::Char(c) if !c.is_ascii_digit() && c != '.');
        match self.focus {
            Line::Rate if figure => edit_over(&mut self.rate, &mut self.selected, key),
            Line::Seconds if figure => edit_over(&mut self.seconds, &mut self.selected, key),
            Line::Rate | Line::Seconds => false,
            Line::Zone => self.begin_with(key),
            Line::Reason => edit(&mut self.reason, key),
            Line::Cancel | Line::Start if is_text(key) => {
                self.go(Line::Reason);
                edit(&mut self.reason, key)
            }
            Line::Cancel | Line::Start => false,
        }
    }

    /// The next zone that begins with a letter.
    fn begin_with(&mut self, key: KeyEvent) -> bool {
        let KeyCode::Char(letter) = key.code else { return false };
        let begins = |at: &usize| {
            let raw = self.zones[*at].1.as_deref().unwrap_or("whole city");
            raw.chars().next().is_some_and(|first| first.eq_ignore_ascii_case(&letter))
        };
        let count = self.zones.len();
        let found = (1..=count).map(|by| (self.zone + by) % count).find(begins);
        self.zone = found.unwrap_or(self.zone);
        found.is_some()
    }

    fn send(&mut self) -> Verdict {
        let rate = self.rate.value().parse::<f64>().ok().filter(|rate| (0.1..=100_000.0).contains(rate));
        let seconds = self.seconds.value().parse::<u64>().ok().filter(|seconds| (1..=3_600).contains(seconds));
        let (Some(rate), Some(for_s)) = (rate, seconds) else {
            self.go(if rate.is_some() { Line::Seconds } else { Line::Rate });
            self.error = Some(if rate.is_none() { "0.1 to 100 000 orders a second" } else { "1 to 3 600 seconds" });
            return Verdict::Changed;
        };
        let zone = self.zones.get(self.zone).and_then(|zone| zone.1.clone());
        Verdict::Send(Request::Rush { rate, for_s, zone }, said(&self.reason))
    }
}
