//! The commands of `chaos`, a file each; here is what they share: the scene of a run and its judgement.
//!
//! A command sets a scene, starts a world in it, disturbs it, and has it judged. Every number it prints is from the
//! record or from the dump. A violation ends with exit code 1, the seed, and the command that repeats the run.

pub mod drain;
pub mod leaders;
pub mod overload;
pub mod poison;
pub mod run;
pub mod soak;
pub mod zombies;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use color_eyre::eyre::ensure;

use crate::Result;
use crate::checker::{Checker, Promises, Verdict};
use crate::client::Proof;
use crate::dump::Row;
use crate::leftovers::Leftovers;
use crate::measure::{Measure, Told};
use crate::record::Recorder;
use crate::town::Town;
use crate::world::{Setup, World};

/// Once faults stop every order ends within this: three attempts behind a restart's longest back-off.
pub const END_MAX: Duration = Duration::from_secs(60);

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The chef binary [default: target/release/chef, then target/debug/chef]
    #[arg(long, value_name = "FILE", global = true)]
    pub chef: Option<PathBuf>,
    /// Draws faults and orders; the same seed plans the same run
    #[arg(long, default_value_t = 1, global = true)]
    pub seed: u64,
    /// Where ledger, logs and record are kept; must not exist [default: a temporary directory, kept after a failure]
    #[arg(long, value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    /// Keeps the temporary directory after a success too
    #[arg(long, global = true)]
    pub keep: bool,
}

impl Common {
    /// The binary to test.
    ///
    /// # Errors
    /// There is none.
    pub fn chef(&self) -> Result<PathBuf> {
        let given = self.chef.iter().cloned();
        let usual = ["target/release/chef", "target/debug/chef"].map(PathBuf::from);
        let found = given.chain(usual.into_iter().filter(|_| self.chef.is_none())).find(|path| path.is_file());
        ensure!(found.is_some(), "no chef binary: build one with `cargo build --bin chef`, or name it with --chef");
        Ok(std::path::absolute(found.unwrap_or_default())?)
    }

    /// Makes the directory and begins the record.
    ///
    /// # Errors
    /// The directory exists, or cannot be made.
    pub fn scene(&self) -> Result<Scene> {
        let (dir, temporary) = match &self.dir {
            Some(dir) => {
                std::fs::create_dir(dir)?;
                (std::path::absolute(dir)?, None)
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("chef-chaos-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let record = dir.join("record.jsonl");
        let leftovers = Leftovers::of(&dir);
        let recorder = Recorder::create(&record)?;
        Ok(Scene { recorder, record, chef: self.chef()?, leftovers, dir, temporary, keep: self.keep })
    }
}

/// Where a run happens.
#[derive(Debug)]
pub struct Scene {
    /// Of this run alone.
    pub dir: PathBuf,
    /// The record's writing end.
    pub recorder: Recorder,
    /// The record's file.
    pub record: PathBuf,
    chef: PathBuf,
    leftovers: Leftovers,
    temporary: Option<tempfile::TempDir>,
    keep: bool,
}

/// How a run was judged.
#[derive(Debug)]
pub struct Judged {
    /// By record and ledger.
    pub verdict: Verdict,
    /// Times.
    pub measure: Measure,
}

impl Scene {
    /// The setup for a world in this scene.
    #[must_use]
    pub fn setup(&self, common: &Common, balancers: u32, inner: u32, outer: u32, speed: f64, town: Town) -> Setup {
        let (chef, dir, seed) = (self.chef.clone(), self.dir.clone(), common.seed);
        let environment = vec![self.leftovers.mark()];
        Setup { chef, dir, balancers, inner, outer, speed, town, cook: None, seed, environment }
    }

    /// Waits for the ends, stops the world, and judges it by what it left; `each` sees every event too.
    ///
    /// # Errors
    /// It cannot be judged: no dump, or a damaged record.
    pub async fn judge(&self, world: World, each: impl FnMut(&Row)) -> Result<Judged> {
        self.judge_with(world, Measure::new, each).await
    }

    /// The same with another way to measure times.
    ///
    /// # Errors
    /// As above.
    pub async fn judge_with(
        &self,
        world: World,
        measure: impl FnOnce(Told) -> Measure,
        mut each: impl FnMut(&Row),
    ) -> Result<Judged> {
        let ended = world.until_all_ended(END_MAX).await;
        let (proof, not_ended) = match ended {
            Ok(proof) => (proof, None),
            Err(error) => (world.client.proof().await.unwrap_or_else(|_| Proof::default()), Some(error)),
        };
        let ledger = world.stop().await?;
        self.recorder.flush()?;
        let mut checker = Checker::new(Promises::read(&self.record)?, proof);
        let mut measure = measure(Told::read(&self.record)?);
        ledger.each(|row| {
            checker.row(row);
            measure.row(row);
            each(row);
        })?;
        let mut verdict = checker.finish();
        if let Some(error) = not_ended {
            verdict.violations.add("I1", || format!("{error:#}"));
        }
        if let Err(error) = ledger.verify() {
            verdict.violations.add("verify", || format!("{error:#}"));
        }
        Ok(Judged { verdict, measure })
    }

    /// Says the verdict and where to look; true if it holds. `again` repeats the run.
    #[must_use]
    pub fn close(self, verdict: &Verdict, again: &str) -> bool {
        let (counts, holds) = (verdict.counts, verdict.holds());
        println!(
            "verdict        {}: {} acknowledged, {} accepted, {} completed, {} cancelled, {} dead-lettered, {} open; {} lost, {} twice; {} late results refused; {} events, epoch {}",
            if holds { "holds" } else { "VIOLATED" },
            verdict.acknowledged,
            counts.accepted,
            counts.completed,
            counts.cancelled,
            counts.dead_lettered,
            counts.open(),
            verdict.lost,
            verdict.twice,
            counts.stale_refused,
            verdict.events,
            verdict.epoch,
        );
        verdict.violations.first.iter().for_each(|line| println!("  {line}"));
        let more = verdict.violations.count - verdict.violations.first.len() as u64;
        if more > 0 {
            println!("  and {more} more");
        }
        if !holds {
            println!("repeat with    {again}");
        }
        self.leave(holds);
        holds
    }

    fn leave(mut self, holds: bool) {
        // Dropped with its directory after a success; everything else stays for whoever has to look.
        drop(self.temporary.take_if(|_| holds && !self.keep));
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.recorder.flush();
        if let Some(dir) = self.temporary.take() {
            println!("kept           {}", dir.keep().display());
        }
    }
}

/// Prints what a run did to its customers.
pub fn print_customers(measure: &Measure) {
    let told = measure.told();
    for (class, spread, failed) in told.latencies() {
        println!("latency, us    {class}: {spread}; {failed} failed after retries");
    }
    let refusals: Vec<String> = told.refusals.iter().map(|(why, count)| format!("{why} {count}")).collect();
    let refusals = if refusals.is_empty() { "none".into() } else { refusals.join(", ") };
    println!(
        "tries          {} orders, {} retries; answers that were no order: {refusals}",
        told.orders.len(),
        told.retries
    );
}

/// Prints recoveries and takeovers.
pub fn print_times(measure: &Measure) {
    for (kind, spread) in measure.recoveries() {
        println!("recovery, ms   {kind}: {spread}");
    }
    for (kind, (reign, answer)) in measure.takeovers() {
        println!("takeover, ms   {kind}: to the new reign {reign}; to its first 2xx {answer}");
    }
}
