//! Kitchens of our own beside those of `chef up`: behind a proxy, with metrics, with a cooking command.
//!
//! Owns each process: starts it again half a second after its end, as a supervisor without any tie to the balancer
//! would. So the balancer learns of such a death by silence alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use color_eyre::eyre::{WrapErr, eyre};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::Result;
use crate::process::{Process, Signal};
use crate::proxy::Link;
use crate::world::Environment;

/// The pause before a restart, as `chef up` makes it the first time.
const RESTART: Duration = Duration::from_millis(500);
/// An agent finishes what it cooks for at most 5 s.
const STOP_MAX: Duration = Duration::from_secs(8);

/// How to start one.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The binary.
    pub chef: PathBuf,
    /// Its id.
    pub id: String,
    /// Its zone.
    pub zone: &'static str,
    /// Places.
    pub capacity: u32,
    /// Stations.
    pub stations: u32,
    /// Comma separated.
    pub specialties: String,
    /// Cooks so many times faster.
    pub speed: f64,
    /// Runs for each stage instead of simulated cooking.
    pub cook: Option<String>,
    /// Gets what it prints.
    pub log: PathBuf,
    /// More arguments.
    pub more: Vec<String>,
    /// More environment.
    pub environment: Environment,
}

/// One that is kept running.
#[derive(Debug)]
pub struct Outer {
    /// Its id.
    pub id: String,
    /// What lies between it and the balancers.
    pub link: Link,
    /// Of its metrics.
    pub metrics_port: u16,
    pid: watch::Receiver<Option<u32>>,
    stop: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

impl Outer {
    /// Starts it.
    ///
    /// # Errors
    /// No port is free, or the log cannot be written.
    pub async fn start(spec: Spec, balancers: &[SocketAddr], seed: u64) -> Result<Self> {
        let link = Link::open(balancers, seed).await?;
        let metrics_port = free_port()?;
        let (pid_in, pid) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let id = spec.id.clone();
        let command = Start { urls: link.urls.join(","), spec, metrics_port };
        std::fs::write(&command.spec.log, "")?;
        let keeper = tokio::spawn(keep(command, pid_in, stopped));
        Ok(Self { id, link, metrics_port, pid, stop, keeper })
    }

    /// Takes hold of its process.
    ///
    /// # Errors
    /// It is down.
    pub fn process(&self) -> Result<Process> {
        let pid = self.pid.borrow().ok_or_else(|| eyre!("{} is down", self.id))?;
        Process::open(pid, std::process::id())
    }

    /// Stops it for good.
    pub async fn stop(self) {
        self.link.reset();
        let _ = self.stop.send(true);
        let _ = self.keeper.await;
    }
}

/// A port that was free just now; the agent takes it at once.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

struct Start {
    spec: Spec,
    urls: String,
    metrics_port: u16,
}

impl Start {
    fn spawn(&self) -> Result<Child> {
        let spec = &self.spec;
        let log = std::fs::OpenOptions::new().append(true).open(&spec.log)?;
        let mut command = Command::new(&spec.chef);
        command.args(["kitchen", "--die-with-parent", "--id", &spec.id, "--location", spec.zone]);
        command.args(["--capacity", &spec.capacity.to_string(), "--stations", &spec.stations.to_string()]);
        command.args(["--specialties", &spec.specialties, "--speed", &spec.speed.to_string()]);
        command.args(["--load-balancer-url", &self.urls, "--metrics-port", &self.metrics_port.to_string()]);
        if let Some(cook) = &spec.cook {
            command.args(["--cook", cook]);
        }
        command.args(&spec.more).envs(spec.environment.iter().cloned());
        command.process_group(0).kill_on_drop(true).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.spawn().wrap_err_with(|| format!("{} kitchen", spec.chef.display()))
    }
}

async fn keep(start: Start, pid: watch::Sender<Option<u32>>, mut stopped: watch::Receiver<bool>) {
    loop {
        let Ok(mut child) = start.spawn() else { return };
        pid.send_replace(child.id());
        let ended = tokio::select! {
            _ = child.wait() => true,
            _ = stopped.wait_for(|stopped| *stopped) => false,
        };
        if !ended {
            end(child).await;
        }
        pid.send_replace(None);
        tokio::select! {
            () = sleep(RESTART) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Asks twice, so that it does not finish cooking first, and then insists. A stopped process hears nothing but SIGKILL.
async fn end(mut child: Child) {
    let process = child.id().and_then(|pid| Process::open(pid, std::process::id()).ok());
    for signal in [Signal::TERM, Signal::CONT, Signal::TERM] {
        let _ = process.as_ref().map(|process| process.signal(signal));
        sleep(Duration::from_millis(50)).await;
    }
    if timeout(STOP_MAX, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
