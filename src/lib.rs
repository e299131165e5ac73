//! Distributed Chef: the console and the command line, and the one binary that starts every role.
//!
//! Owns everything a person touches. Talks to a balancer only through [`client`]; starts balancers and kitchens only
//! through [`roles`] and, as processes, through [`city`]. Never decides anything about an order.

pub mod city;
pub mod cli;
pub mod client;
pub mod console;
pub mod load;
pub mod output;
pub mod pipes;
pub mod roles;
pub mod system_test;
