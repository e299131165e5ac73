//! What the balancer decides: one synchronous state machine that owns the truth.
//!
//! ```text
//! input ──▶ Core::handle(now, input) ──▶ events (facts, to be made durable)  ──▶ effects (to be released after that)
//! ```
//!
//! [`Core`] turns inputs into [`Event`]s and [`Effect`]s; [`State::apply`] is the only place where durable state changes,
//! in a live run, in a replay after a crash and in a follower alike. Never reads a clock, a file, a socket or global
//! randomness: time is an argument, and what chance chose stands in the event.

mod admission;
mod brake;
mod disk;
mod dispatch;
mod dispatcher;
mod drain;
pub mod effect;
pub mod event;
pub mod failure_detector;
mod fleet;
mod follow;
mod freed;
mod grey;
mod handover;
mod holds;
pub mod input;
pub mod invariants;
mod lease;
pub mod limits;
mod migration;
mod outcomes;
pub mod policy;
pub mod random;
mod reports;
pub mod routing;
mod rush;
mod scale;
mod soft;
mod stages;
pub mod state;
mod takeover;
mod triggers;
mod vitals;
mod warmup;
mod wishes;

pub use admission::Line;
pub use brake::Brake;
pub use dispatcher::{Core, Guard, Settings};
pub use effect::{Effect, Refused, Reply};
pub use event::{Event, KitchenNo, Recorded};
pub use failure_detector::{Note, Signs};
pub use grey::Trouble;
pub use input::{DiskHealth, Input, Now};
pub use soft::{Decision, MoveAsked, Skip};
pub use state::State;
