//! What the agent is told: flags over environment over file, checked before anything starts.
//!
//! Owns the names, defaults and limits of every setting. Never opens a socket; never falls back silently from a wrong
//! value.

use std::path::{Path, PathBuf};

use clap::Parser;
use protocol::KitchenId;
use protocol::bounds::SPEED;
use protocol::city::{CAPACITY_MAX, NAME_MAX, default_stations};
use protocol::text;
use serde::Deserialize;

use crate::address::{Address, BadAddress};
use crate::core::{AgentConfig, Cooking};

/// The most specialties of one kitchen: its hello has to fit in a frame.
const SPECIALTIES_MAX: usize = 256;
/// The shortest and the longest time for one run of the cooking command, in milliseconds: a process takes some to start,
/// and nobody waits for a dinner longer than a day.
const STAGE_TIMEOUT_MS: std::ops::RangeInclusive<u64> = 100..=86_400_000;
/// The largest configuration file, in bytes.
const FILE_MAX: u64 = 64 * 1024;

/// Settings of one kitchen agent. Flags over environment over `--config FILE`.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "kitchen-agent", version, about = "Holds leases and cooks orders stage by stage")]
pub struct Args {
    /// The kitchen's id: 1 to 32 letters, digits, dots, dashes and underscores
    #[arg(long = "kitchen-id", visible_alias = "id", env = "KITCHEN_ID", value_name = "ID")]
    pub id: Option<String>,
    /// What people call it [default: the id]
    #[arg(long = "kitchen-name", visible_alias = "name", env = "KITCHEN_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// The zone of the city where it stands [default: Downtown]
    #[arg(long = "kitchen-location", visible_alias = "location", env = "KITCHEN_LOCATION", value_name = "ZONE")]
    pub location: Option<String>,
    /// How many orders it may hold, waiting and cooking [default: 10]
    #[arg(long = "kitchen-capacity", visible_alias = "capacity", env = "KITCHEN_CAPACITY", value_name = "N")]
    pub capacity: Option<u32>,
    /// How many orders it cooks at once [default: half the capacity, rounded up]
    #[arg(long = "kitchen-stations", visible_alias = "stations", env = "KITCHEN_STATIONS", value_name = "N")]
    pub stations: Option<u32>,
    /// Dishes it is good at, comma separated [default: pizza,pasta,burger]
    #[arg(
        long = "kitchen-specialties",
        visible_alias = "specialties",
        env = "KITCHEN_SPECIALTIES",
        value_name = "DISHES"
    )]
    pub specialties: Option<String>,
    /// Balancers, comma separated [default: http://127.0.0.1:8080]
    #[arg(long = "load-balancer-url", visible_alias = "balancer", env = "LOAD_BALANCER_URL", value_name = "URLS")]
    pub balancers: Option<String>,
    /// Answers /healthz and /metrics on this port of 127.0.0.1 [default: none]
    #[arg(long, env = "METRICS_PORT", value_name = "PORT")]
    pub metrics_port: Option<u16>,
    /// Cooks so many times faster, 0.001 to 1000000 [default: 1]
    #[arg(long, env = "SPEED", value_name = "N")]
    pub speed: Option<f64>,
    /// error, warn, info, debug, trace, or directives as in RUST_LOG [default: info]
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Runs this with `sh -c` for each stage, the order as a line of JSON on its stdin; failure fails the order
    #[arg(long, value_name = "COMMAND")]
    pub cook: Option<String>,
    /// How long that may take for one stage, as 90s, 500ms or 2m: then it is killed, with its process group [default: 60s]
    #[arg(long, env = "STAGE_TIMEOUT", value_name = "TIME")]
    pub stage_timeout: Option<String>,
    /// Ends when the process that started it is gone
    #[arg(long)]
    pub die_with_parent: bool,
    /// A TOML file with the environment's names in lower case
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings that are complete and sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Which kitchen.
    pub kitchen: KitchenId,
    /// What people call it.
    pub name: String,
    /// The zone's name.
    pub zone: String,
    /// How many orders it may hold.
    pub capacity: u32,
    /// How many it cooks at once.
    pub stations: u32,
    /// Names of dishes it is good at.
    pub specialties: Vec<String>,
    /// At least one.
    pub balancers: Vec<Address>,
    /// Where to answer /metrics, if at all.
    pub metrics_port: Option<u16>,
    /// Cooks so many times faster.
    pub speed: f64,
    /// A level or directives.
    pub log_level: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Runs for each stage; none: stages are simulated.
    pub cook: Option<String>,
    /// How long one such run may take, in milliseconds.
    pub stage_timeout_ms: u32,
    /// Ends when the parent process is gone.
    pub die_with_parent: bool,
}

/// A setting that cannot be, with the mend. The exit code for it is 2.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// Required and absent.
    #[error("KITCHEN_ID is not set: give this kitchen an id, as in `--kitchen-id kitchen_1`")]
    NoId,
    /// A value that breaks a rule.
    #[error("{name} {why}")]
    Value {
        /// The setting as in the environment.
        name: &'static str,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// A variable that asks for what this program cannot do: ignored, it would look as if it did.
    #[error("JOIN_TOKEN_FILE is set, but there are no join tokens yet, so it would protect nothing: unset it")]
    JoinToken,
    /// A balancer's address that cannot be used.
    #[error("LOAD_BALANCER_URL: {0}")]
    Address(#[from] BadAddress),
    /// The file cannot be read.
    #[error("--config {path}: {why}")]
    File {
        /// The file.
        path: String,
        /// Why, and where in it.
        why: String,
    },
}

/// The file's shape: the environment's names in lower case.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kitchen_id: Option<String>,
    kitchen_name: Option<String>,
    kitchen_location: Option<String>,
    kitchen_capacity: Option<u32>,
    kitchen_stations: Option<u32>,
    kitchen_specialties: Option<List>,
    load_balancer_url: Option<List>,
    metrics_port: Option<u16>,
    speed: Option<f64>,
    log_level: Option<String>,
    log_format: Option<LogFormat>,
    cook: Option<String>,
    stage_timeout: Option<String>,
    die_with_parent: Option<bool>,
}

/// `"a,b"` or `["a", "b"]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum List {
    Text(String),
    Array(Vec<String>),
}

impl List {
    fn joined(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Array(entries) => entries.join(","),
        }
    }
}

impl Args {
    /// Reads the file if there is one, fills in defaults and checks everything.
    ///
    /// # Errors
    /// Names the setting, what is wrong with it, and what would be right.
    pub fn resolve(self) -> Result<Config, BadConfig> {
        if std::env::var_os("JOIN_TOKEN_FILE").is_some_and(|path| !path.is_empty()) {
            return Err(BadConfig::JoinToken);
        }
        let file = self.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        self.over(file).checked()
    }

    fn over(self, file: File) -> Self {
        Self {
            id: self.id.or(file.kitchen_id),
            name: self.name.or(file.kitchen_name),
            location: self.location.or(file.kitchen_location),
            capacity: self.capacity.or(file.kitchen_capacity),
            stations: self.stations.or(file.kitchen_stations),
            specialties: self.specialties.or_else(|| file.kitchen_specialties.map(List::joined)),
            balancers: self.balancers.or_else(|| file.load_balancer_url.map(List::joined)),
            metrics_port: self.metrics_port.or(file.metrics_port),
            speed: self.speed.or(file.speed),
            log_level: self.log_level.or(file.log_level),
            log_format: self.log_format.or(file.log_format),
            cook: self.cook.or(file.cook),
            stage_timeout: self.stage_timeout.or(file.stage_timeout),
            die_with_parent: self.die_with_parent || file.die_with_parent.unwrap_or(false),
            config: self.config,
        }
    }

    fn checked(self) -> Result<Config, BadConfig> {
        let id = self.id.filter(|id| !id.is_empty()).ok_or(BadConfig::NoId)?;
        let kitchen: KitchenId = id.parse().map_err(|error| value("KITCHEN_ID", format!("{error}")))?;
        let name = self.name.unwrap_or_else(|| id.clone());
        let zone = self.location.unwrap_or_else(|| "Downtown".into());
        check_name("KITCHEN_NAME", &name)?;
        check_name("KITCHEN_LOCATION", &zone)?;
        let capacity = self.capacity.unwrap_or(10);
        check_range("KITCHEN_CAPACITY", capacity, CAPACITY_MAX, "")?;
        let stations = self.stations.unwrap_or_else(|| default_stations(capacity));
        check_range("KITCHEN_STATIONS", stations, capacity, ", the capacity")?;
        let specialties = split(&self.specialties.unwrap_or_else(|| "pizza,pasta,burger".into()));
        check_specialties(&specialties)?;
        let balancers = split(&self.balancers.unwrap_or_else(|| "http://127.0.0.1:8080".into()));
        let speed = self.speed.unwrap_or(1.0);
        SPEED.check(speed).map_err(|_| value("SPEED", format!("is {speed}: use {} to {}", SPEED.low, SPEED.high)))?;
        let log_level = self.log_level.unwrap_or_else(|| "info".into());
        crate::logging::filter(&log_level).map_err(|why| value("LOG_LEVEL", why))?;
        if self.cook.as_deref().is_some_and(|command| command.trim().is_empty()) {
            return Err(value("--cook", "is empty: give a command, or leave it out to simulate cooking".into()));
        }
        let stage_timeout_ms = match &self.stage_timeout {
            Some(text) => stage_timeout(text).map_err(|why| value("STAGE_TIMEOUT", why))?,
            None => Cooking::STAGE_TIMEOUT_MS,
        };
        Ok(Config {
            kitchen,
            name,
            zone,
            capacity,
            stations,
            specialties,
            balancers: Address::parse_all(&balancers)?,
            metrics_port: self.metrics_port,
            speed,
            log_level,
            log_format: self.log_format.unwrap_or_default(),
            cook: self.cook,
            stage_timeout_ms,
            die_with_parent: self.die_with_parent,
        })
    }
}

impl Config {
    /// What the core needs; `session` is this process's random number.
    #[must_use]
    pub fn agent(&self, session: u64) -> AgentConfig {
        AgentConfig {
            kitchen: self.kitchen.clone(),
            name: self.name.clone(),
            zone: self.zone.clone(),
            capacity: self.capacity,
            stations: self.stations,
            specialties: self.specialties.clone(),
            session,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            speed: self.speed,
            cooking: match self.cook {
                Some(_) => Cooking::Commands { stage_timeout_ms: self.stage_timeout_ms },
                None => Cooking::Simulated,
            },
        }
    }
}

fn read_file(path: &Path) -> Result<File, BadConfig> {
    let bad = |why: String| BadConfig::File { path: path.display().to_string(), why };
    let length = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?.len();
    if length > FILE_MAX {
        return Err(bad(format!("is {length} bytes long, at most {FILE_MAX}: is it the right file?")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    toml::from_str(&text).map_err(|error| bad(error.to_string()))
}

fn value(name: &'static str, why: String) -> BadConfig {
    BadConfig::Value { name, why }
}

fn check_name(name: &'static str, given: &str) -> Result<(), BadConfig> {
    text::check(given, NAME_MAX)
        .map_err(|why| value(name, format!("`{}` {why}: use 1 to {NAME_MAX} plain characters", text::clean(given, 40))))
}

fn check_range(name: &'static str, given: u32, most: u32, of: &str) -> Result<(), BadConfig> {
    if (1..=most).contains(&given) {
        return Ok(());
    }
    Err(value(name, format!("is {given}: use 1 to {most}{of}")))
}

/// A number with its unit; without one it is seconds.
fn stage_timeout(text: &str) -> Result<u32, String> {
    let shown = text::clean(text, 40);
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let ms = number.parse::<u64>().unwrap_or(0).saturating_mul(unit_ms);
    let ms = Some(ms).filter(|ms| STAGE_TIMEOUT_MS.contains(ms)).and_then(|ms| u32::try_from(ms).ok());
    ms.ok_or_else(|| format!("is `{shown}`: use a time from 100ms to 24h, written like 90s, 500ms or 2m"))
}

fn check_specialties(names: &[String]) -> Result<(), BadConfig> {
    if names.len() > SPECIALTIES_MAX {
        let why = format!("names {} dishes, at most {SPECIALTIES_MAX}: more is not a specialty", names.len());
        return Err(value("KITCHEN_SPECIALTIES", why));
    }
    names.iter().try_for_each(|name| check_name("KITCHEN_SPECIALTIES", name))
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(args: &[&str]) -> Result<Config, BadConfig> {
        let args = std::iter::once("kitchen-agent").chain(args.iter().copied());
        Args::try_parse_from(args).expect("flags that exist").resolve()
    }

    #[test]
    fn an_id_is_enough_and_the_rest_has_defaults() {
        let config = resolve(&["--kitchen-id", "k1", "--capacity", "7"]).expect("sound");
        assert_eq!((config.name.as_str(), config.zone.as_str()), ("k1", "Downtown"));
        assert_eq!((config.capacity, config.stations), (7, 4));
        assert_eq!(config.specialties, ["pizza", "pasta", "burger"]);
        assert_eq!(config.balancers[0].to_string(), "127.0.0.1:8080");
        assert_eq!((config.speed, config.metrics_port, config.cook), (1.0, None, None));
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_name_and_the_mend() {
        for (args, expected) in [
            (vec![], "KITCHEN_ID is not set"),
            (vec!["--id", "k 1"], "KITCHEN_ID `k 1` is not a kitchen id"),
            (vec!["--id", "k1", "--capacity", "0"], "KITCHEN_CAPACITY is 0: use 1 to 100000"),
            (vec!["--id", "k1", "--stations", "11"], "KITCHEN_STATIONS is 11: use 1 to 10, the capacity"),
            (vec!["--id", "k1", "--speed", "0"], "SPEED is 0: use 0.001 to 1000000"),
            (vec!["--id", "k1", "--speed", "NaN"], "SPEED is NaN"),
            (vec!["--id", "k1", "--name", "\u{1b}[2J"], "KITCHEN_NAME `␛[2J` contains a control"),
            (vec!["--id", "k1", "--balancer", "https://b"], "no TLS"),
            (vec!["--id", "k1", "--balancer", " , "], "LOAD_BALANCER_URL: names no balancer"),
            (vec!["--id", "k1", "--cook", " "], "--cook is empty"),
            (vec!["--id", "k1", "--stage-timeout", "soon"], "STAGE_TIMEOUT is `soon`: use a time from 100ms to 24h"),
            (vec!["--id", "k1", "--stage-timeout", "0"], "STAGE_TIMEOUT is `0`"),
            (vec!["--id", "k1", "--stage-timeout", "1000h"], "STAGE_TIMEOUT is `1000h`"),
            (vec!["--id", "k1", "--log-level", "loud=loud"], "LOG_LEVEL"),
            (vec!["--id", "k1", "--config", "/nowhere"], "--config /nowhere: "),
        ] {
            let error = resolve(&args).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_commands_limit_is_a_time_and_a_minute_unless_told() {
        let limit = |args: &[&str]| resolve(args).expect("sound").stage_timeout_ms;
        assert_eq!(limit(&["--id", "k1"]), 60_000);
        for (text, ms) in [("90", 90_000), ("90s", 90_000), ("500ms", 500), ("2m", 120_000), ("24h", 86_400_000)] {
            assert_eq!(limit(&["--id", "k1", "--stage-timeout", text]), ms);
        }
        let config = resolve(&["--id", "k1", "--cook", "true", "--stage-timeout", "2s"]).expect("sound");
        assert_eq!(config.agent(1).cooking, Cooking::Commands { stage_timeout_ms: 2_000 });
        let config = resolve(&["--id", "k1", "--stage-timeout", "2s"]).expect("sound");
        assert_eq!(config.agent(1).cooking, Cooking::Simulated, "the menu says how long it takes");
    }

    #[test]
    fn flags_go_over_the_file() {
        let path = std::env::temp_dir().join(format!("kitchen-agent-config-{}.toml", std::process::id()));
        let text = "kitchen_id = \"k2\"\nkitchen_capacity = 3\nstage_timeout = \"5s\"\nload_balancer_url = [\"http://a:1\", \"ws://b:2\"]\n";
        std::fs::write(&path, text).expect("a temporary file");
        let path = path.to_str().expect("plain");
        let config = resolve(&["--config", path, "--capacity", "5"]).expect("sound");
        assert_eq!((config.kitchen.as_str(), config.capacity, config.balancers.len()), ("k2", 5, 2));
        assert_eq!(config.stage_timeout_ms, 5_000);
        std::fs::write(path, "kitchen = 1").expect("a temporary file");
        let error = resolve(&["--config", path]).expect_err("unknown name").to_string();
        assert!(error.contains("unknown field `kitchen`"), "{error}");
        std::fs::remove_file(path).expect("own file");
    }
}
