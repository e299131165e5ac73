//! The control socket: how another program asks the supervisor of a local city to kill one of its processes.
//!
//! ```text
//! -> {"kill":{"target":"kitchen_2","hold_ms":0,"by":{"name":"ada","reason":"it smokes"}}}
//! <- {"ok":"kitchen_2 is killed (pid 4242) by ada: it smokes"}      or {"error":"..."}
//! -> "list"
//! <- {"ok":"balancer_1 balancer_2 kitchen_1 kitchen_2"}
//! ```
//! Owns `supervisor.sock` (mode 0600; other users are refused) and both ends of its two requests. Knows processes only by
//! the ids of the city: a pid is never taken from outside. A kill is no event of the ledger, so who asked for it and why stands
//! in the supervisor's log.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::text::clean;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::journal::Journal;
use super::keeper::{Command, Role};
use super::record::{Record, leader};

/// The longest request, in bytes: an id, a name, a reason, and a few words around them.
const REQUEST_MAX: u64 = 4_096;
/// The longest name of an operator, in characters.
const NAME_MAX: usize = 40;
/// The longest reason, in characters: as much as goes with a request to a balancer.
const REASON_MAX: usize = 128;
/// A local process answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Nothing is held down for longer: no disturbance outlives its purpose by accident.
const HOLD_MAX: Duration = Duration::from_secs(3_600);
/// The longest path a Unix socket can have, in bytes.
const SOCKET_PATH_MAX: usize = 100;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    /// It stays down for at least `hold_ms`; an ordinary restart comes sooner.
    Kill {
        target: String,
        hold_ms: u64,
        #[serde(default)]
        by: By,
    },
    List,
}

/// Who wants it, and why; each may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct By {
    name: String,
    reason: String,
}

impl By {
    /// Cut to what a log's line holds, and without hidden characters.
    #[must_use]
    pub fn new(name: Option<&str>, reason: Option<&str>) -> Self {
        let cut = |text: Option<&str>, most| clean(text.unwrap_or_default().trim(), most);
        Self { name: cut(name, NAME_MAX), reason: cut(reason, REASON_MAX) }
    }
}

/// As the balancer's lines have it: `by ada: it smokes`.
impl std::fmt::Display for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, reason } = self;
        write!(f, "by {}", if name.is_empty() { "somebody" } else { name })?;
        if reason.is_empty() { Ok(()) } else { write!(f, ": {reason}") }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Ok(String),
    Error(String),
}

/// Why nothing was killed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No supervisor answers.
    #[error("no supervisor reachable at {}: {why}", clean(&place.display().to_string(), 200))]
    Nobody {
        /// The data directory that was looked in.
        place: PathBuf,
        /// The cause.
        why: String,
    },
    /// It answers, and the answer is no.
    #[error("{0}")]
    Refused(String),
}

impl ControlError {
    /// The mend.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Nobody { .. } => Some(
                "chef kill needs the `chef up` that started the process on this machine: give --data-dir".to_owned(),
            ),
            Self::Refused(_) => None,
        }
    }
}

impl From<ControlError> for String {
    fn from(error: ControlError) -> Self {
        match error.help() {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        }
    }
}

/// The keepers of a city, by id; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    keepers: Arc<Mutex<Keepers>>,
    /// The data directory, where the balancers say who leads.
    dir: Arc<PathBuf>,
    journal: Arc<Journal>,
}

type Keepers = BTreeMap<String, (Role, mpsc::Sender<Command>)>;

impl Handle {
    pub(super) fn new(dir: PathBuf, journal: Arc<Journal>) -> Self {
        Self { keepers: Arc::default(), dir: Arc::new(dir), journal }
    }

    pub(super) fn add(&self, id: &str, role: Role, commands: mpsc::Sender<Command>) {
        self.lock().insert(id.to_owned(), (role, commands));
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Keepers> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self) -> String {
        self.lock().keys().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Who is meant: several for `standby`, of which the first that runs is taken.
    fn find(&self, target: &str) -> Result<Vec<(String, mpsc::Sender<Command>)>, String> {
        let leads = leader(&self.dir);
        let keepers = self.lock();
        let balancers = || keepers.iter().filter(|(_, (role, _))| *role == Role::Balancer);
        let first = || balancers().next().map(|(id, _)| id.clone());
        let leads = leads.filter(|id| keepers.contains_key(id)).or_else(first).unwrap_or_default();
        let is_meant = |id: &str, role: Role| match target {
            "leader" => id == leads,
            "standby" => role == Role::Balancer && id != leads,
            _ => id == target,
        };
        let found = keepers.iter().filter(|(id, (role, _))| is_meant(id, *role));
        let found: Vec<_> = found.map(|(id, (_, commands))| (id.clone(), commands.clone())).collect();
        if found.is_empty() {
            let known = keepers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(format!("there is no `{}` in this city: leader, standby, {known}", clean(target, 40)));
        }
        Ok(found)
    }

    /// Kills, and writes down who wanted it and what became of it.
    async fn kill(&self, target: &str, hold: Duration, by: &By) -> Result<String, String> {
        // Whoever is at the other end of the socket may have sent anything.
        let by = By::new(Some(&by.name), Some(&by.reason));
        let outcome = self.try_kill(target, hold).await.map(|done| format!("{done} {by}"));
        self.journal.say(&match &outcome {
            Ok(done) => done.clone(),
            Err(why) => format!("a kill of {} {by}: refused: {why}", clean(target, 40)),
        });
        outcome
    }

    async fn try_kill(&self, target: &str, hold: Duration) -> Result<String, String> {
        let mut why = String::new();
        for (id, commands) in self.find(target)? {
            let (answer, answered) = oneshot::channel();
            let gone = |()| format!("{id} is being stopped");
            commands.send(Command::Kill { hold, answer }).await.map_err(|_| gone(()))?;
            match answered.await.map_err(|_| gone(()))? {
                Ok(pid) => return Ok(format!("{id} is killed (pid {pid})")),
                Err(reason) => why = format!("{id} is not killed: {reason}"),
            }
        }
        Err(why)
    }
}

/// Who can kill processes, seen from here.
#[derive(Debug, Clone)]
pub enum Supervisor {
    /// This very program.
    Here(Handle),
    /// The one whose data directory this is.
    At(PathBuf),
}

impl Supervisor {
    /// SIGKILL to a process of the city, which then stays down for at least `hold`, an hour at most.
    ///
    /// # Errors
    /// No supervisor answers, or it refuses: the target is none of its city, or is not running.
    pub async fn kill(&self, target: &str, hold: Duration, by: &By) -> Result<String, ControlError> {
        let hold = hold.min(HOLD_MAX);
        let hold_ms = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        match self {
            Self::Here(handle) => handle.kill(target, hold, by).await.map_err(ControlError::Refused),
            Self::At(dir) => ask(dir, Ask::Kill { target: target.to_owned(), hold_ms, by: by.clone() }).await,
        }
    }

    /// The ids of the city's processes.
    ///
    /// # Errors
    /// No supervisor answers.
    pub async fn list(&self) -> Result<Vec<String>, ControlError> {
        let ids = match self {
            Self::Here(handle) => handle.list(),
            Self::At(dir) => ask(dir, Ask::List).await?,
        };
        Ok(ids.split_whitespace().map(str::to_owned).collect())
    }
}

async fn ask(dir: &Path, request: Ask) -> Result<String, ControlError> {
    let nobody = |why: String| ControlError::Nobody { place: dir.to_owned(), why };
    let record = Record::read(dir).map_err(|error| nobody(format!("city.json: {error}")))?;
    let socket = record.supervisor.ok_or_else(|| nobody("city.json names none".into()))?;
    let exchange = async {
        let mut stream = UnixStream::connect(&socket).await?;
        let mut line = serde_json::to_vec(&request).map_err(io::Error::other)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = String::new();
        BufReader::new(stream.take(64 * REQUEST_MAX)).read_line(&mut answer).await?;
        serde_json::from_str::<Told>(&answer).map_err(io::Error::other)
    };
    match timeout(PATIENCE, exchange).await {
        Ok(Ok(Told::Ok(done))) => Ok(done),
        Ok(Ok(Told::Error(why))) => Err(ControlError::Refused(why)),
        Ok(Err(error)) => Err(nobody(error.to_string())),
        Err(_) => Err(nobody("no answer in time".into())),
    }
}

/// The listening socket, and the directory it needed if the data directory's path is too long for a socket.
pub(super) struct Door {
    listener: UnixListener,
    pub(super) path: PathBuf,
    _elsewhere: Option<tempfile::TempDir>,
}

impl Door {
    /// Replaces the socket that an earlier supervisor left; the caller holds the directory's lock.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let mut path = std::path::absolute(dir)?.join("supervisor.sock");
        let mut elsewhere = None;
        if path.as_os_str().len() > SOCKET_PATH_MAX {
            let short = tempfile::Builder::new().prefix("chef-").tempdir()?;
            path = short.path().join("supervisor.sock");
            elsewhere = Some(short);
        }
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path, _elsewhere: elsewhere })
    }

    /// Answers for ever.
    pub(super) async fn serve(self, handle: Handle) {
        let own = rustix::process::geteuid().as_raw();
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == own) => {
                    tokio::spawn(timeout(PATIENCE, answer(stream, handle.clone())));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, handle: Handle) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(REQUEST_MAX)).read_line(&mut line).await?;
    let told = match serde_json::from_str(&line) {
        Ok(Ask::List) => Told::Ok(handle.list()),
        Ok(Ask::Kill { target, hold_ms, by }) => {
            match handle.kill(&target, Duration::from_millis(hold_ms).min(HOLD_MAX), &by).await {
                Ok(done) => Told::Ok(done),
                Err(why) => Told::Error(why),
            }
        }
        Err(error) => Told::Error(format!("the request cannot be read: {error}")),
    };
    let mut line = serde_json::to_vec(&told).map_err(io::Error::other)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(dir: &Path) -> Handle {
        Handle::new(dir.into(), Arc::new(Journal::new(dir, false).expect("a log")))
    }

    #[tokio::test]
    async fn without_a_supervisor_the_mend_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let killing = Supervisor::At(dir.path().into());
        let error = killing.kill("kitchen_1", Duration::ZERO, &By::default()).await.expect_err("nobody is there");
        assert!(String::from(error).contains("give --data-dir"));
    }

    #[tokio::test]
    async fn only_ids_of_the_city_are_known_and_pids_are_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let door = Door::open(dir.path()).expect("a socket");
        let mode = std::fs::metadata(&door.path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let record = Record { supervisor: Some(door.path.clone()), ..Record::default() };
        record.write(dir.path()).expect("writable");
        let handle = handle(dir.path());
        let (commands, mut inbox) = mpsc::channel(1);
        handle.add("kitchen_1", Role::Kitchen, commands);
        let serving = tokio::spawn(door.serve(handle));
        let supervisor = Supervisor::At(dir.path().into());
        assert_eq!(supervisor.list().await.expect("it answers"), ["kitchen_1"]);
        let own = std::process::id().to_string();
        for stranger in [own.as_str(), "1", "chef", "kitchen_2"] {
            let error = supervisor.kill(stranger, Duration::ZERO, &By::default()).await.expect_err(stranger);
            assert!(error.to_string().contains("kitchen_1"), "it names what there is: {error}");
        }
        let by = By::new(Some("ada"), Some("it smokes\u{1b}[2J"));
        let killing = tokio::spawn(async move { supervisor.kill("kitchen_1", Duration::ZERO, &by).await });
        let Some(Command::Kill { answer, .. }) = inbox.recv().await else { panic!("a kill") };
        answer.send(Ok(7)).expect("it waits");
        assert_eq!(
            killing.await.expect("no panic").expect("killed"),
            "kitchen_1 is killed (pid 7) by ada: it smokes␛[2J"
        );
        serving.abort();
        let log = std::fs::read_to_string(dir.path().join("supervisor.log")).expect("written");
        assert!(log.lines().any(|line| line.ends_with("kitchen_1 is killed (pid 7) by ada: it smokes␛[2J")), "{log}");
        assert!(log.contains("a kill of kitchen_2 by somebody: refused: there is no `kitchen_2`"), "{log}");
    }

    #[test]
    fn leader_and_standby_are_who_the_balancers_say_they_are() {
        let dir = tempfile::tempdir().expect("a directory");
        let handle = handle(dir.path());
        for (id, role) in [("balancer_1", Role::Balancer), ("balancer_2", Role::Balancer), ("kitchen_1", Role::Kitchen)]
        {
            handle.add(id, role, mpsc::channel(1).0);
        }
        let who = |target: &str| -> Vec<String> {
            handle.find(target).expect("known").into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!((who("leader"), who("standby")), (vec!["balancer_1".into()], vec!["balancer_2".into()]));
        std::fs::write(dir.path().join("LEADER"), r#"{"id":"balancer_2","pid":1,"url":"","epoch":2}"#)
            .expect("writable");
        assert_eq!((who("leader"), who("standby")), (vec!["balancer_2".into()], vec!["balancer_1".into()]));
        assert_eq!(who("balancer_2"), ["balancer_2"]);
    }
}
