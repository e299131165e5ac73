//! The nemesis: which faults, on whom, how long, all drawn from one seed; and doing them to a city, one at a time.
//!
//! Owns that everything is taken back: a stopped process is resumed by a guard, a link is cleared, and the next cycle
//! begins only when the city was seen whole again. Kinds are dealt like cards, so that each comes equally often.

mod acts;

pub use acts::{Cycle, LeaderStopped, Nemesis};

/// One kind of disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL of a kitchen of `chef up`, whose supervisor sees it.
    KillKitchen,
    /// SIGKILL of a kitchen that nobody but the silence tells of.
    KillOuter,
    /// SIGKILL of the balancer that decides.
    KillLeader,
    /// SIGKILL of one that follows.
    KillStandby,
    /// SIGSTOP of a kitchen beyond its lease, then SIGCONT.
    StopKitchen,
    /// SIGSTOP of the leader beyond its takeover, then SIGCONT.
    StopLeader,
    /// A link down both ways, then reset.
    Cut,
    /// Nothing of what a kitchen says arrives, then reset.
    CutOut,
    /// Nothing of what a kitchen is told arrives, then reset.
    CutIn,
    /// A link that is slow.
    Delay,
    /// Everything is held beyond a lease, then delivered: as after loss that TCP repairs late.
    Stall,
    /// An old connection's words are delivered after those of its successor.
    Reorder,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::KillKitchen,
        Self::KillOuter,
        Self::KillLeader,
        Self::KillStandby,
        Self::StopKitchen,
        Self::StopLeader,
        Self::Cut,
        Self::CutOut,
        Self::CutIn,
        Self::Delay,
        Self::Stall,
        Self::Reorder,
    ];

    /// The word in the record and in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::KillKitchen => "kill-kitchen",
            Self::KillOuter => "kill-outer",
            Self::KillLeader => "kill-leader",
            Self::KillStandby => "kill-standby",
            Self::StopKitchen => "stop-kitchen",
            Self::StopLeader => "stop-leader",
            Self::Cut => "cut",
            Self::CutOut => "cut-out",
            Self::CutIn => "cut-in",
            Self::Delay => "delay",
            Self::Stall => "stall",
            Self::Reorder => "reorder",
        }
    }

    /// Whether orders of the whole city may wait for it.
    #[must_use]
    pub fn concerns_leader(word: &str) -> bool {
        [Self::KillLeader, Self::StopLeader].iter().any(|kind| kind.word() == word)
    }

    /// Who can be hit by it.
    fn victims(self) -> Victims {
        match self {
            Self::KillKitchen => Victims::Inner,
            Self::KillLeader | Self::StopLeader => Victims::Leader,
            Self::KillStandby => Victims::Standby,
            Self::StopKitchen => Victims::Kitchens,
            Self::KillOuter | Self::Cut | Self::CutOut | Self::CutIn | Self::Delay | Self::Stall | Self::Reorder => {
                Victims::Outer
            }
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::word).join(", ");
        Self::ALL.into_iter().find(|kind| kind.word() == text).ok_or_else(|| format!("use some of {}", known()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victims {
    Inner,
    Outer,
    Kitchens,
    Leader,
    Standby,
}

/// One disturbance as it is planned; leader and standby are looked up when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// From 1.
    pub number: u32,
    /// What.
    pub kind: Kind,
    /// Which kitchen, by its place among those that can be hit.
    pub victim: usize,
    /// How long; no meaning for a kill.
    pub hold_ms: u64,
    /// The delay of a slow link.
    pub delay_ms: u64,
}

/// Draws the disturbances of a run: the same seed and counts give the same.
#[must_use]
pub fn plan(seed: u64, cycles: u32, kinds: &[Kind]) -> Vec<Planned> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut deck, mut planned, mut turns) = (Vec::new(), Vec::new(), [0_usize; Kind::ALL.len()]);
    for number in 1..=cycles {
        if deck.is_empty() {
            deck = kinds.to_vec();
            random.shuffle(&mut deck);
        }
        let Some(kind) = deck.pop() else { break };
        // One after the other, so that a restart's back-off has time to forget.
        let victim = turns[kind as usize] + number as usize;
        turns[kind as usize] += 1;
        // A lease is 1.5 s; one cut in three stays below it.
        let short = kind.victims() == Victims::Outer && random.u8(..3) == 0;
        let hold_ms = if short { random.u64(200..1_200) } else { random.u64(1_800..3_200) };
        planned.push(Planned { number, kind, victim, hold_ms, delay_ms: random.u64(50..350) });
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_plans_the_same_and_every_kind_comes_equally_often() {
        let drawn = plan(7, 24, &Kind::ALL);
        assert_eq!(drawn, plan(7, 24, &Kind::ALL));
        assert_ne!(drawn, plan(8, 24, &Kind::ALL));
        for kind in Kind::ALL {
            assert_eq!(drawn.iter().filter(|planned| planned.kind == kind).count(), 2, "{}", kind.word());
            assert_eq!(kind.word().parse(), Ok(kind));
        }
        assert!(drawn.iter().all(|planned| planned.hold_ms < 3_200));
        assert!(plan(7, 24, &[]).is_empty());
    }
}
