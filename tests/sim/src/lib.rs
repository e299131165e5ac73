//! A whole city in virtual time: the real balancer core and the real agent cores, without sockets, files or clocks.
//!
//! ```text
//! params ──▶ world: queue of events ──▶ balancer (shell + core) ◀── network ──▶ kitchens (shell + core)
//!                                            │ rows, replies                       nemesis, operator, clients
//!                                            ▼
//!                                        checker (reads only what an outsider can see)
//! ```
//!
//! One seed is one run. First the safety phase, in which anything may fail, then the liveness phase: faults stop, cuts
//! heal, and everything must drain in bounded time. Never decides anything that the product decides.

pub mod balancer;
pub mod checker;
pub mod dice;
pub mod disk;
pub mod experiments;
pub mod kitchens;
pub mod mutants;
pub mod nemesis;
pub mod network;
pub mod operator;
pub mod params;
pub mod queue;
pub mod regressions;
pub mod runner;
pub mod standby;
pub mod workload;
pub mod world;
