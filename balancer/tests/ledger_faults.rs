//! A real balancer on a disk that fails: EIO at the k-th write or sync, no space for a while, a file system that is full.
//!
//! Judged from outside: whatever a client was answered with 2xx is in the ledger afterwards, the ledger is whole and opens
//! again, and the process ended by itself exactly when a file of the ledger was hit. strace puts the errors in; without it
//! a test says `skipped: no strace` and passes, with CHEF_NO_SKIP set (as in .ci/run) it fails.
//!
//! CI tries a sample of k. All of the first 200, in about two minutes:
//! `CHEF_FAULTS_ALL=1 cargo test -p balancer --test ledger_faults every -- --nocapture`

#![allow(missing_docs, reason = "the names say it")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use balancer::ledger::Journal;
use protocol::Position;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const BALANCER: &str = env!("CARGO_BIN_EXE_balancer");
/// Orders that one run places at most.
const ORDERS: usize = 60;
/// The whole of one run, start and end included.
const RUN_MAX: Duration = Duration::from_secs(30);

fn fresh_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("chef-faults-{name}-{}", std::process::id()));
    remove(&dir);
    dir
}

fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}

fn skipped(what: &str) -> bool {
    let there = Command::new(what).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        assert!(std::env::var_os("CHEF_NO_SKIP").is_none(), "no {what}, and CHEF_NO_SKIP forbids to skip");
        eprintln!("skipped: no {what}");
    }
    !there
}

/// A balancer, under strace or not.
struct Balancer {
    child: Child,
    url: Option<String>,
}

impl Balancer {
    /// Starts it; `inject` is strace's expression, its trace goes to `trace`.
    fn start(dir: &Path, inject: Option<(&str, &Path)>) -> Self {
        let mut command = match inject {
            None => Command::new(BALANCER),
            Some((inject, trace)) => {
                // -D: the child is the balancer itself, and strace is beside it.
                let mut strace = Command::new("strace");
                strace.args(["-D", "-f", "-y", "-qq", "--seccomp-bpf", "-e", "trace=pwrite64,fsync,fdatasync", "-e"]);
                strace.arg(format!("inject={inject}")).arg("-o").arg(trace).arg(BALANCER);
                strace
            }
        };
        command.args(["--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir"]).arg(dir);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        // The end of the process ends the line as well.
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
        Self { child, url: line.trim().strip_prefix("ready ").map(str::to_owned) }
    }

    /// How it ended, within a limit.
    fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return Some(status);
            }
            if began.elapsed() > limit {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn terminate(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        let _ = kill_process(pid, Signal::TERM);
        self.ended(Duration::from_secs(15)).expect("it ends when it is told to")
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What clients were told.
#[derive(Debug, Default)]
struct Told {
    placed: BTreeSet<String>,
    refused: usize,
    broken: usize,
}

/// Places one order, and says whether it was taken.
async fn place(http: &reqwest::Client, url: &str, told: &mut Told) -> bool {
    let body = json!({"items": [{"dish": "pizza", "quantity": 1}], "zone": "Downtown"});
    let sent = http.post(format!("{url}/api/v1/orders")).json(&body).timeout(Duration::from_secs(5)).send().await;
    let Ok(answer) = sent else {
        told.broken += 1;
        return false;
    };
    if !answer.status().is_success() {
        told.refused += 1;
        return false;
    }
    match answer.json::<Value>().await {
        Ok(order) => told.placed.insert(order["id"].as_str().expect("an id").to_owned()),
        Err(_) => {
            told.broken += 1;
            false
        }
    }
}

/// The orders that the ledger in `dir` holds, after a start has judged its end.
fn in_ledger(dir: &Path) -> BTreeSet<String> {
    drop(Journal::open(dir).unwrap_or_else(|error| panic!("the ledger does not open again: {error}")));
    balancer::verify::run(dir).unwrap_or_else(|error| panic!("the ledger is not sound: {error}"));
    let mut lines = Vec::new();
    balancer::dump::run(dir, (Position(1), Position(u64::MAX)), &mut lines).expect("whole");
    let events = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let events = events.map(|line| serde_json::from_slice::<Value>(line).expect("a line of JSON"));
    let accepted = events.filter(|event| event["event"] == "accepted");
    accepted.map(|event| event["order"].as_str().expect("an id").to_owned()).collect()
}

fn assert_nothing_lost(dir: &Path, told: &Told, what: &str) -> usize {
    let kept = in_ledger(dir);
    let lost: Vec<_> = told.placed.difference(&kept).collect();
    assert!(lost.is_empty(), "{what}: acknowledged and not in the ledger: {lost:?}");
    kept.len()
}

/// The files that an injected error hit. A call that another thread interrupts stands on two lines of the trace:
/// `7 fsync(5</d/HEAD> <unfinished ...>` and `7 <... fsync resumed>) = -1 EIO (INJECTED)`.
fn hit(trace: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(trace).unwrap_or_default();
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut hit = Vec::new();
    for line in text.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let call = if call.starts_with("<...") { begun.get(thread).copied().unwrap_or(call) } else { call };
        begun.insert(thread, call);
        let path = call.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned());
        hit.extend(path.filter(|_| line.contains("INJECTED")));
    }
    hit
}

fn is_of_the_ledger(path: &str) -> bool {
    ["/ledger.db", "/ledger.db-wal", "/HEAD"].iter().any(|end| path.ends_with(end))
}

/// A ledger that exists: otherwise most of the first errors would only hit its making.
fn make_ledger(dir: &Path) {
    let mut first = Balancer::start(dir, None);
    assert!(first.url.is_some() && first.terminate().success(), "without faults it runs");
}

/// One run with an error at the k-th call of each thread; says whether a file of the ledger was hit.
async fn run_with_eio(call: &str, k: usize) -> (Told, bool) {
    let dir = fresh_dir(&format!("eio-{}-{k}", &call[..2]));
    let trace = dir.with_extension("trace");
    make_ledger(&dir);
    let mut told = Told::default();
    let inject = format!("{call}:error=EIO:when={k}");
    let mut balancer = Balancer::start(&dir, Some((&inject, &trace)));
    let began = Instant::now();
    if let Some(url) = balancer.url.clone() {
        let http = reqwest::Client::new();
        for _ in 0..ORDERS.max(k) {
            if !place(&http, &url, &mut told).await && balancer.ended(Duration::from_millis(500)).is_some() {
                break;
            }
        }
    }
    let by_itself = balancer.ended(Duration::from_millis(300));
    let status = by_itself.unwrap_or_else(|| balancer.terminate());
    let files = hit(&trace);
    let what = format!("{inject}, which hit {files:?}");
    assert!(began.elapsed() < RUN_MAX, "{what}: took {:?}", began.elapsed());
    let ledger_hit = files.iter().any(|path| is_of_the_ledger(path));
    if ledger_hit {
        assert!(!status.success(), "{what}: it went on or called it a success");
    } else if !files.iter().any(|path| path.ends_with("/ledger.db-shm")) {
        // Without its shared memory SQLite opens nothing; every other file is one that a balancer can do without.
        assert!(by_itself.is_none(), "{what}: it ended although the ledger was not hit");
    }
    assert_nothing_lost(&dir, &told, &what);
    remove(&dir);
    let _ = std::fs::remove_file(trace);
    (told, ledger_hit)
}

async fn every_eio(call: &str, sample: &[usize]) {
    if skipped("strace") {
        return;
    }
    let all: Vec<usize> = (1..=200).collect();
    let ks = if std::env::var_os("CHEF_FAULTS_ALL").is_some() { &all } else { sample };
    let (mut acknowledged, mut hits) = (0, 0);
    for k in ks {
        let (told, ledger_hit) = run_with_eio(call, *k).await;
        acknowledged += told.placed.len();
        hits += usize::from(ledger_hit);
    }
    println!("{call}: {} runs, {hits} hit the ledger, {acknowledged} orders acknowledged, none lost", ks.len());
    assert!(hits > 0, "no error ever hit the ledger: the test tests nothing");
}

#[tokio::test]
async fn every_write_may_fail() {
    every_eio("pwrite64", &[1, 4, 9, 16, 23, 51]).await;
}

#[tokio::test]
async fn every_sync_may_fail() {
    every_eio("fsync,fdatasync", &[1, 2, 3, 5, 8, 21]).await;
}

#[tokio::test]
async fn a_disk_without_space_for_a_while_delays_orders_and_loses_none() {
    if skipped("strace") {
        return;
    }
    let dir = fresh_dir("enospc");
    let trace = dir.with_extension("trace");
    make_ledger(&dir);
    // The ledger's thread meets it at its 20th write, and ten times: two seconds of tries.
    let mut balancer = Balancer::start(&dir, Some(("pwrite64:error=ENOSPC:when=20..29", &trace)));
    let url = balancer.url.clone().expect("it starts");
    let (http, mut told, began) = (reqwest::Client::new(), Told::default(), Instant::now());
    while told.placed.len() < ORDERS {
        assert!(began.elapsed() < RUN_MAX, "it does not go on: {told:?}");
        place(&http, &url, &mut told).await;
    }
    let took = began.elapsed();
    assert!(balancer.terminate().success(), "it is well again");
    let files = hit(&trace);
    let kept = assert_nothing_lost(&dir, &told, "ENOSPC");
    println!(
        "no space for {} writes: {} acknowledged, {} refused, {} broken, {kept} in the ledger, {took:?}",
        files.len(),
        told.placed.len(),
        told.refused,
        told.broken
    );
    assert!(files.iter().filter(|path| is_of_the_ledger(path)).count() >= 8, "{files:?}");
    remove(&dir);
    let _ = std::fs::remove_file(trace);
}

/// A file system of its own, unmounted with the test.
struct Small(PathBuf);

impl Small {
    fn mount(size: &str) -> Option<Self> {
        let dir = fresh_dir("tmpfs");
        std::fs::create_dir_all(&dir).expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "chef-test"]).arg(&dir).stderr(Stdio::null());
        match mount.status() {
            Ok(status) if status.success() => Some(Self(dir)),
            _ => {
                remove(&dir);
                None
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        remove(&self.0);
    }
}

#[tokio::test]
async fn a_full_file_system_is_told_and_left_behind_when_there_is_space() {
    let Some(small) = Small::mount("3m") else {
        assert!(std::env::var_os("CHEF_NO_SKIP").is_none(), "no tmpfs, and CHEF_NO_SKIP forbids to skip");
        return eprintln!("skipped: no right to mount a tmpfs");
    };
    let mut balancer = Balancer::start(&small.0, None);
    let url = balancer.url.clone().expect("it starts");
    let (http, mut told) = (reqwest::Client::new(), Told::default());
    assert!(place(&http, &url, &mut told).await, "{told:?}");
    let filler = small.0.join("filler");
    let _ = std::fs::write(&filler, vec![7; 4 << 20]); // as much as fits
    let began = Instant::now();
    while told.refused + told.broken == 0 {
        assert!(began.elapsed() < RUN_MAX, "never full: {told:?}");
        place(&http, &url, &mut told).await;
    }
    let before = told.placed.len();
    assert!(balancer.ended(Duration::from_secs(1)).is_none(), "a full disk ends nothing");
    std::fs::remove_file(&filler).expect("removed");
    let began = Instant::now();
    while told.placed.len() < before + 20 {
        assert!(began.elapsed() < RUN_MAX, "it does not go on: {told:?}");
        place(&http, &url, &mut told).await;
    }
    assert!(balancer.terminate().success(), "it is well again");
    let kept = assert_nothing_lost(&small.0, &told, "tmpfs");
    println!(
        "tmpfs of 3 MiB: {} acknowledged, {} refused, {} broken, {kept} in the ledger",
        told.placed.len(),
        told.refused,
        told.broken
    );
}
