//! `chef watch`: the feed on standard output, a line for each notable event, or each frame as JSON.
//!
//! Owns the line's shape. A reader that stalls holds up neither a signal nor `--for`. Losses and new connections go to standard error, so that standard output stays pure.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use protocol::feed::{FeedEvent, Frame, Tone};
use protocol::text::clean;

use super::args::{Reach, duration};
use super::failure::Failure;
use super::local::Stop;
use crate::client::{Client, ClientError, feed};
use crate::pipes::Out;

/// Between two tries to connect.
const RETRY: Duration = Duration::from_millis(500);

/// `chef watch`.
#[derive(Debug, Clone, Args)]
pub struct Watch {
    /// Each frame as one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Stop after this time
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub lasting: Option<Duration>,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl Watch {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let client = self.reach.client()?;
        let mut stop = Stop::new()?;
        let lasting = self.lasting.unwrap_or(Duration::MAX);
        let out = Out::stdout();
        let outcome = tokio::select! {
            failure = follow(&client, self.json, &out) => failure,
            () = tokio::time::sleep(lasting) => Ok(()),
            () = stop.wait() => Ok(()),
        };
        out.finish().await;
        outcome
    }
}

/// The first connection must succeed; later ones are tried for ever.
async fn follow(client: &Client, json: bool, out: &Out) -> Result<(), Failure> {
    let mut connected_once = false;
    loop {
        match feed::Feed::open(client).await {
            Ok(opened) => {
                connected_once = true;
                let url = opened.url.clone();
                let Some(why) = copy(opened, json, out).await? else { return Ok(()) };
                let _ = writeln!(std::io::stderr(), "lost {url}: {why}");
            }
            Err(why) if !connected_once => {
                return Err(ClientError::Unreachable { urls: client.urls(), why }.into());
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Prints frames until the connection ends, and says why it did; nothing if nobody reads any more.
async fn copy(opened: feed::Opened, json: bool, out: &Out) -> Result<Option<String>, Failure> {
    let (mut feed, mut text) = (opened.feed, opened.text);
    loop {
        let shown = if json {
            format!("{}\n", text.trim_end())
        } else {
            feed::decode(&text).map(|frame| lines(&frame)).map_err(Failure::failed)?
        };
        if !shown.is_empty() && out.send(shown).await.is_err() {
            return Ok(None);
        }
        text = match feed.next_text().await {
            Ok(text) => text,
            Err(why) => return Ok(Some(why)),
        };
    }
}

fn lines(frame: &Frame) -> String {
    let mut text: String = frame.events.iter().map(line).collect();
    if frame.dropped > 0 {
        text.push_str(&format!("{}  ({} more events)\n", frame.at.clock(), frame.dropped));
    }
    text
}

fn line(event: &FeedEvent) -> String {
    let mark = match event.tone {
        Tone::Info => ' ',
        Tone::Good => '+',
        Tone::Warn => '!',
        Tone::Bad => 'X',
    };
    let times = if event.count > 1 { format!(" x{}", event.count) } else { String::new() };
    let (kind, subject, rest) = (clean(&event.kind, 30), clean(&event.subject, 40), clean(&event.text, 200));
    format!("{} {mark} {kind:<20} {subject:<12} {rest}{times}\n", event.at.clock())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Position, WallTime};

    #[test]
    fn an_event_is_one_line_without_hidden_characters() {
        let event = FeedEvent {
            position: Position(1),
            at: WallTime(1_000),
            kind: "kitchen_lost".into(),
            tone: Tone::Bad,
            subject: "kitchen_2".into(),
            text: "silent\u{1b}[2J\n".into(),
            count: 3,
        };
        assert_eq!(line(&event), "00:00:01.000 X kitchen_lost         kitchen_2    silent␛[2J␛ x3\n");
    }
}
