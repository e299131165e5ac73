//! What comes into the model, and what it wants done.
//!
//! Owns the two shapes at the border of [`super::App::update`]. Never does anything.

use crossterm::event::{KeyEvent, MouseEvent};

use crate::console::link::{Sent, Signal};
use crate::console::replay::{Replay, Steer};
use crate::console::tape::{Fold, Told};
use crate::console::theme::Theme;

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
    /// What a page was told at this moment of a recording.
    Recall(Box<Told>),
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
