//! What the core asks the shell to do, once the events before it are durable.

use protocol::api::Receipt;
use protocol::link::BalancerMessage;
use protocol::{KitchenId, OrderId};

use crate::input::{ConnectionId, RequestId};

/// One effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Answer a request; each is answered once.
    Reply(RequestId, Reply),
    /// Tell an agent.
    Tell(ConnectionId, BalancerMessage),
    /// Tell an agent at once: it follows from no event, so it waits for none. Renewals, which must not fail with the disk.
    TellNow(ConnectionId, BalancerMessage),
    /// End a connection after what was told.
    Close(ConnectionId),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The order is in.
    Placed(Receipt),
    /// The same request was answered before; this is its order as it is now.
    Replayed(Receipt),
    /// Done, in a few words.
    Done(String),
    /// Not done.
    Refused(Refused),
}

/// Why not; the HTTP layer gives each its status and code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refused {
    #[error("the line is full ({waiting} orders wait, the limit is {limit}): come back later")]
    QueueFull { waiting: usize, limit: usize },
    #[error("the city holds its limit of {limit} orders that are open or in quarantine: come back later")]
    TooManyOpen { limit: usize },
    #[error("the idempotency key was used for {order} with another body: use a new key for a new order")]
    IdempotencyConflict { order: OrderId },
    #[error("there is no order {0}, or it ended so long ago that only the ledger knows it")]
    NoSuchOrder(OrderId),
    #[error("there is no kitchen `{0}`")]
    NoSuchKitchen(KitchenId),
    #[error("{order} has ended already: it is {state}")]
    AlreadyEnded { order: OrderId, state: &'static str },
    #[error("{order} waits at the balancer and goes to the first free place: there is nothing to move yet")]
    NotInAKitchen { order: OrderId },
    #[error("{order} is already in {kitchen}")]
    AlreadyThere { order: OrderId, kitchen: KitchenId },
    #[error("{order} has been started in {kitchen} meanwhile: ask again to have it handed over")]
    AlreadyCooking { order: OrderId, kitchen: KitchenId },
    #[error("{order} is being moved already")]
    MoveInFlight { order: OrderId },
    #[error("{limit} moves are in flight already: try again in a moment")]
    TooManyMoves { limit: usize },
    #[error("{kitchen} cannot take it: {why}")]
    TargetUnfit { kitchen: KitchenId, why: &'static str },
    #[error("{kitchen} did not answer in time and keeps the order")]
    SourceSilent { kitchen: KitchenId },
    #[error("{kitchen} did not answer in time, so the order stays where it is")]
    TargetSilent { kitchen: KitchenId },
    #[error("{kitchen} needs {needs} places elsewhere and {free} are free: use force, or drain it later")]
    NoRoomToDrain { kitchen: KitchenId, needs: u64, free: u64 },
    #[error("{kitchen} is {state}: nothing to change")]
    NothingToChange { kitchen: KitchenId, state: &'static str },
    #[error("no rush is running")]
    NoRush,
    #[error("an order would wait about {wait_ms} ms for a station ({waiting} wait already): come back later")]
    LineTooLong { waiting: usize, wait_ms: u64 },
    #[error("no kitchen cooks, and {waiting} orders wait already: come back when one is there")]
    NobodyCooks { waiting: usize },
    #[error("the ledger's disk is full: nothing can be accepted until there is space; what was accepted is safe")]
    DiskFull,
    #[error("the ledger's disk does not answer: nothing can be accepted until it does; what was accepted is safe")]
    DiskSlow,
    #[error("the ledger was moved away: nothing can be accepted until its directory is back in its place")]
    LedgerMoved,
    #[error("the ledger is an older copy: a standby has followed a longer one, so nothing can be accepted")]
    LedgerOlder,
    #[error("{order} is {state}, not in quarantine: there is nothing to release")]
    NotInQuarantine { order: OrderId, state: &'static str },
    #[error("{order} finishes in {kitchen}: {why}")]
    FinishesInPlace { order: OrderId, kitchen: KitchenId, why: &'static str },
    #[error("{order} was not moved: {what}")]
    Overtaken { order: OrderId, what: &'static str },
    #[error("less than half of the capacity is alive: orders are only recovered, not moved")]
    Panic,
    #[error("process {pid} is not the one that cooks in {kitchen}: nothing was changed")]
    NotThatProcess { kitchen: KitchenId, pid: u32 },
    #[error("{0}")]
    BadPolicy(String),
}

impl Refused {
    /// Refused at the door, for want of room: says nothing about any order or kitchen, so it waits for nothing to become
    /// durable. A stalled disk must not keep those waiting who are only told to come back later.
    #[must_use]
    pub fn is_at_the_door(&self) -> bool {
        match self {
            Self::QueueFull { .. }
            | Self::TooManyOpen { .. }
            | Self::LineTooLong { .. }
            | Self::NobodyCooks { .. }
            | Self::DiskFull
            | Self::DiskSlow
            | Self::LedgerMoved
            | Self::LedgerOlder => true,
            Self::IdempotencyConflict { .. }
            | Self::NoSuchOrder(_)
            | Self::NoSuchKitchen(_)
            | Self::AlreadyEnded { .. }
            | Self::NotInAKitchen { .. }
            | Self::AlreadyThere { .. }
            | Self::AlreadyCooking { .. }
            | Self::MoveInFlight { .. }
            | Self::TooManyMoves { .. }
            | Self::TargetUnfit { .. }
            | Self::SourceSilent { .. }
            | Self::TargetSilent { .. }
            | Self::NoRoomToDrain { .. }
            | Self::NothingToChange { .. }
            | Self::NoRush
            | Self::BadPolicy(_)
            | Self::NotInQuarantine { .. }
            | Self::FinishesInPlace { .. }
            | Self::Overtaken { .. }
            | Self::Panic
            | Self::NotThatProcess { .. } => false,
        }
    }
}
