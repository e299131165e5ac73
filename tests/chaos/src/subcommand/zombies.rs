//! `chaos zombies`: agents are stopped beyond their lease and resumed; what they report then must be refused, each of it
//! counted, and none of it may complete an order.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::{Common, print_customers, print_times};
use crate::Result;
use crate::client::PATIENCE;
use crate::clock;
use crate::load::{Load, Plan};
use crate::process::{Resumed, Signal};
use crate::record::{Line, Recorder};
use crate::town::Town;
use crate::world::World;

const TOWN: Town = Town { capacity: 60, stations: 30, stages_ms: [100, 300, 100] };
/// Beyond the lease of 1.5 s: meanwhile its orders have gone elsewhere.
const STOP: Duration = Duration::from_millis(2_200);
/// A resumed kitchen is welcome again and cooks within this; late results come in the first moments of it.
const CALM_MAX: Duration = Duration::from_secs(20);
/// Its next orders have begun when it is stopped again.
const BREATH: Duration = Duration::from_millis(400);

/// Agents stopped beyond their lease, then resumed
#[derive(Debug, Clone, Args)]
pub struct Zombies {
    /// How many stops
    #[arg(long, default_value_t = 200)]
    pub count: u32,
    /// So many agents of our own
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub kitchens: u32,
    /// Of them stopped at once
    #[arg(long, default_value_t = 2)]
    pub at_once: u32,
    /// Orders a second
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Balancers
    #[arg(long, default_value_t = 2)]
    pub balancers: u32,
    /// What every command takes
    #[command(flatten)]
    pub common: Common,
}

impl Zombies {
    /// Runs; true if nothing was wrong.
    ///
    /// # Errors
    /// The city cannot be started, disturbed or judged.
    pub async fn run(self) -> Result<bool> {
        let scene = self.common.scene()?;
        let setup = scene.setup(&self.common, self.balancers, 1, self.kitchens, 1.0, TOWN);
        let world = World::start(&setup).await?;
        let load = Plan { prefix: "zombies".into(), rate: self.rate, seed: self.common.seed, patience: PATIENCE };
        let load = Load::start(load, world.client.clone(), scene.recorder.clone());
        let (mut done, mut wrongs) = (0, Vec::new());
        while done < self.count {
            sleep(BREATH).await;
            let group = self.at_once.clamp(1, self.kitchens).min(self.count - done);
            self.stop_some(&world, &scene.recorder, done, group).await?;
            done += group;
            if !world.until_calm(CALM_MAX).await {
                wrongs.push(format!("after stop {done} the city was not whole again"));
            }
            (done - group + 1..=done).for_each(|number| {
                let now = clock::now();
                scene.recorder.write(&Line::Healed { at: now, number, calm: Some(now) });
            });
        }
        load.stop().await;
        world.until_all_ended(super::END_MAX).await?;
        let (late, fenced) = (world.metric("kitchen_stale_total").await?, world.metric("kitchen_fenced_total").await?);
        let (mut refusals, mut repeated) = (BTreeSet::new(), 0);
        let mut judged = scene
            .judge(world, |row| {
                if row.event == "stale_refused" {
                    repeated += u32::from(!refusals.insert((row.order, row.token)));
                }
            })
            .await?;
        let refused = judged.verdict.counts.stale_refused;
        // An agent that was given the order anew counts only the end of the newer report: it may see fewer, never more.
        if refused < late {
            wrongs.push(format!("the agents saw {late} late results refused, the ledger has only {refused}"));
        }
        if repeated > 0 {
            wrongs.push(format!("{repeated} late results are counted more than once"));
        }
        if refused == 0 {
            wrongs.push("no late result came: nothing was tested".into());
        }
        wrongs.into_iter().for_each(|wrong| judged.verdict.violations.add("zombie", || wrong));
        println!(
            "zombies        {done} stops of {} ms; {fenced} leases dropped at their fence, {late} late results refused as the agents saw it, {refused} in the ledger",
            STOP.as_millis()
        );
        print_times(&judged.measure);
        print_customers(&judged.measure);
        let (seed, count, kitchens, rate) = (self.common.seed, self.count, self.kitchens, self.rate);
        let again = format!(
            "cargo run -p chaos -- zombies --seed {seed} --count {count} --kitchens {kitchens} --at-once {} --rate {rate}",
            self.at_once,
        );
        Ok(scene.close(&judged.verdict, &again))
    }

    /// Stops so many side by side, each another one than in the round before.
    async fn stop_some(&self, world: &World, recorder: &Recorder, done: u32, group: u32) -> Result<()> {
        let mut stopped = Vec::new();
        for number in done + 1..=done + group {
            let outer = &world.outers[number as usize % world.outers.len()];
            let process = outer.process()?;
            recorder.fault(number, "stop-kitchen", &outer.id);
            process.signal(Signal::STOP)?;
            stopped.push(Resumed(process));
        }
        sleep(STOP).await;
        Ok(())
    }
}
