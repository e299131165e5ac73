//! The kitchen agent: holds leases and cooks orders, stage by stage.
//!
//! [`core`] is the state machine, without clock or socket, driven by this daemon and by the simulator alike. Everything
//! else is the thin shell around it: settings ([`config`]), the socket to a balancer, child processes that cook,
//! metrics, and the loop that joins them ([`run()`]). Nothing here is durable: what must survive an agent is the
//! balancer's ledger, and a kitchen that starts anew holds nothing.

mod address;
mod clock;
pub mod config;
mod cook;
pub mod core;
mod ending;
mod health;
mod link;
pub mod logging;
mod run;

pub use config::{Args, Config};
pub use run::{AgentError, run};
