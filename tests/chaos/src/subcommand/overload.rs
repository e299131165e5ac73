//! `chaos overload`: ten times what the kitchens can cook, for a minute; goodput, refusals, memory, and how soon all is
//! as before.
//!
//! ```text
//! calm: half of capacity │ saturation: 1.5 times │ overload: 10 times │ after: half of capacity (--after)
//!   what is normal         what can be cooked       what is cooked       when it is normal again
//! ```
//! Customers here do not come again: an order that is refused is refused. How long an order takes is read from the dump,
//! from its acceptance to its end.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};

use super::{Common, print_customers};
use crate::Result;
use crate::clock::{self, Ms, Spread};
use crate::load::{Load, Plan};
use crate::measure::Sojourns;
use crate::town::Town;
use crate::usage::Usage;
use crate::world::World;

/// 10 stations of 400 ms are 25 orders a second and kitchen.
const TOWN: Town = Town { capacity: 20, stations: 10, stages_ms: [100, 200, 100] };
/// Long enough for a thousand orders at the default size.
const CALM: Duration = Duration::from_secs(15);
/// The same for what can be cooked.
const SATURATION: Duration = Duration::from_secs(15);
/// The first seconds of saturation only fill the line.
const FILLING: Ms = 4_000;
/// Afterwards: longer than the limit, so that a late return to normal is measured, too.
const AFTER: Duration = Duration::from_secs(25);
/// All is to be as before within this.
const NORMAL_MAX: Ms = 10_000;
/// Goodput under overload is to be this share of capacity, in percent.
const GOODPUT_MIN: f64 = 90.0;
/// An order that takes at most so much longer than the calm p99 is as fast as before; noise of a shared machine.
const NORMAL_SLACK: Ms = 200;
/// Between two looks at the memory.
const LOOK: Duration = Duration::from_millis(500);

/// Ten times the capacity, and back
#[derive(Debug, Clone, Args)]
pub struct Overload {
    /// How long
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// So many times the capacity
    #[arg(long, default_value_t = 10.0)]
    pub times: f64,
    /// Kitchens
    #[arg(long, default_value_t = 4)]
    pub kitchens: u32,
    /// Share of capacity that is offered afterwards, while all is to become as before
    #[arg(long, default_value_t = 0.5)]
    pub after: f64,
    /// They cook so many times faster; capacity grows with it
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Balancers
    #[arg(long, default_value_t = 1)]
    pub balancers: u32,
    /// What every command takes
    #[command(flatten)]
    pub common: Common,
}

/// One part of the run.
#[derive(Debug, Clone, Copy)]
struct Part {
    from: Ms,
    to: Ms,
    offered: f64,
    placed: u64,
    peak_kib: u64,
}

impl Overload {
    /// Runs; true if nothing was wrong and the targets were met.
    ///
    /// # Errors
    /// The city cannot be started or judged.
    pub async fn run(self) -> Result<bool> {
        let scene = self.common.scene()?;
        let setup = scene.setup(&self.common, self.balancers, self.kitchens, 0, self.speed, TOWN);
        let world = World::start(&setup).await?;
        let nominal = TOWN.rate(self.kitchens, self.speed);
        let leader = world.status().await?.leader.pid;
        let before = resident_kib(leader);
        let part = async |name: &str, times: f64, lasts: Duration| {
            let plan =
                Plan { prefix: name.into(), rate: nominal * times, seed: self.common.seed, patience: Duration::ZERO };
            let (from, began, mut peak_kib) = (clock::now(), Instant::now(), 0);
            let load = Load::start(plan, world.client.clone(), scene.recorder.clone());
            while began.elapsed() < lasts {
                sleep(LOOK.min(lasts.saturating_sub(began.elapsed()))).await;
                peak_kib = peak_kib.max(resident_kib(leader));
            }
            let to = clock::now();
            let placed = load.stop().await;
            Part { from, to, offered: nominal * times, placed, peak_kib }
        };
        let calm = part("calm", 0.5, CALM).await;
        let full = part("full", 1.5, SATURATION).await;
        world.until_all_ended(super::END_MAX).await?;
        let over = part("over", self.times, Duration::from_secs(self.seconds)).await;
        let after = part("after", self.after, AFTER).await;
        let rss_after = resident_kib(leader);
        let mut sojourns = Sojourns::default();
        let mut judged = scene.judge(world, |row| sojourns.row(row)).await?;

        let capacity = per_second(sojourns.ended_between(full.from + FILLING, full.to), full.to - full.from - FILLING);
        let goodput = per_second(sojourns.ended_between(over.from, over.to), over.to - over.from);
        let normal = Spread::of(sojourns.accepted_between(calm.from, calm.to));
        let normal_again = sojourns.normal_from(after.from, after.to, normal.p99 + NORMAL_SLACK);
        let share = 100.0 * goodput / capacity;
        println!("capacity       {capacity:.1} orders/s at saturation ({nominal:.0} by stations and dish times)");
        println!(
            "goodput        {goodput:.1} orders/s while {:.0} were offered for {} s: {share:.1} % of capacity",
            over.offered, self.seconds
        );
        println!(
            "placed         {} calm, {} at saturation, {} under overload, {} after",
            calm.placed, full.placed, over.placed, after.placed
        );
        for (name, part) in [("calm", calm), ("saturation", full), ("overload", over), ("after", after)] {
            println!("order, ms      {name}: {}", Spread::of(sojourns.accepted_between(part.from, part.to)));
        }
        println!(
            "memory, KiB    leader before {before}, peak {} at saturation, {} under overload; after {rss_after}",
            full.peak_kib, over.peak_kib,
        );
        let shown = |found: Option<Ms>| found.map_or_else(|| "never".into(), |ms| format!("after {ms} ms"));
        println!(
            "normal again   answers {}, orders {} of {:.0} orders/s behind the overload",
            shown(judged.measure.told().answers_normal_from(after.from, after.to, calm.from, calm.to)),
            shown(normal_again),
            after.offered,
        );
        print_customers(&judged.measure);
        if share < GOODPUT_MIN {
            judged.verdict.violations.add("goodput", || format!("{share:.1} % of capacity, at least {GOODPUT_MIN} %"));
        }
        if normal_again.is_none_or(|ms| ms > NORMAL_MAX) {
            judged.verdict.violations.add("normal", || format!("not within {} s", NORMAL_MAX / 1_000));
        }
        let (seed, seconds, times, kitchens, speed) =
            (self.common.seed, self.seconds, self.times, self.kitchens, self.speed);
        let again = format!(
            "cargo run -p chaos -- overload --seed {seed} --seconds {seconds} --times {times} --kitchens {kitchens} --speed {speed} --after {}",
            self.after,
        );
        Ok(scene.close(&judged.verdict, &again))
    }
}

/// None is no memory: it is gone.
fn resident_kib(pid: u32) -> u64 {
    Usage::of(pid).map_or(0, |usage| usage.kib)
}

fn per_second(count: usize, ms: Ms) -> f64 {
    count as f64 * 1e3 / ms.max(1) as f64
}
