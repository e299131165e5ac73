//! The balancer daemon: moves bytes and time around the core, and keeps the ledger. Decides nothing about orders.
//!
//! One thread talks and decides, one writes to the disk: `hub` owns the core and lets effects go only when the events
//! before them are durable; `api` and `link` translate between sockets and inputs; `feed` tells consoles what changed.

mod alerts;
pub mod api;
mod background;
pub mod clock;
pub mod config;
pub mod dump;
mod feed;
mod history;
mod hub;
pub mod keys;
mod kpi;
mod leadership;
pub mod ledger;
mod link;
mod metrics;
mod notable;
mod numbered;
#[doc(hidden)]
mod private;
pub mod probe;
mod projection;
mod recovery;
pub mod repair;
mod run;
pub mod scrub;
pub mod secret;
mod shutdown;
mod standby;
pub mod verify;
pub mod views;

pub use run::main;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
