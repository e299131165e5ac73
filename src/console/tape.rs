//! Recordings: everything the feed carried, the operator's keys and marks, in one append-only file.
//!
//! ```text
//! tape/line.rs   what a line of the file is    tape/fold.rs  lines folded into a picture, by the code of the live console
//! tape/sum.rs    the checksum of a line        tape/told.rs  what pages were told, so that they can be shown again
//! tape/write.rs  a thread that appends         tape/read.rs  opening, seeking, reading on
//! tape/places.rs  lines that can not be read   tape/keys.rs  where the keyframes are
//! ```
//! The file is JSON lines: a header, records with their time in milliseconds since the recording began, and every few
//! seconds a *keyframe*, the folded picture, so that seeking decodes one keyframe and a bounded rest. Keyframes point back at
//! the one before, so opening reads none of the records. The records are the truth: where a keyframe cannot be read (another
//! version wrote it) the fold begins at an earlier one, or at the header.
//!
//! Since version 2 every line carries a checksum. A line that is not as it was written is never played: the picture stands
//! still, lost, with the line's place, until the next keyframe that is whole. Files of version 1 are read as they are.
//!
//! - Crash-safe: a line counts only with its newline. A torn tail is cut off, and said.
//! - Times never go back inside a file. A recording that goes on in an existing file begins a *session* a second later.
//! - Everything in a file is as untrusted as the wire. It holds what pages showed too: names of customers, for instance.

mod fold;
mod keys;
mod line;
mod places;
mod read;
mod sum;
mod told;
mod write;

pub use self::fold::{Fold, Notes, Trail};
pub(in crate::console) use self::fold::{Line, NEVER, damaged};
pub use self::keys::Key;
pub use self::line::{Record, Said};
pub use self::read::{BadTape, Tape};
pub use self::told::{Answers, Told};
pub use self::write::{Recorder, State};
