//! The balancer's settings: flags over environment over file. Reads and checks; never acts on them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use protocol::api::{Algorithm, PolicyView, Weights};
use protocol::bounds;
use protocol::city::City;
use protocol::host::Authority;

use crate::ledger::{Founding, Terms};

/// Flags of `chef balancer` and of the `balancer` binary; each is an environment variable too.
#[derive(Debug, Clone, ClapArgs)]
pub struct Args {
    /// Address to listen on; loopback only unless --insecure-lab
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Directory of the ledger, created if missing
    #[arg(long, env = "DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// Name of this balancer
    #[arg(long, env = "BALANCER_ID", default_value = "balancer_1")]
    pub id: String,
    /// City file (TOML) with zones and menu; the built-in city if absent
    #[arg(long, env = "CITY_FILE")]
    pub city: Option<PathBuf>,
    /// Routing policy for a new ledger: weighted-score, round-robin, weighted-round-robin, least-connections, power-of-two-choices
    #[arg(long, env = "POLICY", default_value_t = Algorithm::WeightedScore)]
    pub policy: Algorithm,
    /// Weight of free places in the score, for a new ledger
    #[arg(long, env = "LOAD_WEIGHT", default_value_t = 0.4)]
    pub load_weight: f64,
    /// Weight of the specialty
    #[arg(long, env = "SPECIALTY_WEIGHT", default_value_t = 0.3)]
    pub specialty_weight: f64,
    /// Weight of the cooking time
    #[arg(long, env = "TIME_WEIGHT", default_value_t = 0.2)]
    pub time_weight: f64,
    /// Weight of the distance
    #[arg(long, env = "DISTANCE_WEIGHT", default_value_t = 0.1)]
    pub distance_weight: f64,
    /// A kitchen above this load gives orders away
    #[arg(long, env = "OVERLOAD_THRESHOLD", default_value_t = 0.9)]
    pub overload_threshold: f64,
    /// Kitchens below this load take them
    #[arg(long, env = "AVAILABLE_THRESHOLD", default_value_t = 0.5)]
    pub available_threshold: f64,
    /// Orders moved per source and cycle
    #[arg(long, env = "MAX_MIGRATIONS_PER_CYCLE", default_value_t = 2)]
    pub max_migrations_per_cycle: u32,
    /// Other names by which this balancer is asked, as `name` or `name:port`, comma separated: behind a proxy, or in a cluster
    #[arg(long, env = "ALLOWED_HOSTS", value_delimiter = ',', value_name = "HOSTS")]
    pub allowed_hosts: Vec<String>,
    /// Begin an empty ledger although the directory tells of an older one, whose traces are set aside
    #[arg(long, conflicts_with_all = ["accept_older_ledger", "ledger_exists"])]
    pub new_ledger: bool,
    /// Go on with a ledger that is older than what lies beside it
    #[arg(long)]
    pub accept_older_ledger: bool,
    /// Never begin an empty ledger: there is one, or it is waited for by starting again
    #[arg(long)]
    pub ledger_exists: bool,
    /// How long an idempotency key is remembered, from its order's acceptance on: the same key is the same order (1s to 7d)
    #[arg(long, env = "KEY_WINDOW", default_value = "1h", value_parser = key_window)]
    pub key_window: Duration,
    /// Allow a listening address beyond loopback although there is no authentication yet: anyone who reaches it commands it
    #[arg(long, env = "INSECURE_LAB")]
    pub insecure_lab: bool,
    /// End when the parent process ends
    #[arg(long)]
    pub die_with_parent: bool,
    /// What to log: error, warn, info, debug, trace, or a filter like balancer=debug
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// How to log: text or json
    #[arg(long, env = "LOG_FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub log_format: String,
}

/// A key window as it is written: `30m`, `1h 30m`, `2d`.
fn key_window(text: &str) -> Result<Duration, String> {
    let window = humantime::parse_duration(text).map_err(|_| "it is written like 30m, 1h or 2d".to_owned())?;
    bounds::KEY_WINDOW.check(window.as_secs_f64()).map(|_| window)
}

/// A setting that cannot be used, with the mend.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// Open to the network without authentication.
    #[error(
        "refusing to listen on {0}: there is no authentication yet, so only loopback is safe; use 127.0.0.1, or --insecure-lab in an isolated network"
    )]
    NotLoopback(SocketAddr),
    /// The city file cannot be read.
    #[error("cannot read the city file {0}: {1}")]
    CityUnreadable(PathBuf, std::io::Error),
    /// The city file is not a city.
    #[error("the city file {0} cannot be used: {1}")]
    BadCity(PathBuf, protocol::city::BadCity),
    /// Weights or thresholds that cannot be.
    #[error("the policy settings cannot be used: {0}")]
    BadPolicy(String),
    /// A variable that asks for what this program cannot do: ignored, it would look as if it did.
    #[error("{0} is set, but {1}: unset it")]
    NotBuilt(&'static str, &'static str),
    /// A name by which nobody can ask.
    #[error("`{0}` in --allowed-hosts is not a host name with perhaps a port, like chef.example or chef.example:8443")]
    BadHost(String),
    /// The name cannot be shown.
    #[error("the balancer's id {0}")]
    BadId(protocol::text::BadText),
}

/// Variables that others of its kind know and this program cannot obey.
const NOT_BUILT: [(&str, &str); 4] = [
    ("DATABASE_URL", "the ledger is a directory (DATA_DIR); there is no PostgreSQL store yet"),
    ("REDIS_URL", "nothing is kept in Redis yet"),
    ("API_KEY_FILE", "there are no keys yet, so it would protect nothing"),
    ("ADVERTISE_URL", "leader and standby are on one machine, and others reach this one at its LISTEN address"),
];

/// Refuses to begin where a variable asks for what cannot be done; `set` says what a variable holds.
fn refuse_what_is_not_built(set: impl Fn(&str) -> Option<String>) -> Result<(), BadConfig> {
    let set = |name: &str| set(name).filter(|value| !value.is_empty());
    if let Some((name, why)) = NOT_BUILT.into_iter().find(|(name, _)| set(name).is_some()) {
        return Err(BadConfig::NotBuilt(name, why));
    }
    let off = |value: &String| matches!(value.to_ascii_lowercase().as_str(), "false" | "0" | "no" | "off");
    match set("PROMETHEUS_ENABLED").filter(off) {
        Some(_) => Err(BadConfig::NotBuilt("PROMETHEUS_ENABLED", "/metrics is always there and cannot be turned off")),
        None => Ok(()),
    }
}

impl Args {
    /// Checks what can be checked before anything is opened.
    ///
    /// # Errors
    /// Names the setting, the cause and the mend.
    pub fn check(&self) -> Result<(City, PolicyView), BadConfig> {
        if !self.listen.ip().is_loopback() && !self.insecure_lab {
            return Err(BadConfig::NotLoopback(self.listen));
        }
        refuse_what_is_not_built(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))?;
        protocol::text::check(&self.id, 32).map_err(BadConfig::BadId)?;
        let is_bad = |host: &&String| !host.is_empty() && Authority::read(host).is_none();
        if let Some(host) = self.allowed_hosts.iter().find(is_bad) {
            return Err(BadConfig::BadHost(protocol::text::clean(host, 60)));
        }
        let policy = self.policy();
        balancer_core::policy::check(&policy).map_err(BadConfig::BadPolicy)?;
        Ok((self.city()?, policy))
    }

    /// On which terms the ledger is opened.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let founding = match (self.ledger_exists, self.new_ledger) {
            (true, _) => Founding::Never,
            (false, true) => Founding::BesideTraces,
            (false, false) => Founding::OnFreshGround,
        };
        Terms { founding, accept_older: self.accept_older_ledger, ..Terms::default() }
    }

    fn city(&self) -> Result<City, BadConfig> {
        let Some(path) = &self.city else { return Ok(City::built_in()) };
        let text = std::fs::read_to_string(path).map_err(|error| BadConfig::CityUnreadable(path.clone(), error))?;
        City::parse(&text).map_err(|error| BadConfig::BadCity(path.clone(), error))
    }

    fn policy(&self) -> PolicyView {
        let weights = Weights {
            load: self.load_weight,
            specialty: self.specialty_weight,
            time: self.time_weight,
            distance: self.distance_weight,
        };
        let defaults = PolicyView::default();
        PolicyView {
            algorithm: self.policy,
            weights,
            overload_threshold: self.overload_threshold,
            // Between the two, whatever they are: what cannot be is refused with its own name.
            calm_threshold: defaults.calm_threshold.max(self.available_threshold).min(self.overload_threshold),
            available_threshold: self.available_threshold,
            max_migrations_per_cycle: self.max_migrations_per_cycle,
            ..defaults
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn refusal(flags: &[&str]) -> String {
        let line =
            Line::try_parse_from(std::iter::once("balancer").chain(flags.iter().copied())).expect("flags that exist");
        line.args.check().expect_err("it cannot be used").to_string()
    }

    #[test]
    fn a_number_that_is_none_is_refused_and_never_a_panic() {
        for flags in [["--available-threshold", "nan"], ["--overload-threshold", "inf"], ["--available-threshold", "2"]]
        {
            let said = refusal(&flags);
            assert!(said.contains(&flags[0][2..].replace('-', "_")), "{flags:?}: {said}");
        }
        assert!(refusal(&["--load-weight", "nan"]).contains("weights"));
    }

    #[test]
    fn a_key_window_is_written_as_people_write_it() {
        let read = |window: &str| {
            Line::try_parse_from(["balancer", "--key-window", window]).map(|line| line.args.key_window).ok()
        };
        assert_eq!((read("90s"), read("1h 30m")), (Some(Duration::from_secs(90)), Some(Duration::from_secs(5_400))));
        for bad in ["0s", "999ms", "8d", "soon", "-1s", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(
            Line::try_parse_from(["balancer"]).expect("fine").args.key_window,
            balancer_core::limits::KEY_WINDOW
        );
    }

    #[test]
    fn what_cannot_be_obeyed_refuses_the_start() {
        let with = |name: &'static str, value: &'static str| {
            refuse_what_is_not_built(|asked| (asked == name).then(|| value.to_owned()))
        };
        for (name, _) in NOT_BUILT {
            let said = with(name, "something").expect_err(name).to_string();
            assert!(said.contains(name) && said.contains("unset it"), "{said}");
            assert!(with(name, "").is_ok(), "an empty variable asks for nothing");
        }
        assert!(with("PROMETHEUS_ENABLED", "false").is_err());
        assert!(with("PROMETHEUS_ENABLED", "true").is_ok());
    }
}
