//! What reaches the core: wishes of clients and operators, reports of kitchens, and time. Says nothing of what follows.

use std::time::Duration;

use protocol::api::PolicyView;
use protocol::city::{City, ZoneNo};
use protocol::link::{AgentMessage, Hello};
use protocol::{Item, KitchenId, OrderId, Priority, WallTime};

/// The two clocks: `mono` decides, `wall` is only written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Monotonic, includes suspend; its zero is arbitrary and differs from run to run.
    pub mono: Duration,
    /// For people.
    pub wall: WallTime,
}

/// Who waits for an answer; the shell gives the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A connection of an agent; the shell gives the numbers, and never the same one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Who did it and why, for the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Operator {
    /// A name; empty when nobody said.
    pub name: String,
    /// A reason; empty when nobody said.
    pub reason: String,
}

/// An order that has passed the door: every dish and zone is known, every text is clean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// 1 to 16 dishes.
    pub items: Vec<Item>,
    /// Where it goes.
    pub zone: ZoneNo,
    /// Who asked.
    pub customer: Option<Box<str>>,
    /// How urgent.
    pub priority: Priority,
    /// The idempotency key.
    pub key: Option<Box<str>>,
}

/// One input.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// First of all, once: this process leads now, with this city file.
    Lead {
        /// The city as configured; merged with the one in the ledger.
        city: Box<City>,
        /// The policy to use if the ledger has none yet.
        policy: Box<PolicyView>,
    },
    /// An order.
    Submit {
        /// Who waits.
        request: RequestId,
        /// What for.
        order: NewOrder,
    },
    /// Call an order off.
    Cancel {
        /// Who waits.
        request: RequestId,
        /// Which.
        order: OrderId,
        /// By whom.
        by: Operator,
    },
    /// Move an order by hand.
    Migrate {
        /// Who waits.
        request: RequestId,
        /// Which.
        order: OrderId,
        /// Where to.
        to: KitchenId,
        /// By whom.
        by: Operator,
    },
    /// Give the kitchen no new orders.
    Cordon {
        /// Who waits.
        request: RequestId,
        /// Which.
        kitchen: KitchenId,
        /// By whom.
        by: Operator,
    },
    /// Give it orders again.
    Uncordon {
        /// Who waits.
        request: RequestId,
        /// Which.
        kitchen: KitchenId,
        /// By whom.
        by: Operator,
    },
    /// Empty the kitchen.
    Drain {
        /// Who waits.
        request: RequestId,
        /// Which.
        kitchen: KitchenId,
        /// After this the rest is recovered elsewhere.
        deadline: Option<Duration>,
        /// Also when the others have no room.
        force: bool,
        /// By whom.
        by: Operator,
    },
    /// Tune the policy.
    SetPolicy {
        /// Who waits.
        request: RequestId,
        /// All of it.
        policy: Box<PolicyView>,
        /// By whom.
        by: Operator,
    },
    /// Begin or change a rush.
    StartRush {
        /// Who waits.
        request: RequestId,
        /// Orders a second.
        rate: f64,
        /// How long.
        lasts: Duration,
        /// All zones if absent.
        zone: Option<ZoneNo>,
        /// By whom.
        by: Operator,
    },
    /// End the rush.
    StopRush {
        /// Who waits.
        request: RequestId,
        /// By whom.
        by: Operator,
    },
    /// An agent says who it is, on a new connection.
    Join {
        /// Which connection.
        connection: ConnectionId,
        /// Who.
        hello: Box<Hello>,
    },
    /// An agent says something else.
    Agent {
        /// Which connection.
        connection: ConnectionId,
        /// What.
        message: AgentMessage,
    },
    /// A connection ended: a sign, not yet a death.
    Left {
        /// Which connection.
        connection: ConnectionId,
    },
    /// Only time has passed.
    Tick,
    /// Whoever owns a kitchen's process saw it end: a certain death, so nobody waits for its leases.
    Gone {
        /// Who waits.
        request: RequestId,
        /// Which.
        kitchen: KitchenId,
        /// The process that ended; another one is not meant.
        pid: u32,
    },
    /// Take an order out of quarantine.
    Release {
        /// Who waits.
        request: RequestId,
        /// Which.
        order: OrderId,
        /// By whom.
        by: Operator,
    },
    /// How the ledger's disk is; said when it changes.
    Disk(DiskHealth),
}

/// How the ledger's disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiskHealth {
    /// Appends come through.
    #[default]
    Fine,
    /// An append has been under way for a noticeable time: nothing new is decided, nothing is acknowledged.
    Slow,
    /// The path does not lead to the ledger any more: nothing new is decided, nothing is acknowledged, until it is back.
    Moved,
    /// Somebody has followed a ledger that goes on behind the end of this one: it is an older copy, and nothing is decided.
    Older,
    /// There is no space: the ledger tries again, and until then everything is read-only.
    Full,
}
