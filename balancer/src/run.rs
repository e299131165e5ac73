//! From arguments to a running daemon and down again. Order matters here: the port before the lock, so that requests are
//! parked and not refused; lock and replay before the new reign; that durable before "ready"; and the ledger's last sync
//! before the exit.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use balancer_core::{Core, Input, Settings};
use color_eyre::Result;
use color_eyre::eyre::{Context, eyre};
use protocol::{Epoch, WallTime};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::api::callers::Callers;
use crate::background::Background;
use crate::clock::LedgerClock;
use crate::config::Args;
use crate::hub::{After, Hub, NoAnswer};
use crate::keys::{self, Book, Shelf};
use crate::leadership::{Leader, Peers};
use crate::ledger::{self, Durable};
use crate::recovery::Snapshots;
use crate::shutdown::Shutdown;
use crate::standby::{self, Followed, Node, Won};
use crate::{VERSION, api, feed, projection, scrub, secret};

/// Between two tries to write LEADER.
const LEADER_AGAIN: Duration = Duration::from_secs(1);
/// What is being answered when the end comes gets this long.
const GRACE: Duration = Duration::from_secs(3);

/// What the kernel holds of an answer that is not taken, in bytes (Linux doubles it for its own use): half a page of 1,000
/// orders, and more than any answer to an order.
const SEND_BUFFER: u32 = 128 * 1024;
/// Connections that wait to be accepted: those of one moment, as `TcpListener::bind` has it.
const BACKLOG: u32 = 1_024;

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
    args.check()?;
    raise_descriptor_limit();
    crate::private::from_now_on();
    let mut shutdown = Shutdown::listen(args.die_with_parent).wrap_err("cannot listen for signals")?;
    let listener = listen(args.listen).map_err(|error| unbound(&args, &error))?;
    let url = url_of(listener.local_addr().wrap_err("the listener has no address")?);
    let callers = Callers::new(args.listen.ip(), &url, &args.allowed_hosts);
    let node = Arc::new(Node::new(args.id.clone(), url.clone(), callers));
    let serving = tokio::spawn(api::serve(listener, Arc::clone(&node), shutdown.clone()));

    let (began, started) = (Instant::now(), crate::clock::mono());
    let mut said = false;
    let on_standby = |leader: &Leader| {
        tracing::info!(leader = leader.id, url = leader.url, "standing by");
        said = say_ready(&url);
    };
    let won = tokio::select! {
        won = standby::until_it_leads(&args, &node, on_standby) => won?,
        () = shutdown.wanted() => {
            let _ = tokio::time::timeout(GRACE, serving).await;
            tracing::info!("ended; another balancer leads, or none");
            return Ok(());
        }
    };
    tracing::info!(position = %won.followed.state.position(), after = ?began.elapsed(), "the ledger is this balancer's");
    let reign = begin(&args, &node, won, started).await?;
    if !said {
        say_ready(&url);
    }
    shutdown.wanted().await;
    if tokio::time::timeout(GRACE, serving).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    end(reign).await
}

/// A listener whose connections inherit the kernel's part of their memory: left alone it grows to megabytes for a client
/// that does not read.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As `TcpListener::bind` has it: a port whose last connections are still being closed is free.
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// As many descriptors as the system allows: the connections alone may be 13,000, and a forwarded one costs two.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// A leader at work.
struct Reign {
    hub: Arc<Hub>,
    beside: [Background; 3],
    releasing: JoinHandle<Snapshots>,
}

/// From a ledger that is this process's to a leader that everybody can find.
async fn begin(args: &Args, node: &Node, won: Won, started: Duration) -> Result<Reign> {
    let (city, policy) = args.check()?;
    let Won { journal, followed: Followed { state, snapshot, notes, offset_ms, .. } } = won;
    let place = journal.place().clone();
    let (durable, released) = mpsc::unbounded_channel::<Durable<After>>();
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
    let clock = LedgerClock::begin(state.last_at(), offset_ms);
    let book = Book::open(&args.data_dir, notes, args.key_window, clock.now().wall)
        .wrap_err("cannot open the ledger beside")?;
    let shelf = book.shelf();
    let snapshots = Snapshots::start(args.data_dir.clone(), snapshot, Arc::clone(&shelf))
        .wrap_err("cannot start the snapshot thread")?;
    let settings = Settings { seed: WallTime::now().0, key_window: args.key_window, ..Settings::default() };
    let url = node.url.clone();
    let peers = Peers::new(args.id.clone(), url.clone());
    let core = Core::new(state, settings);
    let mut hub = Hub::new(core, book, ledger, args.id.clone(), args.data_dir.clone(), peers, clock);
    hub.started = started;
    crate::private::tighten(&args.data_dir);
    hub.place = Some(place);
    hub.accepts_older = args.accept_older_ledger;
    hub.secret = Some(secret::of(&args.data_dir).wrap_err("cannot make the secret of the data directory")?);
    let hub = Arc::new(hub);
    hub.inputs([Input::Lead { city: Box::new(city), policy: Box::new(policy) }]);
    hub.lock().learn_names();
    if let Some(why) = hub.lock().core.city_refused() {
        tracing::error!(%why, "the city file is not taken over: the city in the ledger stays in force");
    }
    tokio::spawn(Arc::clone(&hub).flush_forever());
    tokio::spawn(Arc::clone(&hub).tick_forever());
    tokio::spawn(Arc::clone(&hub).watch_disk_forever());
    tokio::spawn(feed::run(Arc::clone(&hub)));
    let releasing = tokio::spawn(release(Arc::clone(&hub), released, snapshots));
    // The new reign is durable before anybody hears of it.
    let epoch = first_epoch(&hub).await?;
    let leader = Leader { id: args.id.clone(), pid: std::process::id(), url, epoch };
    if let Err(error) = leader.write(&args.data_dir) {
        tracing::error!(%error, "LEADER cannot be written: standbys do not find this balancer until it is");
        tokio::spawn(write_again(leader.clone(), args.data_dir.clone()));
    }
    tracing::info!(url = leader.url, %epoch, version = VERSION, data_dir = %args.data_dir.display(), "leading");
    node.leads(Arc::clone(&hub), leader);
    let beside = beside(&args.data_dir, &hub, shelf).wrap_err("cannot start the threads beside the orders")?;
    Ok(Reign { hub, beside, releasing })
}

/// The epoch of this reign, once it is durable: however long the disk takes, for the next one would have the same disk.
async fn first_epoch(hub: &Hub) -> Result<Epoch, NoAnswer> {
    loop {
        match hub.read(|inner, _| inner.core.state().epoch()).await {
            Err(NoAnswer::Disk(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            answer => return answer,
        }
    }
}

/// Writes LEADER as soon as that can be done: a full disk has space again some time.
async fn write_again(leader: Leader, dir: PathBuf) {
    loop {
        tokio::time::sleep(LEADER_AGAIN).await;
        if leader.write(&dir).is_ok() {
            return tracing::info!("LEADER is written");
        }
    }
}

/// Lets go what has become durable, as long as there is a ledger.
async fn release(
    hub: Arc<Hub>,
    mut released: mpsc::UnboundedReceiver<Durable<After>>,
    mut snapshots: Snapshots,
) -> Snapshots {
    while let Some(turns) = released.recv().await {
        snapshots.reached(turns.position);
        hub.release(turns);
    }
    snapshots
}

/// Everything acknowledged is durable already; here it becomes tidy.
async fn end(reign: Reign) -> Result<()> {
    let Reign { hub, beside, releasing } = reign;
    // They write only while this process holds the ledger's lock.
    let ended = tokio::task::spawn_blocking(|| beside.into_iter().for_each(Background::finish));
    ended.await.wrap_err("a thread beside the orders has panicked")?;
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

/// Work of a leader beside the orders: reading the ledger back, folding it into tables, and reading old keys after a start.
fn beside(dir: &std::path::Path, hub: &Hub, shelf: Arc<Shelf>) -> std::io::Result<[Background; 3]> {
    let (scrub, projection) = {
        let metrics = &hub.lock().metrics;
        (Arc::clone(&metrics.scrub), Arc::clone(&metrics.projection))
    };
    let keys = Background::start_urgent("keys", move |pace| keys::catch_up(&shelf, pace))?;
    Ok([scrub::start(dir.to_owned(), scrub)?, projection::start(dir.to_owned(), projection)?, keys])
}

/// Where others on this machine reach a listener at `address`: one on every address is reached on loopback.
fn url_of(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        let loopback: IpAddr = if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    format!("http://{address}")
}

/// For whoever started this process: it takes requests now. Nobody may be listening; that is no reason to end.
fn say_ready(url: &str) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {url}").and_then(|()| out.flush()).is_ok()
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
    // A log that takes nothing is no reason to end: a full disk, a shipper that died.
    let builder = builder.log_internal_errors(false);
    // Fails only if somebody has set one already: then theirs is used.
    let _ = if args.log_format == "json" { builder.json().try_init() } else { builder.try_init() };
}
