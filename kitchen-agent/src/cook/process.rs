//! One child process from start to end.
//!
//! Owns its pipes, its process group and the end of its output. Never waits for a command that neither reads its input
//! nor closes its output: only its exit counts.

use std::convert::Infallible;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use protocol::link::OUTPUT_MAX;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::Job;

/// How long output is still read after the exit: something in the background may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Runs the command; the error is what it printed, and how it ended.
pub(super) async fn run(job: Job) -> Result<(), String> {
    let mut child = spawn(&job).map_err(|error| format!("the command could not be started: {error}"))?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let stdin = child.stdin.take();
    let mut output = Output::new(&mut child);
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A command may well not read its order; then the pipe breaks, and that is all.
            let _ = stdin.write_all(job.stdin.as_bytes()).await;
        }
        std::future::pending::<Infallible>().await
    };
    let status = tokio::select! {
        status = child.wait() => status,
        never = feed => match never {},
        never = output.read_for_ever() => match never {},
    };
    group.0 = None; // reaped: its number may belong to somebody else from now on
    let _ = tokio::time::timeout(LAST_WORDS, output.read_to_end()).await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(output.with(status)),
        Err(error) => Err(format!("the command could not be waited for: {error}")),
    }
}

fn spawn(job: &Job) -> std::io::Result<Child> {
    Command::new("sh")
        .arg("-c")
        .arg(&job.command)
        .env("CHEF_ORDER", job.lease.order.to_string())
        .env("CHEF_STAGE", &job.stage)
        .env("CHEF_TOKEN", job.lease.token.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Kills the process group when dropped, unless its leader was reaped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended in this moment: then there is nothing to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Both outputs and the end of what came from them.
struct Output {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    tail: Vec<u8>,
}

impl Output {
    fn new(child: &mut Child) -> Self {
        Self { stdout: child.stdout.take(), stderr: child.stderr.take(), tail: Vec::new() }
    }

    async fn read_for_ever(&mut self) -> Infallible {
        self.read_to_end().await;
        std::future::pending().await
    }

    /// Reads until both are closed. Safe to cancel.
    async fn read_to_end(&mut self) {
        let (mut out, mut err) = ([0; 4096], [0; 4096]);
        while self.stdout.is_some() || self.stderr.is_some() {
            tokio::select! {
                length = read(&mut self.stdout, &mut out) => keep(&mut self.tail, &out[..length]),
                length = read(&mut self.stderr, &mut err) => keep(&mut self.tail, &err[..length]),
            }
        }
    }

    fn with(&self, status: ExitStatus) -> String {
        let printed = String::from_utf8_lossy(&self.tail);
        let printed = printed.trim_end();
        if printed.is_empty() { status.to_string() } else { format!("{printed}\n{status}") }
    }
}

/// Reads from a pipe that is open, and forgets it at its end; waits for ever on one that is not.
async fn read<R: AsyncRead + Unpin>(pipe: &mut Option<R>, buffer: &mut [u8]) -> usize {
    let Some(open) = pipe else { return std::future::pending().await };
    let length = open.read(buffer).await.unwrap_or(0);
    if length == 0 {
        *pipe = None;
    }
    length
}

/// Keeps the last [`OUTPUT_MAX`] bytes.
fn keep(tail: &mut Vec<u8>, more: &[u8]) {
    tail.extend_from_slice(more);
    let excess = tail.len().saturating_sub(OUTPUT_MAX);
    tail.drain(..excess);
}

#[cfg(test)]
mod tests {
    use protocol::link::LeaseName;
    use protocol::{Epoch, FencingToken, OrderId};

    use super::*;

    fn job(command: &str) -> Job {
        let lease = LeaseName { order: OrderId(7), token: FencingToken { epoch: Epoch(1), counter: 9 } };
        Job { command: command.into(), lease, stage: "prep".into(), stdin: "{\"order\":\"o7\"}\n".into() }
    }

    #[tokio::test]
    async fn a_command_reads_its_order_and_its_surroundings() {
        let checks = r#"read line; test "$line" = '{"order":"o7"}' && test "$CHEF_ORDER $CHEF_STAGE $CHEF_TOKEN" = "o7 prep 1.9""#;
        assert_eq!(run(job(checks)).await, Ok(()));
    }

    #[tokio::test]
    async fn a_failure_says_what_was_printed_and_how_it_ended() {
        let error = run(job("echo one; echo two >&2; exit 3")).await.expect_err("exit 3");
        assert!(error.contains("one") && error.contains("two") && error.ends_with("exit status: 3"), "{error}");
        assert_eq!(run(job("exit 4")).await, Err("exit status: 4".into()));
    }

    #[tokio::test]
    async fn only_the_end_of_a_long_output_is_kept() {
        let error = run(job("yes | head -c 1000000; printf burnt; exit 1")).await.expect_err("exit 1");
        assert!(error.len() < OUTPUT_MAX + 64 && error.contains("y\nburnt\n"), "{}", error.len());
    }

    #[tokio::test]
    async fn a_command_that_never_reads_and_leaves_its_pipes_open_does_not_hang() {
        let long = Job { stdin: "x".repeat(1_000_000), ..job("sleep 30 & exit 0") };
        let ended = tokio::time::timeout(Duration::from_secs(10), run(long)).await;
        assert_eq!(ended, Ok(Ok(())));
    }

    #[tokio::test]
    async fn a_killed_command_takes_its_children_with_it() {
        let fifo = std::env::temp_dir().join(format!("kitchen-agent-fifo-{}", std::process::id()));
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).expect("a fifo");
        let command = format!("sleep 600 > {} & wait", fifo.display());
        let stage = tokio::spawn(run(job(&command)));
        let path = fifo.clone();
        // Opening waits until the grandchild has the other end; reading, until nobody has it any more.
        let open = tokio::task::spawn_blocking(|| std::fs::File::open(path));
        let file = open.await.expect("a thread").expect("the other end");
        stage.abort();
        let closed = tokio::task::spawn_blocking(|| std::io::read_to_string(file));
        let text = tokio::time::timeout(Duration::from_secs(10), closed).await.expect("the grandchild is dead too");
        assert_eq!(text.expect("a thread").expect("a fifo"), "");
        std::fs::remove_file(fifo).expect("own file");
    }
}
