//! Chaos: a real city of real processes, broken on purpose, and judged from outside.
//!
//! ```text
//!  load.rs ──▶ client.rs ── HTTP ──▶ balancers      record.rs   every request, every answer, every fault
//!  hostile.rs ─ sockets ─▶ balancers                  usage.rs    memory, files, threads of every process
//!  nemesis.rs ── signals, proxy.rs ──▶ processes     dump.rs     the ledger afterwards, an event a line
//!                                                   checker.rs  record + dump -> violations
//!  world.rs = city.rs (`chef up`) + outer.rs        measure.rs  record + dump -> times
//! ```
//! Nothing here knows a type of the product: what it says over HTTP and in its dump is all that counts. Whatever is
//! started or stopped here is ended or resumed here.

pub mod checker;
pub mod city;
pub mod client;
pub mod clock;
pub mod dump;
pub mod hostile;
pub mod leftovers;
pub mod load;
pub mod measure;
pub mod nemesis;
pub mod outer;
pub mod process;
pub mod proxy;
pub mod record;
pub mod slow_disk;
pub mod subcommand;
pub mod town;
pub mod usage;
pub mod wall_clock;
pub mod world;

pub use color_eyre::eyre::Result;
