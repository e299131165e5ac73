//! Why a local city does not start, and the mend.
//!
//! Owns the words. Never decides the exit code: that is the command line's.

use std::path::{Path, PathBuf};

use protocol::text::clean;

/// Why a city did not start.
#[derive(Debug, thiserror::Error)]
pub enum CityError {
    /// The city file cannot be used.
    #[error("city file {}: {why}", shown(path))]
    CityFile {
        /// Which.
        path: PathBuf,
        /// Where and what.
        why: String,
    },
    /// The city file names no kitchen.
    #[error("the city file has no [[kitchen]] to start")]
    NoKitchens,
    /// A specialty that cannot be handed over.
    #[error("the specialty `{}` has a comma in its name", clean(.0, 40))]
    Comma(String),
    /// A kitchen has the id of a balancer.
    #[error("the kitchen `{0}` has the id of a balancer of this city")]
    Double(protocol::KitchenId),
    /// The port cannot be had.
    #[error("port {port} on 127.0.0.1 cannot be used: {why}")]
    Port {
        /// Which.
        port: u16,
        /// The cause.
        why: String,
    },
    /// The data directory cannot be written.
    #[error("data directory {} cannot be used: {why}", shown(dir))]
    DataDir {
        /// Which.
        dir: PathBuf,
        /// The cause.
        why: String,
    },
    /// Another supervisor has the data directory.
    #[error("data directory {} is in use by another city{}", shown(dir), owner(.pid))]
    InUse {
        /// Which.
        dir: PathBuf,
        /// The other's process, if it is known.
        pid: Option<u32>,
    },
    /// A process does not come up.
    #[error("{id} {how}{log}")]
    Process {
        /// Which.
        id: String,
        /// What happened to it.
        how: String,
        /// The end of its log.
        log: String,
    },
    /// This program cannot be found to start it again.
    #[error("this program's own file cannot be found: {0}")]
    OwnFile(std::io::Error),
    /// The person stopped it.
    #[error("stopped before it was ready")]
    Interrupted,
}

impl CityError {
    /// The mend.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::CityFile { .. } => Some("leave --city out for the built-in city; its file is protocol/src/city.toml"),
            Self::NoKitchens => Some("add at least one [[kitchen]] with id, zone and capacity"),
            Self::Double(_) => Some("give the kitchen another id in the city file"),
            Self::Comma(_) => Some("rename the dish in the city file"),
            Self::Port { .. } => {
                Some("stop the program that has it, or give another --port; --port 0 picks a free one")
            }
            Self::DataDir { .. } => Some("give a directory that can be written with --data-dir"),
            Self::InUse { .. } => Some("stop that one, or give another --data-dir"),
            Self::Process { .. } => Some("the whole log is in the data directory, under logs/"),
            Self::OwnFile(_) | Self::Interrupted => None,
        }
    }
}

fn owner(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

fn shown(path: &Path) -> String {
    clean(&path.display().to_string(), 200)
}
