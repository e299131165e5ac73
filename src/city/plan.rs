//! The plan of a local city: which kitchens there are, and with which arguments each process starts.
//!
//! Owns reading the city file and making up more kitchens than it names. Never starts a process.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::KitchenId;
use protocol::city::{City, KitchenSpec, default_stations};

use super::CityError;

/// Between two looks at a port that is held by what is just ending.
const PORT_LOOK: Duration = Duration::from_millis(50);
/// The most balancers of a local city: one leads, and the others could.
pub const BALANCERS_MAX: u16 = 5;

/// What `chef up` was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many kitchens.
    pub kitchens: u32,
    /// How many balancers, 1 to [`BALANCERS_MAX`].
    pub balancers: u16,
    /// The first balancer's port on 127.0.0.1, the others have the next; 0 for free ones.
    pub port: u16,
    /// Where the ledger, the logs and `city.json` are.
    pub data_dir: PathBuf,
    /// Kitchens cook so many times faster.
    pub speed: f64,
    /// Orders a second that the city makes by itself; 0 for none.
    pub rate: f64,
    /// Instead of the built-in city.
    pub city_file: Option<PathBuf>,
    /// For the orders it makes.
    pub seed: u64,
    /// How long keys are remembered, if not as a balancer has it by itself.
    pub key_window: Option<Duration>,
    /// Says what happens on standard error, too; else only in the log.
    pub talkative: bool,
    /// What the first balancer is told of the ledger at its first start; later there is one.
    pub ledger: LedgerTerms,
}

/// What an operator says of the ledger, beside `chef up`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::Args)]
pub struct LedgerTerms {
    /// Begin an empty ledger although the directory tells of an older one, whose traces are set aside
    #[arg(long, conflicts_with = "accept_older_ledger")]
    pub new_ledger: bool,
    /// Go on with a ledger that is older than what lies beside it
    #[arg(long)]
    pub accept_older_ledger: bool,
}

impl LedgerTerms {
    /// The flags of a balancer.
    pub(super) fn flags(self) -> Vec<OsString> {
        let flags = [(self.new_ledger, "--new-ledger"), (self.accept_older_ledger, "--accept-older-ledger")];
        flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag.into()).collect()
    }
}

/// What a balancer is told that must not begin a ledger: one that stands by, and every one that starts again.
pub(super) const LEDGER_EXISTS: &str = "--ledger-exists";

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The city as it was read.
    pub city: City,
    /// The one that leads first, then those that stand by.
    pub balancers: Vec<BalancerSpec>,
    /// Exactly as many as asked for.
    pub kitchens: Vec<KitchenSpec>,
}

/// A balancer that is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerSpec {
    /// `balancer_1`, ...
    pub id: String,
    /// 0 for a free one.
    pub port: u16,
}

impl Plan {
    /// Reads the city file, if one was given, and lays out the kitchens.
    ///
    /// # Errors
    /// The file cannot be read or used, with its place and the mend.
    pub fn new(options: &Options) -> Result<Self, CityError> {
        let city = match &options.city_file {
            None => City::built_in(),
            Some(path) => read_city(path)?,
        };
        let kitchens = lay_out(&city, options.kitchens)?;
        let balancers = balancers(options)?;
        let double = kitchens.iter().find(|kitchen| balancers.iter().any(|one| one.id == kitchen.id.as_str()));
        match double {
            Some(kitchen) => Err(CityError::Double(kitchen.id.clone())),
            None => Ok(Self { city, balancers, kitchens }),
        }
    }
}

fn balancers(options: &Options) -> Result<Vec<BalancerSpec>, CityError> {
    let spec = |number: u16| {
        let port = if options.port == 0 { Some(0) } else { options.port.checked_add(number) };
        let why = || format!("{} balancers need as many ports from there on", options.balancers);
        let port = port.ok_or_else(|| CityError::Port { port: options.port, why: why() })?;
        Ok(BalancerSpec { id: format!("balancer_{}", number + 1), port })
    };
    (0..options.balancers.clamp(1, BALANCERS_MAX)).map(spec).collect()
}

fn read_city(path: &Path) -> Result<City, CityError> {
    let told = |why: String| CityError::CityFile { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
    City::parse(&text).map_err(|error| told(error.to_string()))
}

/// The first `count` kitchens of the file; when it has fewer, they come again under the next free ids `kitchen_N`.
fn lay_out(city: &City, count: u32) -> Result<Vec<KitchenSpec>, CityError> {
    let count = count as usize;
    if city.kitchens.is_empty() && count > 0 {
        return Err(CityError::NoKitchens);
    }
    if let Some(odd) = city.kitchens.iter().flat_map(|kitchen| &kitchen.specialties).find(|dish| dish.contains(',')) {
        return Err(CityError::Comma(odd.clone()));
    }
    let mut kitchens: Vec<KitchenSpec> = city.kitchens.iter().take(count).cloned().collect();
    let mut number = city.kitchens.len();
    for model in city.kitchens.iter().cycle() {
        if kitchens.len() >= count {
            break;
        }
        let id = loop {
            number += 1;
            let id = format!("kitchen_{number}");
            if !city.kitchens.iter().any(|known| known.id.as_str() == id) {
                break id.parse::<KitchenId>().map_err(|_| CityError::NoKitchens)?;
            }
        };
        let name = Some(format!("{} {}", model.name.as_deref().unwrap_or(model.id.as_str()), number));
        kitchens.push(KitchenSpec { id, name, ..model.clone() });
    }
    Ok(kitchens)
}

/// Finds out early, and in words, that another program has the port.
///
/// Waits so long for it.
pub(super) async fn check_port(port: u16, wait: Duration) -> Result<(), CityError> {
    if port == 0 {
        return Ok(());
    }
    let until = tokio::time::Instant::now() + wait;
    loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() != ErrorKind::AddrInUse || tokio::time::Instant::now() > until => {
                return Err(CityError::Port { port, why: error.to_string() });
            }
            Err(_) => tokio::time::sleep(PORT_LOOK).await,
        }
    }
}

/// The arguments of a balancer, but for where it listens.
pub(super) fn balancer_args(id: &str, options: &Options) -> Vec<OsString> {
    let mut args = words(&["balancer", "--die-with-parent", "--id", id, "--data-dir"]);
    args.push(options.data_dir.clone().into());
    if let Some(file) = &options.city_file {
        args.push("--city".into());
        args.push(file.into());
    }
    if let Some(window) = options.key_window {
        args.push(format!("--key-window={}", humantime::format_duration(window)).into());
    }
    args
}

/// The arguments of one kitchen.
pub(super) fn kitchen_args(kitchen: &KitchenSpec, urls: &[String], speed: f64) -> Vec<OsString> {
    let stations = kitchen.stations.unwrap_or_else(|| default_stations(kitchen.capacity)).to_string();
    let (capacity, speed) = (kitchen.capacity.to_string(), speed.to_string());
    let (specialties, urls) = (kitchen.specialties.join(","), urls.join(","));
    let flags = [
        ("--id", kitchen.id.as_str()),
        ("--name", kitchen.name.as_deref().unwrap_or(kitchen.id.as_str())),
        ("--location", &kitchen.zone),
        ("--capacity", &capacity),
        ("--stations", &stations),
        ("--specialties", &specialties),
        ("--load-balancer-url", &urls),
        ("--speed", &speed),
    ];
    let mut args = words(&["kitchen", "--die-with-parent"]);
    for (flag, value) in flags {
        args.push(format!("{flag}={value}").into());
    }
    args
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_kitchens_than_the_file_names_come_again_under_new_ids() {
        let kitchens = lay_out(&City::built_in(), 6).expect("four models");
        let ids: Vec<&str> = kitchens.iter().map(|kitchen| kitchen.id.as_str()).collect();
        assert_eq!(ids, ["kitchen_1", "kitchen_2", "kitchen_3", "kitchen_4", "kitchen_5", "kitchen_6"]);
        assert_eq!(kitchens[4].zone, kitchens[0].zone);
        assert_eq!(kitchens[4].name.as_deref(), Some("Downtown Oven 5"));
        assert_eq!(lay_out(&City::built_in(), 2).expect("two of four").len(), 2);
    }

    #[test]
    fn a_made_up_id_is_never_one_of_the_file() {
        let mut city = City::built_in();
        city.kitchens[0].id = "kitchen_5".parse().expect("an id");
        let kitchens = lay_out(&city, 8).expect("four models");
        let ids: std::collections::BTreeSet<_> = kitchens.iter().map(|kitchen| &kitchen.id).collect();
        assert_eq!(ids.len(), 8);
    }

    fn options(balancers: u16, port: u16) -> Options {
        let data_dir = PathBuf::from("/nowhere");
        let (kitchens, speed, rate, city_file, seed) = (4, 1.0, 0.0, None, 1);
        Options {
            kitchens,
            balancers,
            port,
            data_dir,
            speed,
            rate,
            city_file,
            seed,
            key_window: None,
            talkative: false,
            ledger: LedgerTerms::default(),
        }
    }

    #[test]
    fn balancers_have_ports_side_by_side_or_free_ones() {
        let ports = |balancers, port| -> Result<Vec<u16>, CityError> {
            Ok(Plan::new(&options(balancers, port))?.balancers.iter().map(|one| one.port).collect())
        };
        assert_eq!(ports(3, 8080).expect("a plan"), [8080, 8081, 8082]);
        assert_eq!(ports(2, 0).expect("a plan"), [0, 0]);
        assert!(matches!(ports(2, u16::MAX), Err(CityError::Port { .. })));
        assert_eq!(Plan::new(&options(2, 0)).expect("a plan").balancers[1].id, "balancer_2");
    }

    #[test]
    fn a_city_without_kitchens_cannot_be_started() {
        let city = City { kitchens: Vec::new(), ..City::built_in() };
        assert!(matches!(lay_out(&city, 1), Err(CityError::NoKitchens)));
    }

    #[tokio::test]
    async fn a_port_in_use_is_noticed_before_anything_starts() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken.local_addr().expect("bound").port();
        assert!(matches!(check_port(port, Duration::ZERO).await, Err(CityError::Port { .. })));
    }
}
