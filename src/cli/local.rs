//! Commands that own processes or the terminal on this machine: console, demo, up, kill.
//!
//! Owns the sequence start, run, stop, and which signals end it. What it started, it stops: however it ends.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use protocol::bounds;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

use super::args::{DataDir, Print, Reach, duration, key_window, operator, within};
use super::failure::Failure;
use crate::city::control::{By, Supervisor};
use crate::city::plan::{BALANCERS_MAX, LedgerTerms};
use crate::city::{City, CityError, Options};
use crate::client::{Client, desk, feed};
use crate::console::color::{ColorChoice, Depth};
use crate::console::symbols::Symbols;
use crate::console::{self, Keymap};
use crate::output;

/// Signals and requests that may wait between the console and the network.
const CHANNEL: usize = 64;
/// How long the console has to give the terminal back after a signal.
const FAREWELL: Duration = Duration::from_millis(500);
/// The most kitchens on one machine: each is a process.
const KITCHENS_MAX: i64 = 1_000;

/// How the console looks and what it may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Look {
    /// Look, and change nothing
    #[arg(long)]
    pub read_only: bool,
    /// One of `chef themes`
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Lines instead of a screen: for pipes, scripts and screen readers
    #[arg(long)]
    pub plain: bool,
    /// Lines, each an object of JSON
    #[arg(long)]
    pub json: bool,
    /// No character beyond ASCII; the same as --symbols ascii
    #[arg(long)]
    pub ascii: bool,
    /// Glyphs: unicode, cjk-safe (where ambiguous ones are two columns wide) or ascii [default: by the locale]
    #[arg(long, value_name = "SET", value_parser = symbols, conflicts_with = "ascii")]
    pub symbols: Option<Symbols>,
    /// auto, always, never, or how many: none, 8, 16, 256, rgb
    #[arg(long, value_name = "WHEN", value_parser = color)]
    pub color: Option<ColorChoice>,
    /// Figures move once a second at most
    #[arg(long)]
    pub reduced_motion: bool,
    /// Record everything here, with your keys, for `chef replay`
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// At most so many frames a second [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: Option<u32>,
    /// Other keys, from this file [default: ~/.config/chef/keys.toml if it is there]
    #[arg(long, value_name = "FILE", value_parser = key_file)]
    pub keys: Option<Keymap>,
}

pub(super) fn key_file(path: &str) -> Result<Keymap, console::BadKeys> {
    Keymap::read(std::path::Path::new(path))
}

fn symbols(word: &str) -> Result<Symbols, &'static str> {
    Symbols::named(word).ok_or("it is unicode, cjk-safe or ascii")
}

fn color(word: &str) -> Result<ColorChoice, &'static str> {
    match word {
        "auto" => Ok(ColorChoice::Auto),
        "always" => Ok(ColorChoice::Always),
        "never" | "none" => Ok(ColorChoice::Never),
        "8" => Ok(ColorChoice::Fixed(Depth::Ansi8)),
        "16" => Ok(ColorChoice::Fixed(Depth::Ansi16)),
        "256" => Ok(ColorChoice::Fixed(Depth::Indexed)),
        "rgb" => Ok(ColorChoice::Fixed(Depth::Rgb)),
        _ => Err("it is auto, always, never, none, 8, 16, 256 or rgb"),
    }
}

impl Look {
    pub(super) fn options(&self, banner: Option<String>) -> console::Options {
        console::Options {
            theme: self.theme.clone(),
            read_only: self.read_only,
            symbols: match self.symbols {
                Some(symbols) => symbols,
                None if self.ascii => Symbols::Ascii,
                None => Symbols::of_locale(|name| std::env::var(name).ok()),
            },
            plain: self.plain,
            json: self.json,
            reduced_motion: self.reduced_motion,
            record: self.record.clone(),
            color: self.color.unwrap_or_default(),
            fps: self.fps.unwrap_or(10),
            keys: self.keys.clone(),
            banner,
        }
    }
}

/// `chef console`.
#[derive(Debug, Clone, Args)]
pub struct Console {
    #[command(flatten)]
    pub(super) look: Look,
    #[command(flatten)]
    pub(super) data: DataDir,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl Console {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let client = self.reach.client()?;
        let mut stop = Stop::new()?;
        if console::is_plain(&self.look.options(None)) {
            // A script wants to know at once that nobody is there; a person in front of a screen sees it try.
            client.status().await?;
        }
        open(&self.look, client, Supervisor::At(self.data.data_dir), None, &mut stop).await
    }
}

/// Opens the console and serves it until it is quit or a signal comes.
async fn open(
    look: &Look,
    client: Client,
    supervisor: Supervisor,
    banner: Option<String>,
    stop: &mut Stop,
) -> Result<(), Failure> {
    let (signals, inbox) = mpsc::channel(CHANNEL);
    let (requests, outbox) = mpsc::channel(CHANNEL);
    let following = tokio::spawn(feed::follow(client.clone(), signals.clone()));
    let serving = tokio::spawn(desk::serve(client, supervisor, outbox, signals));
    let console = console::run(look.options(banner), inbox, requests);
    tokio::pin!(console);
    let outcome = tokio::select! {
        outcome = &mut console => outcome,
        () = stop.wait() => timeout(FAREWELL, &mut console).await.unwrap_or(Ok(())),
    };
    following.abort();
    serving.abort();
    Ok(outcome?)
}

/// What a local city is made of.
#[derive(Debug, Clone, Args)]
pub struct CityArgs {
    /// How many kitchens; beyond those of the city file they come again under new ids
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=KITCHENS_MAX))]
    pub kitchens: u32,
    /// How many balancers: one leads, and the others take over when it dies
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=i64::from(BALANCERS_MAX)))]
    pub balancers: u16,
    /// Kitchens cook so many times faster
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = within(bounds::SPEED))]
    pub speed: f64,
    /// A city file instead of the built-in city
    #[arg(long, value_name = "FILE")]
    pub city: Option<PathBuf>,
    /// For the orders the city makes by itself
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long an idempotency key is remembered [default: 1h]
    #[arg(long, env = "KEY_WINDOW", value_name = "TIME", value_parser = key_window)]
    pub key_window: Option<Duration>,
    #[command(flatten)]
    pub ledger: LedgerTerms,
}

/// `chef up`.
#[derive(Debug, Clone, Args)]
pub struct Up {
    #[command(flatten)]
    pub(super) city: CityArgs,
    /// The first balancer's port on 127.0.0.1, the others have the next; 0 picks free ones
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Orders a second that the city makes by itself
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = within(bounds::FLOW_RATE))]
    pub rate: f64,
    #[command(flatten)]
    pub(super) data: DataDir,
}

impl Up {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut stop = Stop::new()?;
        let mut city = City::new(options(&self.city, self.port, self.data.data_dir, self.rate, true)).await?;
        let ready =
            start(&mut city, &mut stop).await.and_then(|()| Ok(output::print(&format!("ready {}\n", city.url()))?));
        if ready.is_ok() {
            stop.wait().await;
            let _ = writeln!(std::io::stderr(), "stopping; kitchens finish what they cook, once more ends it at once");
        }
        let haste = city.haste();
        let stopping = city.stop();
        tokio::pin!(stopping);
        tokio::select! {
            () = &mut stopping => return ready,
            () = stop.wait() => haste.begin(),
        }
        stopping.await;
        ready
    }
}

async fn start(city: &mut City, stop: &mut Stop) -> Result<(), Failure> {
    tokio::select! {
        started = city.start() => Ok(started?),
        () = stop.wait() => Err(CityError::Interrupted.into()),
    }
}

fn options(city: &CityArgs, port: u16, data_dir: PathBuf, rate: f64, talkative: bool) -> Options {
    Options {
        kitchens: city.kitchens,
        balancers: city.balancers,
        port,
        data_dir,
        speed: city.speed,
        rate,
        city_file: city.city.clone(),
        seed: city.seed,
        key_window: city.key_window,
        talkative,
        ledger: city.ledger,
    }
}

/// `chef demo`.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    #[command(flatten)]
    pub(super) city: CityArgs,
    /// The first balancer's port on 127.0.0.1, the others have the next; 0 picks free ones
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Orders a second that the city makes by itself
    #[arg(long, value_name = "N", default_value_t = 3.0, value_parser = within(bounds::FLOW_RATE))]
    pub rate: f64,
    /// Keep the data here [default: a temporary directory, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) look: Look,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut stop = Stop::new()?;
        let passing = match self.data_dir {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("chef-demo-").tempdir()?),
        };
        let data_dir = match (&self.data_dir, &passing) {
            (Some(dir), _) => dir.clone(),
            (None, Some(passing)) => passing.path().to_owned(),
            (None, None) => return Err(Failure::failed("there is no data directory")),
        };
        let mut city = City::new(options(&self.city, self.port, data_dir.clone(), self.rate, false)).await?;
        let outcome = match start(&mut city, &mut stop).await {
            Ok(()) => {
                let _ = writeln!(std::io::stderr(), "demo city at {}, data in {}", city.url(), data_dir.display());
                let banner = Some("demo".to_owned());
                match Client::new(city.urls().to_vec(), Some("demo".into())) {
                    Ok(client) => open(&self.look, client, city.supervisor(), banner, &mut stop).await,
                    Err(error) => Err(error.into()),
                }
            }
            Err(failure) => Err(failure),
        };
        city.haste().begin();
        city.stop().await;
        drop(passing);
        outcome
    }
}

/// `chef kill`.
#[derive(Debug, Clone, Args)]
pub struct Kill {
    /// A kitchen, a balancer, `leader` or `standby`
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// Keep it down so long; by itself it is started again after 0.5 s
    #[arg(long = "for", value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub hold: Duration,
    /// Written down with it [env: CHEF_OPERATOR] [default: the user's name]
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// Written down with it, in the supervisor's log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub(super) data: DataDir,
    #[command(flatten)]
    pub(super) print: Print,
}

impl Kill {
    pub(super) async fn run(self, outer: &Reach) -> Result<(), Failure> {
        let name = operator(self.operator.or_else(|| outer.operator.clone()));
        let by = By::new(name.as_deref(), self.reason.as_deref().or(outer.reason.as_deref()));
        let done = Supervisor::At(self.data.data_dir).kill(&self.target, self.hold, &by).await?;
        super::done(self.print.format, &done)
    }
}

/// The signals that end a program: ctrl-c, SIGTERM, and the loss of the terminal.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stop {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
