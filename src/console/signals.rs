//! Signals of the operating system, and stopping like a well-behaved job.
//!
//! Owns what SIGTERM, SIGHUP, SIGINT, SIGTSTP and SIGCONT mean here. Elsewhere than on Unix none of them exists.

/// What the system told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Leave.
    Quit,
    /// Stop.
    Stop,
    /// Going on.
    Continued,
}

#[cfg(unix)]
pub use self::unix::{Signals, stop_self};

#[cfg(unix)]
mod unix {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Told;

    /// The signals we listen to.
    pub struct Signals {
        terminate: Signal,
        hang_up: Signal,
        interrupt: Signal,
        stop: Signal,
        go_on: Signal,
    }

    impl Signals {
        /// Listens from now on.
        ///
        /// # Errors
        /// As the system says.
        pub fn new() -> io::Result<Self> {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                hang_up: signal(SignalKind::hangup())?,
                interrupt: signal(SignalKind::interrupt())?,
                stop: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
                go_on: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
            })
        }

        /// The next one.
        pub async fn next(&mut self) -> Told {
            tokio::select! {
                _ = self.terminate.recv() => Told::Quit,
                _ = self.hang_up.recv() => Told::Quit,
                _ = self.interrupt.recv() => Told::Quit,
                _ = self.stop.recv() => Told::Stop,
                _ = self.go_on.recv() => Told::Continued,
            }
        }
    }

    /// Stops this process until SIGCONT.
    pub fn stop_self() {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
    }
}

#[cfg(not(unix))]
pub use self::elsewhere::{Signals, stop_self};

#[cfg(not(unix))]
mod elsewhere {
    use std::io;

    use super::Told;

    /// Nothing to listen to.
    pub struct Signals;

    impl Signals {
        /// Listens to nothing.
        ///
        /// # Errors
        /// Never.
        pub fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Never comes.
        pub async fn next(&mut self) -> Told {
            std::future::pending().await
        }
    }

    /// There is no stopping here.
    pub fn stop_self() {}
}
