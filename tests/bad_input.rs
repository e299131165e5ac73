//! Bad input at every door: a clear error that names the cause and the mend, nothing lost, nothing half-started.

mod running_city;

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use running_city::{CHEF, RunningCity, fresh_dir, remove};
use serde_json::{Value, json};

fn order(change: impl Fn(&mut Value)) -> Value {
    let mut order = json!({"items": [{"dish": "pizza", "quantity": 1}], "zone": "Downtown"});
    change(&mut order);
    order
}

#[tokio::test]
async fn a_bad_order_is_refused_with_a_code_and_a_good_one_beside_it_is_taken() {
    let city = RunningCity::start("bad-orders", &["--kitchens", "1"]);
    let cases = [
        (order(|order| order["items"][0]["dish"] = json!("granite")), 422, "unknown_dish"),
        (order(|order| order["zone"] = json!("Atlantis")), 422, "unknown_zone"),
        (order(|order| order["items"][0]["quantity"] = json!(0)), 422, "quantity"),
        (order(|order| order["items"][0]["quantity"] = json!(4_000_000_000_u64)), 422, "quantity"),
        (order(|order| order["items"][0]["quantity"] = json!(-1)), 400, "malformed_json"),
        (order(|order| order["items"] = json!([])), 422, "items_count"),
        (order(|order| order["customer"] = json!("\u{1b}[2J")), 422, "invalid_customer"),
        (order(|order| order["customer"] = json!("c".repeat(65))), 422, "invalid_customer"),
        (order(|order| order["key"] = json!("\u{202e}")), 422, "invalid_key"),
        (order(|order| order["tip"] = json!(5)), 400, "malformed_json"),
        (json!([1, 2]), 400, "malformed_json"),
    ];
    for (body, status, code) in cases {
        let (found, problem) = city.post("/orders", body.clone(), None).await.expect("an answer");
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{body}: {problem}");
        assert!(!problem["detail"].to_string().contains('\u{1b}'), "{problem}");
    }
    let (status, problem) =
        city.post("/orders/batch", json!({"orders": vec![order(|_| ()); 1_001]}), None).await.expect("an answer");
    assert_eq!((status, problem["code"].as_str()), (422, Some("batch_size")));
    let mixed = json!({"orders": [order(|_| ()), order(|order| order["zone"] = json!("Atlantis")), order(|_| ())]});
    let (status, results) = city.post("/orders/batch", mixed, None).await.expect("an answer");
    assert_eq!(status, 200, "{results}");
    let ids: Vec<&Value> = results["results"].as_array().expect("results").iter().map(|result| &result["id"]).collect();
    assert_eq!(ids, [&json!("o1"), &Value::Null, &json!("o2")], "in order, each by itself");
    assert_eq!(city.proof().await.accepted, 2, "nothing else was taken");
}

#[tokio::test]
async fn the_same_key_with_another_body_is_a_conflict() {
    let city = RunningCity::start("conflict", &["--kitchens", "1"]);
    city.place("pizza", Some("k")).await;
    let (status, problem) =
        city.post("/orders", order(|order| order["zone"] = json!("Harbor")), Some("k")).await.expect("an answer");
    assert_eq!((status, problem["code"].as_str()), (422, Some("idempotency_conflict")));
}

fn fails(args: &[&str]) -> String {
    let Output { status, stderr, .. } =
        Command::new(CHEF).args(args).stdout(Stdio::null()).output().expect("chef runs");
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success(), "{args:?} succeeded: {said}");
    said
}

#[tokio::test]
async fn what_is_in_use_is_left_alone_and_named() {
    let city = RunningCity::start("in-use", &[]);
    let dir = city.dir.to_str().expect("a name").to_owned();
    let port = city.url.rsplit(':').next().expect("a port").to_owned();
    let other = fresh_dir("in-use-other");
    let taken_port = fails(&["up", "--port", &port, "--data-dir", other.to_str().expect("a name")]);
    assert!(taken_port.contains("in use"), "{taken_port}");
    let taken_dir = fails(&["up", "--port", "0", "--data-dir", &dir]);
    assert!(taken_dir.contains("in use") || taken_dir.contains("already"), "{taken_dir}");
    let second = fails(&["kitchen", "--kitchen-id", "kitchen_1", "--load-balancer-url", &city.url]);
    assert!(second.contains("kitchen_1") && second.contains("already here"), "{second}");
    let kitchens: Value = city.get("/kitchens").await;
    let alive = kitchens["kitchens"]
        .as_array()
        .expect("kitchens")
        .iter()
        .filter(|kitchen| kitchen["health"] == "alive")
        .count();
    assert_eq!(alive, 4, "the city goes on");
    remove(&other);
}

#[tokio::test]
async fn a_city_or_directory_that_cannot_be_starts_nothing() {
    let dir = fresh_dir("bad-city");
    std::fs::create_dir_all(&dir).expect("a directory");
    let (file, data) = (dir.join("city.toml"), dir.join("data"));
    let bad = "name = \"X\"\n[[zone]]\nname = \"A\"\nx_km = 0.0\ny_km = 0.0\n[[dish]]\nname = \"pie\"\nstages = []\n";
    std::fs::write(&file, bad).expect("a file");
    let text = |path: &std::path::Path| path.to_str().expect("a name").to_owned();
    let said = fails(&["up", "--port", "0", "--data-dir", &text(&data), "--city", &text(&file)]);
    assert!(said.contains("pie") && said.contains("stages"), "{said}");
    let said = fails(&["up", "--port", "0", "--data-dir", &text(&file)]);
    assert!(said.contains("director"), "{said}");
    let said = fails(&["balancer", "--listen", "0.0.0.0:0", "--data-dir", &text(&data)]);
    assert!(said.contains("--insecure-lab"), "{said}");
    remove(&dir);
}

#[test]
fn a_number_that_is_none_is_a_usage_error_that_says_the_range() {
    for (args, range) in [
        (vec!["load", "--rate", "1e-300"], "from 0.001 to 1000000 orders a second"),
        (vec!["load", "--rate", "1e-20"], "from 0.001 to 1000000 orders a second"),
        (vec!["load", "--timeout", "1e19"], "at most a year"),
        (vec!["rush", "--rate", "inf"], "from 0.1 to 100000 orders a second"),
        (vec!["up", "--speed", "nan"], "times the menu's speed"),
        (vec!["up", "--rate=-1"], "from 0 to 100000 orders a second"),
        (vec!["policy", "--overload-threshold", "nan"], "from 0 to 1"),
        (vec!["balancer", "--available-threshold", "nan"], "available_threshold must be 0 to 1"),
    ] {
        let said = fails(&args);
        assert!(said.contains(range) && !said.contains("panicked"), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn a_failing_command_is_a_failed_attempt_with_its_output_and_three_set_the_order_aside() {
    let dir = fresh_dir("cook");
    let city = RunningCity::start_in(dir, &["--kitchens", "1"]);
    let command = "cat >/dev/null; echo no flour; exit 3";
    let _kitchen = city.only_kitchen("real_work", command, &["--capacity", "4"]).await;
    city.place("pizza", None).await;
    let proof = city.until_all_ended(1, Duration::from_secs(20)).await;
    let order: Value = city.get("/orders/o1").await;
    assert_eq!((proof.dead_lettered, order["state"].as_str()), (1, Some("dead_lettered")));
    assert!(order["failure"].as_str().is_some_and(|failure| failure.contains("no flour")), "{order}");
}

#[tokio::test]
async fn an_agent_of_another_protocol_version_is_told_so() {
    use futures_util::{SinkExt, StreamExt};
    use protocol::link::{self, AgentMessage, BalancerMessage, Refusal, VERSION};
    use tokio_tungstenite::tungstenite::Message;

    let city = RunningCity::start("version", &["--kitchens", "1"]);
    let url = format!("{}{}", city.url.replace("http://", "ws://"), link::PATH);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("the link's WebSocket");
    let mut frame = link::encode(&[AgentMessage::Goodbye]);
    frame[0] = VERSION + 1;
    socket.send(Message::Binary(frame.into())).await.expect("sent");
    let Some(Ok(Message::Binary(answer))) = socket.next().await else { panic!("no answer") };
    let told: Vec<BalancerMessage> = link::decode(&answer).expect("a frame");
    let Some(BalancerMessage::Refused(why @ Refusal::Version { theirs, ours })) = told.first() else {
        panic!("{told:?}")
    };
    assert_eq!((*theirs, *ours), (VERSION + 1, VERSION));
    assert!(why.to_string().contains("same release"), "{why}");
}
