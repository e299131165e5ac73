//! On which terms a ledger is opened to write: whether a new one may be founded, and which one it must be.
//!
//! Owns the words only; never looks at a file.

use super::{FileId, Tip};

/// Whether an empty ledger may be founded where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Founding {
    /// Never: there was one, and whoever opens it knows that.
    Never,
    /// Where nothing tells of an older one.
    #[default]
    OnFreshGround,
    /// Also there: an operator has said so. What tells of the older one is set aside.
    BesideTraces,
}

/// What a ledger must be to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Where there is none.
    pub founding: Founding,
    /// One that is older than what lies beside it will do: an operator has said so.
    pub accept_older: bool,
    /// It must be locked by this very file.
    pub file: Option<FileId>,
    /// It must hold this, and may go on behind it.
    pub follows: Option<Tip>,
}

impl Terms {
    /// Of one who has followed a ledger, and takes over that one or none.
    #[must_use]
    pub fn following(file: Option<FileId>, follows: Option<Tip>) -> Self {
        Self { founding: Founding::Never, accept_older: false, file, follows }
    }
}
