//! A city and everything around it: `chef up`, kitchens of our own behind proxies, and the way to ask how it is.
//!
//! Owns starting and ending all of it in sequence. Kitchens of `chef up` die under a supervisor that may tell the
//! balancer; those of our own die in silence, and only their links can be disturbed.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use color_eyre::eyre::{bail, ensure, eyre};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::Result;
use crate::city::{self, City, Ledger};
use crate::client::{Client, Proof};
use crate::outer::{self, Outer};
use crate::process::Process;
use crate::town::Town;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// A balancer that does not say its status in so long is asked again in the next look.
const STATUS_MAX: Duration = Duration::from_millis(700);
/// All kitchens are heard within this after the start.
const START_MAX: Duration = Duration::from_secs(60);

/// What to start.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The binary.
    pub chef: PathBuf,
    /// A directory of its own.
    pub dir: PathBuf,
    /// Balancers.
    pub balancers: u32,
    /// Kitchens of `chef up`: at least one.
    pub inner: u32,
    /// Kitchens of our own.
    pub outer: u32,
    /// All cook so many times faster.
    pub speed: f64,
    /// Menu and capacities.
    pub town: Town,
    /// The cooking command of our own kitchens.
    pub cook: Option<String>,
    /// For the proxies' jitter.
    pub seed: u64,
    /// More environment of every process.
    pub environment: Environment,
}

/// Variables and their values.
pub type Environment = Vec<(&'static str, OsString)>;

/// It runs.
#[derive(Debug)]
pub struct World {
    /// The part under `chef up`.
    pub city: City,
    /// Our own kitchens.
    pub outers: Vec<Outer>,
    /// Talks to all balancers.
    pub client: Client,
    /// Ids of the kitchens of `chef up`.
    pub inners: Vec<String>,
    chef: PathBuf,
    http: reqwest::Client,
}

/// `GET /status`, as far as it is needed here.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// Who decides.
    pub leader: Balancer,
    /// Who follows.
    #[serde(default)]
    pub standbys: Vec<Balancer>,
    /// The reign.
    pub epoch: u64,
    /// By health.
    pub kitchens: Healths,
}

/// A balancer, as the status has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Balancer {
    /// Its id.
    pub id: String,
    /// Its process.
    pub pid: u32,
}

/// How many kitchens are how.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Healths {
    /// Heard of late.
    pub alive: u32,
}

impl World {
    /// Starts everything and waits until all kitchens are alive.
    ///
    /// # Errors
    /// Something does not come up.
    pub async fn start(setup: &Setup) -> Result<Self> {
        let spec = city::Spec {
            chef: setup.chef.clone(),
            dir: setup.dir.clone(),
            balancers: setup.balancers,
            kitchens: setup.inner,
            speed: setup.speed,
            city: setup.town.file(setup.inner),
            environment: setup.environment.clone(),
        };
        let city = City::start(&spec).await?;
        let client = Client::new(city.urls.clone())?;
        let inners = city.record().kitchens.into_iter().map(|kitchen| kitchen.id).collect();
        let http = reqwest::Client::builder().timeout(STATUS_MAX).build()?;
        let mut world = Self { city, outers: Vec::new(), client, inners, chef: setup.chef.clone(), http };
        for number in 1..=setup.outer {
            let outer = world.outer_spec(setup, &format!("outer_{number}"), number);
            world.add(outer, setup.seed).await?;
        }
        ensure!(world.until_calm(START_MAX).await, "not every kitchen was heard within {} s", START_MAX.as_secs());
        Ok(world)
    }

    /// Starts one more kitchen of our own.
    ///
    /// # Errors
    /// No port is free.
    pub async fn add(&mut self, outer: outer::Spec, seed: u64) -> Result<()> {
        let seed = seed ^ (self.outers.len() as u64 + 1) << 32;
        self.outers.push(Outer::start(outer, &self.addresses()?, seed).await?);
        Ok(())
    }

    /// How the kitchen of this id and number would be started.
    #[must_use]
    pub fn outer_spec(&self, setup: &Setup, id: &str, number: u32) -> outer::Spec {
        let id = id.to_owned();
        outer::Spec {
            chef: self.chef.clone(),
            log: setup.dir.join(format!("{id}.log")),
            id,
            zone: setup.town.zone(number),
            capacity: setup.town.capacity,
            stations: setup.town.stations,
            specialties: setup.town.specialties(number),
            speed: setup.speed,
            cook: setup.cook.clone(),
            more: Vec::new(),
            environment: setup.environment.clone(),
        }
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let parse = |url: &String| url.trim_start_matches("http://").trim_end_matches('/').parse().ok();
        let found: Option<Vec<SocketAddr>> = self.city.urls.iter().map(parse).collect();
        found.ok_or_else(|| eyre!("balancers at {:?}: addresses of this machine are needed", self.city.urls))
    }

    /// Ids of all kitchens.
    #[must_use]
    pub fn kitchens(&self) -> Vec<String> {
        self.inners.iter().cloned().chain(self.outers.iter().map(|outer| outer.id.clone())).collect()
    }

    /// One of our own kitchens.
    ///
    /// # Errors
    /// It is none.
    pub fn outer(&self, id: &str) -> Result<&Outer> {
        self.outers.iter().find(|outer| outer.id == id).ok_or_else(|| eyre!("{id} has no link of ours"))
    }

    /// Takes hold of a kitchen's or a balancer's process.
    ///
    /// # Errors
    /// It is down.
    pub fn process(&self, id: &str) -> Result<Process> {
        match self.outer(id) {
            Ok(outer) => outer.process(),
            Err(_) => self.city.process(id),
        }
    }

    /// What the balancer with the highest epoch says; all are asked side by side, as any may be stopped.
    ///
    /// # Errors
    /// None answers in time.
    pub async fn status(&self) -> Result<Status> {
        let mut asked = JoinSet::new();
        for url in &self.city.urls {
            let request = self.http.get(format!("{url}/api/v1/status"));
            asked.spawn(async move { request.send().await?.error_for_status()?.json::<Status>().await });
        }
        let mut best: Option<Status> = None;
        let deadline = Instant::now() + STATUS_MAX;
        while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, asked.join_next()).await {
            let Ok(Ok(status)) = answer else { continue };
            if best.as_ref().is_none_or(|best| status.epoch > best.epoch) {
                best = Some(status);
            }
        }
        best.ok_or_else(|| eyre!("no balancer answers"))
    }

    /// Asks until the status is as wanted; none if it is not in time.
    pub async fn until(&self, within: Duration, wanted: impl Fn(&Status) -> bool) -> Option<Status> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Ok(status) = self.status().await
                && wanted(&status)
            {
                return Some(status);
            }
            sleep(LOOK).await;
        }
        None
    }

    /// Waits until a leader answers, every other balancer follows, and every kitchen is alive.
    pub async fn until_calm(&self, within: Duration) -> bool {
        let (kitchens, standbys) = (self.inners.len() + self.outers.len(), self.city.balancers as usize - 1);
        let calm = |status: &Status| status.kitchens.alive as usize == kitchens && status.standbys.len() >= standbys;
        self.until(within, calm).await.is_some()
    }

    /// Waits until this kitchen is alive in the leader's eyes.
    pub async fn until_heard(&self, kitchen: &str, within: Duration) -> bool {
        let path = format!("/kitchens/{kitchen}");
        let asking = async {
            while self.client.get(&path).await.map_or(true, |view| view["health"] != "alive") {
                sleep(LOOK).await;
            }
        };
        timeout(within, asking).await.is_ok()
    }

    /// Waits until every order has ended; the proof of that moment.
    ///
    /// # Errors
    /// Some are still open when the time is over.
    pub async fn until_all_ended(&self, within: Duration) -> Result<Proof> {
        let mut last = Err(eyre!("no balancer answers"));
        let asking = async {
            loop {
                last = self.client.proof().await;
                if last.as_ref().is_ok_and(|proof| proof.open == 0) {
                    return;
                }
                sleep(LOOK).await;
            }
        };
        if timeout(within, asking).await.is_err() {
            let proof = last?;
            bail!("I1: {} orders have not ended {} s after the last fault", proof.open, within.as_secs());
        }
        last
    }

    /// A number of an agent's metrics, summed over all of our own kitchens.
    ///
    /// # Errors
    /// One does not answer.
    pub async fn metric(&self, name: &str) -> Result<u64> {
        let mut sum = 0;
        for outer in &self.outers {
            sum += self.metric_of(outer, name).await?;
        }
        Ok(sum)
    }

    /// A number of one agent's metrics.
    ///
    /// # Errors
    /// It does not answer, or has no such number.
    pub async fn metric_of(&self, outer: &Outer, name: &str) -> Result<u64> {
        let url = format!("http://127.0.0.1:{}/metrics", outer.metrics_port);
        let text = self.http.get(url).send().await?.error_for_status()?.text().await?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.ok_or_else(|| eyre!("{}: no {name}", outer.id))
    }

    /// Stops everything; the ledger stays.
    ///
    /// # Errors
    /// `chef up` does not end.
    pub async fn stop(self) -> Result<Ledger> {
        for outer in self.outers {
            outer.stop().await;
        }
        self.city.stop().await
    }
}
