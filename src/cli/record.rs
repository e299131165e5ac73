//! `chef record` and `chef replay`.
//!
//! Owns what is said while recording and how a recording is opened. The file's format is in [`crate::console::tape`].

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;

use super::args::{Reach, duration};
use super::failure::Failure;
use super::local::{Look, Stop};
use crate::client::{Client, feed};
use crate::console::link::Signal;
use crate::console::replay::{At, Deck, parse_at};
use crate::console::tape::{Recorder, Said};
use crate::console::{self};
use crate::output;
use crate::pipes;

/// Signals that may wait for the recorder.
const CHANNEL: usize = 64;
/// Between two looks at whether the disk still takes what is recorded.
const LOOK: Duration = Duration::from_secs(1);

/// `chef record`.
#[derive(Debug, Clone, Args)]
pub struct Record {
    /// Where; an existing recording goes on
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Stop after this time
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub lasting: Option<Duration>,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl Record {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let client = self.reach.client()?;
        let mut stop = Stop::new()?;
        // Nobody there is said at once; a link lost later is part of the recording.
        client.status().await?;
        let mut recorder = console::recorder(&self.file)?;
        let mut err = std::io::stderr();
        let _ =
            writeln!(err, "recording into {}; a line typed here becomes a mark, ctrl-c ends it", self.file.display());
        let lasting = self.lasting.unwrap_or(Duration::MAX);
        let outcome = tokio::select! {
            failure = listen(client, &mut recorder) => Err(failure),
            () = tokio::time::sleep(lasting) => Ok(()),
            () = stop.wait() => Ok(()),
        };
        let (state, length) = (recorder.state().clone(), recorder.elapsed());
        drop(recorder);
        if let Some(why) = state.failure() {
            return Err(Failure::failed(format!("{}: {why}", self.file.display())));
        }
        let lost = if state.lost() > 0 { format!(", {} lost to a slow disk", state.lost()) } else { String::new() };
        let (records, bytes) = (state.records(), state.bytes());
        output::print(&format!("recorded {} in {records} records{lost}, {bytes} bytes\n", output::duration(length)))?;
        outcome
    }
}

/// Records until something fails.
async fn listen(client: Client, recorder: &mut Recorder) -> Failure {
    let (sender, mut signals) = mpsc::channel(CHANNEL);
    let following = tokio::spawn(feed::follow(client, sender));
    let (mut marks, mut marking) = (pipes::typed(), true);
    loop {
        let said = tokio::select! {
            signal = signals.recv() => match signal {
                Some(signal) => { note(recorder, &signal); continue }
                None => break,
            },
            mark = marks.recv(), if marking => match mark {
                Some(line) if !line.trim().is_empty() => Said::Mark(line.trim().to_owned()),
                Some(_) => continue,
                None => { marking = false; continue }
            },
            () = tokio::time::sleep(LOOK) => {
                if recorder.state().failure().is_some() {
                    break;
                }
                continue;
            }
        };
        let at = recorder.elapsed();
        recorder.note(at, said);
    }
    following.abort();
    Failure::failed("the recording has ended")
}

fn note(recorder: &mut Recorder, signal: &Signal) {
    let at = recorder.elapsed();
    recorder.hear(signal, at);
}

/// `chef replay`.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// A recording
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Begin here: a clock time (UTC) like 12:41:07, or a time after the beginning like 90s
    #[arg(long, value_name = "TIME", value_parser = parse_at)]
    pub at: Option<At>,
    /// So many times as fast: 0.25 to 64
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = super::args::within(protocol::bounds::REPLAY_SPEED))]
    pub speed: f64,
    #[command(flatten)]
    pub(super) look: Look,
}

impl Replay {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let opened = Deck::open(&self.file, self.at, self.speed);
        let (deck, fold) = opened.map_err(|bad| Failure::failed(format!("{}: {bad}", self.file.display())))?;
        if !std::io::stdout().is_terminal() {
            let help = "its lines are JSON: grep '\"events\":' FILE, or use a terminal";
            return Err(Failure::usage("a replay needs a terminal").help(help));
        }
        Ok(console::replay(self.look.options(None), deck, fold).await?)
    }
}
