//! The loop: gather all input, then draw at most once a slot.
//!
//! Decides nothing but when to draw. Idle, it sleeps until [`App::wake_at`] and writes nothing.
//!
//! - Leading edge: the first change after a quiet slot is drawn at once.
//! - A key, a resize, a lost link, a lost or hot kitchen do not wait for the slot.
//! - A blocked terminal blocks only this loop: frames of the feed are folded when it comes back, never queued.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use color_eyre::eyre::eyre;
use crossterm::event::{Event, EventStream};
use futures_util::{FutureExt, StreamExt};
use ratatui::Terminal;
use ratatui::layout::Size;
use tokio::sync::mpsc::{Receiver, Sender};

use super::app::{App, Effects, Input};
use super::link::{Sent, Signal};
use super::signals::{Signals, Told};
use super::terminal::{self, FrameBackend, Guard};
use super::view;

/// The most inputs folded before drawing: a flood must not keep the screen from being drawn.
const BATCH: usize = 1_024;

/// When to draw.
#[derive(Debug, Clone, Copy)]
pub struct Pacer {
    slot: Duration,
    drawn: Option<Duration>,
    dirty: bool,
    urgent: bool,
}

impl Pacer {
    /// At most `fps` frames a second.
    #[must_use]
    pub fn new(fps: u32) -> Self {
        let slot = Duration::from_secs(1) / fps.clamp(1, 60);
        Self { slot, drawn: None, dirty: true, urgent: true }
    }

    /// Something happened.
    pub fn note(&mut self, effects: &Effects) {
        self.dirty |= effects.dirty;
        self.urgent |= effects.urgent && effects.dirty;
    }

    /// When to draw; absent: nothing to draw.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let next = self.drawn.map_or(Duration::ZERO, |drawn| drawn + self.slot);
        self.dirty.then_some(if self.urgent { Duration::ZERO } else { next })
    }

    /// Drawn.
    pub fn done(&mut self, now: Duration) {
        *self = Self { drawn: Some(now), dirty: false, urgent: false, ..*self };
    }
}

/// A model, a terminal and a pace; apart from the loop, so that a test can be the clock.
pub struct Console<W: Write> {
    /// The model.
    pub app: App,
    /// The terminal.
    pub terminal: Terminal<FrameBackend<W>>,
    /// The pace.
    pub pacer: Pacer,
}

impl<W: Write> Console<W> {
    /// A console that draws to `out`.
    ///
    /// # Errors
    /// If the terminal has no size.
    pub fn new(app: App, out: W, size: Option<Size>, fps: u32) -> io::Result<Self> {
        let terminal = Terminal::new(FrameBackend::new(out, size, app.theme.ascii))?;
        Ok(Self { app, terminal, pacer: Pacer::new(fps) })
    }

    /// Takes an input.
    pub fn take(&mut self, input: Input, now: Duration) -> Effects {
        let effects = self.app.update(input, now);
        self.pacer.note(&effects);
        effects
    }

    /// Draws if it is time; says whether it did.
    ///
    /// # Errors
    /// As the terminal says.
    pub fn draw_if_due(&mut self, now: Duration) -> io::Result<bool> {
        if self.pacer.due().is_none_or(|due| due > now) {
            return Ok(false);
        }
        let app = &self.app;
        self.terminal.draw(|frame| view::draw(frame, app))?;
        self.pacer.done(now);
        Ok(true)
    }

    /// Draws every cell with the next frame.
    ///
    /// # Errors
    /// As the terminal says.
    pub fn redraw(&mut self) -> io::Result<()> {
        self.terminal.backend_mut().forget();
        self.terminal.clear()?;
        self.pacer.note(&Effects { dirty: true, urgent: true, ..Effects::default() });
        Ok(())
    }

    /// When something has to be done, if nothing comes.
    fn wake_at(&self) -> Option<Duration> {
        [self.pacer.due(), self.app.wake_at()].into_iter().flatten().min()
    }
}

/// Runs until the operator leaves, the terminal is gone, or something panicked.
pub(super) async fn run(
    app: App,
    fps: u32,
    mut signals: Receiver<Signal>,
    requests: Sender<Sent>,
) -> color_eyre::Result<()> {
    terminal::restore_on_panic();
    let mut told = Signals::new()?;
    terminal::enter()?;
    let _guard = Guard;
    let began = Instant::now();
    let mut console = Console::new(app, terminal::output()?, None, fps)?;
    let mut keys = EventStream::new();
    let mut feeding = true;
    loop {
        if terminal::is_ours()
            && let Err(error) = console.draw_if_due(began.elapsed())
        {
            return gone(error);
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
                    console.redraw()?;
                }
            },
            event = keys.next() => match event {
                Some(Ok(event)) => inputs.extend(input(event)),
                Some(Err(error)) => return gone(error),
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
            && let Some(Some(Ok(event))) = keys.next().now_or_never()
        {
            inputs.extend(input(event));
        }
        while inputs.len() < BATCH
            && let Ok(signal) = signals.try_recv()
        {
            inputs.push(Input::Signal(signal));
        }
        for input in inputs {
            let effects = console.take(input, began.elapsed());
            if effects.quit {
                return Ok(());
            }
            if effects.redraw {
                console.redraw()?;
            }
            for sent in effects.send {
                if let Err(refused) = requests.try_send(sent) {
                    let effects = console.app.unsent(&refused.into_inner(), began.elapsed());
                    console.pacer.note(&effects);
                }
            }
            if effects.suspend {
                suspend();
            }
        }
    }
}

fn input(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) => Some(Input::Key(key)),
        Event::Paste(text) => Some(Input::Paste(text)),
        Event::Resize(columns, rows) => Some(Input::Resize(columns, rows)),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
    }
}

/// The terminal is gone: nothing to say, and nobody to say it to. Other errors are reported.
fn gone(error: io::Error) -> color_eyre::Result<()> {
    terminal::restore();
    // EIO is what a hung-up terminal answers.
    if error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(5) {
        Ok(())
    } else {
        Err(error.into())
    }
}

/// Gives the terminal back and stops; going on is [`Told::Continued`].
fn suspend() {
    terminal::restore();
    super::signals::stop_self();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirty(urgent: bool) -> Effects {
        Effects { dirty: true, urgent, ..Effects::default() }
    }

    #[test]
    fn the_first_change_is_drawn_at_once_and_the_next_at_the_slot() {
        let mut pacer = Pacer::new(10);
        pacer.done(Duration::from_millis(0));
        assert_eq!(pacer.due(), None);
        pacer.note(&dirty(false));
        assert_eq!(pacer.due(), Some(Duration::from_millis(100)));
        pacer.done(Duration::from_millis(500));
        pacer.note(&dirty(false));
        assert!(pacer.due() <= Some(Duration::from_millis(600)));
    }

    #[test]
    fn what_is_urgent_does_not_wait() {
        let mut pacer = Pacer::new(10);
        pacer.done(Duration::from_millis(500));
        pacer.note(&dirty(true));
        assert_eq!(pacer.due(), Some(Duration::ZERO));
        pacer.done(Duration::from_millis(501));
        pacer.note(&Effects { urgent: true, ..Effects::default() });
        assert_eq!(pacer.due(), None, "a key that changes nothing draws nothing");
    }
}
