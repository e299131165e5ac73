//! Real cooking: one child process for each stage, in a process group of its own.
//!
//! Owns the processes. Never judges an outcome beyond the exit code, and never outlives a kill: the group dies when the
//! stage is killed and when this agent ends. It does not survive what no process survives: if the agent itself is killed
//! by SIGKILL, a running command goes on, and only its token tells the outside that its result no longer counts.
//! What a command leaves in the background after it ended is not ours.

mod process;

use std::collections::BTreeMap;

use protocol::FencingToken;
use protocol::city::City;
use protocol::link::{Cook, LeaseName};
use protocol::{OrderId, Priority};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::core::Input;

/// How many ended stages may wait for the loop; beyond it their tasks wait.
const ENDED_MAX: usize = 64;

/// The order as a command reads it, one line of JSON.
#[derive(Debug, Serialize)]
struct Ticket<'a> {
    order: OrderId,
    attempt: u16,
    token: FencingToken,
    stage: &'a str,
    stage_no: u8,
    stages: usize,
    items: Vec<Line<'a>>,
    priority: Priority,
}

/// So many of one dish.
#[derive(Debug, Serialize)]
struct Line<'a> {
    dish: &'a str,
    quantity: u16,
}

/// What a process is started with.
struct Job {
    command: String,
    lease: LeaseName,
    stage: String,
    /// Ends with a line feed.
    stdin: String,
}

/// A running command. A lease may run the same stage twice, if it was broken off for a handover that did not happen: the
/// number tells the end of the first run, which may wait in the channel already, from that of the second.
struct Run {
    number: u64,
    task: AbortHandle,
}

/// The running commands.
pub(crate) struct Commands {
    command: Option<String>,
    running: BTreeMap<LeaseName, Run>,
    /// The number of the last run.
    runs: u64,
    sender: mpsc::Sender<(u64, Input)>,
    ended: mpsc::Receiver<(u64, Input)>,
}

impl Commands {
    /// Runs `command` for each stage; without one nothing is ever run.
    pub(crate) fn new(command: Option<String>) -> Self {
        let (sender, ended) = mpsc::channel(ENDED_MAX);
        Self { command, running: BTreeMap::new(), runs: 0, sender, ended }
    }

    pub(crate) fn run(&mut self, lease: LeaseName, stage: u8, cook: &Cook, city: Option<&City>) {
        let Some((command, city)) = self.command.clone().zip(city) else { return };
        let job = job(command, lease, stage, cook, city);
        self.runs += 1;
        let (number, sender) = (self.runs, self.sender.clone());
        let task = tokio::spawn(async move {
            let outcome = process::run(job).await;
            // The loop has gone, and with it whoever wanted to know.
            let _ = sender.send((number, Input::StageEnded { lease, stage, outcome })).await;
        });
        self.running.insert(lease, Run { number, task: task.abort_handle() });
    }

    /// Ends the task; the process group dies with it.
    pub(crate) fn kill(&mut self, lease: LeaseName) {
        if let Some(run) = self.running.remove(&lease) {
            run.task.abort();
        }
    }

    /// Waits for a stage that ended by itself and was not killed. Safe to cancel.
    pub(crate) async fn ended(&mut self) -> Input {
        loop {
            let Some((number, input)) = self.ended.recv().await else { return std::future::pending().await };
            let before = self.running.len();
            self.running.retain(|_, run| run.number != number);
            if self.running.len() < before {
                return input;
            }
        }
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.running.values().for_each(|run| run.task.abort());
    }
}

fn job(command: String, lease: LeaseName, stage_no: u8, cook: &Cook, city: &City) -> Job {
    let stages = protocol::link::stages(city, &cook.items);
    let stage = stages.get(usize::from(stage_no)).map_or("", |stage| stage.name.as_str());
    let dish = |item: &protocol::Item| city.menu.dish(item.dish).map_or("", |dish| dish.name.as_str());
    let ticket = Ticket {
        order: lease.order,
        attempt: cook.attempt,
        token: lease.token,
        stage,
        stage_no,
        stages: stages.len(),
        items: cook.items.iter().map(|item| Line { dish: dish(item), quantity: item.quantity }).collect(),
        priority: cook.priority,
    };
    let mut stdin = serde_json::to_string(&ticket).expect("a ticket is plain data");
    stdin.push('\n');
    Job { command, lease, stage: stage.to_owned(), stdin }
}
