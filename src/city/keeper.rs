//! A keeper: starts one process, waits for its end, starts it again.
//!
//! Owns one child by its handle and is the only one that signals it. A pid is used only while the handle says that the
//! process has not been waited for, so no other process can have got it. Never looks for a process by name.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, timeout};

use super::deaths::Death;

/// From SIGTERM to SIGKILL: a kitchen finishes what it cooks for at most 5 s, a balancer its last answers for 3 s.
const GRACE: Duration = Duration::from_millis(5_500);
/// With haste a kitchen is asked a second time, which ends it at once; so long after the first.
const HASTE: Duration = Duration::from_millis(100);
/// The first pause before a restart; it doubles with each.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest pause before a restart.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A process that ran so long was healthy: its next restart is quick again.
const HEALTHY: Duration = Duration::from_secs(10);
/// A log is emptied beyond this size, in bytes: a city that runs for weeks must not fill the disk.
const LOG_MAX: u64 = 16 * 1024 * 1024;
/// Between two looks at the log's size.
const LOG_LOOK: Duration = Duration::from_secs(5);

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Says `ready URL` on its standard output.
    Balancer,
    /// Is heard by the balancer.
    Kitchen,
}

/// How to start it.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) id: String,
    pub(super) role: Role,
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    /// Behind those, until it was ready once, and from then on.
    pub(super) first: Vec<OsString>,
    pub(super) again: Vec<OsString>,
    /// For a balancer; from its first `ready` on the port it then had.
    pub(super) listen: Option<String>,
    /// Gets its standard error, and a kitchen's standard output.
    pub(super) log: PathBuf,
    /// Where its deaths are told, if anybody wants to know.
    pub(super) deaths: Option<mpsc::UnboundedSender<Death>>,
}

/// What happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Started { id: String, pid: u32, role: Role },
    Ready { id: String, url: String },
    Ended { id: String, how: String, restart_in: Duration },
    Stopped { id: String },
}

impl Change {
    pub(super) fn id(&self) -> &String {
        match self {
            Self::Started { id, .. } | Self::Ready { id, .. } | Self::Ended { id, .. } | Self::Stopped { id } => id,
        }
    }
}

/// What is wanted of it.
#[derive(Debug)]
pub(super) enum Command {
    /// SIGKILL, answered with the pid, or with the reason why not.
    Kill {
        /// It stays down at least so long.
        hold: Duration,
        answer: oneshot::Sender<Result<u32, String>>,
    },
    /// SIGTERM, then SIGKILL; the keeper ends.
    Stop,
}

/// A keeper at work.
pub(super) struct Keeper {
    pub(super) id: String,
    pub(super) commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Begins at once; `haste` becoming true makes a later stop quick.
    pub(super) fn start(spec: Spec, changes: mpsc::UnboundedSender<Change>, haste: watch::Receiver<bool>) -> Self {
        let (commands, inbox) = mpsc::channel(8);
        let id = spec.id.clone();
        let task = tokio::spawn(
            Keeping {
                spec,
                changes,
                inbox,
                haste,
                backoff: Backoff::default(),
                hold: Duration::ZERO,
                was_ready: false,
            }
            .run(),
        );
        Self { id, commands, task }
    }

    /// Stops the process and waits for its end.
    pub(super) async fn stop(self) {
        let _ = self.commands.send(Command::Stop).await;
        let _ = self.task.await;
    }
}

struct Keeping {
    spec: Spec,
    changes: mpsc::UnboundedSender<Change>,
    inbox: mpsc::Receiver<Command>,
    haste: watch::Receiver<bool>,
    backoff: Backoff,
    /// The next restart waits at least so long.
    hold: Duration,
    was_ready: bool,
}

impl Keeping {
    async fn run(mut self) {
        let _ = std::fs::write(&self.spec.log, "");
        loop {
            let started = Instant::now();
            let how = match self.spawn() {
                Err(error) => format!("does not start: {error}"),
                Ok(child) => {
                    let pid = child.id();
                    match self.attend(child).await {
                        Some(status) => {
                            self.tell_death(pid);
                            in_words(status)
                        }
                        None => break,
                    }
                }
            };
            let restart_in = self.backoff.after(started.elapsed()).max(std::mem::take(&mut self.hold));
            self.tell(Change::Ended { id: self.spec.id.clone(), how, restart_in });
            if !self.rest(restart_in).await {
                break;
            }
        }
        self.tell(Change::Stopped { id: self.spec.id.clone() });
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let mut log = OpenOptions::new().create(true).append(true).open(&self.spec.log)?;
        let _ = writeln!(log, "-- {} starts at {}", self.spec.id, protocol::WallTime::now());
        let mut command = tokio::process::Command::new(&self.spec.program);
        command.args(&self.spec.args).args(if self.was_ready { &self.spec.again } else { &self.spec.first });
        if let Some(listen) = &self.spec.listen {
            command.args(["--listen", listen]);
        }
        let stdout = match self.spec.role {
            Role::Balancer => Stdio::piped(),
            Role::Kitchen => log.try_clone()?.into(),
        };
        // A group of its own, so that ctrl-c in the terminal reaches only the supervisor, which stops them in sequence.
        command.process_group(0).kill_on_drop(true).env_remove("METRICS_PORT");
        command.stdin(Stdio::null()).stdout(stdout).stderr(log).spawn()
    }

    /// Waits for the end of the process; none if it was stopped on purpose.
    async fn attend(&mut self, mut child: Child) -> Option<ExitStatus> {
        let (id, pid) = (self.spec.id.clone(), child.id().unwrap_or_default());
        self.tell(Change::Started { id, pid, role: self.spec.role });
        let mut said = child.stdout.take().map(listen_for_ready);
        let mut look = interval(LOG_LOOK);
        loop {
            tokio::select! {
                status = child.wait() => return Some(status.unwrap_or_default()),
                command = self.inbox.recv() => match command {
                    Some(Command::Kill { hold, answer }) => {
                        self.hold = hold;
                        let _ = answer.send(kill(&mut child));
                    }
                    Some(Command::Stop) | None => {
                        self.stop(child).await;
                        return None;
                    }
                },
                Some(url) = hear(&mut said) => self.is_ready(url),
                _ = look.tick() => keep_small(&self.spec.log),
            }
        }
    }

    async fn stop(&mut self, mut child: Child) {
        ask_to_end(&child);
        let ended = tokio::select! {
            ended = timeout(GRACE, child.wait()) => ended.is_ok(),
            () = in_haste(&mut self.haste, self.spec.role) => {
                ask_to_end(&child);
                timeout(GRACE, child.wait()).await.is_ok()
            }
        };
        if !ended {
            let _ = child.kill().await;
        }
    }

    fn is_ready(&mut self, url: String) {
        self.spec.listen = url.strip_prefix("http://").map(str::to_owned).or(self.spec.listen.take());
        self.was_ready = true;
        self.tell(Change::Ready { id: self.spec.id.clone(), url });
    }

    /// Waits before a restart; false if there is to be none.
    async fn rest(&mut self, pause: Duration) -> bool {
        let over = sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return true,
                command = self.inbox.recv() => match command {
                    Some(Command::Kill { answer, .. }) => { let _ = answer.send(Err("it is not running".into())); }
                    Some(Command::Stop) | None => return false,
                },
            }
        }
    }

    fn tell_death(&self, pid: Option<u32>) {
        if let (Some(deaths), Some(pid)) = (&self.spec.deaths, pid) {
            let _ = deaths.send(Death { id: self.spec.id.clone(), pid });
        }
    }

    fn tell(&self, change: Change) {
        let _ = self.changes.send(change);
    }
}

fn kill(child: &mut Child) -> Result<u32, String> {
    let pid = child.id().ok_or("it has just ended")?;
    child.start_kill().map(|()| pid).map_err(|error| error.to_string())
}

fn ask_to_end(child: &Child) {
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Reads a balancer's standard output to its end, so that it never blocks, and passes on each `ready`.
fn listen_for_ready(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (found, urls) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(url) = line.strip_prefix("ready ") {
                let _ = found.try_send(url.trim().to_owned());
            }
        }
    });
    urls
}

/// When it is time to ask a second time: never for a balancer, whose ledger gets its last sync.
async fn in_haste(haste: &mut watch::Receiver<bool>, role: Role) {
    if role == Role::Kitchen && haste.wait_for(|haste| *haste).await.is_ok() {
        sleep(HASTE).await;
    } else {
        std::future::pending().await
    }
}

async fn hear(urls: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match urls {
        Some(urls) => urls.recv().await,
        None => None,
    }
}

/// Empties a log that has grown too long; the process appends, so it goes on at the new end.
fn keep_small(log: &Path) {
    if std::fs::metadata(log).is_ok_and(|meta| meta.len() > LOG_MAX) {
        let _ = std::fs::write(log, format!("-- emptied at {LOG_MAX} bytes\n"));
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(9)) => "was killed (SIGKILL)".into(),
        (None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
    }
}

/// Pauses before restarts.
#[derive(Debug, Default)]
struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    fn after(&mut self, ran: Duration) -> Duration {
        let pause = match self.last {
            Some(last) if ran < HEALTHY => (last * 2).min(BACKOFF_MAX),
            _ => BACKOFF_MIN,
        };
        self.last = Some(pause);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_slow_down_and_a_healthy_run_makes_them_quick_again() {
        let mut backoff = Backoff::default();
        let short = Duration::from_secs(1);
        let pauses: Vec<u64> = (0..7).map(|_| backoff.after(short).as_millis() as u64).collect();
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(backoff.after(HEALTHY), BACKOFF_MIN);
    }

    fn sleeper(dir: &Path) -> Spec {
        Spec {
            id: "kitchen_1".into(),
            role: Role::Kitchen,
            program: "sleep".into(),
            args: vec!["60".into()],
            first: Vec::new(),
            again: Vec::new(),
            listen: None,
            log: dir.join("kitchen_1.log"),
            deaths: None,
        }
    }

    async fn started(changes: &mut mpsc::UnboundedReceiver<Change>) -> u32 {
        match changes.recv().await {
            Some(Change::Started { pid, .. }) => pid,
            other => panic!("expected a start, got {other:?}"),
        }
    }

    fn is_there(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[tokio::test]
    async fn a_killed_process_is_started_again_and_a_stopped_one_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let (sender, mut changes) = mpsc::unbounded_channel();
        let (deaths, mut told) = mpsc::unbounded_channel();
        let spec = Spec { deaths: Some(deaths), ..sleeper(dir.path()) };
        let keeper = Keeper::start(spec, sender, watch::channel(false).1);
        let first = started(&mut changes).await;
        let (answer, answered) = oneshot::channel();
        keeper.commands.send(Command::Kill { hold: Duration::ZERO, answer }).await.expect("it listens");
        assert_eq!(answered.await.expect("it answers"), Ok(first));
        let ended = changes.recv().await;
        assert!(matches!(&ended, Some(Change::Ended { how, restart_in, .. })
            if how.contains("SIGKILL") && *restart_in == BACKOFF_MIN));
        let second = started(&mut changes).await;
        assert_ne!(first, second);
        keeper.stop().await;
        assert_eq!(told.recv().await, Some(Death { id: "kitchen_1".into(), pid: first }));
        assert_eq!(told.recv().await, None, "who is stopped on purpose has said goodbye");
        assert!(matches!(changes.recv().await, Some(Change::Stopped { .. })));
        assert!(!is_there(first) && !is_there(second));
    }

    #[tokio::test]
    async fn what_is_down_cannot_be_killed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (sender, mut changes) = mpsc::unbounded_channel();
        let keeper = Keeper::start(
            Spec { program: "/does/not/exist".into(), ..sleeper(dir.path()) },
            sender,
            watch::channel(false).1,
        );
        assert!(matches!(changes.recv().await, Some(Change::Ended { how, .. }) if how.contains("does not start")));
        let (answer, answered) = oneshot::channel();
        keeper.commands.send(Command::Kill { hold: Duration::ZERO, answer }).await.expect("it listens");
        assert_eq!(answered.await.expect("it answers"), Err("it is not running".into()));
        keeper.stop().await;
    }
}
