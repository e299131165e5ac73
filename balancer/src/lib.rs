//! The balancer daemon: moves bytes and time around the core, and keeps the ledger. Decides nothing about orders.
//!
//! One thread talks and decides, one writes to the disk: `hub` owns the core and lets effects go only when the events
//! before them are durable; `api` and `link` translate between sockets and inputs; `feed` tells consoles what changed.

mod alerts;
pub mod api;
pub mod clock;
pub mod config;
mod feed;
mod history;
mod hub;
mod kpi;
pub mod ledger;
mod link;
mod metrics;
mod notable;
mod recovery;
mod run;
mod shutdown;
pub mod verify;
pub mod views;

pub use run::main;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
