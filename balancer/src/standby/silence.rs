//! How long the leader has not answered, counted only while this process itself was awake.
//!
//! Owns the difference between hung, busy and going down. Reads no clock: the time between two looks is an argument.
//!
//! - A process that is stopped or hung keeps its listening socket: the kernel accepts, and no answer comes. *Silent.*
//! - A process that goes down in good order closes its listener first: connections are *refused*, and it needs the time
//!   for its last sync. That is not yet a hang.
//! - A look that comes late says that *this* process was held up: it counts as one ordinary look, whatever the clock says,
//!   or a standby that was stopped for a while would kill a healthy leader when it wakes.

use std::time::Duration;

/// A leader that has not answered for so long is looked at: ten questions went unanswered. Its one thread answers between
/// two inputs and never waits for the disk, so a slow disk is no silence. Whether it is lost, `verdict` says.
pub(super) const HUNG_AFTER: Duration = Duration::from_secs(1);
/// A leader that refuses connections and does not end: its last requests get 3 s, its last sync and snapshot the rest.
const ENDING_MAX: Duration = Duration::from_secs(10);
/// The longest time between two looks that is believed: two ordinary ones.
const GAP_MAX: Duration = Duration::from_millis(100);

/// The count since the last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Silence {
    silent: Duration,
    refused: Duration,
    refusing: bool,
}

impl Silence {
    /// So much time has passed.
    pub(super) fn pass(&mut self, gap: Duration) {
        let gap = gap.min(GAP_MAX);
        self.silent += gap;
        self.refused = if self.refusing { self.refused + gap } else { Duration::ZERO };
    }

    /// It answered, or its end of a connection was closed, which a stopped process cannot do.
    pub(super) fn heard(&mut self) {
        *self = Self::default();
    }

    /// Nobody listens at its address.
    pub(super) fn refused(&mut self) {
        self.silent = Duration::ZERO;
        self.refusing = true;
    }

    /// For how long it has not answered.
    pub(super) fn silent(&self) -> Duration {
        self.silent
    }

    /// It has refused connections for so long that it does not end by itself.
    pub(super) fn is_stuck_at_its_end(&self) -> bool {
        self.refused >= ENDING_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(50);

    #[test]
    fn silence_adds_up_and_an_answer_begins_anew() {
        let mut silence = Silence::default();
        (0..19).for_each(|_| silence.pass(LOOK));
        silence.heard();
        (0..19).for_each(|_| silence.pass(LOOK));
        assert!(silence.silent() < HUNG_AFTER);
        silence.pass(LOOK);
        assert_eq!(silence.silent(), HUNG_AFTER);
    }

    #[test]
    fn a_standby_that_slept_does_not_blame_the_leader() {
        let mut silence = Silence::default();
        silence.pass(Duration::from_secs(3_600));
        assert!(silence.silent() < HUNG_AFTER);
    }

    #[test]
    fn a_leader_that_goes_down_gets_ten_seconds() {
        let mut silence = Silence::default();
        for _ in 0..199 {
            silence.refused();
            silence.pass(LOOK);
        }
        assert!(!silence.is_stuck_at_its_end());
        silence.pass(LOOK);
        silence.pass(LOOK);
        assert!(silence.is_stuck_at_its_end());
    }
}
