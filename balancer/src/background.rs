//! Work beside the orders: a thread of the lowest priority that can be told to end at any moment.
//!
//! Owns priority, waiting and stopping. Never knows what the work is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The lowest priority that the system has: such a thread runs when nobody else wants to.
const NICE: i32 = 19;

/// A thread that works beside the orders.
#[derive(Debug)]
pub(crate) struct Background {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// What the work asks whether it may go on, and waits with.
#[derive(Debug)]
pub(crate) struct Pace {
    stop: Arc<AtomicBool>,
}

impl Background {
    /// Starts it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(name: &'static str, work: impl FnOnce(&Pace) + Send + 'static) -> io::Result<Self> {
        Self::start_urgent(name, move |pace| {
            // On Linux a thread has a priority of its own; without it the work is only less polite.
            if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                tracing::debug!(%error, name, "keeps its priority");
            }
            work(pace);
        })
    }

    /// The same at the usual priority, for what clients wait for.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start_urgent(name: &'static str, work: impl FnOnce(&Pace) + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let pace = Pace { stop: Arc::clone(&stop) };
        let run = move || work(&pace);
        Ok(Self { stop, thread: std::thread::Builder::new().name(name.to_owned()).spawn(run)? })
    }

    /// Whether the work is done.
    #[cfg(test)]
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Tells it to end, and waits until it has.
    pub(crate) fn finish(self) {
        self.stop.store(true, Relaxed);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            tracing::warn!("a thread beside the orders had panicked");
        }
    }
}

impl Pace {
    /// One that is never told to end.
    #[cfg(test)]
    pub(crate) fn endless() -> Self {
        Self { stop: Arc::default() }
    }

    /// Whether it was told to end.
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Waits, unless it is told to end.
    pub(crate) fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::park_timeout(left);
        }
    }
}
