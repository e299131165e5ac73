//! A log that takes nothing, on a full disk or behind a reader that died, ends nobody and leaves nobody without a link.

mod running_city;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use running_city::{CHEF, fresh_dir, remove};
use serde_json::Value;

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("a Linux device").into()
}

/// A balancer that can log nothing, and its URL.
fn balancer(dir: &std::path::Path, listen: &str) -> (Ended, String) {
    let mut balancer = Command::new(CHEF)
        .args(["balancer", "--die-with-parent", "--listen", listen, "--data-dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .stderr(full())
        .spawn()
        .expect("a balancer");
    let mut line = String::new();
    BufReader::new(balancer.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let url = line.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("not ready: {line}")).to_owned();
    (Ended(balancer), url)
}

async fn alive(url: &str) -> bool {
    let Ok(answer) = reqwest::get(format!("{url}/api/v1/kitchens/quiet")).await else { return false };
    answer.json::<Value>().await.is_ok_and(|kitchen| kitchen["health"] == "alive")
}

async fn until_alive(url: &str) {
    let began = Instant::now();
    while !alive(url).await {
        assert!(began.elapsed() < Duration::from_secs(20), "the kitchen does not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn balancers_and_kitchens_go_on_when_their_log_takes_nothing() {
    let dir = fresh_dir("unwritable-log");
    let (first, url) = balancer(&dir, "127.0.0.1:0");
    let kitchen = Command::new(CHEF)
        .args(["kitchen", "--kitchen-id", "quiet", "--load-balancer-url", &url, "--die-with-parent"])
        .stdout(full())
        .stderr(full())
        .spawn()
        .expect("a kitchen");
    let mut kitchen = Ended(kitchen);
    until_alive(&url).await;
    // It has much to say of a balancer that dies and comes back.
    drop(first);
    let (mut second, again) = balancer(&dir, url.trim_start_matches("http://"));
    assert_eq!(again, url);
    until_alive(&url).await;
    assert!(kitchen.0.try_wait().expect("ours").is_none() && second.0.try_wait().expect("ours").is_none());
    drop((kitchen, second));
    remove(&dir);
}
