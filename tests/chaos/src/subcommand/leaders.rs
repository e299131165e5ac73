//! `chaos leaders`: the leader is stopped until another one leads, then resumed; it must end, and nothing of its reign
//! may follow.

use std::time::Duration;

use clap::Args;
use color_eyre::eyre::ensure;
use tokio::time::sleep;

use super::{Common, print_customers, print_times};
use crate::Result;
use crate::client::PATIENCE;
use crate::clock;
use crate::load::{Load, Plan};
use crate::nemesis::Nemesis;
use crate::record::Line;
use crate::town::Town;
use crate::world::World;

const TOWN: Town = Town { capacity: 60, stations: 30, stages_ms: [80, 160, 60] };
/// The shortest stop; it lasts until another balancer leads.
const HOLD: Duration = Duration::from_millis(300);
/// Ordinary times between two stops.
const BREATH: Duration = Duration::from_millis(500);
/// A balancer that ended again and again is restarted after at most 10 s.
const CALM_MAX: Duration = Duration::from_secs(30);

/// Leaders stopped beyond their takeover, then resumed
#[derive(Debug, Clone, Args)]
pub struct Leaders {
    /// How many
    #[arg(long, default_value_t = 100)]
    pub count: u32,
    /// Orders a second
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Kitchens
    #[arg(long, default_value_t = 4)]
    pub kitchens: u32,
    /// Balancers, at least two
    #[arg(long, default_value_t = 2)]
    pub balancers: u32,
    /// What every command takes
    #[command(flatten)]
    pub common: Common,
}

impl Leaders {
    /// Runs; true if nothing was wrong.
    ///
    /// # Errors
    /// The city cannot be started, disturbed or judged.
    pub async fn run(self) -> Result<bool> {
        let scene = self.common.scene()?;
        let setup = scene.setup(&self.common, self.balancers, self.kitchens, 0, 1.0, TOWN);
        let world = World::start(&setup).await?;
        ensure!(world.city.balancers > 1, "with one balancer nobody can replace the leader");
        let load = Plan { prefix: "leaders".into(), rate: self.rate, seed: self.common.seed, patience: PATIENCE };
        let load = Load::start(load, world.client.clone(), scene.recorder.clone());
        let (nemesis, mut wrongs, mut replaced, mut ended) = (Nemesis::new(&world, &scene.recorder), Vec::new(), 0, 0);
        for number in 1..=self.count {
            sleep(BREATH).await;
            let (stopped, wrong) = nemesis.stop_leader(number, HOLD).await?;
            replaced += u32::from(stopped.replaced);
            ended += u32::from(stopped.ended);
            wrongs.extend(wrong);
            let at = clock::now();
            let calm = world.until_calm(CALM_MAX).await;
            if !calm {
                wrongs.push(format!("after stop {number} the city was not whole again"));
            }
            scene.recorder.write(&Line::Healed { at, number, calm: calm.then(clock::now) });
        }
        load.stop().await;
        let mut judged = scene.judge(world, |_| ()).await?;
        wrongs.into_iter().for_each(|wrong| judged.verdict.violations.add("leader", || wrong));
        println!("leaders        {} stopped, {replaced} replaced, {ended} ended after they were resumed", self.count);
        print_times(&judged.measure);
        print_customers(&judged.measure);
        let (seed, count, rate, kitchens) = (self.common.seed, self.count, self.rate, self.kitchens);
        let again =
            format!("cargo run -p chaos -- leaders --seed {seed} --count {count} --rate {rate} --kitchens {kitchens}");
        Ok(scene.close(&judged.verdict, &again))
    }
}
