//! How a command fails: a message, a mend, and the exit code that scripts rely on.
//!
//! Owns the exit codes. Every error that reaches a person passes here.

use std::io;

use crate::city::CityError;
use crate::city::control::ControlError;
use crate::client::ClientError;

/// Refused, or a verdict "failed".
pub const FAILED: u8 = 1;
/// The command line cannot be meant so.
pub const USAGE: u8 = 2;
/// No balancer reachable.
pub const UNREACHABLE: u8 = 3;
/// Broken off.
pub const ABORTED: u8 = 4;

/// Why a command ends with another code than 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// After `error: `; nothing is printed if it is empty.
    pub message: String,
    /// After `help: `.
    pub help: Option<String>,
}

impl Failure {
    /// Refused or failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into(), help: None }
    }

    /// Not a command line that can be carried out.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into(), help: None }
    }

    /// Everything is said already; only the code is left.
    #[must_use]
    pub fn silent(code: u8) -> Self {
        Self { code, message: String::new(), help: None }
    }

    /// The same with a mend.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Tells it on standard error.
    pub fn tell(&self) {
        use std::io::Write;
        let mut err = io::stderr().lock();
        if !self.message.is_empty() {
            let _ = writeln!(err, "error: {}", self.message);
        }
        if let Some(help) = &self.help {
            let _ = writeln!(err, "help: {help}");
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = match error {
            ClientError::Unreachable { .. } => UNREACHABLE,
            ClientError::Refused(_) | ClientError::Protocol(_) => FAILED,
            ClientError::BadUrl { .. } => USAGE,
        };
        Self { code, message: error.to_string(), help: error.help() }
    }
}

impl From<CityError> for Failure {
    fn from(error: CityError) -> Self {
        let code = match error {
            CityError::Interrupted => ABORTED,
            _ => FAILED,
        };
        Self { code, message: error.to_string(), help: error.help().map(str::to_owned) }
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        Self { code: FAILED, message: error.to_string(), help: error.help() }
    }
}

impl From<io::Error> for Failure {
    /// Writing failed; a reader that has seen enough is no failure.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::silent(0) } else { Self::failed(error.to_string()) }
    }
}

impl From<color_eyre::Report> for Failure {
    fn from(report: color_eyre::Report) -> Self {
        let causes: Vec<String> = report.chain().map(ToString::to_string).collect();
        Self::failed(causes.join(": "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_code() {
        let unreachable = ClientError::Unreachable { urls: vec!["http://a".into()], why: "refused".into() };
        assert_eq!(Failure::from(unreachable).code, UNREACHABLE);
        let bad = ClientError::BadUrl { given: "x".into(), why: "y" };
        assert_eq!(Failure::from(bad).code, USAGE);
        assert_eq!(Failure::from(CityError::Interrupted).code, ABORTED);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)), Failure::silent(0));
    }
}
