//! The console's model: everything a screen shows, and what a key or a frame does to it.
//!
//! Pure: [`App::update`] takes an input and the time, and says what to do. Never draws, reads a clock or opens a socket,
//! so a story of keys and frames is a test.
//!
//! - A lost link changes nothing but the link: the last picture stays, with its age, and changing actions are off.
//! - What changes the system leaves through [`App::send`] only, which refuses it in read-only mode and without a link.
//! - `Effects::dirty` is set only if something visible changed.

mod act;
mod answers;
pub mod audit;
mod background;
pub mod blast;
pub mod city;
pub mod command;
pub mod dialog;
pub mod events;
pub mod filter;
pub mod heat;
pub mod ledger;
pub mod moves;
mod navigate;
pub mod page;
pub mod palette;
mod playback;
mod pointer;
mod propose;
pub mod remarks;
pub mod rows;
mod run;
pub mod series;
pub mod spacetime;
pub mod undo;

use std::collections::HashMap;
use std::time::Duration;

use crossterm::event::{KeyEvent, KeyEventKind, MouseEvent};
use protocol::api::{PolicyChange, PolicyView};
use protocol::feed::Frame;

use self::city::City;
use self::dialog::Dialog;
use self::ledger::Ledger;
use self::page::Page;
use self::rows::Rows;
use self::run::Again;
use self::series::Moved;
use self::undo::{Inverse, Undo};
use super::actions::Context;
use super::color::Depth;
use super::keymap::Keymap;
use super::link::{Request, Sent, Signal};
use super::replay::{Replay, Steer};
use super::symbols::Symbols;
use super::tape::Fold;
use super::theme::Theme;
use super::untrusted::Untrusted;
use super::view::layout;

/// A figure's age is shown from here: the feed's keep-alive second and some jitter are not an age.
const AGE_SHOWN: Duration = Duration::from_millis(1_250);
/// The picture is greyed and called stale from here.
const STALE: Duration = Duration::from_secs(3);
/// A message in the footer stays so long.
const TOAST: Duration = Duration::from_secs(5);
/// The most requests without an answer; the oldest are forgotten.
const PENDING: usize = 256;

/// What comes in.
#[derive(Debug, Clone)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// Pasted text; never a command.
    Paste(String),
    /// A click or a turn of the wheel.
    Mouse(MouseEvent),
    /// The screen's size: columns, rows.
    Resize(u16, u16),
    /// From the network.
    Signal(Signal),
    /// The theme's file has changed; as it reads now, or why it cannot be read.
    Theme(Result<Box<Theme>, String>),
    /// Another moment of a recording.
    Rewind(Box<Fold>),
    /// How the deck is.
    Deck(Box<Replay>),
    /// A file that is read or written behind the screen has failed; why.
    Broken(String),
    /// Time went by.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// Leave.
    pub quit: bool,
    /// Stop, as ctrl-z asks.
    pub suspend: bool,
    /// Draw every cell.
    pub redraw: bool,
    /// Draw.
    pub dirty: bool,
    /// Draw now, not at the next slot.
    pub urgent: bool,
    /// Send these.
    pub send: Vec<Sent>,
    /// What the operator wants of the deck.
    pub steer: Option<Steer>,
    /// Give this to the clipboard.
    pub copy: Option<Copied>,
    /// Whether the mouse is to be heard from now on.
    pub mouse: Option<bool>,
}

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// What people call it.
    pub what: String,
    /// The text; without anything that could move a cursor.
    pub text: String,
}

/// The link, apart from the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Not yet, or trying again.
    Connecting {
        /// Where.
        url: Untrusted,
    },
    /// Frames come.
    Live,
    /// Gone.
    Lost {
        /// Why.
        why: Untrusted,
        /// When it is tried again.
        retry_at: Duration,
    },
}

/// Which screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Kitchens.
    Fleet,
    /// Orders.
    Flow,
    /// Drills.
    Drill,
    /// Recordings.
    Replay,
    /// Proof, audit and events.
    Ledger,
}

/// How a message sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// Done.
    Good,
    /// For the record.
    Plain,
    /// Refused.
    Bad,
}

/// A message in the footer.
#[derive(Debug, Clone)]
pub struct Toast {
    /// What.
    pub text: Untrusted,
    /// How.
    pub sound: Sound,
    until: Duration,
}

/// What does not change while the console runs.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Nothing may be changed.
    pub read_only: bool,
    /// Which glyphs may be written.
    pub symbols: Symbols,
    /// Which keys mean what.
    pub keys: Keymap,
    /// Colours.
    pub depth: Depth,
    /// Shown beside the state of the link, `demo` for instance.
    pub banner: Option<String>,
}

/// The model.
#[derive(Debug, Clone)]
pub struct App {
    /// What does not change.
    pub setup: Setup,
    /// How it looks.
    pub theme: Theme,
    /// Time since the console began.
    pub now: Duration,
    /// Columns and rows of the screen.
    pub size: (u16, u16),
    /// The link.
    pub link: Link,
    /// Which screen.
    pub screen: Screen,
    /// Pages over it.
    pub pages: Vec<Page>,
    /// A dialog over everything.
    pub dialog: Option<Dialog>,
    /// The kitchens' table.
    pub rows: Rows,
    /// A message.
    pub toast: Option<Toast>,
    /// The beginning of a key sequence.
    pub prefix: Option<String>,
    /// The deck, while a recording is played in place of a link.
    pub replay: Option<Replay>,
    /// Whether Fleet shows every kitchen as a cell.
    pub heat: bool,
    /// The ledger screen.
    pub ledger: Ledger,
    /// The last change, while it can be taken back.
    pub undo: Option<Undo>,
    /// Whether the mouse is heard.
    pub mouse: bool,
    /// What is tuned, if it was asked for.
    pub policy: Option<PolicyView>,
    /// Lines of the palette in this session, oldest first.
    pub lines: Vec<String>,
    last: Option<Again>,
    tuning: Option<(Box<PolicyChange>, Option<String>)>,
    remarks_asked: Option<Duration>,
    history_asked: bool,
    live: City,
    frozen: Option<Box<(City, u64)>>,
    heard: Option<(Duration, u64)>,
    pending: HashMap<u64, Asked>,
    next_request: u64,
    clock: (u64, u64, bool, u64),
}

/// A request under way, and what would take it back.
#[derive(Debug, Clone)]
struct Asked {
    request: Request,
    reason: Option<String>,
    inverse: Inverse,
}

impl App {
    /// A console that has seen nothing yet.
    #[must_use]
    pub fn new(setup: Setup, theme: Theme, size: (u16, u16)) -> Self {
        let mut app = Self {
            setup,
            theme,
            now: Duration::ZERO,
            size,
            link: Link::Connecting { url: Untrusted::default() },
            screen: Screen::Fleet,
            pages: Vec::new(),
            dialog: None,
            rows: Rows::default(),
            toast: None,
            prefix: None,
            replay: None,
            heat: false,
            ledger: Ledger::default(),
            undo: None,
            mouse: false,
            policy: None,
            lines: Vec::new(),
            last: None,
            tuning: None,
            remarks_asked: None,
            history_asked: false,
            live: City::default(),
            frozen: None,
            heard: None,
            pending: HashMap::new(),
            next_request: 1,
            clock: (0, 0, false, 0),
        };
        app.relayout();
        app
    }

    /// Takes one input.
    pub fn update(&mut self, input: Input, now: Duration) -> Effects {
        self.now = self.now.max(now);
        let mut effects = Effects::default();
        let by_hand = matches!(input, Input::Key(_) | Input::Paste(_) | Input::Mouse(_) | Input::Resize(..));
        match input {
            Input::Key(key) if key.kind == KeyEventKind::Release => return effects,
            Input::Key(key) => self.key(key, &mut effects),
            Input::Mouse(event) => self.point(event, &mut effects),
            Input::Paste(text) => {
                if let Some(dialog) = &mut self.dialog {
                    let verdict = dialog.paste(&text);
                    self.settle_dialog(verdict, &mut effects);
                }
            }
            Input::Resize(columns, rows) => {
                self.size = (columns, rows.saturating_sub(self.deck_rows()));
                self.relayout();
                (effects.dirty, effects.urgent) = (true, true);
            }
            Input::Signal(signal) => self.signal(signal, &mut effects),
            Input::Rewind(fold) => self.rewind(*fold, &mut effects),
            Input::Deck(replay) => self.follow_deck(*replay, &mut effects),
            Input::Broken(why) => self.say(Sound::Bad, &why, &mut effects),
            Input::Theme(Ok(theme)) => self.wear(*theme, &mut effects),
            Input::Theme(Err(why)) => {
                self.say(Sound::Bad, &format!("the old look stays: {why}"), &mut effects);
            }
            Input::Tick => {}
        }
        self.pass_time(&mut effects);
        if !by_hand {
            self.ask_behind(&mut effects);
        }
        effects
    }

    fn signal(&mut self, signal: Signal, effects: &mut Effects) {
        match signal {
            Signal::Frame(frame) => self.frame(&frame, effects),
            Signal::Lost { why, retry_in } => {
                let link = Link::Lost { why: Untrusted::new(&why), retry_at: self.now + retry_in };
                effects.urgent = self.link == Link::Live;
                self.link = link;
                effects.dirty = true;
            }
            Signal::Connecting { url } => {
                let url = Untrusted::new(&url);
                effects.dirty |= self.link != Link::Connecting { url: url.clone() };
                self.link = Link::Connecting { url };
            }
            Signal::Answer { request, outcome } => {
                if let Some(asked) = self.pending.remove(&request) {
                    self.answer(&asked, outcome, effects);
                }
            }
        }
    }

    fn frame(&mut self, frame: &Frame, effects: &mut Effects) {
        effects.dirty |= self.link != Link::Live;
        self.link = Link::Live;
        // Before the frame, so that what it counts falls into the running second.
        let moved = self.live.advance(self.now, true);
        effects.dirty |= self.frozen.is_none() && self.shows(moved);
        let renumbered = frame.snapshot.is_some() || !frame.registered.is_empty();
        let ignored = self.live.ignored;
        let (audited, told) = (self.live.audit.added, self.live.events.added);
        let change = self.live.apply(frame, self.now);
        if self.live.ignored > ignored {
            return;
        }
        self.heard = Some((self.now, frame.age_ms));
        if frame.snapshot.is_some() {
            (self.history_asked, self.remarks_asked) = (false, None);
        }
        if self.frozen.is_none() {
            let (audited, told) = (self.live.audit.added - audited, self.live.events.added - told);
            self.ledger.shift(&self.live, audited, told);
        }
        if self.frozen.is_some() {
            effects.dirty |= change.visible; // "+N behind"
            return;
        }
        if renumbered {
            self.rows.rebuild(&self.live, self.now);
            self.relayout();
        } else if !frame.kitchens.is_empty() {
            self.rows.outdate();
        }
        effects.dirty |= change.visible;
        effects.urgent |= change.urgent;
    }

    /// What time alone changes.
    fn pass_time(&mut self, effects: &mut Effects) {
        let linked = self.is_linked();
        let moved = self.live.advance(self.now, linked);
        if self.frozen.is_none() {
            effects.dirty |= self.shows(moved);
            let city = &self.live;
            effects.dirty |= self.rows.settle(city, self.now);
        }
        if self.toast.as_ref().is_some_and(|toast| toast.until <= self.now) {
            self.toast = None;
            effects.dirty = true;
        }
        if self.undo.as_ref().is_some_and(|undo| undo.until <= self.now) {
            self.undo = None;
            effects.dirty = true;
        }
        let retry = self.retry_in().map_or(0, |left| left.as_secs());
        let counted = if self.frozen.is_none() { self.undo_left().unwrap_or(0) + self.drains_left() } else { 0 };
        let clock = (self.age_shown().map_or(0, |age| age.as_secs().max(1)), retry, self.is_stale(), counted);
        effects.dirty |= clock != self.clock;
        self.clock = clock;
        if linked {
            for request in self.page_asks() {
                self.send(request, None, effects);
            }
        }
    }

    /// When [`Input::Tick`] is wanted, if nothing else comes; absent: never.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let next_second = Duration::from_secs(self.now.as_secs() + 1);
        let counting = self.age_shown().is_some() || self.retry_in().is_some() || self.is_stale();
        let moving = self.frozen.is_none() && (self.shows(self.live.ages()) || self.rows.is_stale());
        let age = match (self.heard, counting) {
            (Some((at, age_ms)), false) => Some(at + AGE_SHOWN.saturating_sub(Duration::from_millis(age_ms))),
            (Some(_) | None, _) => None,
        };
        let page = self.page_due().filter(|_| self.is_linked());
        let behind = self.behind_due().filter(|_| self.is_linked());
        let counting = counting || self.undo.is_some() || (self.frozen.is_none() && self.drains_left() > 0);
        let toast = self.toast.as_ref().map(|toast| toast.until);
        let second = (counting || moving).then_some(next_second);
        [age, page, behind, toast, second].into_iter().flatten().min()
    }

    /// Whether a chart that moved is on the screen.
    fn shows(&self, moved: Moved) -> bool {
        let here = match self.context() {
            Context::Fleet => moved.pairs || (moved.sparks && layout::has_sparks(self.size)),
            Context::Flow => moved.pairs || moved.timeline,
            Context::Heat
            | Context::Drill
            | Context::Replay
            | Context::Tape
            | Context::Ledger
            | Context::Kitchen
            | Context::Order => false,
        };
        moved.rate || here
    }

    /// The picture that is shown.
    #[must_use]
    pub fn city(&self) -> &City {
        self.frozen.as_ref().map_or(&self.live, |frozen| &frozen.0)
    }

    /// How many frames and events the frozen picture is behind.
    #[must_use]
    pub fn behind(&self) -> Option<u64> {
        self.frozen.as_ref().map(|frozen| self.live.events.seen.saturating_sub(frozen.0.events.seen))
    }

    /// How old the picture is; absent before the first frame.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.heard.map(|(at, age_ms)| self.now.saturating_sub(at) + Duration::from_millis(age_ms))
    }

    /// The age, if it is worth showing.
    #[must_use]
    pub fn age_shown(&self) -> Option<Duration> {
        self.age().filter(|age| *age >= AGE_SHOWN)
    }

    /// Whether the picture is too old to act on without a second look.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.age().is_some_and(|age| age >= STALE)
    }

    /// Whether requests can be sent.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.link == Link::Live
    }

    /// Until the next try.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        match &self.link {
            Link::Lost { retry_at, .. } => Some(retry_at.saturating_sub(self.now)),
            Link::Connecting { .. } | Link::Live => None,
        }
    }

    /// Which actions apply.
    #[must_use]
    pub fn context(&self) -> Context {
        match (self.pages.last(), self.screen) {
            (Some(Page::Kitchen(_)), _) => Context::Kitchen,
            (Some(Page::Order(_)), _) => Context::Order,
            (None, Screen::Fleet) if self.heat => Context::Heat,
            (None, Screen::Fleet) => Context::Fleet,
            (None, Screen::Flow) => Context::Flow,
            (None, Screen::Drill) => Context::Drill,
            (None, Screen::Replay) => Context::Replay,
            (None, Screen::Ledger) => Context::Ledger,
        }
    }

    /// Whether changing actions are off, and why.
    #[must_use]
    pub fn off(&self) -> Option<&'static str> {
        if self.setup.read_only {
            Some("read-only")
        } else if self.replay.is_some() {
            Some("this is a recording")
        } else if !self.is_linked() {
            Some("no link")
        } else {
            None
        }
    }

    /// The one door out. Refuses changes in read-only mode and everything without a link.
    fn send(&mut self, request: Request, reason: Option<String>, effects: &mut Effects) {
        if request.is_change()
            && let Some(why) = self.off()
        {
            self.say(Sound::Bad, &format!("not sent: {why}"), effects);
            return;
        }
        if !self.is_linked() || self.replay.is_some() {
            return;
        }
        let id = self.next_request;
        self.next_request += 1;
        if self.pending.len() >= PENDING
            && let Some(oldest) = self.pending.keys().min().copied()
        {
            self.pending.remove(&oldest);
        }
        let inverse = undo::inverse(&self.live, self.policy.as_ref(), &request);
        self.pending.insert(id, Asked { request: request.clone(), reason: reason.clone(), inverse });
        effects.send.push(Sent { id, request, reason });
    }

    /// Requests without an answer, in their sequence.
    #[cfg(test)]
    #[must_use]
    pub fn waiting(&self) -> Vec<(u64, Request)> {
        let mut waiting: Vec<_> = self.pending.iter().map(|(id, asked)| (*id, asked.request.clone())).collect();
        waiting.sort_by_key(|(id, _)| *id);
        waiting
    }

    fn say(&mut self, sound: Sound, text: &str, effects: &mut Effects) {
        self.toast = Some(Toast { text: Untrusted::new(text), sound, until: self.now + TOAST });
        effects.dirty = true;
    }

    fn relayout(&mut self) {
        let rows = layout::table_rows(self.size, self.city().kitchens.len(), self.city().zones.len());
        self.rows.fit(rows);
    }
}
