//! Lanes that break things: kitchens, balancers, links, the leader's disk, the balancers' clocks.
//!
//! Within a lane one fault follows the other, once its victim is back; a fault whose victim another lane had taken is
//! counted as missed and not made up for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::stage::{Lane, Stage};
use crate::Result;
use crate::clock::{self, Spread};
use crate::nemesis::{Cycle, Kind, Nemesis, plan};
use crate::record::Line;
use crate::slow_disk;
use crate::wall_clock::WallClock;

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;
/// So far a clock is stepped: by hand, by a wrong zone, by a wrong date.
const STEPS_MS: [i64; 6] = [10 * SECOND, -10 * SECOND, 3_600 * SECOND, -3_600 * SECOND, DAY, -DAY];
/// More faults than the longest soak has time for.
const PLENTY: u32 = 20_000;

/// What the lanes did.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// By word: how many, and after how many milliseconds the victim was back.
    done: BTreeMap<&'static str, (u32, Vec<u64>)>,
    missed: BTreeMap<&'static str, u32>,
    /// Disturbances that this machine does not allow, and why.
    skipped: Vec<String>,
    /// What must not be.
    pub(super) wrong: Vec<String>,
}

impl Faults {
    fn add(mut self, others: Self) -> Self {
        for (word, (count, back)) in others.done {
            let (own, times) = self.done.entry(word).or_default();
            *own += count;
            times.extend(back);
        }
        others.missed.into_iter().for_each(|(word, count)| *self.missed.entry(word).or_default() += count);
        self.skipped.extend(others.skipped);
        self.wrong.extend(others.wrong);
        self
    }

    fn cycle(&mut self, cycle: Cycle) {
        let (count, back) = self.done.entry(cycle.kind.word()).or_default();
        *count += 1;
        back.extend(cycle.calm_ms);
        let (word, target) = (cycle.kind.word(), &cycle.target);
        if cycle.calm_ms.is_none() {
            self.wrong.push(format!("{target} was not back after {word}"));
        }
        self.wrong.extend(cycle.wrong.map(|wrong| format!("{word}: {wrong}")));
    }

    fn missed(&mut self, word: &'static str, why: &color_eyre::Report) {
        eprintln!("missed {word}: {why:#}");
        *self.missed.entry(word).or_default() += 1;
    }

    fn count(&mut self, word: &'static str) {
        self.done.entry(word).or_default().0 += 1;
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (word, (count, back)) in &self.done {
            writeln!(f, "{word:<15}{count} times; victim back, ms: {}", Spread::of(back.clone()))?;
        }
        for (word, count) in &self.missed {
            writeln!(f, "missed         {word}: {count} times its victim was down already")?;
        }
        self.skipped.iter().try_for_each(|why| writeln!(f, "skipped        {why}"))
    }
}

/// All lanes until the time is over; every fault is taken back by then.
pub(super) async fn all(stage: &Stage<'_>, clock: Result<WallClock>) -> Faults {
    let possible = Nemesis::possible(stage.world);
    let of = |kinds: &[Kind]| possible.iter().copied().filter(|kind| kinds.contains(kind)).collect::<Vec<_>>();
    let kitchens = of(&[Kind::KillKitchen, Kind::KillOuter, Kind::StopKitchen]);
    let balancers = of(&[Kind::KillLeader, Kind::KillStandby, Kind::StopLeader]);
    let links = of(&[Kind::Cut, Kind::CutOut, Kind::CutIn, Kind::Delay, Kind::Stall, Kind::Reorder]);
    let (kitchens, balancers, links, disk, clock) = tokio::join!(
        cycles(stage, Lane::Kitchens, &kitchens, 2_000..7_000),
        cycles(stage, Lane::Balancers, &balancers, 12_000..35_000),
        cycles(stage, Lane::Links, &links, 1_000..5_000),
        disks(stage),
        clocks(stage, clock),
    );
    [balancers, links, disk, clock].into_iter().fold(kitchens, Faults::add)
}

async fn cycles(stage: &Stage<'_>, lane: Lane, kinds: &[Kind], pause_ms: std::ops::Range<u64>) -> Faults {
    let (nemesis, mut faults) = (Nemesis::new(stage.world, stage.recorder), Faults::default());
    let mut random = stage.random(lane);
    for mut planned in plan(stage.seed(lane), PLENTY, kinds) {
        if !stage.pause(&mut random, pause_ms.start, pause_ms.end).await {
            break;
        }
        planned.number = stage.number();
        match nemesis.among_others(&planned).await {
            Ok(cycle) => faults.cycle(cycle),
            Err(why) => faults.missed(planned.kind.word(), &why),
        }
    }
    faults
}

/// Each sync of the leader lasts longer, for some seconds.
async fn disks(stage: &Stage<'_>) -> Faults {
    const WORD: &str = "slow-disk";
    let (mut random, mut faults) = (stage.random(Lane::Disk), Faults::default());
    while stage.pause(&mut random, 15_000, 30_000).await {
        let (each, lasts) =
            (Duration::from_millis(random.u64(50..1_500)), Duration::from_millis(random.u64(3_000..9_000)));
        let leader = match leader(stage).await {
            Ok(leader) => leader,
            Err(why) => {
                faults.missed(WORD, &why);
                continue;
            }
        };
        let number = stage.number();
        stage.recorder.fault(number, WORD, &leader.0);
        let slowed = slow_disk::slow(leader.1, each, lasts).await;
        stage.recorder.write(&Line::Healed { at: clock::now(), number, calm: Some(clock::now()) });
        match slowed {
            Ok(()) => faults.count(WORD),
            Err(why) => {
                faults.skipped.push(format!("{WORD}: {why:#}"));
                break;
            }
        }
    }
    faults
}

async fn leader(stage: &Stage<'_>) -> Result<(String, crate::process::Process)> {
    let leader = stage.world.status().await?.leader;
    Ok((leader.id, stage.world.city.process_of(leader.pid)?))
}

/// All balancers' clocks are stepped, and after some seconds stepped back.
async fn clocks(stage: &Stage<'_>, clock: Result<WallClock>) -> Faults {
    const WORD: &str = "clock-step";
    let (mut random, mut faults) = (stage.random(Lane::Clock), Faults::default());
    let clock = match clock {
        Ok(clock) => clock,
        Err(why) => {
            faults.skipped.push(format!("{WORD}: {why:#}"));
            return faults;
        }
    };
    while stage.pause(&mut random, 10_000, 30_000).await {
        let ms = STEPS_MS[random.usize(..STEPS_MS.len())];
        let number = stage.number();
        stage.recorder.fault(number, WORD, &format!("{:+} s", ms / SECOND));
        let stepped = clock.step(ms);
        stage.pause(&mut random, 3_000, 12_000).await;
        match stepped.and_then(|()| clock.step(0)) {
            Ok(()) => faults.count(WORD),
            Err(why) => faults.missed(WORD, &why),
        }
        stage.recorder.write(&Line::Healed { at: clock::now(), number, calm: Some(clock::now()) });
    }
    faults
}
