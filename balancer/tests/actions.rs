//! `GET /actions` of a real balancer: what an operator did is there at once, in pages, and still there after a kill -9.

#![allow(missing_docs, reason = "the names say it")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use protocol::api::{ActionPage, ActionView, OPERATOR, REASON};
use serde_json::{Value, json};

struct Balancer {
    child: Child,
    url: String,
}

impl Balancer {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_balancer"));
        command.args(["--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir"]).arg(dir);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("ready ").expect("ready").to_owned();
        Self { child, url }
    }

    async fn act(&self, http: &reqwest::Client, method: reqwest::Method, path: &str, body: Value) {
        let request = http.request(method, format!("{}/api/v1{path}", self.url)).json(&body);
        let answer = request.header(OPERATOR, "ada").header(REASON, "a party").send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
    }

    async fn acts(&self, http: &reqwest::Client, query: &str) -> ActionPage {
        let answer = http.get(format!("{}/api/v1/actions{query}", self.url)).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("a page")
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn what_an_operator_did_is_told_in_pages_and_survives_the_balancer() {
    let dir = tempfile::tempdir().expect("dir");
    let http = reqwest::Client::new();
    let balancer = Balancer::start(dir.path());
    assert_eq!(balancer.acts(&http, "").await.actions, [], "nobody has done anything yet");
    balancer.act(&http, reqwest::Method::PUT, "/policy", json!({"algorithm": "round-robin"})).await;
    balancer.act(&http, reqwest::Method::POST, "/rush", json!({"rate": 0.1, "for_s": 60, "zone": "Harbor"})).await;
    balancer.act(&http, reqwest::Method::DELETE, "/rush", json!({})).await;

    let page = balancer.acts(&http, "").await;
    let lines = |acts: &[ActionView]| -> Vec<String> {
        let line = |act: &ActionView| format!("{} {} {} | {}", act.operator, act.kind, act.subject, act.text);
        acts.iter().map(line).collect()
    };
    let told = lines(&page.actions);
    assert_eq!(
        told,
        [
            "ada rush_ended rush | by ada: a party",
            "ada rush_started Harbor | 0.1 orders/s for 60 s by ada: a party",
            "ada policy_changed round-robin | in force by ada: a party",
        ]
    );
    assert!(page.actions.iter().all(|act| act.reason == "a party" && act.position <= page.position));

    drop(balancer);
    let balancer = Balancer::start(dir.path());
    let first = balancer.acts(&http, "?limit=2").await;
    assert_eq!(first.next, Some(first.actions[1].position));
    let rest = balancer.acts(&http, &format!("?limit=2&before={}", first.actions[1].position)).await;
    assert_eq!((lines(&[first.actions, rest.actions].concat()), rest.next), (told, None));

    let refused = http.get(format!("{}/api/v1/actions?limit=0", balancer.url)).send().await.expect("an answer");
    assert_eq!(refused.status(), 422);
    assert_eq!(refused.json::<Value>().await.expect("a problem")["code"], "bad_query");
    let metrics = http.get(format!("{}/metrics", balancer.url)).send().await.expect("an answer");
    assert!(metrics.text().await.expect("text").contains("\nchef_feed_encodes_total 0\n"), "nobody reads the feed");
}
