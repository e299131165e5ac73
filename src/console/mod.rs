//! The console: the live picture of a city on a terminal, and the operator's hands.
//!
//! Owns the screen, the keys and the terminal. Never opens a socket ([`link`] is the border), never computes a figure that
//! the feed does not carry, and never lets text from the wire reach the terminal but through [`untrusted::Untrusted`].

pub mod actions;
pub mod app;
pub mod clipboard;
pub mod color;
pub mod decoder;
pub mod event_loop;
pub mod keymap;
pub mod link;
pub mod pace;
pub mod plain;
pub mod probe;
pub mod replay;
pub mod signals;
pub mod symbols;
pub mod tape;
pub mod terminal;
pub mod theme;
mod tty;
pub mod untrusted;
pub mod view;

#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::PathBuf;

use tokio::sync::mpsc::{Receiver, Sender};

pub use self::actions::{KeyRow, key_rows};
pub use self::color::ColorChoice;
pub use self::keymap::{BadKeys, Keymap};
pub use self::link::{Answer, Request, Sent, Signal};
pub use self::theme::names as theme_names;

use self::app::{App, Setup};
use self::replay::Deck;
use self::symbols::Symbols;
use self::tape::{Fold, Recorder};
use self::theme::Theme;

/// How the console is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// A built-in theme, or a path ending in `.toml`.
    pub theme: Option<String>,
    /// Refuse everything that changes the system.
    pub read_only: bool,
    /// Which glyphs may be written.
    pub symbols: Symbols,
    /// Lines instead of a picture.
    pub plain: bool,
    /// Lines, each an object of JSON.
    pub json: bool,
    /// Figures move once a second at most; a key is still answered at once.
    pub reduced_motion: bool,
    /// Record everything here.
    pub record: Option<PathBuf>,
    /// Which keys mean what; absent: the usual file, or the defaults.
    pub keys: Option<Keymap>,
    /// Colours.
    pub color: ColorChoice,
    /// The most frames a second; a key is drawn at once.
    pub fps: u32,
    /// Shown beside the state of the link, `demo` for instance.
    pub banner: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        let color = ColorChoice::Auto;
        Self {
            theme: None,
            read_only: false,
            symbols: Symbols::Unicode,
            plain: false,
            json: false,
            reduced_motion: false,
            record: None,
            keys: None,
            color,
            fps: 10,
            banner: None,
        }
    }
}

/// Whether it will be lines instead of a screen: asked for, or the terminal can do no better.
#[must_use]
pub fn is_plain(options: &Options) -> bool {
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    options.plain || options.json || dumb || !std::io::stdout().is_terminal()
}

/// Runs the console until the operator leaves. The terminal is as before when this returns, panics or is dropped.
///
/// # Errors
/// A theme that cannot be read, or a terminal that cannot be set up; a terminal that goes away is no error.
pub async fn run(options: Options, signals: Receiver<Signal>, requests: Sender<Sent>) -> color_eyre::Result<()> {
    let recorder = options.record.as_deref().map(recorder).transpose()?;
    if is_plain(&options) {
        let shape = if options.json { plain::Shape::Json } else { plain::Shape::Text };
        let plain = plain::Plain::new(shape, options.read_only);
        return plain::run(plain, recorder, signals, requests).await;
    }
    let fps = if options.reduced_motion { 1 } else { options.fps };
    let app = app(options)?;
    event_loop::run(app, event_loop::Wiring { fps, recorder, deck: None }, signals, requests).await
}

/// Plays a recording on the same screens.
///
/// # Errors
/// As [`run`], or the recording cannot be read.
pub async fn replay(options: Options, deck: Deck, fold: Fold) -> color_eyre::Result<()> {
    // Nobody speaks and nobody listens: the deck is the link.
    let (_silent, signals) = tokio::sync::mpsc::channel(1);
    let (requests, _unheard) = tokio::sync::mpsc::channel(1);
    let fps = if options.reduced_motion { 1 } else { options.fps };
    let mut app = app(options)?;
    app.load(fold, deck.view());
    event_loop::run(app, event_loop::Wiring { fps, recorder: None, deck: Some(deck) }, signals, requests).await
}

/// Opens a file to record into; what is found in it is said on standard error, before the screen is taken.
///
/// # Errors
/// It cannot be written, or is something else.
pub fn recorder(path: &std::path::Path) -> color_eyre::Result<Recorder> {
    let recorder = Recorder::begin(path, protocol::WallTime::now())
        .map_err(|error| color_eyre::eyre::eyre!("{}: {error}", path.display()))?;
    if let Some(found) = &recorder.found {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}: {found}\n", path.display()));
    }
    Ok(recorder)
}

fn app(options: Options) -> color_eyre::Result<App> {
    let depth = color::detect(options.color, |name| std::env::var(name).ok());
    let theme = match &options.theme {
        Some(name) => Theme::load(name, depth, options.symbols)?,
        None => Theme::fallback(depth, options.symbols),
    };
    let Options { read_only, symbols, keys, banner, .. } = options;
    let keys = match keys {
        Some(keys) => keys,
        None => Keymap::load(None, |name| std::env::var(name).ok())?,
    };
    let size = crossterm::terminal::size()?;
    let mut app = App::new(Setup { read_only, symbols, keys, depth, banner }, theme, size);
    app.session = crate::client::fresh_key();
    Ok(app)
}
