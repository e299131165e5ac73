//! The agent on a real socket, against a balancer that the test plays.
//!
//! Owns the little balancer. Never waits for time to pass: each test waits for a message, and a hang is its failure.

use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use kitchen_agent::{AgentError, Args, run};
use protocol::city::{City, DishNo};
use protocol::link::{
    AgentMessage, BalancerMessage, Cook, LeaseName, Refusal, Timing, VERSION, Welcome, decode, encode,
};
use protocol::{Epoch, FencingToken, Item, OrderId, Priority};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

/// Far beyond anything that works, so that only a hang meets it.
const HANG: Duration = Duration::from_secs(20);

/// Listens, and plays one balancer on each connection it takes.
struct Balancer {
    listener: TcpListener,
    url: String,
}

impl Balancer {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        Self { listener, url }
    }

    /// Takes the next connection and its hello.
    async fn meet(&self) -> Peer {
        let (stream, _) = within(self.listener.accept()).await.expect("an agent");
        let mut peer = Peer { socket: accept_async(stream).await.expect("a handshake"), heard: Vec::new() };
        let hello = peer.wait_for(|message| matches!(message, AgentMessage::Hello(_))).await;
        let AgentMessage::Hello(hello) = hello else { unreachable!("just checked") };
        assert_eq!((hello.kitchen.as_str(), hello.capacity, hello.stations), ("k1", 10, 5));
        peer
    }

    async fn welcome(&self) -> Peer {
        let mut peer = self.meet().await;
        let welcome = Welcome { epoch: Epoch(1), timing: Timing::DEFAULT, city: city() };
        peer.say(BalancerMessage::Welcome(Box::new(welcome))).await;
        peer.wait_for(|message| matches!(message, AgentMessage::Heartbeat { .. })).await;
        peer
    }
}

struct Peer {
    socket: WebSocketStream<TcpStream>,
    heard: Vec<AgentMessage>,
}

impl Peer {
    async fn say(&mut self, message: BalancerMessage) {
        self.socket.send(Message::binary(encode(&[message]))).await.expect("an agent that reads");
    }

    /// The next message that is `wanted`; answers heartbeats on the way.
    async fn wait_for(&mut self, wanted: impl Fn(&AgentMessage) -> bool) -> AgentMessage {
        loop {
            while !self.heard.is_empty() {
                let message = self.heard.remove(0);
                if let AgentMessage::Heartbeat { seq, .. } = message {
                    self.say(BalancerMessage::Renewed { seq, lost: Vec::new() }).await;
                }
                if wanted(&message) {
                    return message;
                }
            }
            let frame = within(self.socket.next()).await.expect("still connected").expect("a sound frame");
            self.heard = decode(&frame.into_data()).expect("a sound frame");
        }
    }

    async fn cook(&mut self, order: u64) -> LeaseName {
        let lease = LeaseName { order: OrderId(order), token: FencingToken { epoch: Epoch(1), counter: order } };
        let items = vec![Item { dish: DishNo(0), quantity: 1 }];
        let cook = Cook { lease, attempt: 1, from_stage: 0, priority: Priority::Normal, ages_in_ms: 60_000, items };
        self.say(BalancerMessage::Cook { seen: 1, cook }).await;
        lease
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, what).await.expect("an answer in good time")
}

fn city() -> City {
    let text = "name = \"Test\"\n[[zone]]\nname = \"Downtown\"\nx_km = 0.0\ny_km = 0.0\n\
                [[dish]]\nname = \"toast\"\nstages = [{ name = \"prep\", ms = 1 }, { name = \"cook\", ms = 1 }]\n";
    City::parse(text).expect("a sound city")
}

fn start(url: &str, more: &[&str]) -> tokio::task::JoinHandle<Result<(), AgentError>> {
    let args = ["kitchen-agent", "--kitchen-id", "k1", "--balancer", url];
    let args = Args::try_parse_from(args.iter().chain(more)).expect("flags that exist");
    tokio::spawn(run(args.resolve().expect("sound settings")))
}

fn is_end(message: &AgentMessage) -> bool {
    matches!(message, AgentMessage::Completed { .. } | AgentMessage::Failed { .. })
}

#[tokio::test]
async fn an_order_is_cooked_and_reported() {
    let balancer = Balancer::listen().await;
    let agent = start(&balancer.url, &[]);
    let mut peer = balancer.welcome().await;
    let lease = peer.cook(1).await;
    let end = peer.wait_for(is_end).await;
    assert!(matches!(end, AgentMessage::Completed { lease: named, .. } if named == lease), "{end:?}");
    peer.say(BalancerMessage::Settled { lease, stale: false }).await;
    agent.abort();
}

#[tokio::test]
async fn an_unsettled_report_is_said_again_on_the_next_connection() {
    let balancer = Balancer::listen().await;
    let agent = start(&balancer.url, &[]);
    let mut peer = balancer.welcome().await;
    peer.cook(1).await;
    let end = peer.wait_for(is_end).await;
    drop(peer);
    let mut peer = balancer.welcome().await;
    assert_eq!(peer.wait_for(is_end).await, end);
    agent.abort();
}

#[tokio::test]
async fn a_failing_command_fails_the_order_with_its_output() {
    let balancer = Balancer::listen().await;
    let agent = start(&balancer.url, &["--cook", "cat >/dev/null; echo burnt; exit 3"]);
    let mut peer = balancer.welcome().await;
    let lease = peer.cook(1).await;
    let end = peer.wait_for(is_end).await;
    let expected = AgentMessage::Failed { lease, stage: 0, output: "burnt\nexit status: 3".into() };
    assert_eq!(end, expected);
    agent.abort();
}

#[tokio::test]
async fn a_command_reads_its_order_as_json() {
    let balancer = Balancer::listen().await;
    let agent = start(&balancer.url, &["--cook", "cat; exit 1"]);
    let mut peer = balancer.welcome().await;
    peer.cook(7).await;
    let AgentMessage::Failed { output, .. } = peer.wait_for(is_end).await else { panic!("exit 1") };
    let json: serde_json::Value = serde_json::from_str(output.lines().next().expect("a line")).expect("JSON");
    let expected = serde_json::json!({
        "order": "o7", "attempt": 1, "token": "1.7", "stage": "prep", "stage_no": 0, "stages": 2,
        "items": [{ "dish": "toast", "quantity": 1 }], "priority": "normal",
    });
    assert_eq!(json, expected);
    agent.abort();
}

#[tokio::test]
async fn a_stop_kills_the_command_and_frees_its_station() {
    let balancer = Balancer::listen().await;
    let command = r#"test "$CHEF_ORDER" = o2 || sleep 600"#;
    let agent = start(&balancer.url, &["--stations", "5", "--cook", command]);
    let mut peer = balancer.welcome().await;
    let lease = peer.cook(1).await;
    peer.wait_for(|message| matches!(message, AgentMessage::Started { .. })).await;
    peer.say(BalancerMessage::Stop(lease)).await;
    let next = peer.cook(2).await;
    let end = peer.wait_for(is_end).await;
    assert!(matches!(end, AgentMessage::Completed { lease, .. } if lease == next), "{end:?}");
    agent.abort();
}

#[tokio::test]
async fn the_next_balancer_is_tried_when_one_is_gone_or_does_not_lead() {
    let (gone, standby, leader) = (Balancer::listen().await, Balancer::listen().await, Balancer::listen().await);
    let urls = [gone.url.as_str(), standby.url.as_str(), leader.url.as_str()].join(",");
    drop(gone);
    let agent = start(&urls, &[]);
    let mut peer = standby.meet().await;
    peer.say(BalancerMessage::Refused(Refusal::NotLeader)).await;
    drop(peer);
    leader.welcome().await;
    agent.abort();
}

#[tokio::test]
async fn silent_addresses_cost_a_fraction_of_a_lease() {
    let (mute, half, leader) = (Balancer::listen().await, Balancer::listen().await, Balancer::listen().await);
    let urls = [mute.url.as_str(), half.url.as_str(), leader.url.as_str()].join(",");
    // The kernel of a frozen process accepts, and nobody answers; another one stops in the middle of its answer.
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = half.listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 101 Switching Pro").await;
            held.push(stream);
        }
    });
    let began = Instant::now();
    let agent = start(&urls, &[]);
    leader.welcome().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    agent.abort();
    drop(mute);
}

#[tokio::test]
async fn a_kitchen_that_hears_nothing_says_so_and_comes_back_on_a_new_connection() {
    let balancer = Balancer::listen().await;
    let agent = start(&balancer.url, &[]);
    let mut peer = balancer.welcome().await;
    let began = Instant::now();
    let mut heard = Vec::new();
    while let Some(Ok(Message::Binary(frame))) = within(peer.socket.next()).await {
        heard.extend(decode::<AgentMessage>(&frame).expect("a sound frame"));
    }
    assert_eq!(heard.last(), Some(&AgentMessage::Deaf));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    balancer.welcome().await;
    agent.abort();
}

#[tokio::test]
async fn a_refusal_that_a_person_must_mend_ends_the_agent() {
    let balancer = Balancer::listen().await;
    let agent = start(&balancer.url, &[]);
    let mut peer = balancer.meet().await;
    let refusal = Refusal::Hello("there is no zone `Downtown`".into());
    peer.say(BalancerMessage::Refused(refusal)).await;
    let error = within(agent).await.expect("no panic").expect_err("refused");
    assert_eq!((error.to_string().as_str(), error.exit_code()), ("there is no zone `Downtown`", 1));
}

#[tokio::test]
async fn a_balancer_of_another_release_ends_the_agent_with_both_versions() {
    let balancer = Balancer::listen().await;
    let agent = start(&balancer.url, &[]);
    let mut peer = balancer.meet().await;
    peer.socket.send(Message::binary(vec![VERSION + 1, 0])).await.expect("an agent that reads");
    let error = within(agent).await.expect("no panic").expect_err("another release").to_string();
    assert!(
        error.contains(&format!("protocol version {VERSION}")) && error.contains(&format!("speaks {}", VERSION + 1)),
        "{error}"
    );
}

#[tokio::test]
async fn a_half_open_link_is_given_up_and_made_anew() {
    let balancer = Balancer::listen().await;
    let agent = start(&balancer.url, &[]);
    let silent = balancer.welcome().await;
    balancer.welcome().await; // nothing more was read or answered on the first
    drop(silent);
    agent.abort();
}

#[tokio::test]
async fn sigterm_ends_the_process_with_a_goodbye() {
    let balancer = Balancer::listen().await;
    let mut agent = tokio::process::Command::new(env!("CARGO_BIN_EXE_kitchen-agent"))
        .args(["--kitchen-id", "k1", "--balancer", &balancer.url])
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary");
    let mut peer = balancer.welcome().await;
    let pid = agent.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("running"), rustix::process::Signal::TERM).expect("own child");
    peer.wait_for(|message| *message == AgentMessage::Goodbye).await;
    assert!(within(agent.wait()).await.expect("own child").success());
}

#[tokio::test]
async fn an_agent_whose_parent_is_gone_ends_by_itself_even_if_it_was_stopped() {
    let balancer = Balancer::listen().await;
    let script = "\"$0\" --kitchen-id k1 --balancer \"$1\" --die-with-parent 2>/dev/null & echo $!; wait";
    let mut shell = tokio::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_kitchen-agent"), &balancer.url])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a shell");
    let mut stdout = shell.stdout.take().expect("piped");
    let mut peer = balancer.welcome().await;
    let mut text = [0; 32];
    let length = stdout.read(&mut text).await.expect("the agent's pid");
    let pid = std::str::from_utf8(&text[..length]).ok().and_then(|text| text.trim().parse().ok());
    let pid = pid.and_then(rustix::process::Pid::from_raw).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("our grandchild");
    shell.kill().await.expect("own child");
    while within(peer.socket.next()).await.is_some_and(|frame| frame.is_ok()) {}
    assert_eq!(within(stdout.read(&mut text)).await.expect("a pipe"), 0, "the agent held the other end");
}

#[tokio::test]
async fn usage_errors_exit_with_2_and_name_the_mend() {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_kitchen-agent"))
        .env_remove("KITCHEN_ID")
        .output()
        .await
        .expect("the binary");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("KITCHEN_ID is not set: give this kitchen an id"), "{text}");
}

#[tokio::test]
async fn metrics_are_answered_by_the_loop() {
    let (balancer, port) = (Balancer::listen().await, free_port().await);
    let agent = start(&balancer.url, &["--metrics-port", &port.to_string()]);
    let mut peer = balancer.welcome().await;
    peer.cook(1).await;
    peer.wait_for(is_end).await;
    let text = get(port, "/metrics").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    for line in
        ["kitchen_completed_total 1\n", "kitchen_connected 1\n", "kitchen_stage_seconds_count{stage=\"cook\"} 1\n"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(get(port, "/healthz").await.ends_with("ok\n"));
    assert!(get(port, "/").await.starts_with("HTTP/1.1 404"));
    agent.abort();
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("bound").port()
}

async fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the responder");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut text = String::new();
    within(stream.read_to_string(&mut text)).await.expect("an answer");
    text
}
