//! One connection: from the TCP handshake to its end, for whatever reason it ends.
//!
//! Owns the socket. Reading and writing go on side by side, so that two full buffers cannot wait for each other. Never
//! interprets more than it must to notice a half-open link: welcomes, renewals and refusals.

use std::io;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use protocol::link::{AgentMessage, BadFrame, BalancerMessage, FRAME_MAX, Refusal, Timing, VERSION, decode, frames};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Event;
use super::patience::End;
use crate::address::Address;

/// For the whole handshake: a frozen balancer's kernel still accepts connections, but nobody answers on them.
const CONNECT: Duration = Duration::from_secs(2);
/// What may wait for the socket, in bytes; beyond it writing waits, and the queue behind it fills.
const WRITE_BUFFER_MAX: usize = 1024 * 1024;

type Socket = WebSocketStream<TcpStream>;

/// How a connection ended.
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) why: Why,
}

/// Why there is no connection (any more).
#[derive(Debug, thiserror::Error)]
pub(super) enum Why {
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    #[error("no answer within {} s", CONNECT.as_secs())]
    Slow,
    #[error("{0}")]
    Socket(#[from] tungstenite::Error),
    #[error("no heartbeat was answered for {} ms", .0.as_millis())]
    Silent(Duration),
    #[error("{0}")]
    Frame(#[from] BadFrame),
    #[error("closed by the balancer")]
    Closed,
    #[error("closed by this kitchen")]
    Done,
}

pub(super) async fn open(address: &Address) -> Result<Socket, Why> {
    let config = WebSocketConfig::default()
        .read_buffer_size(FRAME_MAX)
        .write_buffer_size(FRAME_MAX)
        .max_write_buffer_size(WRITE_BUFFER_MAX)
        .max_message_size(Some(FRAME_MAX))
        .max_frame_size(Some(FRAME_MAX));
    let connecting = async {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = client_async_with_config(address.link.as_str(), stream, Some(config)).await?;
        Ok(socket)
    };
    tokio::time::timeout(CONNECT, connecting).await.unwrap_or(Err(Why::Slow))
}

pub(super) async fn run(
    socket: Socket,
    outgoing: mpsc::Receiver<Vec<AgentMessage>>,
    events: &mpsc::Sender<Event>,
) -> Ended {
    let (sink, stream) = socket.split();
    let mut reader = Reader::new(stream);
    let why = tokio::select! {
        why = reader.read(events) => why,
        why = write(sink, outgoing) => why,
    };
    Ended { end: reader.end, why }
}

/// Writes what is queued; all that waits goes out together.
async fn write(mut sink: SplitSink<Socket, Message>, mut outgoing: mpsc::Receiver<Vec<AgentMessage>>) -> Why {
    let mut turns = Vec::new();
    while outgoing.recv_many(&mut turns, super::OUTGOING_TURNS).await > 0 {
        let messages: Vec<AgentMessage> = turns.drain(..).flatten().collect();
        for frame in frames(&messages) {
            if let Err(error) = sink.feed(Message::binary(frame)).await {
                return error.into();
            }
        }
        if let Err(error) = sink.flush().await {
            return error.into();
        }
    }
    match sink.close().await {
        Ok(()) => Why::Done,
        Err(error) => error.into(),
    }
}

struct Reader {
    stream: SplitStream<Socket>,
    /// As far as it has come.
    end: End,
    /// When a heartbeat was last answered.
    answered: Instant,
    silence: Duration,
}

impl Reader {
    fn new(stream: SplitStream<Socket>) -> Self {
        Self { stream, end: End::Failed, answered: Instant::now(), silence: silence(&Timing::DEFAULT) }
    }

    async fn read(&mut self, events: &mpsc::Sender<Event>) -> Why {
        loop {
            let message = match tokio::time::timeout_at(self.answered + self.silence, self.stream.next()).await {
                Err(_) => return Why::Silent(self.silence),
                Ok(None) => return Why::Closed,
                Ok(Some(Err(error))) => return error.into(),
                Ok(Some(Ok(message))) => message,
            };
            let frame = match message {
                Message::Binary(frame) => frame,
                Message::Close(_) => return Why::Closed,
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            let (messages, bad) = match decode::<BalancerMessage>(&frame) {
                Ok(messages) => (messages, None),
                // Another release than ours: said in the words of a refusal, because trying again is no use.
                Err(BadFrame::Version(ours)) => (vec![version(ours)], Some(BadFrame::Version(ours))),
                Err(bad) => return bad.into(),
            };
            messages.iter().for_each(|message| self.note(message));
            if events.send(Event::Heard(messages)).await.is_err() {
                return Why::Done;
            }
            if let Some(bad) = bad {
                return bad.into();
            }
        }
    }

    fn note(&mut self, message: &BalancerMessage) {
        match message {
            BalancerMessage::Welcome(welcome) => {
                self.end = End::Welcomed;
                self.answered = Instant::now();
                self.silence = silence(&welcome.timing);
            }
            BalancerMessage::Renewed { .. } => self.answered = Instant::now(),
            BalancerMessage::Refused(refusal) => {
                self.end = match refusal {
                    Refusal::Alive { .. } => End::InUse,
                    Refusal::NotLeader => End::SentOn,
                    Refusal::Full(_) | Refusal::Version { .. } | Refusal::Hello(_) => End::Failed,
                };
            }
            BalancerMessage::Cook { .. }
            | BalancerMessage::Release(_)
            | BalancerMessage::Stop(_)
            | BalancerMessage::Settled { .. }
            | BalancerMessage::Reserve { .. }
            | BalancerMessage::Unreserve { .. }
            | BalancerMessage::Handover { .. }
            | BalancerMessage::Resume(_) => {}
        }
    }
}

/// How long no heartbeat may be answered before the link counts as half open: by then everything is fenced anyway.
fn silence(timing: &Timing) -> Duration {
    Duration::from_millis(u64::from(timing.fence_ms)) * 2
}

fn version(ours: u8) -> BalancerMessage {
    BalancerMessage::Refused(Refusal::Version { theirs: VERSION, ours })
}
