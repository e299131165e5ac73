//! The console's model: everything a screen shows, and what a key or a frame does to it.
//!
//! Pure: [`App::update`] takes an input and the time, and says what to do. Never draws, reads a clock or opens a socket,
//! so a story of keys and frames is a test.
//!
//! - A lost link changes nothing but the link: the last picture stays, with its age, and changing actions are off.
//! - What changes the system leaves through [`App::send`] only, which refuses it in read-only mode and without a link.
//! - `Effects::dirty` is set only if something visible changed.

mod act;
pub mod blast;
pub mod city;
pub mod dialog;
pub mod events;
pub mod filter;
pub mod moves;
pub mod page;
pub mod rows;
pub mod series;

use std::collections::HashMap;
use std::time::Duration;

use crossterm::event::{KeyEvent, KeyEventKind};
use protocol::feed::Frame;

use self::city::City;
use self::dialog::Dialog;
use self::page::Page;
use self::rows::Rows;
use self::series::Moved;
use super::actions::Context;
use super::color::Depth;
use super::link::{Answer, Request, Sent, Signal};
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
    /// The screen's size: columns, rows.
    Resize(u16, u16),
    /// From the network.
    Signal(Signal),
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
    /// Nothing above 0x7f.
    pub ascii: bool,
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
    live: City,
    frozen: Option<Box<(City, u64)>>,
    heard: Option<(Duration, u64)>,
    pending: HashMap<u64, Request>,
    next_request: u64,
    clock: (u64, u64, bool),
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
            live: City::default(),
            frozen: None,
            heard: None,
            pending: HashMap::new(),
            next_request: 1,
            clock: (0, 0, false),
        };
        app.relayout();
        app
    }

    /// Takes one input.
    pub fn update(&mut self, input: Input, now: Duration) -> Effects {
        self.now = self.now.max(now);
        let mut effects = Effects::default();
        match input {
            Input::Key(key) if key.kind == KeyEventKind::Release => return effects,
            Input::Key(key) => self.key(key, &mut effects),
            Input::Paste(text) => {
                if let Some(dialog) = &mut self.dialog {
                    let verdict = dialog.paste(&text);
                    self.settle_dialog(verdict, &mut effects);
                }
            }
            Input::Resize(columns, rows) => {
                self.size = (columns, rows);
                self.relayout();
                (effects.dirty, effects.urgent) = (true, true);
            }
            Input::Signal(signal) => self.signal(signal, &mut effects),
            Input::Tick => {}
        }
        self.pass_time(&mut effects);
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
        let change = self.live.apply(frame, self.now);
        if self.live.ignored > ignored {
            return;
        }
        self.heard = Some((self.now, frame.age_ms));
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

    fn answer(&mut self, asked: &Request, outcome: Result<Answer, String>, effects: &mut Effects) {
        for page in &mut self.pages {
            effects.dirty |= page.take(asked, &outcome);
        }
        match outcome {
            Ok(Answer::Done(text)) => self.say(Sound::Good, &text, effects),
            Err(why) if asked.is_change() => self.say(Sound::Bad, &why, effects),
            Ok(
                Answer::Order(_)
                | Answer::Explain(_)
                | Answer::History(_)
                | Answer::Kitchen(_)
                | Answer::Orders(_)
                | Answer::Migrations(_),
            )
            | Err(_) => {}
        }
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
        let retry = self.retry_in().map_or(0, |left| left.as_secs());
        let clock = (self.age_shown().map_or(0, |age| age.as_secs().max(1)), retry, self.is_stale());
        effects.dirty |= clock != self.clock;
        self.clock = clock;
        if linked && let Some(page) = self.pages.last_mut().filter(|page| page.due() <= self.now) {
            for request in page.ask(self.now) {
                self.send(request, effects);
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
        let page = self.pages.last().filter(|_| self.is_linked()).map(Page::due);
        let toast = self.toast.as_ref().map(|toast| toast.until);
        let second = (counting || moving).then_some(next_second);
        [age, page, toast, second].into_iter().flatten().min()
    }

    /// Whether a chart that moved is on the screen.
    fn shows(&self, moved: Moved) -> bool {
        let here = match self.context() {
            Context::Fleet => moved.pairs || (moved.sparks && layout::has_sparks(self.size)),
            Context::Flow => moved.pairs || moved.timeline,
            Context::Kitchen | Context::Order => false,
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
            (None, Screen::Fleet) => Context::Fleet,
            (None, Screen::Flow) => Context::Flow,
        }
    }

    /// Whether changing actions are off, and why.
    #[must_use]
    pub fn off(&self) -> Option<&'static str> {
        if self.setup.read_only {
            Some("read-only")
        } else if !self.is_linked() {
            Some("no link")
        } else {
            None
        }
    }

    /// The one door out. Refuses changes in read-only mode and everything without a link.
    fn send(&mut self, request: Request, effects: &mut Effects) {
        if request.is_change()
            && let Some(why) = self.off()
        {
            self.say(Sound::Bad, &format!("not sent: {why}"), effects);
            return;
        }
        if !self.is_linked() {
            return;
        }
        let id = self.next_request;
        self.next_request += 1;
        if self.pending.len() >= PENDING
            && let Some(oldest) = self.pending.keys().min().copied()
        {
            self.pending.remove(&oldest);
        }
        self.pending.insert(id, request.clone());
        effects.send.push(Sent { id, request });
    }

    /// A request could not even be queued.
    pub fn unsent(&mut self, sent: &Sent, now: Duration) -> Effects {
        let mut effects = Effects::default();
        let outcome = Err("not sent: the link is busy or gone".to_owned());
        self.now = self.now.max(now);
        self.pending.remove(&sent.id);
        self.answer(&sent.request, outcome, &mut effects);
        effects
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
