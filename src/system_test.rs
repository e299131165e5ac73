//! `chef test`: does a running system keep its word? A line for each check, the count last.
//!
//! ```text
//! ok       health     4 kitchens alive, leader balancer_1
//! skipped  failover   needs --full
//! 4 passed, 0 failed
//! ```
//! Owns the verdicts. Places real orders; with `--full` it also kills a kitchen and the balancer of the `chef up` on this
//! machine, and sees them come back.

mod checks;
mod failover;

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use crate::city::control::Supervisor;
use crate::cli::{DataDir, FAILED, Failure, Print, Reach};
use crate::client::Client;
use crate::output::{self, Format};

/// How long a system may be busy before a check calls it stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// `chef test`.
#[derive(Debug, Clone, Args)]
pub struct TestArgs {
    /// More load, and kill a kitchen and the balancer
    #[arg(long)]
    pub full: bool,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) print: Print,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "detail", rename_all = "snake_case")]
pub enum Verdict {
    /// It holds, and the evidence.
    Ok(String),
    /// It does not, and the cause.
    Failed(String),
    /// It was not looked at, and why.
    Skipped(String),
}

impl Verdict {
    fn of(outcome: Result<String, String>) -> Self {
        outcome.map_or_else(Self::Failed, Self::Ok)
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Line {
    name: &'static str,
    #[serde(flatten)]
    verdict: Verdict,
    seconds: f64,
}

impl Line {
    fn text(&self) -> String {
        let (word, detail) = match &self.verdict {
            Verdict::Ok(detail) => ("ok", detail),
            Verdict::Failed(detail) => ("FAIL", detail),
            Verdict::Skipped(detail) => ("skipped", detail),
        };
        format!("{word:<8} {:<10} {}\n", self.name, protocol::text::clean(detail, 300))
    }
}

impl TestArgs {
    /// Runs all checks in sequence.
    ///
    /// # Errors
    /// A check failed, or no balancer is reachable.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = self.reach.client()?;
        client.healthz().await?;
        let client = client.with_patience(PATIENCE, 64);
        let mut report = Report { format: self.print.format, full: self.full, lines: Vec::new() };
        report.add("health", async { Verdict::of(checks::health(&client).await) }).await?;
        let orders = if self.full { 200 } else { 40 };
        let mut placed = Vec::new();
        report.add("load", async { Verdict::of(checks::load(&client, orders, &mut placed).await) }).await?;
        report.add("balance", checks::balance(&client, &placed)).await?;
        report.add("failover", self.failover(&client)).await?;
        report.add("migration", checks::migration(&client)).await?;
        report.end()
    }

    async fn failover(&self, client: &Client) -> Verdict {
        if !self.full {
            return Verdict::Skipped("needs --full and the `chef up` on this machine".into());
        }
        failover::check(client, &Supervisor::At(self.data.data_dir.clone()), &self.data.data_dir).await
    }
}

struct Report {
    format: Format,
    full: bool,
    lines: Vec<Line>,
}

impl Report {
    async fn add(&mut self, name: &'static str, check: impl Future<Output = Verdict>) -> Result<(), Failure> {
        let started = Instant::now();
        let verdict = check.await;
        let line = Line { name, verdict, seconds: started.elapsed().as_secs_f64() };
        if self.format == Format::Table {
            output::print(&line.text())?;
        }
        self.lines.push(line);
        Ok(())
    }

    /// How many passed, and how many failed.
    fn counts(&self) -> (usize, usize) {
        let count = |wanted: fn(&Verdict) -> bool| self.lines.iter().filter(|line| wanted(&line.verdict)).count();
        let passed = count(|verdict| matches!(verdict, Verdict::Ok(_)));
        (passed, count(|verdict| matches!(verdict, Verdict::Failed(_))))
    }

    fn skipped(&self) -> usize {
        self.lines.iter().filter(|line| matches!(line.verdict, Verdict::Skipped(_))).count()
    }

    fn end(self) -> Result<(), Failure> {
        let (passed, failed) = self.counts();
        let skipped = self.skipped();
        let json = serde_json::json!({ "checks": self.lines, "passed": passed, "failed": failed, "skipped": skipped });
        let tail = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
        output::show(self.format, &json, |_| format!("{passed} passed, {failed} failed{tail}\n"))?;
        // Asked for everything, a check that could not run is not a pass.
        if failed > 0 || (self.full && skipped > 0) { Err(Failure::silent(FAILED)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_the_verdict_the_name_and_the_evidence() {
        let line = |verdict| Line { name: "health", verdict, seconds: 0.0 }.text();
        assert_eq!(line(Verdict::Ok("4 alive".into())), "ok       health     4 alive\n");
        assert_eq!(line(Verdict::Failed("none\u{1b}[2J".into())), "FAIL     health     none␛[2J\n");
    }

    #[test]
    fn what_was_skipped_neither_passed_nor_failed() {
        let verdicts = [Verdict::Ok("x".into()), Verdict::Failed("y".into()), Verdict::Skipped("z".into())];
        let lines = verdicts.map(|verdict| Line { name: "x", verdict, seconds: 0.0 }).into();
        assert_eq!(Report { format: Format::Table, full: false, lines }.counts(), (1, 1));
    }
}
