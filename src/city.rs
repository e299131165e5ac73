//! A local city: balancers and kitchens as real processes of this program, started, watched and stopped.
//!
//! ```text
//! city/plan.rs     what to start            city/keeper.rs  one process: start, wait, start again
//! city/roster.rs   who runs; city.json      city/control.rs the socket behind `chef kill`
//! city/flow.rs     a steady flow of orders  city/journal.rs the supervisor's log
//! city/error.rs    why it does not start   city/deaths.rs  tells the leader which kitchen has died
//! ```
//! Owns the sequence: a balancer, those that stand by, kitchens, ready; and back: kitchens, standbys, the leader, so that
//! nobody takes over at the end. Nothing half-started stays: a failed start stops what it had begun. Every child also
//! ends by itself when this process is gone. It never decides anything about an order, nor who leads.

pub mod control;
mod deaths;
mod error;
mod flow;
mod journal;
mod keeper;
pub mod plan;
pub mod record;
mod roster;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::api::Health;
use protocol::text::clean;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::load::demand::Demand;
use control::{Door, Handle, Supervisor};
use deaths::Death;
pub use error::CityError;
use journal::Journal;
use keeper::{Change, Keeper, Role, Spec};
pub use plan::Options;
use plan::{BalancerSpec, Plan};
use roster::Picture;

/// A balancer reads its whole ledger before it is ready.
const BALANCER_START_MAX: Duration = Duration::from_secs(60);
/// Kitchens are heard within a second on an idle machine; hundreds take longer.
const KITCHENS_START_MAX: Duration = Duration::from_secs(60);
/// A balancer whose supervisor was killed answers its last requests for up to 3 s and keeps port and ledger meanwhile.
const AFTERMATH_MAX: Duration = Duration::from_secs(5);
/// The new one may fail so often for that reason: with the pauses between, that is 3.5 s.
const AFTERMATH_ENDS: u32 = 3;
/// Between two looks whether all kitchens are alive.
const LOOK: Duration = Duration::from_millis(20);
/// On top of that for each kitchen: a thousand of them are a long answer.
const LOOK_EACH: Duration = Duration::from_micros(500);
/// So many ends of a kitchen before it was ever heard are no accident.
const KITCHEN_ENDS_MAX: u32 = 2;
/// So much of a log's end goes into an error.
const LOG_SHOWN: usize = 1_200;

/// A city that was begun; [`City::stop`] it whatever happened.
pub struct City {
    options: Options,
    plan: Plan,
    /// An earlier supervisor of this directory was killed, and its processes may just be ending.
    aftermath: bool,
    program: PathBuf,
    urls: Vec<String>,
    handle: Handle,
    balancers: Vec<Keeper>,
    kitchens: Vec<Keeper>,
    changes: mpsc::UnboundedSender<Change>,
    picture: watch::Receiver<Picture>,
    deaths: mpsc::UnboundedSender<Death>,
    died: Option<mpsc::UnboundedReceiver<Death>>,
    roster: JoinHandle<()>,
    door: JoinHandle<()>,
    flow: Option<JoinHandle<()>>,
    haste: Haste,
    journal: Arc<Journal>,
    _lock: File,
}

impl City {
    /// Takes the data directory and opens the control socket; no process is started yet.
    ///
    /// # Errors
    /// What was asked for cannot be: the city file, the port, the directory.
    pub async fn new(options: Options) -> Result<Self, CityError> {
        let plan = Plan::new(&options)?;
        let dir = options.data_dir.clone();
        let aftermath = record::Record::read(&dir).is_ok();
        if !aftermath {
            check_ports(&plan, Duration::ZERO).await?;
        }
        let told = |error: std::io::Error| CityError::DataDir { dir: dir.clone(), why: error.to_string() };
        // Ledger, logs and sockets are for this user alone, whoever of us makes them.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        std::fs::create_dir_all(dir.join("logs")).map_err(told)?;
        let lock = take(&dir)?;
        if aftermath {
            check_ports(&plan, AFTERMATH_MAX).await?;
        }
        let journal = Arc::new(Journal::new(&dir.join("logs"), options.talkative).map_err(told)?);
        let door = Door::open(&dir).map_err(told)?;
        let (changes, inbox) = mpsc::unbounded_channel();
        let (picture_in, picture) = watch::channel(Picture::default());
        let socket = Some(door.path.clone());
        let handle = Handle::new(dir.clone(), journal.clone());
        let (deaths, died) = mpsc::unbounded_channel();
        Ok(Self {
            roster: tokio::spawn(roster::keep(inbox, picture_in, dir, socket, journal.clone())),
            door: tokio::spawn(door.serve(handle.clone())),
            program: std::env::current_exe().map_err(CityError::OwnFile)?,
            urls: Vec::new(),
            balancers: Vec::new(),
            deaths,
            died: Some(died),
            kitchens: Vec::new(),
            flow: None,
            haste: Haste::default(),
            _lock: lock,
            options,
            plan,
            aftermath,
            handle,
            changes,
            picture,
            journal,
        })
    }

    /// Starts everything; afterwards orders are taken and all kitchens are alive.
    ///
    /// # Errors
    /// A process does not come up, with the end of its log.
    pub async fn start(&mut self) -> Result<(), CityError> {
        let (first, others) = self.plan.balancers.split_first().map(|(one, all)| (one.clone(), all.to_vec())).unzip();
        for round in [first.into_iter().collect(), others.unwrap_or_default()] {
            self.start_balancers(&round).await?;
        }
        for kitchen in self.plan.kitchens.clone() {
            let args = plan::kitchen_args(&kitchen, &self.urls, self.options.speed);
            let keeper = self.keep(kitchen.id.as_str(), Role::Kitchen, args, None);
            self.kitchens.push(keeper);
        }
        let client = self.client()?;
        if let Some(died) = self.died.take() {
            match balancer::secret::read(&self.options.data_dir) {
                Ok(secret) => _ = tokio::spawn(deaths::tell(client.clone(), secret, died)),
                Err(error) => {
                    self.journal.note(&format!("deaths are not told, leases run out instead: SECRET: {error}"))
                }
            }
        }
        self.until_kitchens_alive(&client).await?;
        if self.options.rate > 0.0
            && let Some(demand) = Demand::of_city(&self.plan.city, self.options.seed)
        {
            let flow = flow::run(client, demand, self.options.rate, self.journal.clone());
            self.flow = Some(tokio::spawn(flow));
        }
        self.journal.note("ready");
        Ok(())
    }

    /// The first to start leads, before any other may want to; those that stand by come up together.
    async fn start_balancers(&mut self, round: &[BalancerSpec]) -> Result<(), CityError> {
        for BalancerSpec { id, port } in round {
            let args = plan::balancer_args(id, &self.options);
            let keeper = self.keep(id, Role::Balancer, args, Some(format!("127.0.0.1:{port}")));
            self.balancers.push(keeper);
        }
        for BalancerSpec { id, .. } in round {
            let url = self.until_ready(id).await?;
            self.urls.push(url);
        }
        Ok(())
    }

    /// Where orders are taken; of several places the first.
    #[must_use]
    pub fn url(&self) -> &str {
        self.urls.first().map_or("", String::as_str)
    }

    /// All places where orders are taken.
    #[must_use]
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Who can kill processes of this city.
    #[must_use]
    pub fn supervisor(&self) -> Supervisor {
        Supervisor::Here(self.handle.clone())
    }

    /// Makes the end quick, also while it is under way.
    #[must_use]
    pub fn haste(&self) -> Haste {
        self.haste.clone()
    }

    /// Stops the flow, the kitchens, the standbys, then the leader, and waits for the end of each.
    pub async fn stop(mut self) {
        if let Some(flow) = self.flow.take() {
            flow.abort();
        }
        self.door.abort();
        self.handle.clear();
        join_all(self.kitchens.drain(..).map(Keeper::stop)).await;
        let leader = record::leader(&self.options.data_dir);
        let (last, standbys): (Vec<_>, Vec<_>) =
            self.balancers.drain(..).partition(|balancer| Some(&balancer.id) == leader.as_ref());
        join_all(standbys.into_iter().map(Keeper::stop)).await;
        join_all(last.into_iter().map(Keeper::stop)).await;
        drop(self.changes);
        let _ = self.roster.await;
        self.journal.note("all stopped");
    }

    fn keep(&self, id: &str, role: Role, args: Vec<std::ffi::OsString>, listen: Option<String>) -> Keeper {
        let spec = Spec {
            id: id.to_owned(),
            role,
            program: self.program.clone(),
            args,
            first: if role == Role::Balancer { self.ledger_flags() } else { Vec::new() },
            again: if role == Role::Balancer { vec![plan::LEDGER_EXISTS.into()] } else { Vec::new() },
            listen,
            log: log_of(&self.options.data_dir, id),
            deaths: (role == Role::Kitchen).then(|| self.deaths.clone()),
        };
        let keeper = Keeper::start(spec, self.changes.clone(), self.haste.0.subscribe());
        self.handle.add(&keeper.id, role, keeper.commands.clone());
        keeper
    }

    /// What a balancer is told of the ledger at its first start: the first of all may begin one.
    fn ledger_flags(&self) -> Vec<std::ffi::OsString> {
        if self.balancers.is_empty() { self.options.ledger.flags() } else { vec![plan::LEDGER_EXISTS.into()] }
    }

    fn client(&self) -> Result<Client, CityError> {
        let told = |error: crate::client::ClientError| self.process("balancer_1", error.to_string());
        Client::new(self.urls.clone(), Some("chef up".into())).map_err(told)
    }

    async fn until_ready(&self, id: &str) -> Result<String, CityError> {
        let mut picture = self.picture.clone();
        let ends_max = if self.aftermath { AFTERMATH_ENDS } else { 0 };
        let known = |member: &roster::Member| member.url.is_some() || member.ends > ends_max;
        let ready = picture.wait_for(|all| all.member(id).is_some_and(known));
        let how = match tokio::time::timeout(BALANCER_START_MAX, ready).await {
            Ok(Ok(all)) => match all.member(id).cloned().unwrap_or_default() {
                roster::Member { url: Some(url), .. } => return Ok(url),
                ended => ended.how,
            },
            Ok(Err(_)) => "is gone".into(),
            Err(_) => format!("is not ready after {} s", BALANCER_START_MAX.as_secs()),
        };
        Err(self.process(id, how))
    }

    async fn until_kitchens_alive(&self, client: &Client) -> Result<(), CityError> {
        let deadline = Instant::now() + KITCHENS_START_MAX;
        let before: Vec<u32> = self.balancers.iter().map(|keeper| self.ends(&keeper.id)).collect();
        loop {
            let waiting = self.not_alive(client).await;
            let Some(first) = waiting.first() else { return Ok(()) };
            let broken = waiting.iter().find(|id| self.ends(id) >= KITCHEN_ENDS_MAX);
            if let Some(id) = broken {
                let how = self.picture.borrow().member(id).map(|member| member.how.clone());
                return Err(self.process(id, how.unwrap_or_default()));
            }
            let ended = self.balancers.iter().zip(&before).find(|(keeper, before)| self.ends(&keeper.id) > **before);
            if let Some((keeper, _)) = ended {
                return Err(self.process(&keeper.id, "ended while the kitchens started".into()));
            }
            if Instant::now() > deadline {
                return Err(self.process(first, format!("is not heard after {} s", KITCHENS_START_MAX.as_secs())));
            }
            sleep(LOOK + LOOK_EACH * self.options.kitchens).await;
        }
    }

    fn ends(&self, id: &str) -> u32 {
        self.picture.borrow().member(id).map_or(0, |member| member.ends)
    }

    async fn not_alive(&self, client: &Client) -> Vec<String> {
        let known = client.kitchens().await.map(|all| all.kitchens).unwrap_or_default();
        // A ledger from an earlier run knows these kitchens already: only one heard by this balancer counts.
        let heard = known.iter().filter(|kitchen| kitchen.health == Health::Alive && kitchen.last_heard_ms.is_some());
        let alive: BTreeSet<&str> = heard.map(|kitchen| kitchen.id.as_str()).collect();
        let missing = self.kitchens.iter().filter(|keeper| !alive.contains(keeper.id.as_str()));
        missing.map(|keeper| keeper.id.clone()).collect()
    }

    fn process(&self, id: &str, how: String) -> CityError {
        CityError::Process { id: id.to_owned(), how, log: end_of_log(&log_of(&self.options.data_dir, id)) }
    }
}

async fn check_ports(plan: &Plan, wait: Duration) -> Result<(), CityError> {
    for balancer in &plan.balancers {
        plan::check_port(balancer.port, wait).await?;
    }
    Ok(())
}

/// Kitchens finish what they cook before they end; with haste they do not.
#[derive(Debug, Clone, Default)]
pub struct Haste(Arc<watch::Sender<bool>>);

impl Haste {
    /// From now on.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

fn log_of(dir: &Path, id: &str) -> PathBuf {
    dir.join("logs").join(format!("{id}.log"))
}

/// The last lines of a log, each on a line of its own, for an error.
fn end_of_log(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOG_SHOWN)..]).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with("-- ") && !line.trim().is_empty());
    lines.map(|line| format!("\n  {}", clean(line, 200))).collect()
}

/// One supervisor for a directory; the lock goes with the process, however it ends.
fn take(dir: &Path) -> Result<File, CityError> {
    let told = |error: std::io::Error| CityError::DataDir { dir: dir.to_owned(), why: error.to_string() };
    let path = dir.join("supervisor.lock");
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(told)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            return Err(CityError::InUse { dir: dir.to_owned(), pid: text.trim().parse().ok() });
        }
        Err(std::fs::TryLockError::Error(error)) => return Err(told(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(told)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_has_one_supervisor() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = take(dir.path()).expect("nobody has it");
        let error = take(dir.path()).expect_err("taken");
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(first);
        take(dir.path()).expect("free again");
    }

    #[test]
    fn the_end_of_a_log_is_shown_without_hidden_characters() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("x.log");
        std::fs::write(&log, "-- x starts\nerror: \u{1b}[31mno\n\n").expect("writable");
        assert_eq!(end_of_log(&log), "\n  error: ␛[31mno");
        assert_eq!(end_of_log(&dir.path().join("missing")), "");
    }
}
