//! A real city for a test: `chef up` as a child process on a free port and a fresh directory, ended with the test.

#![allow(dead_code, reason = "each test uses its own part")]
#![allow(missing_docs, reason = "the names say it")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use protocol::api::{OrderPage, OrderView, Proof};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub const CHEF: &str = env!("CARGO_BIN_EXE_chef");

pub struct RunningCity {
    up: Child,
    pub dir: PathBuf,
    pub url: String,
    http: reqwest::Client,
}

/// A directory of its own for each test.
pub fn fresh_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("chef-test-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

impl RunningCity {
    pub fn start(name: &str, args: &[&str]) -> Self {
        Self::start_in(fresh_dir(name), args)
    }

    pub fn start_in(dir: PathBuf, args: &[&str]) -> Self {
        let mut up = Command::new(CHEF)
            .args(["up", "--port", "0", "--data-dir"])
            .arg(&dir)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("chef up starts");
        let mut line = String::new();
        BufReader::new(up.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("not ready: {line}")).to_owned();
        Self { up, dir, url, http: reqwest::Client::new() }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        self.try_get(path).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub async fn try_get<T: DeserializeOwned>(&self, path: &str) -> reqwest::Result<T> {
        self.http.get(format!("{}/api/v1{path}", self.url)).send().await?.json().await
    }

    /// Status and body.
    pub async fn post(&self, path: &str, body: Value, key: Option<&str>) -> reqwest::Result<(u16, Value)> {
        let mut request = self.http.post(format!("{}/api/v1{path}", self.url)).json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    /// A queue without a bound by waiting: whoever needs many orders at once may have them.
    pub async fn take_everything(&self) {
        let policy = self.http.put(format!("{}/api/v1/policy", self.url)).json(&json!({"max_wait_ms": 0}));
        assert_eq!(policy.send().await.expect("an answer").status().as_u16(), 200);
    }

    pub async fn delete(&self, path: &str) -> reqwest::Result<(u16, Value)> {
        let response = self.http.delete(format!("{}/api/v1{path}", self.url)).send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    /// Status and text of a path from the root.
    pub async fn text(&self, path: &str) -> reqwest::Result<(u16, String)> {
        let response = self.http.get(format!("{}{path}", self.url)).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    pub async fn place(&self, dish: &str, key: Option<&str>) -> Value {
        let body = json!({"items": [{"dish": dish, "quantity": 1}], "zone": "Downtown"});
        let (status, body) = self.post("/orders", body, key).await.expect("an answer");
        assert!(status == 200 || status == 201, "{status} {body}");
        body
    }

    pub async fn proof(&self) -> Proof {
        self.get("/proof").await
    }

    /// Asks until it holds; panics with what it saw last.
    pub async fn until(&self, what: &str, limit: Duration, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self).await {
            assert!(
                began.elapsed() < limit,
                "not within {limit:?}: {what}; proof {:?}",
                self.try_get::<Proof>("/proof").await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn until_all_ended(&self, accepted: u64, limit: Duration) -> Proof {
        self.until("every order has ended", limit, async |city| {
            city.try_get::<Proof>("/proof").await.is_ok_and(|proof| proof.accepted >= accepted && proof.open == 0)
        })
        .await;
        self.proof().await
    }

    /// Every order, oldest last.
    pub async fn all_orders(&self) -> Vec<OrderView> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: OrderPage = self.get(&format!("/orders?limit=1000{cursor}")).await;
            all.extend(page.orders);
            match page.next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// The process of a balancer or kitchen, as city.json says.
    pub fn pid(&self, id: &str) -> Option<Pid> {
        let city: Value = serde_json::from_slice(&std::fs::read(self.dir.join("city.json")).ok()?).ok()?;
        let all = [&city["balancers"], &city["kitchens"]];
        let found =
            all.iter().flat_map(|list| list.as_array().into_iter().flatten()).find(|entry| entry["id"] == id)?;
        Pid::from_raw(i32::try_from(found["pid"].as_i64()?).ok()?)
    }

    /// Who leads, as the balancers say: id, process, reign.
    pub fn leader(&self) -> Option<(String, u64, u64)> {
        let leader: Value = serde_json::from_slice(&std::fs::read(self.dir.join("LEADER")).ok()?).ok()?;
        Some((leader["id"].as_str()?.to_owned(), leader["pid"].as_u64()?, leader["epoch"].as_u64()?))
    }

    /// Where a balancer answers.
    pub fn url_of(&self, id: &str) -> String {
        let text = std::fs::read(self.dir.join("city.json")).expect("a running city");
        let city: Value = serde_json::from_slice(&text).expect("JSON");
        let balancers = city["balancers"].as_array().expect("a list");
        let found = balancers.iter().find(|entry| entry["id"] == id).expect("it runs");
        found["url"].as_str().expect("it was ready").to_owned()
    }

    pub fn pids(&self) -> Vec<u32> {
        let text = std::fs::read(self.dir.join("city.json")).unwrap_or_default();
        let city: Value = serde_json::from_slice(&text).unwrap_or_default();
        let all = [&city["balancers"], &city["kitchens"]];
        let pids =
            all.iter().flat_map(|list| list.as_array().into_iter().flatten()).filter_map(|entry| entry["pid"].as_u64());
        pids.filter_map(|pid| u32::try_from(pid).ok()).collect()
    }

    pub fn up_pid(&self) -> u32 {
        self.up.id()
    }

    pub fn signal(pid: Pid, signal: Signal) {
        kill_process(pid, signal).expect("the process is there");
    }

    /// Starts another command of chef against this city.
    pub fn chef(&self, args: &[&str]) -> Child {
        let mut command = Command::new(CHEF);
        command.args(args).args(["--balancer", &self.url]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("chef starts")
    }

    pub fn chef_now(&self, args: &[&str]) -> Output {
        self.chef(args).wait_with_output().expect("chef ends")
    }

    /// SIGTERM, and waits; the directory stays.
    pub fn stop(mut self) -> PathBuf {
        let dir = self.dir.clone();
        self.end();
        std::mem::forget(self);
        dir
    }

    fn end(&mut self) {
        if let Some(pid) = i32::try_from(self.up.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.up.wait();
    }
}

/// A kitchen of the test's own, killed with the test.
pub struct OwnKitchen(Child);

impl Drop for OwnKitchen {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl RunningCity {
    /// Starts a kitchen that cooks by `command`, and closes the city's only other one, `kitchen_1`.
    pub async fn only_kitchen(&self, id: &str, command: &str, args: &[&str]) -> OwnKitchen {
        let child = Command::new(CHEF)
            .args(["kitchen", "--kitchen-id", id, "--load-balancer-url", &self.url, "--die-with-parent"])
            .args(["--cook", command])
            .args(args)
            .spawn()
            .expect("a kitchen");
        let kitchen = OwnKitchen(child);
        let (status, _) = self.post("/kitchens/kitchen_1/cordon", json!({}), None).await.expect("an answer");
        assert_eq!(status, 200);
        self.until("the kitchen is here", Duration::from_secs(10), async |city| {
            city.get::<Value>(&format!("/kitchens/{id}")).await["health"] == "alive"
        })
        .await;
        kitchen
    }
}

impl Drop for RunningCity {
    fn drop(&mut self) {
        self.end();
        remove(&self.dir);
    }
}

pub fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}

/// Whether the process still runs (a zombie does not).
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

pub fn verify(dir: &Path) -> Output {
    Command::new(CHEF).args(["verify", "--data-dir"]).arg(dir).output().expect("chef verify runs")
}

/// Median and largest.
pub fn spread(mut values: Vec<u64>) -> (u64, u64) {
    values.sort_unstable();
    (values.get(values.len() / 2).copied().unwrap_or(0), values.last().copied().unwrap_or(0))
}
