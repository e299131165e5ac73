//! Log lines on stderr.
//!
//! Owns their shape and level. Never writes to stdout, and never logs what a cooking command printed without cleaning
//! it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging for this process; a later call changes nothing.
pub fn start(config: &Config) {
    let Ok(filter) = filter(&config.log_level) else { return };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // A log that takes nothing is no reason to end: a full disk, a shipper that died.
        .log_internal_errors(false);
    // The error says that this process logs already, which is what was wanted.
    let _ = match config.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}

pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(level).map_err(|error| {
        format!("`{}`: {error}: use error, warn, info, debug or trace", protocol::text::clean(level, 40))
    })
}
