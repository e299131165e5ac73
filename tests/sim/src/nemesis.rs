//! The nemesis: draws faults in the safety phase, and makes everything safe at its end.

use crate::params::Scenario;
use crate::queue::{Heal, MS, SECOND, Time, What};
use crate::world::World;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Reset,
    Hold,
    CutUp,
    CutDown,
    CutBoth,
    CutHalf,
    Slow,
    AgentCrash,
    AgentPower,
    AgentAll,
    AgentClose,
    AgentDeath,
    AgentPause,
    BalancerCrash,
    BalancerPause,
    FsyncStall,
    WallStep,
    Takeover,
    DiskError,
    DiskFull,
    Grey,
    Stuck,
    Burns,
    Flap,
    WrongGone,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Reset => "link-reset",
            Self::Hold => "link-hold",
            Self::CutUp => "cut-up",
            Self::CutDown => "cut-down",
            Self::CutBoth => "cut-both",
            Self::CutHalf => "cut-half-of-agents",
            Self::Slow => "link-slow",
            Self::AgentCrash => "agent-crash",
            Self::AgentPower => "agent-power-off",
            Self::AgentAll => "every-agent-crash",
            Self::AgentClose => "agent-close",
            Self::AgentDeath => "agent-death",
            Self::AgentPause => "agent-pause",
            Self::BalancerCrash => "balancer-crash",
            Self::BalancerPause => "balancer-pause",
            Self::FsyncStall => "fsync-stall-next",
            Self::WallStep => "wall-clock-step",
            Self::Takeover => "leader-killed",
            Self::DiskError => "disk-error-next",
            Self::DiskFull => "disk-full",
            Self::Grey => "kitchen-slow",
            Self::Stuck => "kitchen-stuck",
            Self::Burns => "kitchen-fails-at-once",
            Self::Flap => "kitchen-flaps",
            Self::WrongGone => "wrong-death-report",
        }
    }
}

const NETWORK: [Fault; 7] =
    [Fault::Reset, Fault::Hold, Fault::CutUp, Fault::CutDown, Fault::CutBoth, Fault::CutHalf, Fault::Slow];
const CRASH: [Fault; 9] = [
    Fault::AgentCrash,
    Fault::AgentPower,
    Fault::AgentAll,
    Fault::AgentClose,
    Fault::BalancerCrash,
    Fault::Takeover,
    Fault::DiskError,
    Fault::Flap,
    Fault::WrongGone,
];
const PAUSE: [Fault; 9] = [
    Fault::AgentPause,
    Fault::AgentPause,
    Fault::BalancerPause,
    Fault::FsyncStall,
    Fault::DiskFull,
    Fault::Grey,
    Fault::Stuck,
    Fault::Burns,
    Fault::WallStep,
];
const DEATH: [Fault; 2] = [Fault::AgentDeath, Fault::AgentCrash];

impl World {
    /// Draws one fault, and comes again later.
    pub fn fault(&mut self) {
        if self.calm || self.params.scenario == Scenario::Calm {
            return;
        }
        let gap = self.nemesis.exponential(self.params.fault_every as f64) as Time;
        self.queue.at(self.now + gap, What::Fault);
        let fault = self.draw_fault();
        self.stats.fault(fault.name());
        let number = self.nemesis.below(self.kitchens.len());
        self.say(|| format!("fault {} (k{number})", fault.name()));
        match fault {
            Fault::Reset => {
                if let Some(conn) = self.kitchens[number].connection() {
                    self.reset(conn);
                }
            }
            Fault::Hold => self.cut(number, (true, true), 200 * MS, 1_200 * MS),
            Fault::CutUp => self.cut(number, (true, false), SECOND, 8 * SECOND),
            Fault::CutDown => self.cut(number, (false, true), SECOND, 8 * SECOND),
            Fault::CutBoth => self.cut(number, (true, true), SECOND, 8 * SECOND),
            Fault::CutHalf => {
                let half = self.kitchens.len().div_ceil(2);
                (0..half).for_each(|number| self.cut(number, (true, true), SECOND, 6 * SECOND));
            }
            Fault::Slow => {
                self.kitchens[number].slow = self.nemesis.between(20 * MS, 300 * MS);
                self.heal(Heal::Slow(number), 2 * SECOND, 20 * SECOND);
            }
            Fault::AgentCrash => self.crash_agent(number, true),
            Fault::AgentPower => self.crash_agent(number, false),
            Fault::AgentAll => (0..self.kitchens.len()).for_each(|number| self.crash_agent(number, true)),
            Fault::AgentClose => {
                if !self.kitchens[number].paused {
                    self.agent_input(number, kitchen_agent::core::Input::Close);
                }
            }
            Fault::AgentDeath => self.kill_for_good(number),
            Fault::AgentPause => {
                self.kitchens[number].paused = self.kitchens[number].agent.is_some();
                self.heal(Heal::Resume(number), 200 * MS, 6 * SECOND);
            }
            Fault::BalancerCrash => {
                self.crash_balancer();
                self.heal(Heal::BalancerStart, 20 * MS, 4 * SECOND);
            }
            Fault::Takeover => {
                self.crash_balancer();
                self.heal(Heal::TakeOver, 5 * MS, 400 * MS);
            }
            Fault::DiskError => self.fail_next = true,
            Fault::DiskFull => {
                let lasts = self.nemesis.between(200 * MS, 6 * SECOND);
                self.disk_full_until = self.now + lasts;
            }
            Fault::Grey => {
                self.kitchens[number].grey = self.nemesis.real(3.0, 12.0);
                if !self.kitchens[number].params.commands {
                    self.crash_agent(number, true);
                }
                self.heal(Heal::Grey(number), 5 * SECOND, 30 * SECOND);
            }
            Fault::Stuck => {
                self.kitchens[number].stuck = true;
                self.heal(Heal::Stuck(number), 2 * SECOND, 60 * SECOND);
            }
            Fault::Burns => {
                self.kitchens[number].burns = true;
                self.heal(Heal::Burns(number), 2 * SECOND, 30 * SECOND);
            }
            Fault::Flap => self.flap(number),
            Fault::WrongGone => {
                let kitchen = &self.kitchens[number];
                let pid = kitchen.pid(number).saturating_sub(u32::from(kitchen.agent.is_some()));
                self.queue.at(self.now, What::Gone { kitchen: number, pid });
            }
            Fault::BalancerPause => {
                self.balancer.paused = self.balancer.core.is_some();
                self.heal(Heal::BalancerResume, 100 * MS, 5 * SECOND);
                if self.nemesis.chance(0.5) {
                    let process = self.balancer.process;
                    self.heal(Heal::Depose { process }, 900 * MS, 1_500 * MS);
                }
            }
            Fault::FsyncStall => self.stall_next = true,
            Fault::WallStep => {
                let day = 86_400_000_i64;
                let step = [-day, -5_000, 5_000, day][self.nemesis.below(4)];
                self.balancer.wall_step = (self.balancer.wall_step + step).clamp(-10 * day, 10 * day);
            }
        }
    }

    fn draw_fault(&mut self) -> Fault {
        let from: &[Fault] = match self.params.scenario {
            Scenario::Network => &NETWORK,
            Scenario::Crash => &CRASH,
            Scenario::Pause => &PAUSE,
            Scenario::Death => &DEATH,
            Scenario::All | Scenario::Calm => match self.nemesis.below(20) {
                0..=8 => &NETWORK,
                9..=14 => &CRASH,
                15..=18 => &PAUSE,
                _ => &DEATH,
            },
        };
        from[self.nemesis.below(from.len())]
    }

    fn heal(&mut self, heal: Heal, shortest: Time, longest: Time) {
        let after = self.nemesis.between(shortest, longest);
        self.queue.at(self.now + after, What::Heal(heal));
    }

    fn cut(&mut self, number: usize, (up, down): (bool, bool), shortest: Time, longest: Time) {
        self.kitchens[number].cut_up |= up;
        self.kitchens[number].cut_down |= down;
        self.heal(Heal::Link(number), shortest, longest);
    }

    fn crash_agent(&mut self, number: usize, notice: bool) {
        if let Some(conn) = self.kitchens[number].connection()
            && self.nemesis.chance(0.5)
        {
            self.lose_frames(conn, true);
        }
        let (pid, ran) = (self.kitchens[number].pid(number), self.kitchens[number].agent.is_some());
        self.kill_agent(number, notice);
        if ran && self.nemesis.chance(0.4) {
            self.stats.fault("death-report");
            let at = self.now + self.nemesis.between(MS, 80 * MS);
            self.queue.at(at, What::Gone { kitchen: number, pid });
        }
        self.heal(Heal::Start(number), 50 * MS, 5 * SECOND);
    }

    /// Falls a few times, with no more than a moment between.
    fn flap(&mut self, number: usize) {
        let mut at = self.now;
        for _ in 0..self.nemesis.between(3, 5) {
            at += self.nemesis.between(700 * MS, 4 * SECOND);
            self.queue.at(at, What::Heal(Heal::Kill { kitchen: number, process: 0 }));
        }
    }

    /// A leader that ended by itself: the standby takes over, or the process starts again.
    pub fn leader_dies(&mut self) {
        self.crash_balancer();
        if self.nemesis.chance(0.5) {
            self.heal(Heal::TakeOver, 5 * MS, 400 * MS);
        } else {
            self.heal(Heal::BalancerStart, 20 * MS, SECOND);
        }
    }

    fn kill_for_good(&mut self, number: usize) {
        let living = self.kitchens.iter().filter(|kitchen| !kitchen.dead).count();
        if living > 1 && !self.kitchens[number].dead {
            let notice = self.nemesis.chance(0.5);
            self.kill_agent(number, notice);
            self.kitchens[number].dead = true;
        }
    }

    /// A fault ends.
    pub fn end_fault(&mut self, heal: Heal) {
        self.say(|| format!("fault ends: {heal:?}"));
        match heal {
            Heal::Link(number) => {
                self.kitchens[number].cut_up = false;
                self.kitchens[number].cut_down = false;
                self.unblock(Some(number));
            }
            Heal::Resume(number) => self.resume_agent(number),
            Heal::Start(number) => self.start_agent(number),
            Heal::Slow(number) => self.kitchens[number].slow = 0,
            Heal::BalancerStart => self.start_balancer(),
            Heal::BalancerResume => self.resume_balancer(),
            Heal::TakeOver => self.take_over(),
            Heal::Depose { process } => {
                if self.balancer.paused && self.balancer.process == process {
                    self.stats.fault("leader-deposed");
                    self.crash_balancer();
                    self.take_over();
                }
            }
            Heal::KillLeader { process } => {
                if self.balancer.process == process && !self.calm {
                    self.leader_dies();
                }
            }
            Heal::DiskSpace => self.disk_full_until = self.now,
            Heal::Stuck(number) => self.kitchens[number].stuck = false,
            Heal::Burns(number) => self.kitchens[number].burns = false,
            Heal::Grey(number) => {
                let was = std::mem::replace(&mut self.kitchens[number].grey, 1.0);
                if was > 1.0 && !self.kitchens[number].params.commands && self.kitchens[number].agent.is_some() {
                    self.crash_agent(number, true);
                }
            }
            Heal::Kill { kitchen, process } => {
                let one = &self.kitchens[kitchen];
                let meant = process == one.process || (process == 0 && !self.calm);
                if meant && one.agent.is_some() {
                    self.crash_agent(kitchen, true);
                }
            }
        }
    }

    /// The liveness phase begins: every fault ends now, and only the dead stay dead.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.calm_since = self.now;
        self.end_fault(Heal::DiskSpace);
        self.fail_next = false;
        for number in 0..self.kitchens.len() {
            self.end_fault(Heal::Slow(number));
            self.end_fault(Heal::Stuck(number));
            self.end_fault(Heal::Burns(number));
            self.end_fault(Heal::Grey(number));
            self.end_fault(Heal::Resume(number));
            self.end_fault(Heal::Start(number));
            self.end_fault(Heal::Link(number));
        }
        self.end_fault(Heal::BalancerResume);
        self.end_fault(Heal::BalancerStart);
        self.give_up_at = self.now + self.time_to_drain();
    }
}
