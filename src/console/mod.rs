//! The console: the live picture of a city on a terminal, and the operator's hands.
//!
//! Owns the screen, the keys and the terminal. Never opens a socket ([`link`] is the border), never computes a figure that
//! the feed does not carry, and never lets text from the wire reach the terminal but through [`untrusted::Untrusted`].

pub mod actions;
pub mod app;
pub mod color;
pub mod event_loop;
pub mod link;
pub mod plain;
pub mod signals;
pub mod symbols;
pub mod terminal;
pub mod theme;
pub mod untrusted;
pub mod view;

#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use tokio::sync::mpsc::{Receiver, Sender};

pub use self::actions::{KeyRow, key_rows};
pub use self::color::ColorChoice;
pub use self::link::{Answer, Request, Sent, Signal};
pub use self::theme::names as theme_names;

use self::app::{App, Setup};
use self::theme::Theme;

/// How the console is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// A built-in theme, or a path ending in `.toml`.
    pub theme: Option<String>,
    /// Refuse everything that changes the system.
    pub read_only: bool,
    /// Write nothing above 0x7f.
    pub ascii: bool,
    /// Lines instead of a picture.
    pub plain: bool,
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
        Self { theme: None, read_only: false, ascii: false, plain: false, color, fps: 10, banner: None }
    }
}

/// Runs the console until the operator leaves. The terminal is as before when this returns, panics or is dropped.
///
/// # Errors
/// A theme that cannot be read, or a terminal that cannot be set up; a terminal that goes away is no error.
pub async fn run(options: Options, signals: Receiver<Signal>, requests: Sender<Sent>) -> color_eyre::Result<()> {
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    if options.plain || dumb || !std::io::stdout().is_terminal() {
        return plain::run(options.read_only, signals, requests).await;
    }
    let depth = color::detect(options.color, |name| std::env::var(name).ok());
    let theme = match &options.theme {
        Some(name) => Theme::load(name, depth, options.ascii)?,
        None => Theme::fallback(depth, options.ascii),
    };
    let Options { read_only, ascii, fps, banner, .. } = options;
    let size = crossterm::terminal::size()?;
    let app = App::new(Setup { read_only, ascii, depth, banner }, theme, size);
    event_loop::run(app, fps, signals, requests).await
}
