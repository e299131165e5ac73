//! `chaos run`: a city under load, one disturbance after the other, and the judgement of all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::{Common, print_customers, print_times};
use crate::Result;
use crate::client::PATIENCE;
use crate::clock::Spread;
use crate::load::{Load, Plan};
use crate::nemesis::{Cycle, Kind, Nemesis, plan};
use crate::town::Town;
use crate::world::World;

/// Places of a kitchen: at the default rate one kitchen of six holds some thirty orders.
const TOWN: Town = Town { capacity: 120, stations: 60, stages_ms: [80, 160, 60] };
/// Ordinary times before the first disturbance and between two of them.
const BREATH: Duration = Duration::from_millis(500);

/// Mixed faults under load, judged from outside
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// How many disturbances
    #[arg(long, default_value_t = 200)]
    pub cycles: u32,
    /// Orders a second
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// Kitchens; a third of them (at least one) are ours, behind proxies
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub kitchens: u32,
    /// Balancers
    #[arg(long, default_value_t = 2)]
    pub balancers: u32,
    /// Kitchens cook so many times faster
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Only these kinds, comma separated; all if absent
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    pub kinds: Vec<Kind>,
    /// What every command takes
    #[command(flatten)]
    pub common: Common,
}

impl Run {
    /// Runs; true if nothing was wrong.
    ///
    /// # Errors
    /// The city cannot be started, disturbed or judged.
    pub async fn run(self) -> Result<bool> {
        let scene = self.common.scene()?;
        let outer = (self.kitchens / 3).max(1);
        let setup = scene.setup(&self.common, self.balancers, self.kitchens - outer, outer, self.speed, TOWN);
        let world = World::start(&setup).await?;
        let load = Plan { prefix: "run".into(), rate: self.rate, seed: self.common.seed, patience: PATIENCE };
        let load = Load::start(load, world.client.clone(), scene.recorder.clone());
        let possible = Nemesis::possible(&world);
        let wanted = |kind: &Kind| self.kinds.is_empty() || self.kinds.contains(kind);
        let kinds: Vec<Kind> = possible.into_iter().filter(wanted).collect();
        println!(
            "city           {} balancers, {} kitchens ({outer} behind proxies), {} orders/s of at most {:.0}; seed {}",
            world.city.balancers,
            self.kitchens,
            self.rate,
            TOWN.rate(self.kitchens, self.speed),
            self.common.seed,
        );
        let nemesis = Nemesis::new(&world, &scene.recorder);
        let mut cycles = Vec::new();
        for planned in plan(self.common.seed, self.cycles, &kinds) {
            sleep(BREATH).await;
            cycles.push(nemesis.cycle(&planned).await?);
            if planned.number.is_multiple_of(10) {
                eprintln!("{} of {} cycles, {} orders placed", planned.number, self.cycles, load.placed());
            }
        }
        sleep(BREATH).await;
        load.stop().await;
        let mut judged = scene.judge(world, |_| ()).await?;
        for wrong in cycles.iter().filter_map(wrong) {
            judged.verdict.violations.add("nemesis", || wrong);
        }
        print_cycles(&cycles);
        print_times(&judged.measure);
        print_customers(&judged.measure);
        Ok(scene.close(&judged.verdict, &self.again()))
    }

    fn again(&self) -> String {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.word()).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" --kinds {}", kinds.join(",")) };
        format!(
            "cargo run -p chaos -- run --seed {} --cycles {} --rate {} --kitchens {} --balancers {} --speed {}{kinds}",
            self.common.seed, self.cycles, self.rate, self.kitchens, self.balancers, self.speed,
        )
    }
}

fn wrong(cycle: &Cycle) -> Option<String> {
    let not_whole =
        || cycle.calm_ms.is_none().then(|| format!("the city was not whole again after {}", cycle.kind.word()));
    cycle.wrong.clone().or_else(not_whole).map(|what| format!("{}: {what}", cycle.target))
}

fn print_cycles(cycles: &[Cycle]) {
    let mut by_kind: BTreeMap<Kind, Vec<u64>> = BTreeMap::new();
    for cycle in cycles {
        by_kind.entry(cycle.kind).or_default().extend(cycle.calm_ms);
    }
    let counts: Vec<String> = by_kind.iter().map(|(kind, times)| format!("{} {}", kind.word(), times.len())).collect();
    println!("cycles         {}: {}", cycles.len(), counts.join(", "));
    let calm = by_kind.into_values().flatten().collect();
    println!("whole again    after so many ms, every process restarted: {}", Spread::of(calm));
}
