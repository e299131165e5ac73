//! `chef policy`: what can be tuned while orders flow. Without a change it says what is set.
//!
//! Owns the flags; each is the field of the same name in the API.

use std::time::Duration;

use clap::Args;
use protocol::api::{Algorithm, PolicyChange, PolicyView, Weights};
use protocol::bounds;

use super::args::{Print, Reach, duration, within};
use super::failure::Failure;
use crate::output::{self, ms, pairs, percent};

/// `chef policy`.
#[derive(Debug, Clone, Args)]
pub struct Policy {
    /// weighted-score, round-robin, weighted-round-robin, least-connections, power-of-two-choices
    #[arg(long)]
    pub algorithm: Option<Algorithm>,
    /// Load, specialty, time, distance: like 0.4,0.3,0.2,0.1
    #[arg(long, value_name = "L,S,T,D", value_parser = weights)]
    pub weights: Option<Weights>,
    /// Scale of the time term, or `median` for the fleet's median completion time
    #[arg(long, value_name = "TIME", value_parser = time_scale)]
    pub time_scale: Option<TimeScale>,
    /// Scale of the distance term
    #[arg(long, value_name = "KM", value_parser = within(bounds::DISTANCE_SCALE))]
    pub distance_scale_km: Option<f64>,
    /// A kitchen above this gives orders away ...
    #[arg(long, value_name = "RATIO", value_parser = within(bounds::RATIO))]
    pub overload_threshold: Option<f64>,
    /// ... until it is below this
    #[arg(long, value_name = "RATIO", value_parser = within(bounds::RATIO))]
    pub calm_threshold: Option<f64>,
    /// Only kitchens below this are targets
    #[arg(long, value_name = "RATIO", value_parser = within(bounds::RATIO))]
    pub available_threshold: Option<f64>,
    /// Orders per source and cycle
    #[arg(long, value_name = "N")]
    pub max_migrations_per_cycle: Option<u32>,
    /// Between two looks at the thresholds
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub cycle: Option<Duration>,
    /// An order stays this long before it is moved
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub min_stay: Option<Duration>,
    /// An order is moved automatically at most so often
    #[arg(long, value_name = "N")]
    pub max_hops: Option<u32>,
    /// Whether overload moves orders
    #[arg(long, value_name = "true|false")]
    pub migrate: Option<bool>,
    /// Whether an idle station takes waiting orders from elsewhere
    #[arg(long, value_name = "true|false")]
    pub steal: Option<bool>,
    /// Whether a drain hands over orders that are being cooked
    #[arg(long, value_name = "true|false")]
    pub handover: Option<bool>,
    /// The source of a handover runs to its next checkpoint, or so long
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub handover_max_wait: Option<Duration>,
    /// Orders that would wait longer for a station are refused at the door, high priority at twice as long; 0s: no bound
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub max_wait: Option<Duration>,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

/// The scale of the time term; none is the fleet's median.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeScale(Option<u64>);

impl Policy {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let client = self.reach.client()?;
        let change = self.change();
        if change != PolicyChange::default() {
            client.set_policy(&change).await?;
        }
        let policy = client.policy().await?;
        output::show(self.print.format, &policy, policy_pairs)?;
        Ok(())
    }

    fn change(&self) -> PolicyChange {
        let in_ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        PolicyChange {
            algorithm: self.algorithm,
            weights: self.weights,
            time_scale_ms: self.time_scale.map(|scale| scale.0),
            distance_scale_km: self.distance_scale_km,
            overload_threshold: self.overload_threshold,
            calm_threshold: self.calm_threshold,
            available_threshold: self.available_threshold,
            max_migrations_per_cycle: self.max_migrations_per_cycle,
            cycle_ms: self.cycle.map(in_ms),
            min_stay_ms: self.min_stay.map(in_ms),
            max_hops: self.max_hops,
            migrate: self.migrate,
            steal: self.steal,
            handover: self.handover,
            handover_max_wait_ms: self.handover_max_wait.map(in_ms),
            max_wait_ms: self.max_wait.map(in_ms),
        }
    }
}

fn policy_pairs(policy: &PolicyView) -> String {
    let Weights { load, specialty, time, distance } = policy.weights;
    let word = |on: bool| if on { "on" } else { "off" };
    pairs(&[
        ("algorithm", policy.algorithm.to_string()),
        ("weights", format!("load {load}, specialty {specialty}, time {time}, distance {distance}")),
        ("time scale", policy.time_scale_ms.map_or_else(|| "the fleet's median".into(), |scale| ms(Some(scale)))),
        ("distance scale", format!("{} km", policy.distance_scale_km)),
        (
            "overload",
            format!("above {}, until below {}", percent(policy.overload_threshold), percent(policy.calm_threshold)),
        ),
        ("targets", format!("below {}", percent(policy.available_threshold))),
        (
            "migration",
            format!("{}, {} a cycle of {} ms", word(policy.migrate), policy.max_migrations_per_cycle, policy.cycle_ms),
        ),
        ("stealing", word(policy.steal).into()),
        ("handover", format!("{}, at most {} ms", word(policy.handover), policy.handover_max_wait_ms)),
        (
            "waiting",
            if policy.max_wait_ms == 0 { "without bound".into() } else { format!("at most {} ms", policy.max_wait_ms) },
        ),
        ("an order", format!("stays {} ms, at most {} hops", policy.min_stay_ms, policy.max_hops)),
    ])
}

fn weights(text: &str) -> Result<Weights, String> {
    let mend = || "four numbers, 0 or above: load,specialty,time,distance, like 0.4,0.3,0.2,0.1".to_owned();
    let numbers: Vec<f64> =
        text.split(',').map(|part| bounds::WEIGHT.read(part)).collect::<Result<_, _>>().map_err(|_| mend())?;
    match numbers[..] {
        [load, specialty, time, distance] => Ok(Weights { load, specialty, time, distance }),
        _ => Err(mend()),
    }
}

fn time_scale(text: &str) -> Result<TimeScale, String> {
    if text == "median" {
        return Ok(TimeScale(None));
    }
    let scale = duration(text).map_err(|why| format!("{why}, or median"))?;
    Ok(TimeScale(Some(u64::try_from(scale.as_millis()).unwrap_or(u64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_weights_or_none() {
        assert_eq!(weights("0.4,0.3,0.2,0.1"), Ok(Weights::default()));
        for bad in ["", "1", "1,2,3", "1,2,3,4,5", "1,2,3,-1", "a,b,c,d", "1,2,3,NaN"] {
            assert!(weights(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_median_can_be_asked_for_again() {
        assert_eq!(time_scale("median"), Ok(TimeScale(None)));
        assert_eq!(time_scale("3s"), Ok(TimeScale(Some(3_000))));
        assert!(time_scale("mean").is_err());
    }
}
