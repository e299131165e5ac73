//! The city in containers: a kitchen is killed under load, and no order is lost.
//!
//! ```text
//! compose/build-images; up; 4 kitchens alive
//! orders flow; docker kill kitchen_1; orders still flow a little
//! every order completed; each recovered in 3 s; proof: lost 0, twice 0
//! docker start kitchen_1; 4 kitchens alive; down with volumes
//! ```
//! Sees only what an outsider sees: Docker's commands and the HTTP API. Without Docker it says `skipped: no Docker` and
//! passes; with CHEF_NO_SKIP set (as in .ci/run) it fails instead.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

const KITCHENS: usize = 4;
/// Killed: the most popular one, so that it has something to lose.
const VICTIM: &str = "kitchen_1";
/// The product's promise for a dead kitchen's orders.
const RECOVERY_MAX: Duration = Duration::from_secs(3);
/// Everything but building the images and taking the city down.
const STORY_MAX: Duration = Duration::from_secs(140);
/// One answer, and one command of Docker.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Orders in a batch and between two batches: 200 a second, twice what the kitchens cook at this speed.
const BATCH: usize = 20;
const BEAT: Duration = Duration::from_millis(100);
const SPEED: &str = "20";
/// A bound on the flow if Docker is slow to kill.
const BATCHES_MAX: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kitchen_container_killed_under_load_loses_no_order() {
    let Some(compose) = compose_command() else {
        assert!(std::env::var_os("CHEF_NO_SKIP").is_none(), "no Docker, and CHEF_NO_SKIP forbids to skip");
        eprintln!("skipped: no Docker");
        return;
    };
    run(Command::new(root().join("compose/build-images"))).expect("the images");
    let project = Project::new(compose);
    timeout(STORY_MAX, story(&project)).await.expect("the story ends in time");
}

async fn story(project: &Project) {
    let started = Instant::now();
    project.compose(&["up", "-d"]).expect("the project comes up");
    let city = City::at(project.port);
    city.wait_for_kitchens(KITCHENS).await;
    city.take_everything().await;
    eprintln!("{KITCHENS} kitchens alive {:.1} s after `up`", started.elapsed().as_secs_f64());

    let victim = project.compose(&["ps", "-q", VICTIM]).expect("the victim's id");
    let (stop, stopped) = watch::channel(());
    let flow = tokio::spawn(city.clone().flow(stopped));
    sleep(Duration::from_secs(1)).await;
    let commanded = Timestamp::now();
    run(docker(&["kill", &victim])).expect("docker kill");
    sleep(Duration::from_millis(500)).await;
    drop(stop);
    let placed = flow.await.expect("the flow of orders");

    let orders = city.wait_until_completed(&placed).await;
    let ended = run(docker(&["inspect", "--format", "{{.State.FinishedAt}}", &victim])).expect("docker inspect");
    let ended: Timestamp = ended.parse().expect("Docker's time");
    let recovered = recoveries(&orders);
    let after = |since: Timestamp| recovered.iter().map(|at| seconds(since, *at)).collect::<Vec<_>>();
    eprintln!("{} orders completed, {} recovered from {VICTIM}", orders.len(), recovered.len());
    eprintln!("recovered after the end of its process: {}", spread(after(ended)));
    eprintln!("recovered after `docker kill` was typed: {}", spread(after(commanded)));
    assert!(!recovered.is_empty(), "{VICTIM} held nothing when it was killed: the load is too low to prove anything");
    for after in after(ended) {
        assert!(after <= RECOVERY_MAX.as_secs_f64(), "an order was recovered {after:.2} s after the kill");
    }

    let proof = city.get("/proof").await;
    eprintln!("proof {proof}");
    assert_eq!(proof["accepted"], placed.len(), "{proof}");
    assert_eq!(proof["completed"], placed.len(), "{proof}");
    assert_eq!((&proof["lost"], &proof["twice"]), (&json!(0), &json!(0)), "{proof}");
    assert_eq!(city.alive().await, KITCHENS - 1, "after `docker kill` the container stays down");

    run(docker(&["start", &victim])).expect("docker start");
    city.wait_for_kitchens(KITCHENS).await;
}

/// When each order was leased again because its kitchen was lost.
fn recoveries(orders: &[Value]) -> Vec<Timestamp> {
    let hops = orders.iter().flat_map(|order| order["hops"].as_array().expect("hops"));
    let recovered = hops.filter(|hop| hop["kind"] == "recover");
    recovered.map(|hop| hop["at"].as_str().expect("a time").parse().expect("RFC 3339")).collect()
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

fn spread(mut seconds: Vec<f64>) -> String {
    seconds.sort_by(f64::total_cmp);
    match (seconds.get(seconds.len() / 2), seconds.last()) {
        (Some(median), Some(largest)) => format!("median {median:.2} s, largest {largest:.2} s"),
        _ => "none".into(),
    }
}

/// The HTTP API of the project's balancer.
#[derive(Clone)]
struct City {
    http: Client,
    base: String,
}

impl City {
    fn at(port: u16) -> Self {
        let http = Client::builder().no_proxy().timeout(ANSWER_MAX).build().expect("an HTTP client");
        Self { http, base: format!("http://127.0.0.1:{port}/api/v1") }
    }

    async fn try_get(&self, path: &str) -> reqwest::Result<Value> {
        self.http.get(format!("{}{path}", self.base)).send().await?.error_for_status()?.json().await
    }

    async fn get(&self, path: &str) -> Value {
        self.try_get(path).await.expect("an answer")
    }

    async fn alive(&self) -> usize {
        let Ok(body) = self.try_get("/kitchens").await else { return 0 };
        let kitchens = body["kitchens"].as_array().expect("kitchens");
        kitchens.iter().filter(|kitchen| kitchen["health"] == "alive").count()
    }

    /// The flow is twice what the kitchens cook: none of it is to be refused for the wait.
    async fn take_everything(&self) {
        let policy = self.http.put(format!("{}/policy", self.base)).json(&json!({"max_wait_ms": 0}));
        assert_eq!(policy.send().await.expect("an answer").status().as_u16(), 200);
    }

    async fn wait_for_kitchens(&self, count: usize) {
        while self.alive().await != count {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Places orders at an even pace until `stopped` closes; the ids of those that were accepted.
    async fn flow(self, stopped: watch::Receiver<()>) -> BTreeSet<String> {
        let mut placed = BTreeSet::new();
        for beat in 0..BATCHES_MAX {
            if stopped.has_changed().is_err() {
                break;
            }
            let next = Instant::now() + BEAT;
            placed.extend(self.place(beat).await);
            tokio::time::sleep_until(next).await;
        }
        placed
    }

    async fn place(&self, beat: usize) -> Vec<String> {
        let dishes = ["pizza", "pasta", "burger", "sushi", "tacos"];
        let zones = ["Downtown", "Harbor", "Downtown", "Uptown"];
        let order = |n: usize| {
            json!({
                "items": [{ "dish": dishes[n % dishes.len()], "quantity": 1 }],
                "zone": zones[n % zones.len()],
                "key": format!("compose-{beat}-{n}"),
            })
        };
        let body = json!({ "orders": (0..BATCH).map(order).collect::<Vec<_>>() });
        let request = self.http.post(format!("{}/orders/batch", self.base)).json(&body);
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        let results = answer["results"].as_array().unwrap_or_else(|| panic!("not results: {answer}"));
        assert_eq!(results.len(), BATCH, "{answer}");
        results.iter().map(|order| order["id"].as_str().unwrap_or_else(|| panic!("refused: {order}")).into()).collect()
    }

    /// Asks for each order until it is completed; any other end fails.
    async fn wait_until_completed(&self, placed: &BTreeSet<String>) -> Vec<Value> {
        let mut completed = Vec::new();
        for id in placed {
            completed.push(self.completed(id).await);
        }
        completed
    }

    async fn completed(&self, id: &str) -> Value {
        loop {
            let order = self.get(&format!("/orders/{id}")).await;
            match order["state"].as_str().expect("a state") {
                "completed" => return order,
                "cancelled" | "dead_lettered" => panic!("{id} ended otherwise: {order}"),
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// A compose project of its own. Goes down with its volumes when dropped, after a failure with its logs shown.
struct Project {
    compose: Vec<String>,
    name: String,
    port: u16,
}

impl Project {
    fn new(compose: Vec<String>) -> Self {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
        Self { compose, name: format!("cheftest{}", std::process::id()), port: port.expect("a free port").port() }
    }

    fn compose(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.compose[0]);
        command.args(&self.compose[1..]).arg("-p").arg(&self.name);
        command.arg("-f").arg(root().join("compose/docker-compose.yml")).args(args);
        command.env("CHEF_PORT", self.port.to_string()).env("SPEED", SPEED);
        run(command)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.compose(&["logs", "--no-color", "--tail=40"]).unwrap_or_else(|error| error));
        }
        if let Err(error) = self.compose(&["down", "--volumes", "--timeout", "5"]) {
            eprintln!("the project {} is left behind: {error}", self.name);
        }
    }
}

/// The plugin or the older program, whichever is there; none without a reachable engine.
fn compose_command() -> Option<Vec<String>> {
    run(docker(&["version", "--format", "{{.Server.Version}}"])).ok()?;
    let plugin = run(docker(&["compose", "version"])).map(|_| vec!["docker".into(), "compose".into()]);
    plugin.ok().or_else(|| {
        let mut version = Command::new("docker-compose");
        version.arg("version");
        run(version).ok().map(|_| vec!["docker-compose".into()])
    })
}

fn docker(args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(args);
    command
}

/// Its standard output, trimmed; its standard error when it fails.
fn run(mut command: Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
