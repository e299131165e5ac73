//! The live feed: one WebSocket, kept open across restarts, failovers and bad networks.
//!
//! Owns connecting, decoding and connecting again. Never interprets a frame.

use std::time::Duration;

use futures_util::StreamExt;
use protocol::api::PREFIX;
use protocol::feed::{Frame, KEEPALIVE_MS, Snapshot};
use protocol::text::clean;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::race::race;
use super::{CONNECT_TIMEOUT, Client, ClientError};
use crate::console::link::Signal;

/// The largest frame: the snapshot of 10,000 kitchens is about 3 MiB.
const FRAME_MAX: usize = 16 * 1024 * 1024;
/// A feed that says nothing for three keep-alives is gone, whatever its socket says.
const SILENCE_MAX: Duration = Duration::from_millis(3 * KEEPALIVE_MS);
/// For a connection and its first frame; the largest takes a moment to make.
const OPEN: Duration = Duration::from_secs(5);
/// The pause before a new try is drawn between these: soon enough to see a failover of 3 s, and spread over consoles.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(3);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One connection to the feed.
pub struct Feed {
    socket: Socket,
}

/// A feed, and what it began with.
pub struct Opened {
    /// The connection.
    pub feed: Feed,
    /// Whose it is.
    pub url: String,
    /// The first frame, as it was sent.
    pub text: String,
    /// The same, decoded.
    pub frame: Box<Frame>,
}

impl Feed {
    /// Connects to whichever balancer sends a first frame first; the one that answered last has a head start.
    ///
    /// # Errors
    /// Nobody did; the cause, in words.
    pub async fn open(client: &Client) -> Result<Opened, String> {
        let tries = client.urls().into_iter().map(|url| async {
            let mut feed = Self::connect(&url).await?;
            let text = feed.next_text().await?;
            let frame = decode(&text)?;
            Ok::<_, String>(Opened { feed, url, text, frame })
        });
        let opened = race(tries, OPEN).await.map_err(|why| why.unwrap_or_else(|| "no answer in time".into()))?;
        client.prefer(&opened.url);
        client.learn(opened.frame.balancers.iter().flatten());
        Ok(opened)
    }

    /// Connects to the balancer at `url`.
    ///
    /// # Errors
    /// The cause, in words.
    pub async fn connect(url: &str) -> Result<Self, String> {
        let address = format!("{}{PREFIX}/feed", url.replacen("http://", "ws://", 1));
        let request = address.into_client_request().map_err(|error| error.to_string())?;
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_MAX)).max_frame_size(Some(FRAME_MAX));
        let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
        match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok((socket, _))) => Ok(Self { socket }),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err("no answer in time".into()),
        }
    }

    /// The next frame as it was sent.
    ///
    /// # Errors
    /// The connection is over; the cause, in words.
    pub async fn next_text(&mut self) -> Result<String, String> {
        loop {
            let message = timeout(SILENCE_MAX, self.socket.next()).await.map_err(|_| silence())?;
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Err("the balancer closed the feed".into()),
                Some(Err(error)) => return Err(words(&error)),
            }
        }
    }

    /// The next frame.
    ///
    /// # Errors
    /// As [`Feed::next_text`], or the frame cannot be read.
    pub async fn next(&mut self) -> Result<Box<Frame>, String> {
        decode(&self.next_text().await?)
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_millis(200), self.socket.close(None)).await;
    }
}

/// Reads one frame.
///
/// # Errors
/// It is none: this program and the balancer are of different versions.
pub fn decode(text: &str) -> Result<Box<Frame>, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("a frame cannot be read ({error}); are `chef` and the balancer of one version?"))
}

fn silence() -> String {
    format!("silent for {} s", SILENCE_MAX.as_secs())
}

fn words(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::Http(answer) => format!("HTTP status {}", answer.status().as_u16()),
        other => clean(&other.to_string(), 120),
    }
}

/// What the city is made of, from the first frame of whichever balancer answers.
///
/// # Errors
/// Nobody answered.
pub async fn snapshot(client: &Client) -> Result<Snapshot, ClientError> {
    let unreachable = |why| ClientError::Unreachable { urls: client.urls(), why };
    let Opened { feed, frame, .. } = Feed::open(client).await.map_err(unreachable)?;
    feed.close().await;
    frame.snapshot.map(|snapshot| *snapshot).ok_or_else(|| unreachable("the first frame has no snapshot".into()))
}

/// Follows the feed until the receiver is gone: frames, losses and new tries become signals.
pub async fn follow(client: Client, signals: mpsc::Sender<Signal>) {
    let mut tries = 0;
    loop {
        let url = client.urls().swap_remove(0);
        if signals.send(Signal::Connecting { url: url.clone() }).await.is_err() {
            return;
        }
        let opened = tokio::select! {
            opened = Feed::open(&client) => opened,
            () = signals.closed() => return,
        };
        tries = if opened.is_ok() { 0 } else { tries + 1 };
        let why = match opened {
            Ok(opened) => match follow_one(&client, &url, opened, &signals).await {
                Some(why) => why,
                None => return,
            },
            Err(why) => why,
        };
        let retry_in = retry_pause(tries, fastrand::f64());
        if signals.send(Signal::Lost { why, retry_in }).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(retry_in) => {}
            () = signals.closed() => return,
        }
    }
}

/// Why the connection ended; none if nobody listens any more.
async fn follow_one(client: &Client, tried: &str, opened: Opened, signals: &mpsc::Sender<Signal>) -> Option<String> {
    let Opened { mut feed, url, frame, .. } = opened;
    if url != tried {
        signals.send(Signal::Connecting { url }).await.ok()?;
    }
    signals.send(Signal::Frame(frame)).await.ok()?;
    loop {
        let next = tokio::select! {
            next = feed.next() => next,
            () = signals.closed() => {
                feed.close().await;
                return None;
            }
        };
        match next {
            Ok(frame) => {
                client.learn(frame.balancers.iter().flatten());
                signals.send(Signal::Frame(frame)).await.ok()?;
            }
            Err(why) => return Some(why),
        }
    }
}

/// All balancers are tried at each turn; the pauses between grow.
fn retry_pause(tries: usize, drawn: f64) -> Duration {
    let rounds = u32::try_from(tries / 2).unwrap_or(u32::MAX).min(8);
    let most = RETRY_MIN.saturating_mul(1 << (rounds + 1)).min(RETRY_MAX);
    RETRY_MIN + (most - RETRY_MIN).mul_f64(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_their_bounds() {
        for tries in 0..100 {
            for drawn in [0.0, 0.5, 1.0] {
                let pause = retry_pause(tries, drawn);
                assert!((RETRY_MIN..=RETRY_MAX).contains(&pause), "{tries} {pause:?}");
            }
        }
        assert!(retry_pause(0, 1.0) < retry_pause(9, 1.0));
    }

    #[test]
    fn rubbish_is_refused_with_a_hint() {
        assert!(decode("{}").expect_err("no frame").contains("one version"));
    }

    #[tokio::test]
    async fn a_feed_that_is_not_there_is_lost_and_tried_again_until_nobody_listens() {
        let client = Client::new(vec!["http://127.0.0.1:1".into()], None).expect("a URL");
        let (sender, mut signals) = mpsc::channel(8);
        let task = tokio::spawn(follow(client, sender));
        assert!(matches!(signals.recv().await, Some(Signal::Connecting { .. })));
        assert!(matches!(signals.recv().await, Some(Signal::Lost { .. })));
        assert!(matches!(signals.recv().await, Some(Signal::Connecting { .. })));
        drop(signals);
        timeout(Duration::from_secs(2), task).await.expect("ends by itself").expect("no panic");
    }
}
