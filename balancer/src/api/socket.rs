//! A client's connection, and for how long it may make this process wait.
//!
//! Owns the three times below. Never reads a request: who serves says in which phase the connection is.
//!
//! | phase | what is waited for | at most |
//! |---|---|---|
//! | head | the whole head, from the connection or from its first byte on | [`HEAD_TIMEOUT`] |
//! | serving | nothing here: a body has a time of its own | |
//! | idle | the next request; pooled clients give connections up after 60 to 90 s | [`IDLE_TIMEOUT`] |
//! | open | nothing: it is a WebSocket now, which has signs of life of its own | |
//! | any | that the peer takes a byte of what is written | [`WRITE_TIMEOUT`] |

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The whole head of a request comes within this time.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that asks nothing is kept for so long.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// A peer that takes no byte of its answer for so long is gone: what it has not taken is memory of this process.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer of at most so many bytes is written in one piece: a head and a receipt are copied in less time than the system
/// needs to gather them.
const SHORT: usize = 1024;

const HEAD: u8 = 0;
const SERVING: u8 = 1;
const IDLE: u8 = 2;
const OPEN: u8 = 3;
/// Of a wait that is over: the next one begins when it is looked at.
const OVER: u8 = 4;

/// What a connection is waiting for; shared by its socket and whoever serves its requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// The head of a request has come.
    pub(super) fn serving(&self) {
        self.0.store(SERVING, Relaxed);
    }

    /// Its answer is ready.
    pub(super) fn answered(&self) {
        self.0.store(IDLE, Relaxed);
    }

    /// From now on it is a WebSocket.
    pub(super) fn opened(&self) {
        self.0.store(OPEN, Relaxed);
    }

    fn now(&self) -> u8 {
        self.0.load(Relaxed)
    }
}

/// A time that is looked at only when there is nothing else to do: re-armed when it fires, not with each request.
#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether it is `at`; if not, whoever polls is woken then or earlier.
    fn has_come(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= at {
                return true;
            }
            sleep.as_mut().reset(at);
        }
        false
    }
}

/// A connection with those times.
#[derive(Debug)]
pub(super) struct Socket<T> {
    stream: T,
    phase: Phase,
    /// The phase in which it last had to wait, and since when.
    waits: (u8, Instant),
    reading: Alarm,
    /// Since when the peer has taken nothing.
    stuck: Option<Instant>,
    writing: Alarm,
}

impl<T> Socket<T> {
    /// One that has just been accepted.
    pub(super) fn new(stream: T, phase: Phase) -> Self {
        let waits = (HEAD, Instant::now());
        Self { stream, phase, waits, reading: Alarm::default(), stuck: None, writing: Alarm::default() }
    }

    /// There is nothing to read: whether that is so for too long.
    fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        let phase = self.phase.now();
        let limit = match phase {
            HEAD => HEAD_TIMEOUT,
            IDLE => IDLE_TIMEOUT,
            _ => {
                self.waits.0 = phase;
                return false;
            }
        };
        if phase != self.waits.0 {
            self.waits = (phase, Instant::now());
        }
        self.reading.has_come(self.waits.1 + limit, cx)
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let since = *self.stuck.get_or_insert_with(Instant::now);
        if self.writing.has_come(since + WRITE_TIMEOUT, cx) { Poll::Ready(Err(timed_out())) } else { Poll::Pending }
    }
}

/// The pieces as one, if they are short.
fn join<'a>(pieces: &[IoSlice<'_>], room: &'a mut [u8; SHORT]) -> Option<&'a [u8]> {
    let mut end = 0;
    for piece in pieces {
        room.get_mut(end..end + piece.len())?.copy_from_slice(piece);
        end += piece.len();
    }
    Some(&room[..end])
}

fn timed_out() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() {
            return if self.is_silent(cx) { Poll::Ready(Err(timed_out())) } else { Poll::Pending };
        }
        if buf.filled().len() > before && self.phase.now() == IDLE {
            // The first byte of the next head.
            self.phase.0.store(HEAD, Relaxed);
            self.waits.0 = OVER;
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut short = [0; SHORT];
        let written = match join(bufs, &mut short) {
            Some(joined) => Pin::new(&mut self.stream).poll_write(cx, joined),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        };
        self.wrote(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    fn connection() -> (DuplexStream, Socket<DuplexStream>, Phase) {
        let (client, server) = duplex(64);
        let phase = Phase::default();
        (client, Socket::new(server, phase.clone()), phase)
    }

    async fn ends_after(socket: &mut Socket<DuplexStream>, limit: Duration) {
        let mut byte = [0];
        assert!(timeout(limit - TICK, socket.read(&mut byte)).await.is_err(), "it is waited for");
        let read = timeout(2 * TICK, socket.read(&mut byte)).await.expect("and no longer");
        assert_eq!(read.expect_err("nothing came").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_five_seconds_from_the_connection_on_however_it_trickles() {
        let (mut client, mut socket, _) = connection();
        let began = Instant::now();
        let mut byte = [0];
        for _ in 0..4 {
            client.write_all(b"G").await.expect("room");
            assert_eq!(socket.read(&mut byte).await.expect("a byte"), 1);
            let _ = timeout(Duration::from_secs(1), socket.read(&mut byte)).await;
        }
        let read = timeout(Duration::from_secs(9), socket.read(&mut byte)).await.expect("it ends");
        assert!(read.is_err() && began.elapsed() <= HEAD_TIMEOUT + TICK, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_idle_for_75_seconds_and_its_next_head_again_has_five() {
        let (mut client, mut socket, phase) = connection();
        for _ in 0..3 {
            client.write_all(b"G").await.expect("room");
            assert_eq!(socket.read(&mut [0]).await.expect("a byte"), 1);
            phase.serving();
            assert!(timeout(Duration::from_secs(600), socket.read(&mut [0])).await.is_err(), "its own affair");
            phase.answered();
            assert!(timeout(Duration::from_secs(70), socket.read(&mut [0])).await.is_err(), "kept");
        }
        client.write_all(b"G").await.expect("room");
        assert_eq!(socket.read(&mut [0]).await.expect("a byte"), 1);
        ends_after(&mut socket, HEAD_TIMEOUT).await;
        let (_client, mut socket, phase) = connection();
        phase.answered();
        ends_after(&mut socket, IDLE_TIMEOUT).await;
    }

    #[test]
    fn short_pieces_are_one_and_long_ones_stay_apart() {
        let (head, body, long) = (IoSlice::new(b"head "), IoSlice::new(b"body"), IoSlice::new(&[7; SHORT - 4]));
        let mut room = [0; SHORT];
        assert_eq!(join(&[head, body], &mut room), Some(&b"head body"[..]));
        assert_eq!(join(&[body, long], &mut room).map(<[u8]>::len), Some(SHORT));
        assert_eq!(join(&[head, long], &mut room), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_answered_at_once_begins_a_new_wait() {
        let (mut client, mut socket, phase) = connection();
        phase.answered();
        for _ in 0..3 {
            assert!(timeout(Duration::from_secs(70), socket.read(&mut [0])).await.is_err(), "kept");
            client.write_all(b"G").await.expect("room");
            assert_eq!(socket.read(&mut [0]).await.expect("a byte"), 1);
            phase.serving();
            phase.answered();
        }
        ends_after(&mut socket, IDLE_TIMEOUT).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_websocket_may_be_silent() {
        let (_client, mut socket, phase) = connection();
        phase.opened();
        assert!(timeout(Duration::from_secs(3_600), socket.read(&mut [0])).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up_and_one_that_takes_a_little_is_not() {
        let (mut client, mut socket, _) = connection();
        let writing = tokio::spawn(async move { socket.write_all(&[7; 1_000]).await });
        for _ in 0..8 {
            sleep(WRITE_TIMEOUT - Duration::from_secs(1)).await;
            client.read_exact(&mut [0; 32]).await.expect("bytes");
        }
        assert!(!writing.is_finished());
        let began = Instant::now();
        let written = writing.await.expect("no panic");
        assert_eq!(written.expect_err("it stopped reading").kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() <= WRITE_TIMEOUT + TICK, "{:?}", began.elapsed());
    }
}
