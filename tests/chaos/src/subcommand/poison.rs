//! `chaos poison`: orders that fail or kill whatever kitchen cooks them are set aside after three attempts, and the
//! others hardly notice.
//!
//! The same load runs twice in one city, first without poison, then with it. Our own kitchens cook with a shell command
//! that knows the poisoned dish by its name; the one of `chef up` is cordoned, as it would only simulate.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::time::sleep;

use super::{Common, print_customers};
use crate::Result;
use crate::client::{Order, Outcome, PATIENCE};
use crate::clock::Spread;
use crate::load::{Load, Plan};
use crate::measure::{Sojourn, Sojourns};
use crate::town::{POISON, Town, ZONES};
use crate::world::{Setup, World};

/// Stage times are the command's; each stage is a process, so few orders a second.
const TOWN: Town = Town { capacity: 20, stations: 10, stages_ms: [100, 100, 100] };
/// Attempts after which an order is set aside.
const ATTEMPTS: u32 = 3;
/// The others may be so much slower with poison in town, in percent.
const SLOWER_MAX: u64 = 10;

/// What the dish does to its kitchen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// The command fails.
    Fail,
    /// The command kills the agent that runs it.
    Kill,
}

impl Way {
    fn command(self) -> String {
        let deed = match self {
            Self::Fail => "echo spoiled; exit 1",
            Self::Kill => "kill -9 $PPID; exit 1",
        };
        format!("read -r ticket; case \"$ticket\" in *'\"{POISON}\"'*) {deed};; esac; sleep 0.1")
    }
}

/// Orders that fail or kill their kitchens
#[derive(Debug, Clone, Args)]
pub struct Poison {
    /// How many poisoned orders
    #[arg(long, default_value_t = 1)]
    pub orders: u32,
    /// What they do
    #[arg(long, value_enum, default_value_t = Way::Fail)]
    pub way: Way,
    /// Seconds without poison, and as many with it
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// Other orders a second
    #[arg(long, default_value_t = 15.0)]
    pub rate: f64,
    /// Kitchens of our own
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub kitchens: u32,
    /// What every command takes
    #[command(flatten)]
    pub common: Common,
}

impl Poison {
    /// Runs; true if nothing was wrong and the target was met.
    ///
    /// # Errors
    /// The city cannot be started or judged.
    pub async fn run(self) -> Result<bool> {
        let scene = self.common.scene()?;
        let setup = scene.setup(&self.common, 1, 1, self.kitchens, 1.0, TOWN);
        let world = World::start(&Setup { cook: Some(self.way.command()), ..setup }).await?;
        world.client.post(&format!("/kitchens/{}/cordon", world.inners[0]), json!({})).await?;
        let load = |prefix: &str| {
            let plan = Plan { prefix: prefix.into(), rate: self.rate, seed: self.common.seed, patience: PATIENCE };
            Load::start(plan, world.client.clone(), scene.recorder.clone())
        };
        let half = Duration::from_secs(self.seconds);
        let without = load("without");
        sleep(half).await;
        without.stop().await;
        world.until_all_ended(super::END_MAX).await?;
        let with = load("with");
        let mut wrongs = Vec::new();
        for number in 0..self.orders {
            sleep(half / (self.orders + 1)).await;
            let order = Order::new(format!("poison-{number}"), POISON, ZONES[number as usize % ZONES.len()]);
            if let Outcome::Failed { why, .. } = world.client.place(&order, 0, PATIENCE, &scene.recorder).await {
                wrongs.push(format!("a poisoned order was not taken: {why}"));
            }
        }
        sleep(half / (self.orders + 1)).await;
        with.stop().await;
        let mut sojourns = Sojourns::default();
        let mut judged = scene.judge(world, |row| sojourns.row(row)).await?;
        wrongs.extend(self.look(&sojourns));
        wrongs.into_iter().for_each(|wrong| judged.verdict.violations.add("poison", || wrong));
        print_customers(&judged.measure);
        let (seed, orders, seconds, rate) = (self.common.seed, self.orders, self.seconds, self.rate);
        let way = if self.way == Way::Kill { "kill" } else { "fail" };
        let again = format!(
            "cargo run -p chaos -- poison --seed {seed} --orders {orders} --way {way} --seconds {seconds} --rate {rate} --kitchens {}",
            self.kitchens,
        );
        Ok(scene.close(&judged.verdict, &again))
    }

    /// Prints what became of the orders; gives what is wrong with it.
    fn look(&self, sojourns: &Sojourns) -> Vec<String> {
        let of = |prefix: &'static str| {
            sojourns.all().filter(move |order| order.key.as_deref().is_some_and(|key| key.starts_with(prefix)))
        };
        let times = |prefix| {
            let completed = of(prefix).filter_map(|order: &Sojourn| Some(order.completed? - order.accepted));
            Spread::of(completed.collect())
        };
        let (without, with) = (times("without-"), times("with-"));
        let set_aside: Vec<&Sojourn> = of("poison-").filter(|order| order.dead_lettered.is_some()).collect();
        let aside =
            Spread::of(set_aside.iter().filter_map(|order| Some(order.dead_lettered? - order.accepted)).collect());
        println!("poison         {} of {} set aside; after, ms: {aside}", set_aside.len(), self.orders);
        println!("others, ms     without it: {without}");
        println!("others, ms     with it: {with}");
        let again: Vec<u64> = of("with-")
            .filter(|order| order.leases > 1)
            .filter_map(|order| Some(order.completed? - order.accepted))
            .collect();
        println!("others, ms     of them leased more than once, as their kitchen died too: {}", Spread::of(again));
        let mut wrong = Vec::new();
        if set_aside.len() != self.orders as usize {
            wrong.push(format!("{} of {} poisoned orders were set aside", set_aside.len(), self.orders));
        }
        if let Some(order) = set_aside.iter().find(|order| order.leases != ATTEMPTS) {
            wrong.push(format!("{:?} was tried {} times, not {ATTEMPTS}", order.key, order.leases));
        }
        let innocent = of("with").filter(|order| order.dead_lettered.is_some()).count();
        if innocent > 0 {
            wrong.push(format!("{innocent} other orders were set aside"));
        }
        if with.p99 * 100 > without.p99 * (100 + SLOWER_MAX) {
            wrong.push(format!(
                "the others' p99 went from {} to {} ms, by more than {SLOWER_MAX} %",
                without.p99, with.p99
            ));
        }
        wrong
    }
}
