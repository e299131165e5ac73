//! From arguments to a running daemon and down again. Order matters here: lock and replay before the port, the port
//! before "ready", the ledger's last sync before the exit.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use balancer_core::{Core, Input, Settings};
use color_eyre::Result;
use color_eyre::eyre::{Context, eyre};
use protocol::link::Timing;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::config::Args;
use crate::hub::{After, Hub};
use crate::ledger::{self, Durable, Journal};
use crate::recovery::{self, Snapshots};
use crate::shutdown::Shutdown;
use crate::{VERSION, api, feed};

/// What is being answered when the end comes gets this long.
const GRACE: Duration = Duration::from_secs(3);

/// Runs a balancer in the foreground until it is told to end.
///
/// # Errors
/// Names what could not be opened and the mend; nothing is left half-started.
pub fn main(args: Args) -> Result<()> {
    init_logging(&args);
    // One thread talks and decides: two cores are best spent on it and on the ledger's thread.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().wrap_err("cannot start the runtime")?;
    runtime.block_on(run(args))
}

async fn run(args: Args) -> Result<()> {
    let (city, policy) = args.check()?;
    let mut shutdown = Shutdown::listen(args.die_with_parent).wrap_err("cannot listen for signals")?;
    let journal = Journal::open(&args.data_dir)?;
    let listener = TcpListener::bind(args.listen).await.map_err(|error| unbound(&args, &error))?;
    let address = listener.local_addr().wrap_err("the listener has no address")?;
    let began = std::time::Instant::now();
    let (state, snapshot) = recovery::replay(&args.data_dir)?;
    tracing::info!(position = %state.position(), %snapshot, took = ?began.elapsed(), "the ledger is replayed");

    let (durable, mut released) = mpsc::unbounded_channel::<Durable<After>>();
    let ledger = ledger::spawn(
        journal,
        move |turns| {
            // Nobody takes them only when the process is ending.
            let _ = durable.send(turns);
        },
        |error| {
            tracing::error!(%error, "the ledger failed: ending at once, nothing more is acknowledged");
            std::process::exit(1);
        },
    )
    .wrap_err("cannot start the ledger's thread")?;
    let mut snapshots =
        Snapshots::start(args.data_dir.clone(), snapshot).wrap_err("cannot start the snapshot thread")?;
    let settings = Settings { timing: Timing::DEFAULT, seed: crate::clock::now().wall.0, without: None };
    let hub = Arc::new(Hub::new(Core::new(state, settings), ledger, args.id.clone(), args.data_dir.clone()));
    hub.inputs([Input::Lead { city: Box::new(city), policy: Box::new(policy) }]);
    hub.lock().learn_names();

    tokio::spawn(Arc::clone(&hub).flush_forever());
    tokio::spawn(Arc::clone(&hub).tick_forever());
    tokio::spawn(feed::run(Arc::clone(&hub)));
    let releasing = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move {
            while let Some(turns) = released.recv().await {
                snapshots.reached(turns.position);
                hub.release(turns);
            }
            snapshots
        }
    });
    hub.read(|_, _| ()).await?;
    tracing::info!(%address, version = VERSION, data_dir = %args.data_dir.display(), "leading");
    println!("ready http://{address}");
    std::io::stdout().flush().wrap_err("cannot say that it is ready")?;

    let serving = tokio::spawn(api::serve(listener, Arc::clone(&hub), shutdown.clone()));
    shutdown.wanted().await;
    if tokio::time::timeout(GRACE, serving).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    let position = hub.lock().core.state().position();
    if let Some(ledger) = hub.take_ledger() {
        tokio::task::spawn_blocking(|| ledger.close()).await.wrap_err("the ledger's thread has panicked")??;
    }
    if let Ok(Ok(snapshots)) = tokio::time::timeout(GRACE, releasing).await {
        tokio::task::spawn_blocking(move || snapshots.finish(position))
            .await
            .wrap_err("the snapshot thread has panicked")?;
    }
    tracing::info!(%position, "ended; everything acknowledged is durable");
    Ok(())
}

fn unbound(args: &Args, error: &std::io::Error) -> color_eyre::Report {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        eyre!("{} is in use by another program: stop it, or choose another address with --listen", args.listen)
    } else {
        eyre!("cannot listen on {}: {error}", args.listen)
    }
}

fn init_logging(args: &Args) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(&args.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // Fails only if somebody has set one already: then theirs is used.
    let _ = if args.log_format == "json" { builder.json().try_init() } else { builder.try_init() };
}
