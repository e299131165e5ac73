//! Commands about a ledger's files on this machine: dump and repair. No balancer is asked.
//!
//! Owns the question before a repair. Never touches a file: `roles` leads to the balancer's own code.

use std::io::{IsTerminal, Write};

use clap::Args;

use super::args::{DataDir, Print};
use super::failure::Failure;
use crate::roles;

/// `chef dump`.
#[derive(Debug, Clone, Args)]
pub struct Dump {
    #[command(flatten)]
    data: DataDir,
    /// The first position
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: u64,
    /// The last position [default: the end]
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    to: u64,
}

impl Dump {
    pub(super) fn run(&self) -> Result<(), Failure> {
        roles::dump(&self.data.data_dir, self.from, self.to)
    }
}

/// `chef repair`.
#[derive(Debug, Clone, Args)]
pub struct Repair {
    #[command(flatten)]
    data: DataDir,
    /// Keep everything up to here, and drop what is behind; `chef verify` names the first bad position
    #[arg(long, value_name = "N")]
    to_position: u64,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    print: Print,
}

impl Repair {
    pub(super) fn run(&self) -> Result<(), Failure> {
        roles::repair(&self.data.data_dir, self.to_position, self.print.format, |account| self.sure(account))
    }

    /// Shows what would be lost; a person who is asked types the position once more.
    fn sure(&self, account: &str) -> Result<(), Failure> {
        let mut err = std::io::stderr().lock();
        write!(err, "{account}")?;
        if self.yes {
            return Ok(());
        }
        let refused = || Failure::failed("nothing was changed").help("to repair without a question, add --yes");
        if !std::io::stdin().is_terminal() {
            return Err(refused());
        }
        write!(err, "type the position ({}) to go on: ", self.to_position)?;
        err.flush()?;
        let mut typed = String::new();
        std::io::stdin().read_line(&mut typed)?;
        if typed.trim() == self.to_position.to_string() { Ok(()) } else { Err(refused()) }
    }
}
