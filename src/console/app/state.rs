//! The plain parts of the model: the link, the screen, a message, and what does not change.
//!
//! Owns these shapes. Never changes one by itself.

use std::time::Duration;

use super::told_of::About;
use crate::console::color::Depth;
use crate::console::keymap::Keymap;
use crate::console::symbols::Symbols;
use crate::console::untrusted::Untrusted;

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
    pub(super) until: Duration,
    /// What it tells of a kitchen: it goes when that is no longer true.
    pub(super) about: Option<About>,
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
