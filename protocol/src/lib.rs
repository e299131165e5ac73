//! Words on the wire between clients, balancers, kitchens and consoles.
//!
//! Owns the shapes: ids, orders, the city, agent frames ([`link`]), HTTP bodies ([`api`]) and the feed ([`feed`]).
//! Never decides anything, never opens a socket: a program that links only this crate can talk to the system.

pub mod api;
pub mod bounds;
pub mod city;
pub mod feed;
pub mod host;
pub mod ids;
pub mod link;
pub mod order;
pub mod shared;
mod short;
pub mod text;
pub mod time;

pub use ids::{Epoch, FencingToken, KitchenId, OrderId, Position};
pub use order::{Item, OrderState, Priority};
pub use time::WallTime;
