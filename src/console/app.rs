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
mod door;
mod effects;
pub mod events;
pub mod filter;
mod ground;
pub mod heat;
pub mod incidents;
mod keeper;
pub mod ledger;
pub mod moves;
mod navigate;
mod offers;
pub mod order_form;
pub mod page;
pub mod palette;
mod placing;
mod playback;
mod pointer;
mod propose;
pub mod question;
pub mod recall;
mod refusal;
pub mod remarks;
pub mod rows;
mod run;
pub mod rush_form;
pub mod series;
pub mod spacetime;
mod state;
pub mod target;
pub mod time;
mod told_of;
pub mod undo;

use std::collections::HashMap;
use std::time::Duration;

use crossterm::event::KeyEventKind;
use protocol::Position;
use protocol::api::{PolicyChange, PolicyView};
use protocol::feed::Frame;

use self::city::City;
use self::dialog::Dialog;
use self::door::Asked;
use self::keeper::Keeper;
use self::ledger::Ledger;
use self::page::Page;
use self::placing::Placing;
use self::rows::Rows;
use self::run::Again;
use self::time::Lag;
use self::undo::Undo;
use super::actions::Context;
use super::link::Signal;
use super::replay::Replay;
use super::tape::Answers;
use super::theme::Theme;
use super::untrusted::Untrusted;
use super::view::{self, layout};

pub use self::effects::{Copied, Effects, Input};
pub use self::state::{Link, Screen, Setup, Sound, Toast};

/// A message in the footer stays so long.
const TOAST: Duration = Duration::from_secs(5);

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
    prefix_until: Duration,
    /// The deck, while a recording is played in place of a link.
    pub replay: Option<Replay>,
    /// Whether Fleet shows every kitchen as a cell.
    pub heat: bool,
    /// The ledger screen.
    pub ledger: Ledger,
    /// The last change, while it can be taken back.
    pub undo: Option<Undo>,
    /// The last one whose time is over.
    lapsed: Option<Undo>,
    keeper: Keeper,
    kill_wanted: Option<keeper::Wanted>,
    /// Whether the mouse is heard.
    pub mouse: bool,
    /// What is tuned, if it was asked for.
    pub policy: Option<PolicyView>,
    /// Where the ledger was when it was asked for, or last changed from here.
    policy_at: Position,
    /// It was changed from here since, once.
    policy_is_ours: bool,
    /// Lines of the palette in this session, oldest first.
    pub lines: Vec<String>,
    /// What the keys of orders placed here begin with; no other console has it.
    pub session: String,
    last: Option<Again>,
    tuning: Option<(Box<PolicyChange>, Option<String>)>,
    history_asked: bool,
    live: City,
    frozen: Option<Box<(City, u64)>>,
    heard: Option<(Duration, u64)>,
    /// How old figures are when they come.
    pub lag: Lag,
    placing: Placing,
    answers: Answers,
    pending: HashMap<u64, Asked>,
    next_request: u64,
    clock: (u64, u64, bool, u64),
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
            prefix_until: Duration::ZERO,
            replay: None,
            heat: false,
            ledger: Ledger::default(),
            undo: None,
            lapsed: None,
            keeper: Keeper::Unknown,
            kill_wanted: None,
            mouse: false,
            policy: None,
            policy_at: Position(0),
            policy_is_ours: false,
            lines: Vec::new(),
            session: "console".to_owned(),
            last: None,
            tuning: None,
            history_asked: false,
            live: City::default(),
            frozen: None,
            heard: None,
            lag: Lag::default(),
            placing: Placing::default(),
            answers: Answers::default(),
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
                if let Some(dialog) = self.dialog.as_mut().filter(|_| view::fits(self.size)) {
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
            Input::Recall(told) => self.recall(*told),
            Input::Deck(replay) => self.follow_deck(*replay, &mut effects),
            Input::Broken(why) => self.say(Sound::Bad, &why, &mut effects),
            Input::Theme(Ok(theme)) => self.wear(*theme, &mut effects),
            Input::Theme(Err(why)) => {
                self.say(Sound::Bad, &format!("the old look stays: {why}"), &mut effects);
            }
            Input::Tick => {}
        }
        self.pass_time(&mut effects);
        effects.dirty |= self.recall_pages();
        if !by_hand {
            self.ask_behind(&mut effects);
        }
        effects
    }

    fn signal(&mut self, signal: Signal, effects: &mut Effects) {
        match signal {
            Signal::Frame(frame) => self.frame(&frame, effects),
            Signal::Lost { why, retry_in } => {
                let retry_at = self.now.saturating_add(retry_in);
                let link = Link::Lost { why: Untrusted::new(&why), retry_at };
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
        if moved.rows {
            self.rows.outdate();
        }
        let renumbered = frame.snapshot.is_some() || !frame.registered.is_empty();
        let ignored = self.live.ignored;
        let (audited, told) = (self.live.audit.added, self.live.events.added);
        let change = self.live.apply(frame, self.now);
        if self.live.ignored > ignored {
            return;
        }
        self.heard = Some((self.now, frame.age_ms));
        effects.dirty |= self.lag.note(self.now, frame.age_ms);
        if frame.snapshot.is_some() {
            self.history_asked = false;
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
        effects.dirty |= change.visible | self.check_toast();
        effects.urgent |= change.urgent;
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

    fn say(&mut self, sound: Sound, text: &str, effects: &mut Effects) {
        self.toast = Some(Toast { text: Untrusted::new(text), sound, until: self.now + TOAST, about: None });
        effects.dirty = true;
    }

    fn relayout(&mut self) {
        let rows = layout::table_rows(self.size, self.city().kitchens.len(), self.city().zones.len());
        self.rows.fit(rows);
    }
}
