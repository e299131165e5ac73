//! Commands about the system and its kitchens: status, kitchens, migrations, proof, cordon, uncordon, drain, rush.
//!
//! Owns their arguments and their tables.

use std::time::Duration;

use clap::{Args, Subcommand};
use protocol::KitchenId;
use protocol::api::{BalancerView, KitchenView, RushView, StartRush, Status as StatusView};
use protocol::api::{Drain as DrainBody, Kitchens as KitchensView, Migrations as MigrationsView, Proof as ProofView};

use super::args::{Print, Reach, duration, within};
use super::failure::Failure;
use crate::output::{self, Table, ms, or_dash, pairs, percent};

/// A command that only asks.
#[derive(Debug, Clone, Args)]
pub struct Ask {
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

pub(super) async fn status(ask: Ask) -> Result<(), Failure> {
    let status = ask.reach.client()?.status().await?;
    Ok(output::show(ask.print.format, &status, status_pairs)?)
}

fn status_pairs(status: &StatusView) -> String {
    let StatusView { kpi, kitchens, leader, .. } = status;
    let standbys: Vec<String> = status.standbys.iter().map(standby).collect();
    let mut lines = vec![
        ("city", status.city.clone()),
        ("leader", format!("{} (pid {}), epoch {}", leader.id, leader.pid, status.epoch)),
        ("standbys", if standbys.is_empty() { "none".into() } else { standbys.join(", ") }),
        ("up", ms(Some(status.uptime_ms))),
        ("kitchens", format!("{} alive, {} suspected, {} dead", kitchens.alive, kitchens.suspected, kitchens.dead)),
        ("orders/s", format!("{:.1} accepted, {:.1} completed", kpi.accepted_per_s, kpi.completed_per_s)),
        ("order time", format!("p50 {}, p99 {}", ms(kpi.p50_ms), ms(kpi.p99_ms))),
        ("balance", or_dash(kpi.load_balance_efficiency.map(percent))),
        ("migrations", or_dash(kpi.migration_success_ratio.map(|ratio| format!("{} succeed", percent(ratio))))),
        ("availability", percent(kpi.availability)),
        ("rush", status.rush.as_ref().map_or_else(|| "none".into(), rush_words)),
        ("proof", proof_line(&status.proof)),
        ("keys", format!("remembered for {}", humantime::format_duration(Duration::from_millis(status.key_window_ms)))),
        ("version", status.version.clone()),
    ];
    lines.extend(status.alerts.iter().map(|alert| ("ALERT", format!("{}: {}", alert.name, alert.text))));
    pairs(&lines)
}

fn standby(standby: &BalancerView) -> String {
    let position = standby.position.map_or_else(String::new, |position| format!(" at position {position}"));
    format!("{} (pid {}){position}", standby.id, standby.pid)
}

fn proof_line(proof: &ProofView) -> String {
    format!(
        "accepted {} = completed {} + cancelled {} + dead-lettered {} + open {} | lost {} | twice {} | stale refused {}",
        proof.accepted,
        proof.completed,
        proof.cancelled,
        proof.dead_lettered,
        proof.open,
        proof.lost,
        proof.twice,
        proof.stale_refused
    )
}

pub(super) async fn proof(ask: Ask) -> Result<(), Failure> {
    let proof = ask.reach.client()?.proof().await?;
    output::show(ask.print.format, &proof, |proof| {
        format!("{}\nat position {}, epoch {}\n", proof_line(proof), proof.position, proof.epoch)
    })?;
    if proof.holds() {
        Ok(())
    } else {
        Err(Failure::failed(format!("the promise is broken: lost {}, twice {}", proof.lost, proof.twice)))
    }
}

pub(super) async fn kitchens(ask: Ask) -> Result<(), Failure> {
    let kitchens = ask.reach.client()?.kitchens().await?;
    Ok(output::show(ask.print.format, &kitchens, kitchens_table)?)
}

fn kitchens_table(all: &KitchensView) -> String {
    let columns = [
        "kitchen", "name", "zone", "health", "orders", ">load", ">queued", ">cooking", ">done", ">avg", "best at",
        "note",
    ];
    let mut table = Table::new(&columns);
    let mut kitchens: Vec<&KitchenView> = all.kitchens.iter().collect();
    kitchens.sort_by_key(|kitchen| (kitchen.id.as_str().len(), kitchen.id.as_str()));
    for kitchen in kitchens {
        let heard = kitchen.last_heard_ms.map_or_else(String::new, |heard| format!(" {}", ms(Some(heard))));
        table.row([
            kitchen.id.to_string(),
            kitchen.name.clone(),
            kitchen.zone.clone(),
            format!("{}{heard}", kitchen.health.word()),
            kitchen.schedulable.word().into(),
            percent(kitchen.load),
            kitchen.queued.to_string(),
            format!("{}/{}", kitchen.cooking, kitchen.stations),
            kitchen.completed.to_string(),
            ms(kitchen.avg_ms),
            kitchen.specialties.join(" "),
            note(kitchen),
        ]);
    }
    table.render()
}

/// What keeps orders from it, and what its drain still has to do.
fn note(kitchen: &KitchenView) -> String {
    let drain = kitchen.drain.as_ref().map(|drain| {
        format!(
            "draining: {} wait, {} cook ({} in the oven), {} left",
            drain.waiting,
            drain.cooking,
            drain.in_the_oven,
            ms(Some(drain.deadline_left_ms))
        )
    });
    [drain, kitchen.note.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

pub(super) async fn migrations(ask: Ask) -> Result<(), Failure> {
    let migrations = ask.reach.client()?.migrations().await?;
    Ok(output::show(ask.print.format, &migrations, migrations_table)?)
}

fn migrations_table(all: &MigrationsView) -> String {
    let mut table = Table::new(&["at", "order", "from", "to", "kind", "reason", ">pause", "result"]);
    for migration in &all.migrations {
        table.row([
            migration.at.clock(),
            or_dash(migration.order),
            migration.from.to_string(),
            or_dash(migration.to.as_ref()),
            migration.kind.word().into(),
            migration.reason.clone(),
            ms(migration.pause_ms),
            migration.result.word().into(),
        ]);
    }
    table.render()
}

/// `chef cordon` and `chef uncordon`.
#[derive(Debug, Clone, Args)]
pub struct OneKitchen {
    /// Like kitchen_1
    #[arg(value_name = "KITCHEN")]
    pub kitchen: KitchenId,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

pub(super) async fn cordon(one: OneKitchen) -> Result<(), Failure> {
    one.reach.client()?.cordon(&one.kitchen).await?;
    super::done(one.print.format, &format!("{} gets no new orders", one.kitchen))
}

pub(super) async fn uncordon(one: OneKitchen) -> Result<(), Failure> {
    one.reach.client()?.uncordon(&one.kitchen).await?;
    super::done(one.print.format, &format!("{} takes orders again", one.kitchen))
}

/// `chef drain`.
#[derive(Debug, Clone, Args)]
pub struct Drain {
    /// Like kitchen_1
    #[arg(value_name = "KITCHEN")]
    pub kitchen: KitchenId,
    /// After this the rest is recovered elsewhere
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub deadline: Duration,
    /// Also when the rest of the fleet has no room
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

impl Drain {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let deadline_ms = Some(u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX));
        self.reach.client()?.drain(&self.kitchen, &DrainBody { deadline_ms, force: self.force }).await?;
        super::done(self.print.format, &format!("{} is being drained", self.kitchen))
    }
}

/// `chef rush`: alone it says what runs.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Rush {
    #[command(subcommand)]
    pub(super) stop: Option<RushCommand>,
    /// Orders a second
    #[arg(long, value_name = "N", value_parser = within(protocol::bounds::RUSH_RATE))]
    pub rate: Option<f64>,
    /// How long
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub lasting: Duration,
    /// Only from this zone
    #[arg(long)]
    pub zone: Option<String>,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

/// `chef rush stop`.
#[derive(Debug, Clone, Subcommand)]
pub enum RushCommand {
    /// End the rush that runs
    Stop(Ask),
}

impl Rush {
    pub(super) async fn run(self, outer: &Reach) -> Result<(), Failure> {
        if let Some(RushCommand::Stop(ask)) = self.stop {
            ask.reach.or(outer).client()?.stop_rush().await?;
            return super::done(ask.print.format, "the rush is over");
        }
        let client = self.reach.or(outer).client()?;
        let Some(rate) = self.rate else {
            let rush = client.rush().await?;
            output::show(self.print.format, &rush, |rush| {
                format!("{}\n", rush.as_ref().map_or_else(|| "no rush runs".into(), rush_words))
            })?;
            return Ok(());
        };
        let for_s = self.lasting.as_secs_f64().ceil() as u64;
        client.start_rush(&StartRush { rate, for_s, zone: self.zone }).await?;
        super::done(self.print.format, &format!("rush: {rate} orders/s for {for_s} s"))
    }
}

fn rush_words(rush: &RushView) -> String {
    let zone = rush.zone.as_deref().map_or_else(String::new, |zone| format!(" from {zone}"));
    format!("{} orders/s{zone}, {} left, {} placed, {} shed", rush.rate, ms(Some(rush.left_ms)), rush.placed, rush.shed)
}
