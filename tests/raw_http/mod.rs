//! HTTP as bytes on a socket, for what no well-behaved client sends.

#![allow(dead_code, reason = "each test uses its own part")]
#![allow(missing_docs, reason = "the names say it")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer comes within this time, whatever the machine does.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A connection to the balancer at `url`.
pub fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(address(url)).expect("it listens");
    stream.set_read_timeout(Some(ANSWER_MAX)).expect("a socket option");
    stream
}

/// `127.0.0.1:8080` of `http://127.0.0.1:8080`.
pub fn address(url: &str) -> &str {
    url.strip_prefix("http://").expect("a URL")
}

/// Sends the head (lines without their ends; `connection: close` is added) and the body; the answer's status and text.
pub fn ask(url: &str, head: &[&str], body: &str) -> (u16, String) {
    let mut stream = connect(url);
    let mut request = head.join("\r\n");
    if !body.is_empty() {
        request.push_str(&format!("\r\ncontent-length: {}", body.len()));
    }
    request.push_str("\r\nconnection: close\r\n\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    // An upgraded connection stays open: its head is enough.
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
        }
        if answer.starts_with(b"HTTP/1.1 101") {
            break;
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer to {head:?}: {text:?}")), text)
}

/// The stable code of a problem; empty when it is none.
pub fn code(answer: &str) -> String {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}
