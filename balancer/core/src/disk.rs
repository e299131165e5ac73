//! A stalled disk: nothing can become durable, so nothing new is decided until it can.
//!
//! While the disk is slow or full, or the ledger was moved away:
//! - new orders and operators' wishes are refused with the reason;
//! - nothing is dispatched, moved, stolen, expired or given up, and no kitchen is taken in;
//! - what agents report is still taken: it is bounded by what they hold, and it waits for the disk with everything else;
//! - leases go on: a renewal follows from no event.
//!
//! When it is fine again, every lease counts as renewed and every living kitchen as heard, as after a takeover.

use crate::dispatcher::Core;
use crate::effect::Refused;
use crate::input::{DiskHealth, Input, Now, RequestId};

impl Core {
    /// How the ledger's disk was when the shell last said.
    #[must_use]
    pub fn disk(&self) -> DiskHealth {
        self.soft.disk
    }

    /// The ledger's disk has changed.
    pub(crate) fn disk_is(&mut self, now: Now, health: DiskHealth) {
        let stalled = self.is_disk_stalled();
        self.soft.disk = health;
        if self.is_disk_stalled() {
            self.soft.stages.stall(now.mono);
        } else if stalled {
            self.soft.stages.go_on(now.mono);
            self.forgive_silence(now);
        }
    }

    /// Whether nothing can become durable now.
    pub(crate) fn is_disk_stalled(&self) -> bool {
        self.soft.disk != DiskHealth::Fine
    }

    /// What a wish is answered while the disk stalls.
    pub(crate) fn disk_refusal(&self) -> Option<Refused> {
        match self.soft.disk {
            DiskHealth::Fine => None,
            DiskHealth::Slow => Some(Refused::DiskSlow),
            DiskHealth::Full => Some(Refused::DiskFull),
            DiskHealth::Moved => Some(Refused::LedgerMoved),
            DiskHealth::Older => Some(Refused::LedgerOlder),
        }
    }
}

/// Who wishes for a change that would be an event. An order is none here: a repeated one is answered as before, and
/// admission refuses a new one by itself.
pub(crate) fn wish(input: &Input) -> Option<RequestId> {
    match input {
        Input::Cancel { request, .. }
        | Input::Migrate { request, .. }
        | Input::Cordon { request, .. }
        | Input::Uncordon { request, .. }
        | Input::Drain { request, .. }
        | Input::SetPolicy { request, .. }
        | Input::StartRush { request, .. }
        | Input::StopRush { request, .. }
        | Input::Gone { request, .. }
        | Input::Release { request, .. } => Some(*request),
        Input::Lead { .. }
        | Input::Submit { .. }
        | Input::Join { .. }
        | Input::Agent { .. }
        | Input::Left { .. }
        | Input::Disk(_)
        | Input::Tick => None,
    }
}
