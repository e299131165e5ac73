//! The balancer's end of an agent's connection: frames in, inputs out; messages in, frames out. Decides nothing.
//!
//! A connection is two tasks: one reads until the agent stops, one writes what the hub has let go. An agent that does not
//! say hello, says what cannot be read, or does not take what it is sent, is cut off.

use std::sync::Arc;
use std::time::Duration;

use balancer_core::Input;
use balancer_core::input::ConnectionId;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use protocol::link::{self, AgentMessage, BadFrame, BalancerMessage, Refusal};
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use crate::hub::Hub;

/// An agent says hello, and takes what it is sent, within this time.
const PATIENCE: Duration = Duration::from_secs(5);
/// An agent that says nothing at all for this long is gone; its heartbeats come three times a second.
const SILENCE_MAX: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Limits of every WebSocket here.
pub(crate) fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(link::FRAME_MAX))
        .max_frame_size(Some(link::FRAME_MAX))
        .read_buffer_size(16 * 1024)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(1024 * 1024)
}

/// Serves one agent until it leaves.
pub(crate) async fn serve(hub: Arc<Hub>, upgraded: Upgraded) {
    let io = TokioIo::new(upgraded);
    let socket: Socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(socket_config())).await;
    let (mut sink, mut stream) = socket.split();
    let Some(hello) = first_frame(&mut stream, &mut sink).await else { return };
    let (connection, wake) = hub.connect();
    hub.inputs(hello.into_iter().map(|message| Input::Agent { connection, message }));
    let mut writer = tokio::spawn(write(Arc::clone(&hub), connection, wake, sink));
    // The first to end ends both: a peer that is cut off must not hold its place by pinging.
    tokio::select! {
        () = read(&hub, connection, &mut stream) => {}
        _ = &mut writer => {}
    }
    hub.disconnect(connection);
    writer.abort();
}

async fn first_frame(
    stream: &mut SplitStream<Socket>,
    sink: &mut SplitSink<Socket, Message>,
) -> Option<Vec<AgentMessage>> {
    let Ok(Some(Ok(Message::Binary(frame)))) = tokio::time::timeout(PATIENCE, stream.next()).await else { return None };
    let refusal = match link::decode::<AgentMessage>(&frame) {
        Ok(messages) if matches!(messages.first(), Some(AgentMessage::Hello(_))) => return Some(messages),
        Ok(_) => Refusal::Hello("the first message must be a hello".into()),
        Err(BadFrame::Version(theirs)) => Refusal::Version { theirs, ours: link::VERSION },
        Err(error) => Refusal::Hello(error.to_string()),
    };
    tracing::warn!(%refusal, "an agent is refused");
    let frame = link::encode(&[BalancerMessage::Refused(refusal)]);
    // It is told if it listens; the connection ends in any case.
    let _ = tokio::time::timeout(PATIENCE, async {
        sink.send(Message::Binary(frame.into())).await?;
        sink.close().await
    })
    .await;
    None
}

async fn read(hub: &Hub, connection: ConnectionId, stream: &mut SplitStream<Socket>) {
    loop {
        match tokio::time::timeout(SILENCE_MAX, stream.next()).await {
            Ok(Some(Ok(Message::Binary(frame)))) => match link::decode::<AgentMessage>(&frame) {
                Ok(messages) => hub.inputs(messages.into_iter().map(|message| Input::Agent { connection, message })),
                Err(error) => return tracing::warn!(%error, "an agent's frame cannot be read: cutting it off"),
            },
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {}
            Ok(Some(Ok(Message::Text(_)))) => return tracing::warn!("an agent sent text: cutting it off"),
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return,
        }
    }
}

async fn write(hub: Arc<Hub>, connection: ConnectionId, wake: Arc<Notify>, mut sink: SplitSink<Socket, Message>) {
    loop {
        wake.notified().await;
        let (messages, closing) = hub.take_outbox(connection);
        for frame in link::frames(&messages) {
            let sent = tokio::time::timeout(PATIENCE, sink.send(Message::Binary(frame.into()))).await;
            if !matches!(sent, Ok(Ok(()))) {
                return hub.disconnect(connection);
            }
        }
        if closing {
            let _ = tokio::time::timeout(PATIENCE, sink.close()).await;
            return hub.disconnect(connection);
        }
    }
}
