//! A city under test: `chef up` as a child process, its `city.json`, and afterwards its ledger.
//!
//! Owns the child: it is asked to stop and waited for, whatever happened. Knows the product only by its command line.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use color_eyre::eyre::{WrapErr, bail, ensure, eyre};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::Result;
use crate::dump::{self, Row};
use crate::process::{Process, Signal};
use crate::world::Environment;

/// A city starts within this, also while the machine compiles something.
const START_MAX: Duration = Duration::from_secs(120);
/// Kitchens finish what they cook for 5 s, then the balancers end.
const STOP_MAX: Duration = Duration::from_secs(60);

/// What to start.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The binary.
    pub chef: PathBuf,
    /// A directory of its own, which must not exist.
    pub dir: PathBuf,
    /// Balancers, one of them the leader.
    pub balancers: u32,
    /// Kitchens that `chef up` starts itself.
    pub kitchens: u32,
    /// They cook so many times faster.
    pub speed: f64,
    /// The city file's text.
    pub city: String,
    /// More environment of everything it starts.
    pub environment: Environment,
}

/// `city.json`: fields that are not needed here are ignored.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Record {
    /// Those that run.
    pub balancers: Vec<Balancer>,
    /// Those that run.
    pub kitchens: Vec<Kitchen>,
}

/// A balancer that runs.
#[derive(Debug, Clone, Deserialize)]
pub struct Balancer {
    /// Its id.
    pub id: String,
    /// Its process.
    pub pid: u32,
    /// Where it answers, once it is ready.
    pub url: Option<String>,
}

/// A kitchen that runs.
#[derive(Debug, Clone, Deserialize)]
pub struct Kitchen {
    /// Its id.
    pub id: String,
    /// Its process.
    pub pid: u32,
}

/// A city that runs.
#[derive(Debug)]
pub struct City {
    up: Child,
    /// The process of `chef up` itself.
    pub up_pid: u32,
    /// Where its ledger and its logs are.
    pub data: PathBuf,
    /// Of all balancers.
    pub urls: Vec<String>,
    /// How many balancers it has.
    pub balancers: u32,
    chef: PathBuf,
}

impl City {
    /// Starts it and waits until orders are taken and every balancer answers.
    ///
    /// # Errors
    /// It does not come up; its log is named.
    pub async fn start(spec: &Spec) -> Result<Self> {
        std::fs::create_dir_all(&spec.dir)?;
        let (data, file, log) = (spec.dir.join("data"), spec.dir.join("city.toml"), spec.dir.join("up.log"));
        ensure!(!data.exists(), "{} exists: a run needs a directory of its own", data.display());
        std::fs::write(&file, &spec.city)?;
        let mut command = Command::new(&spec.chef);
        command.args(["up", "--port", "0", "--data-dir"]).arg(&data).arg("--city").arg(&file);
        command.args(["--kitchens", &spec.kitchens.to_string(), "--speed", &spec.speed.to_string()]);
        command.args(["--balancers", &spec.balancers.to_string()]);
        command.envs(spec.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?).kill_on_drop(true);
        let mut up = command.spawn().wrap_err_with(|| format!("{} up", spec.chef.display()))?;
        let up_pid = up.id().ok_or_else(|| eyre!("chef up has already ended"))?;
        let stdout = up.stdout.take().ok_or_else(|| eyre!("standard output is piped"))?;
        let url = timeout(START_MAX, ready(stdout)).await.map_err(|_| eyre!("not ready in time"))?;
        let url = url.wrap_err_with(|| format!("see {}", log.display()))?;
        let mut city = Self { up, up_pid, data, urls: vec![url], balancers: spec.balancers, chef: spec.chef.clone() };
        city.urls = city.until_all_answer().await?;
        Ok(city)
    }

    async fn until_all_answer(&self) -> Result<Vec<String>> {
        let deadline = Instant::now() + START_MAX;
        loop {
            let urls: Vec<String> = self.record().balancers.into_iter().filter_map(|entry| entry.url).collect();
            if urls.len() == self.balancers as usize {
                return Ok(urls);
            }
            ensure!(Instant::now() < deadline, "{} of {} balancers came up", urls.len(), self.balancers);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The processes of this moment.
    #[must_use]
    pub fn record(&self) -> Record {
        let text = std::fs::read(self.data.join("city.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Takes hold of one of its processes.
    ///
    /// # Errors
    /// It is down, or not one of this city.
    pub fn process(&self, id: &str) -> Result<Process> {
        let record = self.record();
        let balancers = record.balancers.iter().map(|entry| (&entry.id, entry.pid));
        let mut all = balancers.chain(record.kitchens.iter().map(|entry| (&entry.id, entry.pid)));
        let (_, pid) = all.find(|(known, _)| *known == id).ok_or_else(|| eyre!("{id} is down"))?;
        self.process_of(pid)
    }

    /// Takes hold of one of its processes, by pid.
    ///
    /// # Errors
    /// It is gone, or not one of this city.
    pub fn process_of(&self, pid: u32) -> Result<Process> {
        Process::open(pid, self.up_pid)
    }

    /// Asks it to stop, and waits.
    ///
    /// # Errors
    /// It does not end; then it is killed.
    pub async fn stop(mut self) -> Result<Ledger> {
        Process::open(self.up_pid, std::process::id())?.signal(Signal::TERM)?;
        if timeout(STOP_MAX, self.up.wait()).await.is_err() {
            self.up.kill().await?;
            bail!("chef up did not stop within {} s", STOP_MAX.as_secs());
        }
        Ok(Ledger { chef: self.chef.clone(), data: self.data.clone() })
    }
}

/// The URL of the line `ready URL`; reads on to the end, so that the pipe never fills.
async fn ready(stdout: tokio::process::ChildStdout) -> Result<String> {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(url) = line.strip_prefix("ready ") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(url.trim().to_owned());
        }
    }
    bail!("chef up ended before it was ready")
}

/// The ledger of a city that was stopped.
#[derive(Debug, Clone)]
pub struct Ledger {
    chef: PathBuf,
    data: PathBuf,
}

impl Ledger {
    /// Reads every event.
    ///
    /// # Errors
    /// `chef dump` fails, or prints something else than events.
    pub fn each(&self, each: impl FnMut(&Row)) -> Result<u64> {
        let mut command = std::process::Command::new(&self.chef);
        command.args(["dump", "--data-dir"]).arg(&self.data).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| eyre!("standard output is piped"))?;
        let read = dump::read(stdout, each);
        let status = child.wait()?;
        ensure!(status.success(), "chef dump ended with {status}");
        read
    }

    /// `chef verify`; the error is what it said.
    ///
    /// # Errors
    /// The ledger is not sound.
    pub fn verify(&self) -> Result<()> {
        let output = std::process::Command::new(&self.chef).args(["verify", "--data-dir"]).arg(&self.data).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "chef verify: {}", said.trim());
        Ok(())
    }
}
