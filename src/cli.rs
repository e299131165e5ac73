//! The command line: what can be typed, and the exit code that comes back.
//!
//! ```text
//! cli/args.rs    shared arguments      cli/failure.rs  errors and exit codes
//! cli/orders.rs  one order, or a list  cli/fleet.rs    the system, one kitchen, rush    cli/policy.rs
//! cli/ledger.rs  dump and repair of a ledger's files     cli/audit.rs  what operators did
//! cli/local.rs   console, demo, up, kill               cli/watch.rs  the feed as lines
//! cli/record.rs  record and replay                     cli/doctor.rs what the terminal can do
//! ```
//! Owns the dispatch. A command that is not here does not exist: there are no faults beyond `kill` and no drills yet.

mod args;
mod audit;
mod doctor;
mod failure;
mod fleet;
mod ledger;
mod local;
mod orders;
mod policy;
mod record;
mod watch;

use std::future::Future;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::console;
use crate::load::LoadArgs;
use crate::output::{self, Format, Table};
use crate::roles;
use crate::system_test::TestArgs;
pub use args::{DataDir, Print, Reach, duration, within};
pub use failure::{ABORTED, FAILED, Failure, UNREACHABLE, USAGE};
use local::Look;
pub(crate) use local::Stop;

/// Distributed Chef: a dependable order dispatcher, its console, and a whole city on one machine.
///
/// Without a command it opens the console.
#[derive(Debug, Parser)]
#[command(name = "chef", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch and steer a running system
    Console(local::Console),
    /// Start a local city with a steady flow of orders and open the console on it; quitting stops all of it
    Demo(local::Demo),
    /// Start a local city and keep it running; SIGTERM or ctrl-c stops it
    Up(local::Up),
    /// Run a balancer in the foreground
    Balancer(Box<roles::BalancerArgs>),
    /// Run a kitchen agent in the foreground
    Kitchen(Box<roles::KitchenArgs>),
    /// What the system says now
    Status(fleet::Ask),
    /// All kitchens
    Kitchens(fleet::Ask),
    /// Orders, newest first
    Orders(orders::Orders),
    /// Migrations, newest first
    Migrations(fleet::Ask),
    /// What operators did and why, newest first, from the whole ledger
    Audit(audit::Audit),
    /// That no order was lost or completed twice; exit 1 if one was
    Proof(fleet::Ask),
    /// Place one order
    Order(orders::Order),
    /// One order and its events
    Show(orders::Show),
    /// Why an order is where it is
    Explain(orders::Explain),
    /// Call an order off
    Cancel(orders::OneOrder),
    /// Take an order out of quarantine: it is tried again, with a clean record
    Release(orders::OneOrder),
    /// Move an order to another kitchen
    Migrate(orders::Migrate),
    /// No new orders for a kitchen
    Cordon(fleet::OneKitchen),
    /// New orders for a kitchen again
    Uncordon(fleet::OneKitchen),
    /// Empty a kitchen
    Drain(fleet::Drain),
    /// A rush hour, made by the balancer; alone: what runs
    Rush(fleet::Rush),
    /// What can be tuned while orders flow; without a change: what is set
    Policy(policy::Policy),
    /// SIGKILL to a process of the `chef up` on this machine
    Kill(local::Kill),
    /// Load test: throughput, latencies and errors as a client sees them
    Load(LoadArgs),
    /// Health, load, balance, failover and migration against a running system
    Test(TestArgs),
    /// Walk a whole ledger: chain, gaps, invariants; exit 1 names the first bad record
    Verify(Verify),
    /// A ledger's events, a line of JSON each; exit 1 after the last whole one if it is damaged
    Dump(ledger::Dump),
    /// Cut a damaged, stopped ledger behind its last good position; the old files are kept
    Repair(ledger::Repair),
    /// The feed, a line for each notable event
    Watch(watch::Watch),
    /// Record everything the feed carries, for `chef replay`
    Record(record::Record),
    /// Play a recording on the console's screens
    Replay(Box<record::Replay>),
    /// What this terminal can do, and what to change
    Doctor(doctor::Doctor),
    /// The console's keys
    Keys(Keys),
    /// The console's themes
    Themes(Print),
    /// A completion script for a shell
    Completions {
        /// Which
        shell: Shell,
    },
}

/// `chef keys`.
#[derive(Debug, Clone, clap::Args)]
struct Keys {
    /// As a page for the documentation
    #[arg(long)]
    markdown: bool,
    /// With the keys of this file
    #[arg(long, value_name = "FILE", value_parser = local::key_file)]
    keys: Option<console::Keymap>,
    #[command(flatten)]
    print: Print,
}

/// `chef verify`.
#[derive(Debug, Clone, clap::Args)]
struct Verify {
    #[command(flatten)]
    data: DataDir,
    #[command(flatten)]
    print: Print,
}

/// Reads the arguments, does what they say, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    match dispatch(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let Cli { command, look, reach: outer } = cli;
    if command.is_some() && look != Look::default() {
        let mend = "put them behind the command, as in `chef console --plain`";
        return Err(Failure::usage("options of the console stand before a command").help(mend));
    }
    let data = DataDir { data_dir: std::env::var_os("DATA_DIR").unwrap_or_else(|| "./data".into()).into() };
    match command.unwrap_or_else(|| Command::Console(local::Console { look, data, reach: Reach::default() })) {
        Command::Balancer(args) => Ok(roles::balancer(*args)?),
        Command::Kitchen(args) => Ok(roles::kitchen(*args)?),
        Command::Verify(verify) => roles::verify(&verify.data.data_dir, verify.print.format),
        Command::Dump(dump) => dump.run(),
        Command::Repair(repair) => repair.run(),
        Command::Keys(it) => it.run(),
        Command::Themes(print) => themes(print.format),
        Command::Completions { shell } => completions(shell),
        console @ (Command::Console(_) | Command::Watch(_) | Command::Replay(_)) => {
            save_memory();
            block_on(tokio::runtime::Builder::new_current_thread(), talk(console, &outer))
        }
        other => block_on(tokio::runtime::Builder::new_multi_thread(), talk(other, &outer)),
    }
}

/// The commands that talk to a balancer or own processes.
async fn talk(command: Command, outer: &Reach) -> Result<(), Failure> {
    let ask = |ask: fleet::Ask| fleet::Ask { reach: ask.reach.or(outer), ..ask };
    let one = |one: fleet::OneKitchen| fleet::OneKitchen { reach: one.reach.or(outer), ..one };
    match command {
        Command::Console(it) => local::Console { reach: it.reach.or(outer), ..it }.run().await,
        Command::Demo(it) => it.run().await,
        Command::Up(it) => it.run().await,
        Command::Status(it) => fleet::status(ask(it)).await,
        Command::Kitchens(it) => fleet::kitchens(ask(it)).await,
        Command::Migrations(it) => fleet::migrations(ask(it)).await,
        Command::Audit(it) => audit::Audit { reach: it.reach.or(outer), ..it }.run().await,
        Command::Proof(it) => fleet::proof(ask(it)).await,
        Command::Orders(it) => orders::Orders { reach: it.reach.or(outer), ..it }.run().await,
        Command::Order(it) => orders::Order { reach: it.reach.or(outer), ..it }.run().await,
        Command::Show(it) => orders::Show { reach: it.reach.or(outer), ..it }.run().await,
        Command::Explain(it) => orders::Explain { reach: it.reach.or(outer), ..it }.run().await,
        Command::Cancel(it) => orders::OneOrder { reach: it.reach.or(outer), ..it }.cancel().await,
        Command::Release(it) => orders::OneOrder { reach: it.reach.or(outer), ..it }.release().await,
        Command::Migrate(it) => orders::Migrate { reach: it.reach.or(outer), ..it }.run().await,
        Command::Cordon(it) => fleet::cordon(one(it)).await,
        Command::Uncordon(it) => fleet::uncordon(one(it)).await,
        Command::Drain(it) => fleet::Drain { reach: it.reach.or(outer), ..it }.run().await,
        Command::Rush(it) => it.run(outer).await,
        Command::Policy(it) => policy::Policy { reach: it.reach.or(outer), ..it }.run().await,
        Command::Kill(it) => it.run(outer).await,
        Command::Load(it) => LoadArgs { reach: it.reach.or(outer), ..it }.run().await,
        Command::Test(it) => TestArgs { reach: it.reach.or(outer), ..it }.run().await,
        Command::Watch(it) => watch::Watch { reach: it.reach.or(outer), ..it }.run().await,
        Command::Record(it) => record::Record { reach: it.reach.or(outer), ..it }.run().await,
        Command::Replay(it) => it.run().await,
        Command::Doctor(it) => it.run().await,
        Command::Balancer(_)
        | Command::Kitchen(_)
        | Command::Verify(_)
        | Command::Dump(_)
        | Command::Repair(_)
        | Command::Keys(_)
        | Command::Themes(_)
        | Command::Completions { .. } => Ok(()),
    }
}

/// What only looks stays small: huge pages, which a busy daemon gains from, would double it.
fn save_memory() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// What only looks needs one thread, and so wakes once for a frame; what owns processes must not stand still with the terminal.
fn block_on(
    mut builder: tokio::runtime::Builder,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let runtime = builder.enable_all().build()?;
    let outcome = runtime.block_on(work);
    // A console or a pipe may still have a thread blocked in a read: leaving must not wait for it.
    runtime.shutdown_background();
    outcome
}

/// Says that an action was taken.
fn done(format: Format, text: &str) -> Result<(), Failure> {
    Ok(output::show(format, &serde_json::json!({ "done": text }), |_| format!("{text}\n"))?)
}

impl Keys {
    fn run(self) -> Result<(), Failure> {
        let keys = match self.keys {
            Some(keys) => keys,
            None if self.markdown => console::Keymap::default(),
            None => console::Keymap::load(None, |name| std::env::var(name).ok())
                .map_err(|bad| Failure::usage(bad.to_string()))?,
        };
        if self.markdown {
            return Ok(output::print(&keys.markdown())?);
        }
        let rows = console::key_rows(&keys);
        let json = |row: &console::KeyRow| {
            serde_json::json!({ "keys": row.keys, "name": row.name, "args": row.args,
                "description": row.description, "screens": row.screens, "guard": row.guard })
        };
        let value: Vec<_> = rows.iter().map(json).collect();
        Ok(output::show(self.print.format, &value, |_| {
            let mut table = Table::new(&["keys", "action", "does", "where", "guard"]);
            for row in rows {
                table.row([row.keys, row.name.into(), row.description.into(), row.screens, row.guard.into()]);
            }
            table.render()
        })?)
    }
}

fn themes(format: Format) -> Result<(), Failure> {
    let names = console::theme_names();
    Ok(output::show(format, &names, |names| names.iter().map(|name| format!("{name}\n")).collect())?)
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "chef", &mut script);
    Ok(output::print(&String::from_utf8_lossy(&script))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, u8> {
        let words = line.split_whitespace();
        Cli::try_parse_from(std::iter::once("chef").chain(words)).map_err(|error| error.exit_code() as u8)
    }

    #[test]
    fn the_definitions_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_this_release_is_understood() {
        for line in [
            "",
            "--plain --theme nord",
            "console --read-only --fps 30",
            "demo --kitchens 8 --rate 5 --speed 2",
            "up --kitchens 4 --balancers 1 --port 0 --data-dir d --speed 2 --rate 1 --city f --key-window 30m",
            "status --output json --balancer http://a:1 --balancer http://b:2",
            "--balancer http://a status",
            "kitchens",
            "orders --state cooking --kitchen kitchen_1 --limit 5 --cursor x",
            "migrations",
            "proof",
            "order pizza:2 salad --zone Downtown --customer ada --priority high --key k --wait",
            "show o42",
            "explain o42",
            "cancel o42",
            "release o42",
            "migrate o42 kitchen_2",
            "cordon kitchen_1",
            "uncordon kitchen_1",
            "drain kitchen_1 --deadline 30s --force",
            "rush --rate 50 --for 30s --zone Downtown",
            "rush stop",
            "rush",
            "policy",
            "policy --algorithm round-robin --weights 0.4,0.3,0.2,0.1 --migrate false",
            "kill kitchen_2 --data-dir d --reason smoke --operator ada",
            "audit --limit 5 --before 42 --output json",
            "load --orders 100 --users 10 --batch 5",
            "load --rate 20 --seed 3 --no-wait",
            "test --full",
            "verify --data-dir d",
            "dump --data-dir d --from 3 --to 9",
            "repair --data-dir d --to-position 9 --yes",
            "keys",
            "themes",
            "completions zsh",
            "watch --json --for 3s",
            "record f --for 3s --balancer http://a",
            "replay f --at 12:41:07 --speed 4 --theme nord",
            "doctor --output json",
            "console --json --symbols cjk-safe --reduced-motion --color 256 --record f",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        for line in [
            "cook",
            "up --kitchens 0",
            "up --rate -1",
            "order --zone Downtown",
            "order pizza:0 --zone Downtown",
            "show 42",
            "migrate o42",
            "policy --weights 1,2",
            "policy --algorithm best",
            "rush --rate 0",
            "load --users 0",
            "audit --limit 1001",
            "completions klingon",
        ] {
            assert_eq!(parse(line).map(|_| ()), Err(USAGE), "{line}");
        }
    }

    #[test]
    fn options_of_the_console_before_another_command_are_refused() {
        let failure = dispatch(parse("--plain keys").expect("understood")).expect_err("misplaced");
        assert_eq!(failure.code, USAGE);
    }

    #[test]
    fn no_balancer_and_too_many_are_refused_as_usage() {
        for count in ["0", "6"] {
            assert!(parse(&format!("up --balancers {count} --port 0")).is_err(), "{count}");
        }
        assert!(parse("up --balancers 5 --port 0").is_ok());
    }

    #[test]
    fn without_a_balancer_the_code_is_three() {
        let failure = dispatch(parse("proof --balancer http://127.0.0.1:1").expect("understood")).expect_err("closed");
        assert_eq!(failure.code, UNREACHABLE);
    }
}
