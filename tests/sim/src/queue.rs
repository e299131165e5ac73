//! What happens when: the queue of the discrete-event simulation. Never decides what an entry means.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use balancer_core::Reply;
use protocol::link::LeaseName;

/// Virtual time in microseconds since the simulation began.
pub type Time = u64;

/// A millisecond.
pub const MS: Time = 1_000;
/// A second.
pub const SECOND: Time = 1_000_000;

/// What comes to an end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the number is a kitchen's")]
pub enum Heal {
    Link(usize),
    Resume(usize),
    Start(usize),
    Slow(usize),
    BalancerStart,
    BalancerResume,
    /// The standby takes over, if nobody leads.
    TakeOver,
    /// The standby kills a leader that has been silent for too long, and takes over.
    Depose {
        process: u64,
    },
    /// The leader dies while an order is on its way between two kitchens.
    KillLeader {
        process: u64,
    },
    DiskSpace,
    Grey(usize),
    Stuck(usize),
    Burns(usize),
    /// An order, or a flapping power supply, kills this process.
    Kill {
        kitchen: usize,
        process: u64,
    },
}

/// One entry. `process` says for which life of a program it is: after a crash it means nothing.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields say whom it concerns")]
pub enum What {
    /// The core wants to be woken.
    Tick { process: u64 },
    /// The shell hands what the core decided to the ledger.
    Flush { process: u64 },
    /// The sync in progress returns.
    Synced { process: u64 },
    /// An agent wants to be woken.
    Wake { kitchen: usize, process: u64 },
    /// A frame reaches the other end, if nothing is in the way.
    Arrive { conn: usize, up: bool },
    /// An agent tries to connect.
    Connect { kitchen: usize, process: u64 },
    /// The handshake is done.
    Connected { kitchen: usize, process: u64, balancer: u64 },
    /// An agent looks whether its heartbeats are answered.
    AgentSilence { conn: usize },
    /// The balancer looks whether a connection says anything.
    BalancerSilence { conn: usize },
    /// A cooking command ends.
    StageEnds { kitchen: usize, process: u64, lease: LeaseName, stage: u8, run: u64, fails: bool },
    /// The next client comes.
    NewClient,
    /// A client sends, or sends again.
    Send { client: usize },
    /// A request reaches the balancer.
    Request { client: usize },
    /// A client has waited long enough.
    Impatient { client: usize, attempt: u32 },
    /// A reply reaches its client.
    Answer { client: usize, reply: Box<Reply> },
    /// The operator does something.
    Operate,
    /// The nemesis does something.
    Fault,
    /// A fault ends.
    Heal(Heal),
    /// The standby reads on in the ledger.
    Follow,
    /// The shell looks how its disk is.
    DiskLook { process: u64 },
    /// A supervisor has seen this process of the kitchen end, or says so.
    Gone { kitchen: usize, pid: u32 },
    /// The checker looks at deadlines.
    Audit,
    /// The safety phase is over.
    Calm,
}

#[derive(Debug)]
struct Entry {
    at: Time,
    sequence: u64,
    what: What,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// Reversed: the heap gives the greatest, and the earliest is wanted.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

/// Entries by time, and in the sequence of their making at the same time.
#[derive(Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Entry>,
    made: u64,
}

impl Queue {
    /// Adds an entry.
    pub fn at(&mut self, at: Time, what: What) {
        self.made += 1;
        self.heap.push(Entry { at, sequence: self.made, what });
    }

    /// Takes the earliest entry.
    pub fn pop(&mut self) -> Option<(Time, What)> {
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }

    /// When the earliest entry is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// How many entries were ever made.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made
    }
}
