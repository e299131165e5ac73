//! Bodies about what operators did: who, what, when and why, as the ledger has it.

use serde::{Deserialize, Serialize};

use crate::feed::Tone;
use crate::ids::{Epoch, Position};
use crate::time::WallTime;

/// One act of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionView {
    /// Where in the ledger.
    pub position: Position,
    /// Under which leader.
    pub epoch: Epoch,
    /// When.
    pub at: WallTime,
    /// Who; empty when nobody said.
    pub operator: String,
    /// Why; empty when nobody said.
    pub reason: String,
    /// The word of the event, as in the feed: `kitchen_scheduling`, `drain_started`, `cancelled`, ...
    pub kind: String,
    /// How loud.
    pub tone: Tone,
    /// The kitchen, order, zone or algorithm it is about.
    pub subject: String,
    /// The line of the feed, ending in `by WHO` or `by WHO: WHY`; untrusted text may be in it.
    pub text: String,
}

/// `GET /actions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionPage {
    /// Newest first.
    pub actions: Vec<ActionView>,
    /// Pass as `before` for the next page; absent on the last.
    pub next: Option<Position>,
    /// Up to here the ledger was looked at: below its end only while the tables of the past are being brought up to date.
    pub position: Position,
}
