//! Doing a planned disturbance to a living city, and taking it back.

use std::time::Duration;

use color_eyre::eyre::{ensure, eyre};
use tokio::time::{Instant, sleep};

use super::{Kind, Planned, Victims};
use crate::Result;
use crate::clock;
use crate::process::{Process, Resumed, Signal};
use crate::proxy::Weather;
use crate::record::{Line, Recorder};
use crate::world::World;

/// A city that is not whole again by then is not restored: a restart's longest back-off is 10 s.
const CALM_MAX: Duration = Duration::from_secs(30);
/// Beside other disturbances a victim is back within this: the longest back-off, and a leader that is lost meanwhile.
const BACK_MAX: Duration = Duration::from_secs(60);
/// Another balancer leads by then, or there is none that could.
const TAKEOVER_MAX: Duration = Duration::from_secs(10);
/// A leader that was resumed after its successor began ends within this.
const OLD_LEADER_MAX: Duration = Duration::from_secs(5);
/// A process that is just being restarted is waited for so long.
const UP_MAX: Duration = Duration::from_secs(15);
/// What is left of the old leader's last words has time to do harm, if it can.
const AFTER_RESUME: Duration = Duration::from_millis(300);

/// Acts on one city.
#[derive(Debug)]
pub struct Nemesis<'a> {
    world: &'a World,
    recorder: &'a Recorder,
}

/// What became of one disturbance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// What.
    pub kind: Kind,
    /// Whom.
    pub target: String,
    /// From its end until the city was whole; none if it was not in time.
    pub calm_ms: Option<u64>,
    /// Something that must not be was seen.
    pub wrong: Option<String>,
}

/// What became of a leader that was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderStopped {
    /// Another balancer led meanwhile.
    pub replaced: bool,
    /// The old process has ended.
    pub ended: bool,
}

impl<'a> Nemesis<'a> {
    /// For this city.
    #[must_use]
    pub fn new(world: &'a World, recorder: &'a Recorder) -> Self {
        Self { world, recorder }
    }

    /// The kinds that this city can suffer.
    #[must_use]
    pub fn possible(world: &World) -> Vec<Kind> {
        let possible = |kind: &Kind| match kind.victims() {
            Victims::Inner => !world.inners.is_empty(),
            Victims::Outer => !world.outers.is_empty(),
            Victims::Kitchens | Victims::Leader => true,
            Victims::Standby => world.city.balancers > 1,
        };
        Kind::ALL.into_iter().filter(possible).collect()
    }

    /// Does one and waits until the city is whole again.
    ///
    /// # Errors
    /// It could not be done at all: the victim is not there.
    pub async fn cycle(&self, planned: &Planned) -> Result<Cycle> {
        let target = self.target(planned).await?;
        let wrong = self.act(planned, &target).await?;
        Ok(self.healed(planned, target, wrong, self.world.until_calm(CALM_MAX)).await)
    }

    /// Does one beside others, and waits only until its own victim is back.
    ///
    /// # Errors
    /// It could not be done: another disturbance was there before.
    pub async fn among_others(&self, planned: &Planned) -> Result<Cycle> {
        let target = self.target(planned).await?;
        let wrong = self.act(planned, &target).await?;
        let back = self.until_back(planned.kind, target.clone());
        Ok(self.healed(planned, target, wrong, back).await)
    }

    async fn until_back(&self, kind: Kind, target: String) -> bool {
        match kind.victims() {
            Victims::Leader | Victims::Standby => {
                let standbys = self.world.city.balancers as usize - 1;
                self.world.until(BACK_MAX, |status| status.standbys.len() >= standbys).await.is_some()
            }
            Victims::Inner | Victims::Outer | Victims::Kitchens => self.world.until_heard(&target, BACK_MAX).await,
        }
    }

    async fn healed(
        &self,
        planned: &Planned,
        target: String,
        wrong: Option<String>,
        calm: impl Future<Output = bool>,
    ) -> Cycle {
        let (healed, began) = (clock::now(), Instant::now());
        let calm = calm.await;
        let calm_ms = calm.then(|| u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.recorder.write(&Line::Healed { at: healed, number: planned.number, calm: calm.then(clock::now) });
        Cycle { kind: planned.kind, target, calm_ms, wrong }
    }

    async fn target(&self, planned: &Planned) -> Result<String> {
        let world = self.world;
        let ids = match planned.kind.victims() {
            Victims::Inner => world.inners.clone(),
            Victims::Outer => world.outers.iter().map(|outer| outer.id.clone()).collect(),
            Victims::Kitchens => world.kitchens(),
            Victims::Leader => return Ok(self.status().await?.leader.id),
            Victims::Standby => {
                let standbys = self.status().await?.standbys;
                return standbys.first().map(|one| one.id.clone()).ok_or_else(|| eyre!("no balancer follows"));
            }
        };
        ensure!(!ids.is_empty(), "{}: no such kitchen", planned.kind.word());
        Ok(ids[planned.victim % ids.len()].clone())
    }

    async fn status(&self) -> Result<crate::world::Status> {
        self.world.until(UP_MAX, |_| true).await.ok_or_else(|| eyre!("no balancer answers"))
    }

    /// Takes hold of it; waits while it is just being restarted.
    async fn process(&self, id: &str) -> Result<Process> {
        let deadline = Instant::now() + UP_MAX;
        loop {
            match self.world.process(id) {
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(20)).await,
                found => return found,
            }
        }
    }

    async fn act(&self, planned: &Planned, target: &str) -> Result<Option<String>> {
        let hold = Duration::from_millis(planned.hold_ms);
        match planned.kind {
            Kind::KillKitchen | Kind::KillOuter | Kind::KillLeader | Kind::KillStandby => {
                let process = self.process(target).await?;
                self.begin(planned, target);
                process.signal(Signal::KILL)?;
                self.until_ended(&process).await;
            }
            Kind::StopKitchen => {
                let process = self.process(target).await?;
                self.begin(planned, target);
                self.stop_for(process, hold).await?;
            }
            Kind::StopLeader => return self.stop_leader(planned.number, hold).await.map(|(_, wrong)| wrong),
            Kind::Cut => self.cut(planned, target, Weather::Hold { out: true, inward: true }).await?,
            Kind::CutOut => self.cut(planned, target, Weather::Hold { out: true, inward: false }).await?,
            Kind::CutIn => self.cut(planned, target, Weather::Hold { out: false, inward: true }).await?,
            Kind::Delay => {
                let weather = Weather::Delay { ms: planned.delay_ms, jitter_ms: planned.delay_ms };
                self.weather(planned, target, |link| link.set(weather)).await?;
            }
            Kind::Stall => {
                let weather = Weather::Hold { out: true, inward: true };
                self.weather(planned, target, |link| link.set(weather)).await?;
            }
            Kind::Reorder => self.weather(planned, target, crate::proxy::Link::hold_old).await?,
        }
        Ok(None)
    }

    fn begin(&self, planned: &Planned, target: &str) {
        self.recorder.fault(planned.number, planned.kind.word(), target);
    }

    async fn until_ended(&self, process: &Process) {
        let deadline = Instant::now() + Duration::from_secs(1);
        while process.runs() && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop_for(&self, process: Process, hold: Duration) -> Result<()> {
        process.signal(Signal::STOP)?;
        let stopped = Resumed(process);
        sleep(hold).await;
        drop(stopped);
        Ok(())
    }

    async fn cut(&self, planned: &Planned, target: &str, weather: Weather) -> Result<()> {
        self.begin(planned, target);
        let link = &self.world.outer(target)?.link;
        link.set(weather);
        sleep(Duration::from_millis(planned.hold_ms)).await;
        link.reset();
        Ok(())
    }

    async fn weather(&self, planned: &Planned, target: &str, begin: impl Fn(&crate::proxy::Link)) -> Result<()> {
        self.begin(planned, target);
        let link = &self.world.outer(target)?.link;
        begin(link);
        sleep(Duration::from_millis(planned.hold_ms)).await;
        link.set(Weather::Clear);
        Ok(())
    }

    /// Stops the leader until another one leads, resumes it, and looks what becomes of it. With a single balancer it
    /// is stopped for `hold`, and is still the leader afterwards.
    ///
    /// # Errors
    /// There is no leader to stop.
    pub async fn stop_leader(&self, number: u32, hold: Duration) -> Result<(LeaderStopped, Option<String>)> {
        let before = self.status().await?;
        let process = self.world.city.process_of(before.leader.pid)?;
        self.recorder.fault(number, Kind::StopLeader.word(), &before.leader.id);
        process.signal(Signal::STOP)?;
        let old = Resumed(process);
        // A tracer that lets go of it resumes it (a slow disk that ends just now): it is stopped again.
        let until = Instant::now() + hold;
        while Instant::now() < until {
            sleep(Duration::from_millis(20)).await;
            let _ = old.0.signal(Signal::STOP);
        }
        let alone = self.world.city.balancers < 2;
        let another = |status: &crate::world::Status| status.epoch > before.epoch;
        let replaced = !alone && self.world.until(TAKEOVER_MAX, another).await.is_some();
        let _ = old.0.signal(Signal::CONT);
        sleep(AFTER_RESUME).await;
        let deadline = Instant::now() + OLD_LEADER_MAX;
        while replaced && old.0.runs() && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        let ended = !old.0.runs();
        let wrong = match (alone, replaced, ended) {
            (true, ..) | (false, true, true) => None,
            (false, false, _) => {
                Some(format!("nobody replaced {} within {} s", before.leader.id, TAKEOVER_MAX.as_secs()))
            }
            (false, true, false) => Some(format!("{} still runs after it was replaced", before.leader.id)),
        };
        Ok((LeaderStopped { replaced, ended }, wrong))
    }
}
