//! The bodies, one file a door, and what they share.

pub mod agent_frames;
pub mod balancer_frames;
pub mod city_files;
pub mod http_bodies;
pub mod journal_rows;

use protocol::link::LeaseName;
use protocol::{Epoch, FencingToken, OrderId};

/// The n-th lease of the first reign, for the n-th order.
fn lease(number: u64) -> LeaseName {
    LeaseName { order: OrderId(number), token: FencingToken { epoch: Epoch(1), counter: number } }
}
