//! Arguments that several commands share, and how their words are read.
//!
//! Owns durations, dishes and where the balancers are. Never sends anything.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use protocol::api::ItemBody;
use protocol::bounds::{self, Bound};
use protocol::order::QUANTITY_MAX;

use super::failure::Failure;
use crate::client::{Client, DEFAULT_URL};
use crate::output::Format;

/// The environment variable with the balancers' URLs, comma separated.
pub const BALANCER_VAR: &str = "CHEF_BALANCER";

/// Where the balancers are, and in whose name they are asked.
#[derive(Debug, Clone, Default, Args)]
pub struct Reach {
    /// A balancer; repeatable or comma separated [env: CHEF_BALANCER] [default: http://127.0.0.1:8080]
    #[arg(long = "balancer", value_name = "URL", value_delimiter = ',')]
    pub balancers: Vec<String>,
    /// Recorded with what is changed [env: CHEF_OPERATOR] [default: the user's name]
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// Recorded with what is changed
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// How to print.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Print {
    /// `table` for people, `json` for programs
    #[arg(long = "output", value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// Where a local city keeps its data.
#[derive(Debug, Clone, Args)]
pub struct DataDir {
    /// The data directory of the `chef up` on this machine
    #[arg(long, value_name = "DIR", env = "DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
}

impl Reach {
    /// What was said here, else what `outer` says (`chef --balancer URL status`).
    #[must_use]
    pub fn or(self, outer: &Self) -> Self {
        Self {
            balancers: if self.balancers.is_empty() { outer.balancers.clone() } else { self.balancers },
            operator: self.operator.or_else(|| outer.operator.clone()),
            reason: self.reason.or_else(|| outer.reason.clone()),
        }
    }

    /// The URLs: flags over environment over the default.
    fn urls(&self) -> Vec<String> {
        let from_env = || std::env::var(BALANCER_VAR).unwrap_or_default();
        let listed = if self.balancers.is_empty() {
            from_env().split(',').map(str::trim).map(str::to_owned).collect()
        } else {
            self.balancers.clone()
        };
        let urls: Vec<String> = listed.into_iter().filter(|url| !url.is_empty()).collect();
        if urls.is_empty() { vec![DEFAULT_URL.to_owned()] } else { urls }
    }

    /// A client that acts in the operator's name.
    ///
    /// # Errors
    /// A URL is none.
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(self.urls(), operator(self.operator.clone()))?.with_reason(self.reason.as_deref()))
    }
}

/// In whose name something is done: a flag over the environment over the user's name.
#[must_use]
pub fn operator(flag: Option<String>) -> Option<String> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    flag.or_else(|| named("CHEF_OPERATOR")).or_else(|| named("USER"))
}

/// `30s`, `2m`, `1m30s`, `500ms`; a bare number means seconds.
///
/// # Errors
/// Says what would be right.
pub fn duration(text: &str) -> Result<Duration, String> {
    let read = match text.parse::<f64>() {
        Ok(seconds) => bounds::SECONDS.check(seconds).ok().map(Duration::from_secs_f64),
        Err(_) => humantime::parse_duration(text).ok().filter(|long| bounds::SECONDS.check(long.as_secs_f64()).is_ok()),
    };
    read.ok_or_else(|| "a duration is written like 30s, 2m or 500ms, and is at most a year".into())
}

/// How long keys are remembered.
///
/// # Errors
/// Says what would be right.
pub fn key_window(text: &str) -> Result<Duration, String> {
    let window = duration(text)?;
    bounds::KEY_WINDOW.check(window.as_secs_f64()).map(|_| window)
}

/// `pizza` or `pizza:2`.
///
/// # Errors
/// Says what would be right.
pub fn item(text: &str) -> Result<ItemBody, String> {
    let (dish, quantity) = match text.rsplit_once(':') {
        None => (text, 1),
        Some((dish, number)) => {
            let quantity = number.parse().ok().filter(|quantity| (1..=QUANTITY_MAX).contains(quantity));
            (dish, quantity.ok_or_else(|| format!("the quantity after `:` is a number from 1 to {QUANTITY_MAX}"))?)
        }
    };
    if dish.is_empty() {
        return Err("a dish is written like pizza or pizza:2".into());
    }
    Ok(ItemBody { dish: dish.to_owned(), quantity })
}

/// A number within its range, for `value_parser`.
pub fn within(bound: Bound) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| bound.read(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, ms) in [("30s", 30_000), ("2m", 120_000), ("1m30s", 90_000), ("500ms", 500), ("5", 5_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "-1", "nan", "1e19", "400days", "soon", "3 parsecs"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dish_may_have_a_quantity() {
        assert_eq!(item("pizza").map(|item| item.quantity), Ok(1));
        assert_eq!(item("pizza:12").map(|item| (item.dish, item.quantity)), Ok(("pizza".into(), 12)));
        for bad in ["", ":2", "pizza:0", "pizza:101", "pizza:many"] {
            assert!(item(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_said_at_the_command_goes_over_what_is_said_before_it() {
        let inner = Reach { balancers: vec!["http://a".into()], ..Reach::default() };
        let outer = Reach { balancers: vec!["http://b".into()], operator: Some("ada".into()), reason: None };
        assert_eq!(inner.clone().or(&outer).urls(), ["http://a"]);
        assert_eq!(Reach::default().or(&outer).urls(), ["http://b"]);
        assert_eq!(inner.or(&outer).operator.as_deref(), Some("ada"));
    }
}
