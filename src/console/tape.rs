//! Recordings: everything the feed carried, the operator's keys and marks, in one append-only file.
//!
//! ```text
//! tape/line.rs   what a line of the file is    tape/fold.rs  lines folded into a picture, by the code of the live console
//! tape/write.rs  a thread that appends         tape/read.rs  opening, seeking, reading on
//! ```
//! The file is JSON lines: a header, records with their time in milliseconds since the recording began, and every few
//! seconds a *keyframe*, the folded picture, so that seeking decodes one keyframe and a bounded rest. Keyframes point back at
//! the one before, so opening reads none of the records. The records are the truth: where a keyframe cannot be read (another
//! version wrote it) the fold begins at an earlier one, or at the header.
//!
//! - Crash-safe: a line counts only with its newline. A torn tail is cut off, and said.
//! - Times never go back inside a file. A recording that goes on in an existing file begins a *session* a second later.
//! - Everything in a file is as untrusted as the wire.

mod fold;
mod line;
mod read;
mod write;

pub(in crate::console) use self::fold::Line;
pub use self::fold::{Fold, Notes, Trail};
pub use self::line::{Record, Said};
pub use self::read::{BadTape, Key, Tape};
pub use self::write::{Recorder, State};
