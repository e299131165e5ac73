//! Who is let in, which paths there are, and that nothing which was sent is silently left out.

mod raw_http;
mod running_city;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use raw_http::{ask, code};
use running_city::RunningCity;

const JSON: &str = "content-type: application/json";
const ORDER: &str = r#"{"items":[{"dish":"pizza","quantity":1}],"zone":"Downtown"}"#;
const UPGRADE: [&str; 4] = [
    "upgrade: websocket",
    "connection: upgrade",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// Status and code of each, told together.
fn expect(url: &str, cases: &[(&[&str], &str, u16, &str)]) {
    let mut wrong = Vec::new();
    for (head, body, status, expected) in cases {
        let (found, answer) = ask(url, head, body);
        if (found, code(&answer).as_str()) != (*status, *expected) {
            wrong.push(format!("{head:?}: {status} {expected} expected, found {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_web_page_can_neither_order_nor_read_nor_listen() {
    let city = RunningCity::start("foreign", &["--kitchens", "1", "--balancers", "2"]);
    let leader = city.leader().expect("somebody leads").0;
    for id in ["balancer_1", "balancer_2"] {
        let url = city.url_of(id);
        let own = format!("host: {}", raw_http::address(&url));
        let own = own.as_str();
        let own_origin = format!("origin: {url}");
        let post = "POST /api/v1/orders HTTP/1.1";
        expect(
            &url,
            &[
                // The page's name leads to 127.0.0.1: what it asks comes with its own name.
                (&[post, "host: evil.example", JSON], ORDER, 403, "foreign_origin"),
                (&["GET /api/v1/orders HTTP/1.1", "host: evil.example:8080"], "", 403, "foreign_origin"),
                (&["GET /metrics HTTP/1.1", "host: localhost.evil.example"], "", 403, "foreign_origin"),
                (&["GET /api/v1/proof HTTP/1.1", "host: 10.0.0.1:8080"], "", 403, "foreign_origin"),
                (&["GET http://evil.example/api/v1/proof HTTP/1.1", own], "", 403, "foreign_origin"),
                (&["GET /api/v1/proof HTTP/1.1"], "", 400, "bad_host"),
                (&["GET /api/v1/proof HTTP/1.0"], "", 400, "bad_host"),
                (&["GET /api/v1/proof HTTP/1.1", own, "host: localhost"], "", 400, "bad_host"),
                (&["GET /api/v1/proof HTTP/1.1", "host: a b"], "", 400, "bad_host"),
                (&["GET /api/v1/proof HTTP/1.1", "host: user@localhost"], "", 400, "bad_host"),
                // The page asks by the right name, and the browser says whose page it is.
                (&[post, own, JSON, "origin: http://evil.example"], ORDER, 403, "foreign_origin"),
                (&[post, own, JSON, "origin: null"], ORDER, 403, "foreign_origin"),
                (&[post, own, JSON, "origin: http://localhost:3000"], ORDER, 403, "foreign_origin"),
                (&[post, own, JSON, "sec-fetch-site: cross-site"], ORDER, 403, "foreign_origin"),
                (&[post, own, JSON, "sec-fetch-site: same-site"], ORDER, 403, "foreign_origin"),
                (
                    &["POST /api/v1/kitchens/kitchen_1/drain HTTP/1.1", own, "origin: http://evil.example"],
                    "",
                    403,
                    "foreign_origin",
                ),
                // A form or a "simple" request is not JSON.
                (&[post, own, "content-type: text/plain"], ORDER, 415, "not_json"),
                (&[post, own, "content-type: application/x-www-form-urlencoded"], ORDER, 415, "not_json"),
                (&[post, own], ORDER, 415, "not_json"),
                (&[post, own, "content-type: application/json; charset=utf-16"], ORDER, 415, "not_json"),
                (&[post, own, JSON, "content-encoding: gzip"], ORDER, 415, "not_json"),
                (
                    &["POST /api/v1/rush HTTP/1.1", own, "content-type: text/plain"],
                    r#"{"rate":1,"for_s":1}"#,
                    415,
                    "not_json",
                ),
                // Ours are let in.
                (&[post, own, JSON], ORDER, 201, ""),
                (&[post, "host: localhost", "content-type: application/json; charset=utf-8"], ORDER, 201, ""),
                (&[post, "host: [::1]:8080", "Content-Type: Application/JSON"], ORDER, 201, ""),
                (
                    &[post, "host: 127.9.9.9", JSON, "sec-fetch-site: same-origin", "origin: http://127.0.0.1:1"],
                    ORDER,
                    403,
                    "foreign_origin",
                ),
                (&[post, own, JSON, "sec-fetch-site: same-origin", &own_origin], ORDER, 201, ""),
                (&["GET /api/v1/proof HTTP/1.1", own, "sec-fetch-site: none"], "", 200, ""),
                (&[&format!("GET {url}/api/v1/proof HTTP/1.1"), own], "", 200, ""),
                (&["POST /api/v1/kitchens/kitchen_1/cordon HTTP/1.1", own], "", 200, ""),
                (&["POST /api/v1/kitchens/kitchen_1/uncordon HTTP/1.1", own, "content-length: 0"], "", 200, ""),
            ],
        );
        for (path, sees) in [("feed", 101), ("link", 101)] {
            let line = format!("GET /api/v1/{path} HTTP/1.1");
            let upgrade = |extra: &[&str]| {
                let head: Vec<&str> = [line.as_str()].into_iter().chain(UPGRADE).chain(extra.iter().copied()).collect();
                let (status, answer) = ask(&url, &head, "");
                (status, code(&answer))
            };
            assert_eq!(upgrade(&[own, "origin: http://evil.example"]), (403, "foreign_origin".into()), "{id} {path}");
            assert_eq!(upgrade(&["host: evil.example"]), (403, "foreign_origin".into()), "{id} {path}");
            assert_eq!(upgrade(&[own]).0, sees, "{id} {path}");
        }
    }
    assert_eq!(city.leader().expect("somebody leads").0, leader, "the same all the time");
    assert_eq!(city.proof().await.accepted, 8, "what was let in, and nothing else");
}

#[tokio::test]
async fn a_name_of_the_operator_is_let_in() {
    let dir = running_city::fresh_dir("allowed");
    let mut balancer = std::process::Command::new(running_city::CHEF)
        .args([
            "balancer",
            "--listen",
            "127.0.0.1:0",
            "--allowed-hosts",
            "chef.example,kitchen.example:8443",
            "--data-dir",
        ])
        .arg(&dir)
        .args(["--die-with-parent"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("chef runs");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(balancer.stdout.take().expect("piped")), &mut line)
        .expect("a line");
    let url = line.trim().strip_prefix("ready ").expect("ready").to_owned();
    let get = "GET /api/v1/proof HTTP/1.1";
    expect(
        &url,
        &[
            (&[get, "host: chef.example"], "", 200, ""),
            (&[get, "host: CHEF.example:8443", "origin: https://chef.example:8443"], "", 200, ""),
            (&[get, "host: localhost", "origin: https://chef.example"], "", 200, ""),
            (&[get, "host: kitchen.example:8443"], "", 200, ""),
            (&[get, "host: kitchen.example"], "", 403, "foreign_origin"),
            (&[get, "host: a.chef.example"], "", 403, "foreign_origin"),
        ],
    );
    let _ = balancer.kill();
    let _ = balancer.wait();
    running_city::remove(&dir);
}

#[tokio::test]
async fn there_is_one_way_to_write_a_path() {
    let city = RunningCity::start("paths", &["--kitchens", "1", "--balancers", "2"]);
    for id in ["balancer_1", "balancer_2"] {
        let url = city.url_of(id);
        let host = "host: localhost";
        for path in [
            "/api/v1orders",
            "/api/v1//orders",
            "//api/v1/orders",
            "/api/v1/orders/",
            "/api/v1/orders//batch",
            "/api/v1/./orders",
            "/api/v1/kitchens/../orders",
            "/api/v1%2Forders",
            "/api/v1/%6Frders",
            "/api/v1/Orders",
            "/API/V1/orders",
            "/orders",
            "/api/v1/orders;v=1",
            "/api/v1/orders/o1/x",
        ] {
            let (status, answer) = ask(&url, &[&format!("POST {path} HTTP/1.1"), host, JSON], ORDER);
            assert_eq!((status, code(&answer).as_str()), (404, "not_found"), "{id} {path}: {answer}");
        }
        for path in ["/healthz/", "/readyz/", "/metrics/", "/", "/api/v1", "/api/v1/", "/api/v1/feed/", "/api/v1link"] {
            let (status, answer) = ask(&url, &[&format!("GET {path} HTTP/1.1"), host], "");
            assert_eq!((status, code(&answer).as_str()), (404, "not_found"), "{id} {path}: {answer}");
        }
        let (status, answer) = ask(&url, &["PUT /api/v1/orders HTTP/1.1", host, JSON], ORDER);
        assert_eq!((status, code(&answer).as_str()), (405, "method_not_allowed"), "{answer}");
        assert!(answer.to_lowercase().contains("allow: get, post\r\n"), "{answer}");
    }
    assert_eq!(city.proof().await.accepted, 0);
}

#[tokio::test]
async fn what_would_be_left_out_is_refused() {
    let city = RunningCity::start("ignored", &["--kitchens", "1", "--balancers", "2"]);
    let batch = format!(r#"{{"orders":[{ORDER}]}}"#);
    let keyed = ORDER.replace("\"zone\"", "\"key\":\"within\",\"zone\"");
    for id in ["balancer_1", "balancer_2"] {
        let url = city.url_of(id);
        let host = "host: localhost";
        let (post, many) = ("POST /api/v1/orders HTTP/1.1", "POST /api/v1/orders/batch HTTP/1.1");
        let cordon = "POST /api/v1/kitchens/kitchen_1/cordon HTTP/1.1";
        expect(
            &url,
            &[
                (&[many, host, JSON, "idempotency-key: k"], &batch, 400, "idempotency_key_on_batch"),
                (&[post, host, JSON, "idempotency-key: a", "idempotency-key: b"], ORDER, 400, "idempotency_key_twice"),
                (&[post, host, JSON, "idempotency-key: a", "idempotency-key: a"], ORDER, 400, "idempotency_key_twice"),
                (&[post, host, JSON, "idempotency-key: without"], &keyed, 400, "idempotency_key_twice"),
                (&[cordon, host, "idempotency-key: k"], "", 400, "idempotency_key_misplaced"),
                (&[cordon, host, "chef-operator: ada", "chef-operator: bob"], "", 422, "bad_header"),
                (&[cordon, host, "chef-reason: a", "chef-reason: b"], "", 422, "bad_header"),
                (&[cordon, host, JSON], r#"{"deadline_ms":5}"#, 400, "malformed_json"),
                (&["DELETE /api/v1/rush HTTP/1.1", host, JSON], r#"{"rate":5}"#, 400, "malformed_json"),
                (&["GET /api/v1/proof HTTP/1.1", host, JSON], "{}", 400, "unexpected_body"),
                (&["POST /api/v1/orders?dry_run=1 HTTP/1.1", host, JSON], ORDER, 422, "bad_query"),
                (&["GET /api/v1/kitchens?limit=5 HTTP/1.1", host], "", 422, "bad_query"),
                (&["GET /api/v1/orders?limit=1&limit=2 HTTP/1.1", host], "", 422, "bad_query"),
                (&["GET /api/v1/orders?state=queued&state=queued HTTP/1.1", host], "", 422, "bad_query"),
                (&["GET /api/v1/orders?limit=1001 HTTP/1.1", host], "", 422, "bad_query"),
                (&["GET /api/v1/orders?limit=0 HTTP/1.1", host], "", 422, "bad_query"),
                (&["GET /api/v1/orders?page=2 HTTP/1.1", host], "", 422, "bad_query"),
                (&["GET /api/v1/migrations?limit=3&limit=3 HTTP/1.1", host], "", 422, "bad_query"),
                (&["GET /api/v1/actions?before=3&before=4 HTTP/1.1", host], "", 422, "bad_query"),
                (&["GET /metrics?name=x HTTP/1.1", host], "", 422, "bad_query"),
                (&["GET /readyz?verbose=1 HTTP/1.1", host], "", 200, ""),
                (
                    &[post, host, JSON, "idempotency-key: same"],
                    &keyed.replace("within", "same"),
                    if id == "balancer_1" { 201 } else { 200 },
                    "",
                ),
            ],
        );
        // Two lengths, or a length and chunks: whatever the one reads, the next in the chain may read otherwise.
        let (status, _) = ask(&url, &[post, host, JSON, "content-length: 5", "content-length: 6"], "");
        assert_eq!(status, 400, "{id}: two lengths");
        let (status, answer) = ask(&url, &[post, host, JSON, "transfer-encoding: chunked"], "0\r\n\r\n");
        assert_eq!(status, 400, "{id}: a length and chunks: {answer}");
    }
    assert_eq!(city.proof().await.accepted, 1);
}

#[tokio::test]
async fn who_has_said_all_it_has_to_say_still_gets_its_answer() {
    let city = RunningCity::start("half-closed", &["--kitchens", "1"]);
    for n in 0..5 {
        let mut stream = TcpStream::connect(raw_http::address(&city.url)).expect("a connection");
        let head =
            format!("POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\n{JSON}\r\ncontent-length: {}", ORDER.len());
        stream.write_all(format!("{head}\r\n\r\n{ORDER}").as_bytes()).expect("sent");
        stream.shutdown(Shutdown::Write).expect("half closed");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer, then the end");
        assert!(answer.starts_with("HTTP/1.1 201 "), "{n}: {answer}");
    }
}

#[tokio::test]
async fn a_websocket_of_another_version_is_told_so() {
    let city = RunningCity::start("old-websocket", &["--kitchens", "1"]);
    let [upgrade, connection, version, key] = UPGRADE;
    let get = "GET /api/v1/feed HTTP/1.1";
    let host = "host: localhost";
    expect(
        &city.url,
        &[
            (&[get, host, upgrade, connection, key], "", 426, "upgrade_required"),
            (&[get, host, upgrade, connection, key, "sec-websocket-version: 8"], "", 426, "upgrade_required"),
            (&["GET /api/v1/feed HTTP/1.0", host, upgrade, connection, key, version], "", 426, "upgrade_required"),
        ],
    );
}
