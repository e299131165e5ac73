//! Guards that can be taken away, to show that the checkers notice.
//!
//! Some stand in the cores, behind a test-only switch; the others are in the shell, which this simulator imitates, so they
//! are taken away here.

use balancer_core::Guard;

/// A guard that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutant {
    /// Core: results do not need the newest token.
    Fencing,
    /// Core: lost leases are not given to another kitchen.
    Reassignment,
    /// Core: a heartbeat renews every lease of its kitchen.
    NamedRenewal,
    /// Core: the same key is a new order.
    Idempotency,
    /// Shell: effects leave before their events are durable.
    ToldEarly,
    /// Shell: a synced row can be lost in a crash.
    LyingDisk,
    /// Shell: the ledger takes an append of an old leader after a takeover.
    EpochFence,
    /// After a takeover leases do not count as renewed (the new leader's clock jumps by two leases once it leads).
    TakeoverGrace,
    /// Agent: the fence never comes (the welcome that reaches it says an hour).
    AgentFence,
    /// Core: an order that has failed three times is tried again.
    Quarantine,
    /// Core: a drain is over although its kitchen still cooks.
    DrainProof,
    /// Core: the target of a handover gets the order before the source has paused.
    PauseFirst,
    /// Core: every attempt begins at the first stage.
    Checkpoint,
    /// Core: a stage may take for ever.
    StageLimit,
    /// Core: an order that failed may go back to where it failed at once.
    Elsewhere,
    /// Shell: the standby takes over without the rows that it has not read yet.
    StaleStandby,
    /// Shell: a row whose sync failed counts as written.
    FailedSync,
    /// Shell: the process that ended is taken for the one that lives.
    WrongPid,
    /// Agents' clocks run at 0.55 of the true rate: beyond the promised ratio of 1.2.
    SlowClock,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Fencing,
        Self::Reassignment,
        Self::NamedRenewal,
        Self::Idempotency,
        Self::ToldEarly,
        Self::LyingDisk,
        Self::EpochFence,
        Self::TakeoverGrace,
        Self::AgentFence,
        Self::Quarantine,
        Self::DrainProof,
        Self::PauseFirst,
        Self::Checkpoint,
        Self::StageLimit,
        Self::Elsewhere,
        Self::StaleStandby,
        Self::FailedSync,
        Self::WrongPid,
        Self::SlowClock,
    ];

    /// The switch of the core, if the guard stands there.
    #[must_use]
    pub fn guard(self) -> Option<Guard> {
        match self {
            Self::Fencing => Some(Guard::Fencing),
            Self::Reassignment => Some(Guard::Reassignment),
            Self::NamedRenewal => Some(Guard::NamedRenewal),
            Self::Idempotency => Some(Guard::Idempotency),
            Self::Quarantine => Some(Guard::Quarantine),
            Self::DrainProof => Some(Guard::DrainProof),
            Self::PauseFirst => Some(Guard::PauseFirst),
            Self::Checkpoint => Some(Guard::Checkpoint),
            Self::StageLimit => Some(Guard::StageLimit),
            Self::Elsewhere => Some(Guard::Elsewhere),
            Self::StaleStandby
            | Self::FailedSync
            | Self::WrongPid
            | Self::ToldEarly
            | Self::LyingDisk
            | Self::EpochFence
            | Self::TakeoverGrace
            | Self::AgentFence
            | Self::SlowClock => None,
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
