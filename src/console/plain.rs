//! `--plain` and `--json`: a line for each notable event, no escape byte, commands on standard input.
//!
//! For scripts, screen readers and terminals that can do nothing. A line is `12:41:07 kitchen_lost kitchen_3 text`, or an
//! object with the same; every ten seconds in which something happened a line sums up. Commands are in [`words`]; each is
//! answered by a line that repeats it.
//!
//! - The end of the commands is not the end of the lines; `quit` is, after the last answer, and that nobody reads them.
//! - A lost link is said and tried again. That nobody was there from the beginning is the caller's to find out.

mod words;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use protocol::feed::{Frame, Tone};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender};

use self::words::{Word, read};
use super::app::city::City;
use super::app::events::{Body, Line};
use super::link::{Answer, Sent, Signal};
use super::signals::{self, Signals, Told};
use super::tape::{Recorder, Said};
use super::untrusted::Untrusted;
use super::view::text::{ms, rate, thousands};
use crate::pipes::{self, Out};

/// Between two lines that sum up.
const SUM_UP: Duration = Duration::from_secs(10);
/// Commands without an answer that are remembered; more are refused.
const PENDING: usize = 256;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// For people.
    Text,
    /// An object each.
    Json,
}

/// Turns signals and commands into lines.
#[derive(Debug)]
pub struct Plain {
    shape: Shape,
    read_only: bool,
    city: City,
    said: u64,
    linked: bool,
    /// There was a link, or a try, and it failed; before the first one a command may go out.
    lost: bool,
    leaving: bool,
    summed: Duration,
    seen: u64,
    asked: HashMap<u64, String>,
    next: u64,
}

/// What a command leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// A line.
    Say(String),
    /// A request.
    Send(Sent),
    /// The end.
    Quit,
    /// Nothing.
    Nothing,
}

impl Plain {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(shape: Shape, read_only: bool) -> Self {
        let (city, asked) = (City::default(), HashMap::new());
        Self {
            shape,
            read_only,
            city,
            said: 0,
            linked: false,
            lost: false,
            leaving: false,
            summed: Duration::ZERO,
            seen: 0,
            asked,
            next: 0,
        }
    }

    /// The lines a signal leads to.
    pub fn take(&mut self, signal: &Signal, now: Duration) -> Vec<String> {
        match signal {
            Signal::Frame(frame) => self.frame(frame, now),
            Signal::Lost { why, retry_in } => {
                (self.linked, self.lost) = (false, true);
                let why = clean(why);
                let retry_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX);
                let text = format!("link lost: {why}, retry in {}", ms(retry_ms));
                vec![self.line(text, || json!({"type": "link", "state": "lost", "why": why, "retry_ms": retry_ms}))]
            }
            Signal::Connecting { url } => {
                let url = clean(url);
                let text = format!("connecting to {url}");
                vec![self.line(text, || json!({"type": "link", "state": "connecting", "url": url}))]
            }
            Signal::Answer { request, outcome } => self.answer(*request, outcome),
        }
    }

    fn answer(&mut self, request: u64, outcome: &Result<Answer, String>) -> Vec<String> {
        let Some(command) = self.asked.remove(&request) else { return Vec::new() };
        match outcome {
            Ok(Answer::Done(text)) => vec![self.reply(&command, true, text)],
            Ok(Answer::Placed { receipt, .. }) => {
                vec![self.reply(&command, true, &format!("{} is placed", receipt.id))]
            }
            Ok(_) => vec![self.reply(&command, true, "done")],
            Err(why) => vec![self.reply(&command, false, why)],
        }
    }

    fn reply(&self, command: &str, ok: bool, text: &str) -> String {
        let (command, text) = (clean(command), clean(text));
        let shown = format!("{} {command}: {text}", if ok { "done:" } else { "refused:" });
        self.line(shown, || json!({"type": "answer", "command": command, "ok": ok, "text": text}))
    }

    /// What a line of standard input leads to.
    pub fn command(&mut self, line: &str) -> Done {
        let line = line.trim();
        let request = match read(line) {
            Ok(Word::Nothing) => return Done::Nothing,
            Ok(Word::Quit) => {
                self.leaving = true;
                return if self.asked.is_empty() { Done::Quit } else { Done::Nothing };
            }
            Ok(Word::Help) => {
                return Done::Say(self.line(words::HELP.to_owned(), || json!({"type": "help", "text": words::HELP})));
            }
            Ok(Word::Ask(request)) => request,
            Err(why) => return Done::Say(self.reply(line, false, &why)),
        };
        if self.read_only && request.is_change() {
            return Done::Say(self.reply(line, false, "read-only"));
        }
        if self.lost || self.asked.len() >= PENDING {
            let why = if self.lost { "no link" } else { "too many without an answer" };
            return Done::Say(self.reply(line, false, why));
        }
        self.next += 1;
        self.asked.insert(self.next, line.to_owned());
        Done::Send(Sent { id: self.next, request, reason: None })
    }

    /// A request that could not even be queued.
    fn unsent(&mut self, sent: &Sent) -> String {
        let command = self.asked.remove(&sent.id).unwrap_or_default();
        self.reply(&command, false, "the link is busy or gone")
    }

    fn frame(&mut self, frame: &Frame, now: Duration) -> Vec<String> {
        self.city.apply(frame, now);
        let mut lines = Vec::new();
        if !self.linked && self.city.known {
            (self.linked, self.lost) = (true, false);
            lines.push(self.picture("live"));
        }
        let fresh = self.city.events.added - self.said;
        self.said = self.city.events.added;
        let new: Vec<&Line> = self.city.events.newest().take(usize::try_from(fresh).unwrap_or(0)).collect();
        lines.extend(new.into_iter().rev().filter_map(|line| self.event(line)));
        if now.saturating_sub(self.summed) >= SUM_UP {
            self.summed = now;
            if self.city.events.seen > self.seen {
                lines.push(self.picture("now"));
            }
            self.seen = self.city.events.seen;
        }
        lines
    }

    fn event(&self, line: &Line) -> Option<String> {
        let Body::Event { kind, subject, text, position } = &line.body else { return None };
        let times = if line.count > 1 { format!(" x{}", thousands(line.count)) } else { String::new() };
        let (kind, subject, text) = (kind.fit(24), subject.fit(40), text.fit(160));
        let shown = format!("{} {kind} {subject} {text}{times}", &line.at.clock()[..8]);
        Some(self.line(shown, || {
            json!({"type": "event", "at": line.at, "kind": kind, "subject": subject, "text": text, "count": line.count,
                "tone": tone(line.tone), "position": position})
        }))
    }

    fn picture(&self, word: &str) -> String {
        let (city, health) = (&self.city, self.city.health);
        let flow = city.kpi().map_or_else(String::new, |kpi| format!(", {} orders/s", rate(kpi.accepted_per_s)));
        let proof = city.proof.map_or_else(String::new, |proof| {
            format!(
                ", accepted {} = completed {} + cancelled {} + dead-lettered {} + open {}, lost {}, twice {}",
                proof.accepted,
                proof.completed,
                proof.cancelled,
                proof.dead_lettered,
                proof.open,
                proof.lost,
                proof.twice
            )
        });
        let kitchens =
            format!("{} alive, {} hot, {} suspected, {} dead", health.alive, city.hot, health.suspected, health.dead);
        let name = city.name.fit(30);
        let text = format!("{} {word} {name}: {kitchens}{flow}{proof}", &city.at.clock()[..8]);
        self.line(text, || {
            json!({"type": "picture", "at": city.at, "city": name, "alive": health.alive, "hot": city.hot,
                "suspected": health.suspected, "dead": health.dead, "proof": city.proof,
                "accepted_per_s": city.kpi().map(|kpi| kpi.accepted_per_s)})
        })
    }

    fn line(&self, text: String, value: impl FnOnce() -> Value) -> String {
        match self.shape {
            Shape::Text => text,
            Shape::Json => value().to_string(),
        }
    }
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Info => "info",
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
    }
}

fn clean(text: &str) -> String {
    Untrusted::new(text).fit(200)
}

/// Runs until `quit`, a signal to leave, or nobody reads the lines any more. The end of the commands is not the end.
pub(super) async fn run(
    plain: Plain,
    recorder: Option<Recorder>,
    signals: Receiver<Signal>,
    requests: Sender<Sent>,
) -> color_eyre::Result<()> {
    let mut told = Signals::new()?;
    let out = Out::stdout();
    {
        let work = work(plain, recorder, signals, requests, &out);
        tokio::pin!(work);
        loop {
            tokio::select! {
                () = &mut work => break,
                told = told.next() => match told {
                    Told::Quit => break,
                    Told::Stop => signals::stop_self(),
                    Told::Continued => {}
                },
            }
        }
    }
    out.finish().await;
    Ok(())
}

async fn work(
    mut plain: Plain,
    mut recorder: Option<Recorder>,
    mut signals: Receiver<Signal>,
    requests: Sender<Sent>,
    out: &Out,
) {
    let mut commands = pipes::typed();
    let (began, mut listening, mut over) = (Instant::now(), true, false);
    loop {
        let lines = tokio::select! {
            signal = signals.recv() => match signal {
                Some(signal) => {
                    if let Some(recorder) = &mut recorder {
                        recorder.hear(&signal, began.elapsed());
                    }
                    let lines = plain.take(&signal, began.elapsed());
                    over = plain.leaving && plain.asked.is_empty();
                    lines
                }
                None => return,
            },
            command = commands.recv(), if listening => match command.map(|line| (plain.command(&line), line)) {
                None => { listening = false; continue }
                Some((Done::Quit, _)) => return,
                Some((Done::Nothing, _)) => continue,
                Some((Done::Say(line), _)) => vec![line],
                Some((Done::Send(sent), line)) => {
                    if let Some(recorder) = &mut recorder {
                        recorder.note(began.elapsed(), Said::Key(line.trim().to_owned()));
                    }
                    requests.try_send(sent).err().map(|refused| plain.unsent(&refused.into_inner())).into_iter().collect()
                }
            },
        };
        for line in lines {
            if out.send(format!("{line}\n")).await.is_err() {
                return; // nobody reads any more
            }
        }
        if over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::fixture::{event, four, frame, snapshot};

    fn live(shape: Shape, read_only: bool) -> Plain {
        let mut plain = Plain::new(shape, read_only);
        plain.take(&Signal::Frame(Box::new(snapshot(9_000, four()))), Duration::ZERO);
        plain
    }

    fn lost() -> Signal {
        let mut bad = frame(9_001, 1_000);
        bad.events.push(event(9_001, 1_000, "kitchen_lost", Tone::Bad, "kitchen_2", "silent\u{1b}[2J for 3 s"));
        Signal::Frame(Box::new(bad))
    }

    #[test]
    fn an_event_is_a_line_without_an_escape_byte() {
        let lines = live(Shape::Text, false).take(&lost(), Duration::from_secs(1));
        assert_eq!(lines, ["10:40:01 kitchen_lost kitchen_2 silent␛[2J for 3 s"]);
        let lines = live(Shape::Json, false).take(&lost(), Duration::from_secs(1));
        let value: Value = serde_json::from_str(&lines[0]).expect("an object");
        assert_eq!((&value["type"], &value["tone"]), (&json!("event"), &json!("bad")));
        assert_eq!(value["subject"], "kitchen_2");
    }

    #[test]
    fn a_command_is_answered_by_a_line_that_repeats_it() {
        let mut plain = live(Shape::Text, false);
        let Done::Send(sent) = plain.command("cordon kitchen_2") else { panic!("it is sent") };
        let outcome = Ok(Answer::Done("kitchen_2 gets no new orders".into()));
        let lines = plain.take(&Signal::Answer { request: sent.id, outcome }, Duration::ZERO);
        assert_eq!(lines, ["done: cordon kitchen_2: kitchen_2 gets no new orders"]);
        assert!(matches!(plain.command("uncordon kitchen_2"), Done::Send(_)));
        assert_eq!(plain.command("quit"), Done::Nothing, "the last answer is waited for");
        assert_eq!(live(Shape::Text, false).command("quit"), Done::Quit);
        assert_eq!(plain.command("  "), Done::Nothing);
    }

    #[test]
    fn without_a_link_or_the_right_nothing_is_sent() {
        assert!(
            matches!(live(Shape::Text, true).command("cordon kitchen_2"), Done::Say(line) if line.contains("read-only"))
        );
        let mut plain = live(Shape::Json, false);
        plain.take(&Signal::Lost { why: "reset".into(), retry_in: Duration::ZERO }, Duration::ZERO);
        let Done::Say(line) = plain.command("cordon kitchen_2") else { panic!("the link is lost") };
        let value: Value = serde_json::from_str(&line).expect("an object");
        assert_eq!((&value["ok"], &value["command"]), (&json!(false), &json!("cordon kitchen_2")));
    }

    #[test]
    fn a_link_lost_later_is_said_and_comes_back() {
        let mut plain = live(Shape::Text, false);
        let signal = Signal::Lost { why: "reset".into(), retry_in: Duration::from_millis(250) };
        assert_eq!(plain.take(&signal, Duration::ZERO), ["link lost: reset, retry in 250 ms"]);
        let lines = plain.take(&Signal::Frame(Box::new(snapshot(9_000, four()))), Duration::ZERO);
        assert!(lines[0].contains("live Larder"), "{lines:?}");
    }
}
