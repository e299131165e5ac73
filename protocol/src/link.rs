//! The frames between a balancer and a kitchen agent: binary, batched, versioned.
//!
//! A frame is one WebSocket message: the byte [`VERSION`], then a postcard list of messages. The version byte stands
//! first for ever, so two programs that do not understand each other can still say so.
//!
//! The way of a lease: `Cook` gives it, a `Heartbeat` that *names* it renews it, `Completed` or `Failed` ends it, and
//! `Settled` says that the end is durable (or was refused), so that the agent may forget the order.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::city::{City, Stage};
use crate::ids::{Epoch, FencingToken, KitchenId, OrderId};
use crate::order::{Item, Priority};

/// The version this program speaks; it changes with any change of a message.
pub const VERSION: u8 = 3;
/// The largest frame, in bytes: 4,000 named leases fit, and a hostile peer cannot make us buffer more.
pub const FRAME_MAX: usize = 64 * 1024;
/// The most leases named in one heartbeat; a larger kitchen sends several.
pub const HEARTBEAT_LEASES_MAX: usize = 3_000;
/// The most messages in one frame.
pub const BATCH_MAX: usize = 512;
/// The longest output of a failed cooking command that is kept, in bytes.
pub const OUTPUT_MAX: usize = 2_048;
/// A paused order goes on in its kitchen when neither `Stop` nor `Resume` came for so long, in milliseconds: above a round
/// trip and a slow sync. Never below the fence (the agent takes the longer of the two): by then an order that went
/// elsewhere has been fenced here, so it cannot be cooked twice.
pub const PAUSE_MAX_MS: u32 = 1_500;
/// The path of the WebSocket on a balancer.
pub const PATH: &str = "/api/v1/link";

/// Orders leased to a kitchen beyond its stations when its capacity leaves no room for any: one that is on the wire while
/// the last one cooks, so that a station never waits for a round trip.
pub const PREFETCH: u32 = 1;

/// How many orders a kitchen may be given: its capacity, or one more than its stations if that is more.
#[must_use]
pub fn places(capacity: u32, stations: u32) -> u32 {
    capacity.max(stations.saturating_add(PREFETCH))
}

/// One lease by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeaseName {
    /// The order.
    pub order: OrderId,
    /// The right to it.
    pub token: FencingToken,
}

/// Who an agent is, first on every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Which kitchen.
    pub kitchen: KitchenId,
    /// What people call it.
    pub name: String,
    /// The zone's name.
    pub zone: String,
    /// How many orders it may hold.
    pub capacity: u32,
    /// How many it cooks at once.
    pub stations: u32,
    /// Names of dishes it is good at.
    pub specialties: Vec<String>,
    /// Chosen at random when the process starts: the same number means the same process with the same orders in hand.
    pub session: u64,
    /// The process id, for people.
    pub pid: u32,
    /// The agent's own code version, for people.
    pub version: String,
    /// How fast it cooks, in thousandths: 1,000 is the menu's time for a stage, 5,000 a fifth of it; never 0.
    pub speed_milli: u32,
    /// How long a stage may take when it is a command of the operator's, in milliseconds; absent where cooking is
    /// simulated, for then the menu and the speed say it.
    pub stage_timeout_ms: Option<u32>,
}

/// From an agent to its balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentMessage {
    /// First on every connection.
    Hello(Box<Hello>),
    /// A sign of life that renews the leases it names.
    Heartbeat {
        /// Grows by one with each heartbeat of the session.
        seq: u64,
        /// What the agent holds and has not finished.
        held: Vec<LeaseName>,
    },
    /// Cooking began at this stage.
    Started {
        /// Which lease.
        lease: LeaseName,
        /// The first stage of this attempt.
        stage: u8,
    },
    /// A stage ended: a checkpoint.
    StageDone {
        /// Which lease.
        lease: LeaseName,
        /// The stage that ended.
        stage: u8,
    },
    /// Cooked. Says that every stage is done; repeated until settled.
    Completed {
        /// Which lease.
        lease: LeaseName,
        /// From the start of this attempt to its end, in milliseconds of the agent's clock.
        cooked_ms: u32,
    },
    /// The attempt failed; repeated until settled.
    Failed {
        /// Which lease.
        lease: LeaseName,
        /// The stage that failed.
        stage: u8,
        /// What the cooking command printed, cut to [`OUTPUT_MAX`].
        output: String,
    },
    /// The order was taken out of the kitchen as asked; it will not be cooked here under this token.
    Released {
        /// Which lease.
        lease: LeaseName,
    },
    /// The order stays.
    ReleaseRefused {
        /// Which lease.
        lease: LeaseName,
        /// Why.
        why: KeepReason,
    },
    /// The agent does not cook this one (any more): its lease was over when it arrived or ended since, or there is no room.
    Declined {
        /// Which lease.
        lease: LeaseName,
        /// Why.
        why: DeclineReason,
    },
    /// The agent ends on purpose and holds nothing more.
    Goodbye,
    /// A place is kept for the order that is handed over to this kitchen.
    Reserved {
        /// Which order.
        order: OrderId,
    },
    /// No place is kept.
    ReserveRefused {
        /// Which order.
        order: OrderId,
        /// Why.
        why: DeclineReason,
    },
    /// Cooking is paused at a checkpoint, for a handover. The order stays, and its lease is renewed, until `Stop` says that
    /// another kitchen has it or `Resume` says that it goes on here; after [`PAUSE_MAX_MS`] without either it goes on.
    Paused {
        /// Which lease.
        lease: LeaseName,
        /// How many stages are done.
        stages_done: u8,
    },
    /// The order is not handed over; cooking goes on.
    HandoverRefused {
        /// Which lease.
        lease: LeaseName,
        /// Why.
        why: StayReason,
    },
    /// The agent does not hear this balancer: no heartbeat was answered for a fence. It holds nothing more, takes nothing more
    /// that was said on this connection, and makes a new one.
    Deaf,
}

/// Why an order that is being cooked finishes where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StayReason {
    /// Its stage cannot be broken off.
    InTheOven,
    /// Its last stage is running.
    NearlyDone,
    /// It is done; the report is on its way.
    Finished,
    /// It has not begun: it can be given back instead.
    NotStarted,
    /// The agent does not have it.
    Unknown,
}

impl StayReason {
    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InTheOven => "in_the_oven",
            Self::NearlyDone => "nearly_done",
            Self::Finished => "finished",
            Self::NotStarted => "not_started",
            Self::Unknown => "unknown",
        }
    }
}

/// Why an agent keeps an order it was asked to give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeepReason {
    /// It is being cooked.
    Started,
    /// It is done; the report is on its way.
    Finished,
    /// The agent does not have it.
    Unknown,
}

/// Why an agent declined an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeclineReason {
    /// The lease was over when the order arrived, or ended in the agent's hands.
    Late,
    /// The kitchen holds as many orders as it may.
    Full,
    /// The kitchen shuts down.
    Closing,
    /// Its command took longer than [`Hello::stage_timeout_ms`], and was killed.
    TimedOut,
}

/// An order to cook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cook {
    /// Order and right.
    pub lease: LeaseName,
    /// 1 for the first try.
    pub attempt: u16,
    /// The first stage that is not done yet.
    pub from_stage: u8,
    /// Whether it goes before others that wait.
    pub priority: Priority,
    /// After so long in this kitchen, in milliseconds, it has waited its share and ranks with high priority; among equals
    /// the older order goes first.
    pub ages_in_ms: u32,
    /// What to cook.
    pub items: Vec<Item>,
}

/// From a balancer to an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum BalancerMessage {
    /// The agent is in.
    Welcome(Box<Welcome>),
    /// The agent is not let in; the connection ends.
    Refused(Refusal),
    /// Cook this.
    Cook {
        /// The last heartbeat that the balancer had seen when it gave the lease: the lease is safe until
        /// [`Timing::fence_ms`] after that heartbeat was *sent*, by the agent's own clock.
        seen: u64,
        /// What.
        cook: Cook,
    },
    /// Give the order back if it has not been started.
    Release(LeaseName),
    /// Stop: the order is cancelled, or the lease is no longer yours.
    Stop(LeaseName),
    /// An answered heartbeat.
    Renewed {
        /// Which one.
        seq: u64,
        /// Leases it named that are not this kitchen's (any more): stop them.
        lost: Vec<LeaseName>,
    },
    /// The end of this lease is durable, or was refused; forget it.
    Settled {
        /// Which lease.
        lease: LeaseName,
        /// Whether the report was refused as stale.
        stale: bool,
    },
    /// Keep a place for an order that another kitchen may hand over.
    Reserve {
        /// Which order.
        order: OrderId,
        /// For how long at most, in milliseconds.
        for_ms: u32,
    },
    /// The order does not come: the place is free.
    Unreserve {
        /// Which order.
        order: OrderId,
    },
    /// Pause at the next checkpoint, so that another kitchen can go on with the order.
    Handover {
        /// Which lease.
        lease: LeaseName,
        /// A stage that may be broken off is broken off after so long.
        max_wait_ms: u32,
    },
    /// The handover does not happen: go on with a paused order.
    Resume(LeaseName),
}

/// What a new agent needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Who decides.
    pub epoch: Epoch,
    /// The rhythm.
    pub timing: Timing,
    /// The city as the ledger numbers it.
    pub city: City,
}

/// The rhythm of leases, all in milliseconds.
///
/// `heartbeat < fence < lease`: an agent stops by itself before the balancer gives its orders away, even if one clock
/// runs 20 % faster than the other (1.2 s * 1.2 < 1.5 s).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Between two heartbeats.
    pub heartbeat_ms: u32,
    /// The agent stops this long after *sending* the last heartbeat that was answered.
    pub fence_ms: u32,
    /// The balancer calls a lease expired this long after the last renewal.
    pub lease_ms: u32,
}

impl Timing {
    /// 300 ms, 1.2 s, 1.5 s.
    pub const DEFAULT: Self = Self { heartbeat_ms: 300, fence_ms: 1_200, lease_ms: 1_500 };
}

/// Why an agent was not let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The two programs speak different versions.
    #[error(
        "protocol version {theirs} is not spoken here, this balancer speaks {ours}: use the same release on both sides"
    )]
    Version {
        /// What the agent sent.
        theirs: u8,
        /// What the balancer speaks.
        ours: u8,
    },
    /// Another living process has this id.
    #[error(
        "kitchen `{kitchen}` is already here, alive, as process {pid}: stop that one or give this one another KITCHEN_ID"
    )]
    Alive {
        /// The id.
        kitchen: KitchenId,
        /// The process that has it.
        pid: u32,
    },
    /// Something in the hello cannot be.
    #[error("{0}")]
    Hello(String),
    /// Not the leader, and it cannot forward.
    #[error("this balancer does not lead now: try another")]
    NotLeader,
    /// No more kitchens fit.
    #[error("this city already has its limit of {0} kitchens")]
    Full(u32),
}

impl Refusal {
    /// Whether the same agent may be let in later without a change by a person.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Alive { .. } | Self::NotLeader | Self::Full(_) => true,
            Self::Version { .. } | Self::Hello(_) => false,
        }
    }
}

/// A frame that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// No byte at all.
    #[error("empty frame")]
    Empty,
    /// Over [`FRAME_MAX`].
    #[error("frame of {0} bytes, at most {FRAME_MAX}")]
    TooLong(usize),
    /// Another version.
    #[error("frame of protocol version {0}, this program speaks {VERSION}")]
    Version(u8),
    /// Not a list of messages.
    #[error("malformed frame: {0}")]
    Malformed(String),
}

/// Appends one frame with these messages to `out`.
///
/// # Panics
/// Never for the message types of this module: they hold nothing that postcard cannot write.
#[must_use]
pub fn encode<M: Serialize>(messages: &[M]) -> Vec<u8> {
    debug_assert!(messages.len() <= BATCH_MAX);
    let mut out = Vec::with_capacity(16 + messages.len() * 24);
    out.push(VERSION);
    postcard::to_extend(messages, out).expect("messages are plain data")
}

/// As few frames as hold these messages: each at most [`BATCH_MAX`] messages and [`FRAME_MAX`] bytes.
#[must_use]
pub fn frames<M: Serialize>(messages: &[M]) -> Vec<Vec<u8>> {
    let mut frames = Vec::with_capacity(messages.len() / BATCH_MAX + 1);
    messages.chunks(BATCH_MAX).for_each(|chunk| split(chunk, &mut frames));
    frames
}

fn split<M: Serialize>(messages: &[M], frames: &mut Vec<Vec<u8>>) {
    let frame = encode(messages);
    if frame.len() > FRAME_MAX && messages.len() > 1 {
        let (first, second) = messages.split_at(messages.len() / 2);
        split(first, frames);
        split(second, frames);
    } else {
        frames.push(frame);
    }
}

/// Reads one frame.
///
/// # Errors
/// Says which rule the frame breaks; the connection should end.
pub fn decode<M: DeserializeOwned>(frame: &[u8]) -> Result<Vec<M>, BadFrame> {
    let (&version, body) = frame.split_first().ok_or(BadFrame::Empty)?;
    if frame.len() > FRAME_MAX {
        return Err(BadFrame::TooLong(frame.len()));
    }
    if version != VERSION {
        return Err(BadFrame::Version(version));
    }
    let (messages, rest): (Vec<M>, _) =
        postcard::take_from_bytes(body).map_err(|error| BadFrame::Malformed(error.to_string()))?;
    if !rest.is_empty() || messages.len() > BATCH_MAX {
        return Err(BadFrame::Malformed(format!("{} messages and {} bytes behind them", messages.len(), rest.len())));
    }
    Ok(messages)
}

/// Stages of an order under this city's menu; the same on both sides of the link.
#[must_use]
pub fn stages(city: &City, items: &[Item]) -> Vec<Stage> {
    crate::order::plan(items, &city.menu)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(order: u64) -> LeaseName {
        LeaseName { order: OrderId(order), token: FencingToken { epoch: Epoch(1), counter: order } }
    }

    #[test]
    fn a_frame_reads_back_as_written() {
        let messages = vec![
            AgentMessage::Heartbeat { seq: 7, held: vec![lease(1), lease(2)] },
            AgentMessage::Completed { lease: lease(1), cooked_ms: 12 },
        ];
        assert_eq!(decode::<AgentMessage>(&encode(&messages)).expect("own frame"), messages);
    }

    #[test]
    fn the_largest_heartbeat_fits_in_a_frame() {
        let lease = LeaseName {
            order: OrderId(u64::from(u32::MAX)),
            token: FencingToken { epoch: Epoch(u32::from(u16::MAX)), counter: u64::from(u32::MAX) },
        };
        let frame = encode(&[AgentMessage::Heartbeat { seq: u64::MAX, held: vec![lease; HEARTBEAT_LEASES_MAX] }]);
        assert!(frame.len() <= FRAME_MAX, "{}", frame.len());
    }

    #[test]
    fn another_version_rubbish_and_trailing_bytes_are_refused() {
        let mut frame = encode(&[AgentMessage::Goodbye]);
        frame.push(0);
        assert!(matches!(decode::<AgentMessage>(&frame), Err(BadFrame::Malformed(_))));
        frame[0] = VERSION + 1;
        assert_eq!(decode::<AgentMessage>(&frame), Err(BadFrame::Version(VERSION + 1)));
        assert_eq!(decode::<AgentMessage>(&[]), Err(BadFrame::Empty));
        assert!(decode::<AgentMessage>(&[VERSION, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
    }
}
