//! `chaos drain`: loaded kitchens are emptied one after the other while orders flow; never may one be called drained
//! before its agent is empty, and what was begun goes on where it stood.

use std::time::Duration;

use clap::Args;
use color_eyre::eyre::bail;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Common, print_customers};
use crate::Result;
use crate::client::PATIENCE;
use crate::clock::Spread;
use crate::load::{Load, Plan};
use crate::measure::Moves;
use crate::outer::Outer;
use crate::town::Town;
use crate::world::World;

/// Stages long enough to be caught in each of them.
const TOWN: Town = Town { capacity: 40, stations: 10, stages_ms: [400, 800, 400] };
/// Share of what our own kitchens can cook that is offered: with the one of `chef up` there is room for what a drained
/// kitchen held, and yet orders wait in each.
const LOAD: f64 = 0.9;
/// Its own stations are full again after this.
const FILL: Duration = Duration::from_secs(3);
/// Between two looks at the kitchen.
const LOOK: Duration = Duration::from_millis(20);
/// The default deadline of a drain is 30 s.
const DRAIN_MAX: Duration = Duration::from_secs(40);

/// Kitchens emptied under load
#[derive(Debug, Clone, Args)]
pub struct Drain {
    /// How many drains
    #[arg(long, default_value_t = 12)]
    pub count: u32,
    /// Kitchens of our own, whose metrics are followed
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub kitchens: u32,
    /// Balancers
    #[arg(long, default_value_t = 1)]
    pub balancers: u32,
    /// What every command takes
    #[command(flatten)]
    pub common: Common,
}

/// One drain as it was seen from outside.
#[derive(Debug, Clone, Copy)]
struct Seen {
    held: u64,
    took_ms: u64,
    /// Of the agent, when the balancer first called it drained.
    left: u64,
}

impl Drain {
    /// Runs; true if nothing was wrong.
    ///
    /// # Errors
    /// The city cannot be started, drained or judged.
    pub async fn run(self) -> Result<bool> {
        let scene = self.common.scene()?;
        let setup = scene.setup(&self.common, self.balancers, 1, self.kitchens, 1.0, TOWN);
        let world = World::start(&setup).await?;
        let rate = TOWN.rate(self.kitchens, 1.0) * LOAD;
        let plan = Plan { prefix: "drain".into(), rate, seed: self.common.seed, patience: PATIENCE };
        let load = Load::start(plan, world.client.clone(), scene.recorder.clone());
        let mut seen = Vec::new();
        for number in 0..self.count as usize {
            sleep(FILL).await;
            seen.push(drain_one(&world, &world.outers[number % world.outers.len()]).await?);
        }
        load.stop().await;
        let mut moves = Moves::default();
        let mut judged = scene.judge(world, |row| moves.row(row)).await?;
        for (number, seen) in seen.iter().enumerate().filter(|(_, seen)| seen.left > 0) {
            let left = seen.left;
            judged
                .verdict
                .violations
                .add("drain", || format!("drain {}: called drained with {left} leases left", number + 1));
        }
        moves.wrong.iter().for_each(|wrong| judged.verdict.violations.add("drain", || wrong.clone()));
        let drained = moves.drained;
        if drained != u64::from(self.count) {
            judged.verdict.violations.add("drain", || format!("{} drains, {drained} ends of one", self.count));
        }
        println!(
            "drains         {drained}, {} orders in hand when they began",
            seen.iter().map(|seen| seen.held).sum::<u64>()
        );
        println!("took, ms       {}", Spread::of(seen.iter().map(|seen| seen.took_ms).collect()));
        println!("pause, ms      moved before they were begun: {}", Spread::of(moves.reassigned.clone()));
        println!("pause, ms      handed over in mid-cooking: {}", Spread::of(moves.handed_over.clone()));
        println!(
            "handovers      {} went on at their stage, {:.1} s of cooking kept; {} orders recovered at a deadline",
            moves.resumed,
            moves.saved_ms as f64 / 1e3,
            moves.at_deadline,
        );
        print_customers(&judged.measure);
        let (seed, count, kitchens) = (self.common.seed, self.count, self.kitchens);
        let again = format!("cargo run -p chaos -- drain --seed {seed} --count {count} --kitchens {kitchens}");
        Ok(scene.close(&judged.verdict, &again))
    }
}

/// Drains a kitchen, follows it to the end, looks into the agent at that moment, and opens it again.
async fn drain_one(world: &World, outer: &Outer) -> Result<Seen> {
    let held = world.metric_of(outer, "kitchen_leases").await?;
    let began = Instant::now();
    world.client.post(&format!("/kitchens/{}/drain", outer.id), json!({})).await?;
    loop {
        let view = world.client.get(&format!("/kitchens/{}", outer.id)).await?;
        if view["schedulable"] != "draining" {
            break;
        }
        if began.elapsed() > DRAIN_MAX {
            bail!("{} is not drained after {} s: {view}", outer.id, DRAIN_MAX.as_secs());
        }
        sleep(LOOK).await;
    }
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let left = world.metric_of(outer, "kitchen_leases").await?;
    world.client.post(&format!("/kitchens/{}/uncordon", outer.id), json!({})).await?;
    Ok(Seen { held, took_ms, left })
}
