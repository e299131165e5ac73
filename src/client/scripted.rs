//! A balancer for tests that answers what it was told to, one connection after the other, and keeps what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a request.
pub(super) enum Line {
    /// Status, further headers, body.
    Answer(u16, &'static str, String),
    /// The request is read and the connection ends.
    HangUp,
    /// The process is frozen: this request is read, connections are accepted, and nothing is ever said again.
    Freeze,
}

/// Answers its lines in sequence, then refuses connections; a probe is answered between them and is no line.
pub(super) struct Scripted {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(super) async fn new(lines: Vec<Line>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("bound");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let keep = asked.clone();
        tokio::spawn(async move {
            for line in lines {
                let mut stream = next(&listener, &keep).await;
                match line {
                    Line::Answer(status, headers, body) => answer(&mut stream, status, headers, &body).await,
                    Line::HangUp => {}
                    Line::Freeze => {
                        let mut held = vec![stream];
                        while let Ok((stream, _)) = listener.accept().await {
                            held.push(stream);
                        }
                    }
                }
            }
        });
        Self { url: format!("http://{address}"), asked }
    }

    /// The requests so far: head and body, in lower case.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

/// The next connection with a request that is no probe.
async fn next(listener: &TcpListener, keep: &Mutex<Vec<String>>) -> TcpStream {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let request = read(&mut stream).await;
        if !request.starts_with("get /readyz ") {
            keep.lock().expect("no panic").push(request);
            return stream;
        }
        answer(&mut stream, 200, "", "leading").await;
    }
}

async fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    let _ = stream.write_all(text.as_bytes()).await; // a racer may have left
}

/// Reads a head and as much body as it announces.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if count == 0 {
                return text;
            }
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if body.len() >= length || count == 0 {
            return text;
        }
    }
}
