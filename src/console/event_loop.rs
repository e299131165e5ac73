//! The loop: gather all input, then draw at most once a slot.
//!
//! Decides nothing but when to draw. Idle, it sleeps until [`App::wake_at`] and writes nothing.
//!
//! - When that is, [`Pacer`] says.
//! - A blocked terminal holds up all of this, the reading of the feed too: the balancer cuts off a reader that is seconds behind,
//!   and it comes back with a snapshot. Nothing is queued for the screen.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use color_eyre::eyre::eyre;
use crossterm::event::Event;
use ratatui::Terminal;
use ratatui::layout::Size;
use tokio::sync::mpsc::{Receiver, Sender};

use super::app::{App, Effects, Input};
use super::clipboard::Clipboard;
use super::keymap::key_name;
use super::link::{Sent, Signal};
use super::pace::{Cause, FrameOut, Pacer};
use super::replay::Deck;
use super::signals::{Signals, Told};
use super::tape::{BadTape, Recorder, Said};
use super::terminal::{self, FrameBackend, Guard};
use super::theme::Theme;
use super::tty::Keys;
use super::view;

/// The most inputs folded before drawing: a flood must not keep the screen from being drawn.
const BATCH: usize = 1_024;
/// Between two looks at the files of a theme.
const LOOK: Duration = Duration::from_secs(1);

/// A model, a terminal and a pace; apart from the loop, so that a test can be the clock.
pub struct Console<W: Write> {
    /// The model.
    pub app: App,
    /// The terminal.
    pub terminal: Terminal<FrameBackend<W>>,
    /// The pace.
    pub pacer: Pacer,
    /// What plays in place of a link.
    pub deck: Option<Deck>,
    recorder: Option<Recorder>,
    /// When the theme's files are looked at again.
    look_at: Option<Duration>,
}

/// Where frames come from and go to, and how often.
pub(super) struct Wiring {
    pub(super) fps: u32,
    pub(super) recorder: Option<Recorder>,
    pub(super) deck: Option<Deck>,
}

impl<W: Write> Console<W> {
    /// A console that draws to `out`.
    ///
    /// # Errors
    /// If the terminal has no size.
    pub fn new(app: App, out: W, size: Option<Size>, fps: u32) -> io::Result<Self> {
        let terminal = Terminal::new(FrameBackend::new(out, size, app.theme.symbols))?;
        let look_at = (!app.theme.stamps.is_empty()).then_some(LOOK);
        Ok(Self { app, terminal, pacer: Pacer::new(fps), deck: None, recorder: None, look_at })
    }

    /// Takes an input.
    pub fn take(&mut self, input: Input, now: Duration) -> Effects {
        self.record(&input, now);
        let cause = cause(&input);
        let at = self.deck.as_ref().map_or(now, |deck| Duration::from_millis(deck.time(now)));
        let mut effects = self.app.update(input, at);
        if let (Some(deck), Some(steer)) = (&mut self.deck, effects.steer.take()) {
            let outcome = deck.steer(steer, now);
            self.feed(outcome, &mut effects);
        }
        self.pacer.note(&effects, cause, now);
        effects
    }

    /// Plays what is due of a recording.
    pub fn play(&mut self, now: Duration) {
        let Some(deck) = &mut self.deck else { return };
        let (outcome, mut effects) = (deck.due(now), Effects::default());
        self.feed(outcome, &mut effects);
        self.pacer.note(&effects, Cause::World, now);
    }

    fn feed(&mut self, outcome: Result<Vec<(Input, Duration)>, BadTape>, effects: &mut Effects) {
        let inputs = match outcome {
            Ok(inputs) => inputs,
            Err(bad) => vec![(Input::Broken(format!("the recording cannot be read on: {bad}")), self.app.now)],
        };
        for (input, at) in inputs {
            let more = self.app.update(input, at);
            effects.dirty |= more.dirty;
            effects.urgent |= more.urgent;
        }
    }

    fn record(&mut self, input: &Input, now: Duration) {
        let Some(recorder) = &mut self.recorder else { return };
        match input {
            Input::Key(key) => {
                if let Some(name) = key_name(*key) {
                    recorder.note(now, Said::Key(name));
                }
            }
            Input::Signal(signal) => recorder.hear(signal, now),
            _ => {}
        }
        if let Some(why) = recorder.state().failure() {
            self.recorder = None;
            let more = self.app.update(Input::Broken(format!("the recording has ended: {why}")), now);
            self.pacer.note(&more, Cause::World, now);
        }
    }

    /// Reads the theme again if its file has changed.
    fn look_at_theme(&mut self, now: Duration) -> Option<Input> {
        if self.look_at.is_none_or(|at| at > now) {
            // A theme chosen since may be a file.
            self.look_at = self.look_at.or_else(|| (!self.app.theme.stamps.is_empty()).then_some(now + LOOK));
            return None;
        }
        self.look_at = (!self.app.theme.stamps.is_empty()).then_some(now + LOOK);
        let stamps = self.app.theme.stamps.now();
        if stamps == self.app.theme.stamps {
            return None;
        }
        self.app.theme.stamps = stamps;
        let setup = &self.app.setup;
        let read = Theme::load(&self.app.theme.name, setup.depth, setup.symbols);
        Some(Input::Theme(read.map(Box::new).map_err(|bad| bad.brief())))
    }

    /// Draws if it is time; says whether it did.
    ///
    /// # Errors
    /// As the terminal says.
    pub fn draw_if_due(&mut self, now: Duration) -> io::Result<bool> {
        if self.pacer.due().is_none_or(|due| due > now) {
            return Ok(false);
        }
        let (app, before) = (&self.app, self.terminal.backend().written());
        self.terminal.draw(|frame| view::draw(frame, app))?;
        let after = self.terminal.backend().written();
        let out = FrameOut { bytes: after.bytes - before.bytes, took: after.took - before.took };
        self.pacer.done(now, out);
        panic_for_a_test();
        Ok(true)
    }

    /// Draws every cell with the next frame.
    ///
    /// # Errors
    /// As the terminal says.
    pub fn redraw(&mut self, now: Duration) -> io::Result<()> {
        self.terminal.backend_mut().forget();
        self.terminal.clear()?;
        self.pacer.note(&Effects { dirty: true, urgent: true, ..Effects::default() }, Cause::Hand, now);
        Ok(())
    }

    /// When something has to be done, if nothing comes.
    fn wake_at(&self) -> Option<Duration> {
        let model = match &self.deck {
            Some(deck) => deck.wake_at(),
            None => self.app.wake_at(),
        };
        [self.pacer.due(), model, self.look_at].into_iter().flatten().min()
    }
}

/// Runs until the operator leaves, the terminal is gone, or something panicked.
pub(super) async fn run(
    app: App,
    wiring: Wiring,
    signals: Receiver<Signal>,
    requests: Sender<Sent>,
) -> color_eyre::Result<()> {
    match drive(app, wiring, signals, requests).await {
        Ok(()) => Ok(()),
        Err(report) => gone(report.downcast::<io::Error>()?),
    }
}

async fn drive(
    app: App,
    wiring: Wiring,
    mut signals: Receiver<Signal>,
    requests: Sender<Sent>,
) -> color_eyre::Result<()> {
    terminal::restore_on_panic();
    let mut told = Signals::new()?;
    terminal::enter()?;
    let _guard = Guard;
    let began = Instant::now();
    let mut console = Console::new(app, terminal::output()?, None, wiring.fps)?;
    (console.deck, console.recorder) = (wiring.deck, wiring.recorder);
    let clipboard = Clipboard::from_env(|name| std::env::var(name).ok());
    let mut keys = Keys::open()?;
    let mut feeding = console.deck.is_none();
    loop {
        console.play(began.elapsed());
        if terminal::is_ours() {
            console.draw_if_due(began.elapsed())?;
        }
        let wake = console.wake_at().map(|at| at.saturating_sub(began.elapsed()));
        let mut inputs = Vec::new();
        tokio::select! {
            biased;
            () = terminal::PANICKED.notified() => return Err(eyre!("a task of the console panicked; its report is above")),
            told = told.next() => match told {
                Told::Quit => return Ok(()),
                Told::Stop => suspend(),
                Told::Continued => {
                    terminal::enter()?;
                    hear_mouse(console.app.mouse)?;
                    console.redraw(began.elapsed())?;
                }
            },
            event = keys.next() => match event {
                Some(Ok(event)) => inputs.extend(input(event)),
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            signal = signals.recv(), if feeding => match signal {
                Some(signal) => inputs.push(Input::Signal(signal)),
                None => {
                    feeding = false;
                    let why = "the client has ended".to_owned();
                    inputs.push(Input::Signal(Signal::Lost { why, retry_in: Duration::ZERO }));
                }
            },
            () = tokio::time::sleep(wake.unwrap_or(Duration::MAX)), if wake.is_some() => inputs.push(Input::Tick),
        }
        while inputs.len() < BATCH
            && let Some(Ok(event)) = keys.ready()
        {
            inputs.extend(input(event));
        }
        while inputs.len() < BATCH
            && let Ok(signal) = signals.try_recv()
        {
            inputs.push(Input::Signal(signal));
        }
        inputs.extend(console.look_at_theme(began.elapsed()));
        for input in inputs {
            let effects = console.take(input, began.elapsed());
            if effects.quit {
                return Ok(());
            }
            if effects.redraw {
                console.redraw(began.elapsed())?;
            }
            for sent in effects.send {
                if let Err(refused) = requests.try_send(sent) {
                    let effects = console.app.unsent(&refused.into_inner(), began.elapsed());
                    console.pacer.note(&effects, Cause::Hand, began.elapsed());
                }
            }
            if let Some(hear) = effects.mouse {
                hear_mouse(hear)?;
            }
            if let Some(copied) = effects.copy {
                let outcome = clipboard.copy(&copied, &mut terminal::output()?);
                let effects = console.app.copied(&outcome, began.elapsed());
                console.pacer.note(&effects, Cause::Hand, began.elapsed());
            }
            if effects.suspend {
                suspend();
            }
        }
    }
}

/// Clicks and the wheel, in the form that has no limit of columns.
fn hear_mouse(hear: bool) -> io::Result<()> {
    let sequence: &[u8] = if hear { b"\x1b[?1000h\x1b[?1006h" } else { b"\x1b[?1006l\x1b[?1000l" };
    terminal::output()?.write_all(sequence)
}

/// `CHEF_TEST_PANIC=draw` or `task` panics there with the first frame, so that a test can see the terminal come back.
fn panic_for_a_test() {
    match std::env::var("CHEF_TEST_PANIC").as_deref() {
        Ok("draw") => panic!("CHEF_TEST_PANIC=draw"),
        Ok("task") => {
            tokio::spawn(async { panic!("CHEF_TEST_PANIC=task") });
        }
        Ok(_) | Err(_) => {}
    }
}

fn cause(input: &Input) -> Cause {
    match input {
        Input::Key(_) | Input::Paste(_) | Input::Mouse(_) | Input::Resize(..) => Cause::Hand,
        Input::Signal(_)
        | Input::Theme(_)
        | Input::Rewind(_)
        | Input::Recall(_)
        | Input::Deck(_)
        | Input::Broken(_)
        | Input::Tick => Cause::World,
    }
}

fn input(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) => Some(Input::Key(key)),
        Event::Paste(text) => Some(Input::Paste(text)),
        Event::Resize(columns, rows) => Some(Input::Resize(columns, rows)),
        Event::Mouse(event) => Some(Input::Mouse(event)),
        Event::FocusGained | Event::FocusLost => None,
    }
}

/// The terminal is gone: nothing to say, and nobody to say it to. Other errors are reported.
fn gone(error: io::Error) -> color_eyre::Result<()> {
    terminal::restore();
    // EIO is what a hung-up terminal answers, and it no longer says that it is one.
    let hung_up = error.raw_os_error() == Some(5) || !io::stdin().is_terminal();
    if hung_up || error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error.into()) }
}

/// Gives the terminal back and stops; going on is [`Told::Continued`].
fn suspend() {
    terminal::restore();
    super::signals::stop_self();
}
