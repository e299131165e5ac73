//! A real balancer and real agents for a measurement, as child processes that end with it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use protocol::api::{Kitchens, Proof};

/// Worker connections, as the other queues were measured with.
pub const AGENTS: usize = 8;

const CITY: &str = r#"
name = "Bench"
[[zone]]
name = "Downtown"
x_km = 0.0
y_km = 0.0
[[dish]]
name = "pizza"
stages = [{ name = "cook", ms = 0 }]
"#;

/// The processes of one measurement.
pub struct City {
    balancer: Child,
    agents: Child,
    dir: PathBuf,
    /// Where the balancer listens.
    pub address: String,
}

/// The balancer's URL if this process is to be the agents.
pub fn agents_wanted() -> Option<String> {
    let mut args = std::env::args().skip_while(|arg| arg != "--agents");
    args.next()?;
    args.next()
}

/// Runs all agents in this process until its parent ends.
pub fn run_agents(url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut agents = tokio::task::JoinSet::new();
        for number in 1..=AGENTS {
            agents.spawn(kitchen_agent::run(config(number, url)));
        }
        while let Some(ended) = agents.join_next().await {
            println!("an agent ended: {ended:?}");
        }
    });
}

fn config(number: usize, url: &str) -> kitchen_agent::Config {
    use clap::Parser;
    let id = format!("kitchen_{number}");
    let args = [
        "kitchen",
        "--kitchen-id",
        &id,
        "--load-balancer-url",
        url,
        "--kitchen-capacity",
        "20000",
        "--kitchen-stations",
        "20000",
        "--kitchen-specialties",
        "pizza",
        "--die-with-parent",
        "--log-level",
        "error",
    ];
    kitchen_agent::Args::try_parse_from(args).expect("own flags").resolve().expect("own settings")
}

impl City {
    /// Starts everything and waits until every kitchen is alive.
    pub async fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("chef-bench-{}-{}", std::process::id(), unique()));
        std::fs::create_dir_all(&dir).expect("a directory for the ledger");
        let file = dir.join("city.toml");
        std::fs::File::create(&file).and_then(|mut file| file.write_all(CITY.as_bytes())).expect("a city file");
        let mut balancer = Command::new(env!("CARGO_BIN_EXE_chef"))
            .args(["balancer", "--listen", "127.0.0.1:0", "--die-with-parent", "--log-level", "warn", "--data-dir"])
            .arg(dir.join("ledger"))
            .arg("--city")
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the chef binary");
        let mut line = String::new();
        BufReader::new(balancer.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("ready ").expect("`ready URL`").to_owned();
        let agents =
            Command::new(std::env::current_exe().expect("own path")).args(["--agents", &url]).spawn().expect("agents");
        let address = url.trim_start_matches("http://").to_owned();
        let city = Self { balancer, agents, dir, address };
        let began = Instant::now();
        while city.get::<Kitchens>("/api/v1/kitchens").await.kitchens.len() < AGENTS {
            assert!(began.elapsed() < Duration::from_secs(20), "the kitchens did not come");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        city
    }

    /// The proof now.
    pub async fn proof(&self) -> Proof {
        self.get("/api/v1/proof").await
    }

    /// Waits until every accepted order has ended; says how long that took.
    pub async fn wait_until_done(&self) -> Duration {
        let began = Instant::now();
        while self.proof().await.open > 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "orders stay open");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        began.elapsed()
    }

    /// p99 from acceptance to completion over the last 10 s, in milliseconds.
    pub async fn completion_ms(&self) -> Option<f64> {
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        let status: serde_json::Value = self.get("/api/v1/status").await;
        status["kpi"]["p99_ms"].as_f64()
    }

    /// Processor time of the balancer so far.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.balancer.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let url = format!("http://{}{path}", self.address);
        let response = reqwest::get(url).await.expect("the balancer answers");
        response.json().await.expect("JSON of the contract")
    }

    /// Ends the processes and removes the ledger.
    pub fn stop(mut self) {
        for child in [&mut self.agents, &mut self.balancer] {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn unique() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}
