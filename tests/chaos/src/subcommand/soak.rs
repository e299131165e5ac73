//! `chaos soak`: everything that can go wrong, side by side and for a long time, under a steady load.
//!
//! ```text
//! lanes, each drawn from the seed    kitchens │ balancers │ links │ disk │ clock │ guests │ operators │ retries
//! all the while                      a failing kitchen, a hung one, status and alerts each second, usage each minute
//! then                               lanes end, orders end, a calm, usage again, /proof beside /status, the judgement
//! ```
//! Owns the time: it ends by itself whatever happens, and by ctrl-C as every command does. `run` waits for a whole city
//! after each fault; here only each victim is waited for, by its own lane.

mod customers;
mod faults;
mod graves;
mod guests;
mod operators;
mod stage;
mod status;

use std::time::Duration;

use clap::Args;
use color_eyre::eyre::{ensure, eyre};
use tokio::time::{sleep, timeout};

use super::{Common, END_MAX, Scene, print_customers, print_times};
use crate::Result;
use crate::client::PATIENCE;
use crate::load::{Load, Plan};
use crate::measure::Measure;
use crate::town::Town;
use crate::usage::Watch;
use crate::wall_clock::WallClock;
use crate::world::{Setup, World};
use graves::Graves;
use stage::Stage;

/// Two hundred orders a second and kitchen; at the default rate six of them can lose four.
const TOWN: Town = Town { capacity: 120, stations: 60, stages_ms: [80, 160, 60] };
/// The bad kitchens hold less, as every station of theirs is a process.
const BAD: (u32, u32) = (12, 6);
/// The failing kitchen and the hung one, and what they do instead of cooking.
const BAD_KITCHENS: [(&str, &str); 2] = [("failing", "false"), ("hung", "sleep 1000")];
/// How long a command may take, where kitchens know that.
const STAGE_TIMEOUT: [&str; 2] = ["--stage-timeout", "10s"];
/// Between the last end of an order and the last look: connections are closed, kitchens are warm again.
const CALM: Duration = Duration::from_secs(10);
/// A run of so many minutes is over after so many more, or it hangs.
const BEYOND: Duration = Duration::from_secs(480);
/// One in so many accepted orders may be set aside, each after three attempts: a kitchen that fails everything is found
/// out by some orders, but an order that others can cook is cooked.
const SET_ASIDE_ONE_IN: u64 = 1_000;

/// Everything at once, for a long time
#[derive(Debug, Clone, Args)]
pub struct Soak {
    /// How long
    #[arg(long, default_value_t = 20.0)]
    pub minutes: f64,
    /// Orders a second
    #[arg(long, default_value_t = 300.0)]
    pub rate: f64,
    /// Kitchens that cook; a third of them (at least one) are ours, behind proxies
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub kitchens: u32,
    /// Balancers
    #[arg(long, default_value_t = 2)]
    pub balancers: u32,
    /// What every command takes
    #[command(flatten)]
    pub common: Common,
}

impl Soak {
    /// Runs; true if nothing was wrong.
    ///
    /// # Errors
    /// The city cannot be started or judged, or the run does not come to its end.
    pub async fn run(self) -> Result<bool> {
        let lasts = Duration::from_secs_f64(self.minutes.max(0.1) * 60.0);
        let scene = self.common.scene()?;
        let judged = timeout(lasts + BEYOND, self.soak(scene, lasts)).await;
        judged.map_err(|_| eyre!("not over {} s after its time", BEYOND.as_secs()))?
    }

    async fn soak(&self, scene: Scene, lasts: Duration) -> Result<bool> {
        let outer = (self.kitchens / 3).max(1);
        let mut setup = scene.setup(&self.common, self.balancers, self.kitchens - outer, outer, 1.0, TOWN);
        let clock = WallClock::build(&scene.dir);
        setup.environment.extend(clock.iter().flat_map(WallClock::environment));
        let mut world = World::start(&setup).await?;
        add_bad_kitchens(&mut world, &setup).await?;
        println!(
            "city           {} balancers, {} kitchens ({outer} behind proxies), one that fails and one that hangs, {} orders/s of at most {:.0}, {:.1} minutes; seed {}",
            world.city.balancers,
            self.kitchens,
            self.rate,
            TOWN.rate(self.kitchens, 1.0),
            self.minutes,
            self.common.seed,
        );
        let plan = Plan { prefix: "soak".into(), rate: self.rate, seed: self.common.seed, patience: PATIENCE };
        let load = Load::start(plan.clone(), world.client.clone(), scene.recorder.clone());
        let stage = Stage::new(&world, &scene.recorder, self.common.seed, lasts);
        let mut usage = Watch::default();
        usage.look(&world, "start");
        let (faults, guests, wishes, retries, alerts) = tokio::join!(
            faults::all(&stage, clock),
            guests::come(&stage),
            operators::wish(&stage),
            customers::repeat(&stage, &plan),
            status::watch(&stage, &mut usage, &load),
        );
        load.stop().await;
        let ended = world.until_all_ended(END_MAX).await;
        sleep(CALM).await;
        usage.look(&world, "end");
        let disagreement = status::disagreement(&world).await;

        let mut graves = Graves::new(BAD_KITCHENS.map(|(id, _)| id));
        let mut judged = scene.judge_with(world, Measure::by_answers, |row| graves.row(row)).await?;
        let add = &mut judged.verdict.violations;
        faults.wrong.iter().chain(&retries.wrong).for_each(|wrong| add.add("soak", || wrong.clone()));
        usage.grown().into_iter().for_each(|grown| add.add("growth", || grown));
        disagreement.into_iter().for_each(|wrong| add.add("I7", || wrong));
        let (aside, accepted) = (judged.verdict.counts.dead_lettered, judged.verdict.counts.accepted);
        if aside * SET_ASIDE_ONE_IN > accepted {
            add.add("set aside", || format!("{aside} of {accepted} orders, at most one in {SET_ASIDE_ONE_IN}"));
        }
        if ended.is_err() {
            println!("not ended      with the hung kitchen still there, {} s after the last fault", END_MAX.as_secs());
        }
        print!("{faults}");
        print_times(&judged.measure);
        guests.iter().for_each(|(guest, visits)| println!("{:<15}{visits}", guest.word()));
        println!("operators      {wishes}");
        println!("same key again {retries}");
        println!("alerts         {alerts}");
        print!("{graves}");
        print_customers(&judged.measure);
        println!("{}", usage.table());
        Ok(scene.close(&judged.verdict, &self.again()))
    }

    fn again(&self) -> String {
        format!(
            "cargo run -p chaos -- soak --seed {} --minutes {} --rate {} --kitchens {} --balancers {}",
            self.common.seed, self.minutes, self.rate, self.kitchens, self.balancers,
        )
    }
}

/// Starts the kitchens that must not be trusted, beside those that were heard already.
async fn add_bad_kitchens(world: &mut World, setup: &Setup) -> Result<()> {
    let help = std::process::Command::new(&setup.chef).args(["kitchen", "--help"]).output()?.stdout;
    let knows_limit = String::from_utf8_lossy(&help).contains(STAGE_TIMEOUT[0]);
    if !knows_limit {
        println!("hung kitchen   its commands have no limit: this chef has no {}", STAGE_TIMEOUT[0]);
    }
    for (number, (id, cook)) in (1..).zip(BAD_KITCHENS) {
        let mut spec = world.outer_spec(setup, id, number);
        (spec.capacity, spec.stations) = BAD;
        spec.cook = Some(cook.to_owned());
        spec.more.extend(STAGE_TIMEOUT.iter().filter(|_| knows_limit).map(|word| (*word).to_owned()));
        world.add(spec, setup.seed).await?;
    }
    ensure!(world.until_calm(END_MAX).await, "the bad kitchens were not heard");
    Ok(())
}
