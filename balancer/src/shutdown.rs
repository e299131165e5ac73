//! When to end: a signal, or the end of the parent. Ends nothing itself.

use std::time::Duration;

use tokio::sync::watch;

/// Says once that the daemon should end.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens for SIGTERM, SIGINT and SIGHUP, and with `with_parent` for the parent's end.
    pub(crate) fn listen(with_parent: bool) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let parent = rustix::process::getppid();
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            let why = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                _ = hangup.recv() => "SIGHUP",
                () = orphaned(parent, with_parent) => "the parent has ended",
            };
            tracing::info!(why, "shutting down");
            let _ = sender.send(true);
        });
        Ok(Self(receiver))
    }

    /// Waits for it.
    pub(crate) async fn wanted(&mut self) {
        // The sender lives as long as the daemon; without it there is nothing left to wait for.
        let _ = self.0.wait_for(|wanted| *wanted).await;
    }
}

/// A child whose parent ends is given another one, at once; looking five times a second costs nothing.
async fn orphaned(parent: Option<rustix::process::Pid>, with_parent: bool) {
    if !with_parent {
        return std::future::pending().await;
    }
    let mut looks = tokio::time::interval(Duration::from_millis(200));
    loop {
        looks.tick().await;
        if rustix::process::getppid() != parent {
            return;
        }
    }
}
