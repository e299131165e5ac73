//! `--plain`: one line for each notable event, no escape byte, commands on standard input.
//!
//! For scripts, screen readers and terminals that can do nothing. A line is `12:41:07 kitchen_lost kitchen_3 text`; every
//! ten seconds in which something happened a line sums up. Commands are the words of the CLI (`drain kitchen_1`); what
//! destroys wants its target twice (`kill kitchen_1 kitchen_1`).

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use protocol::feed::Frame;
use protocol::{KitchenId, OrderId};
use tokio::sync::mpsc::{Receiver, Sender};

use super::app::city::City;
use super::app::events::{Body, Line};
use super::link::{Answer, Request, Sent, Signal};
use super::view::text::{ms, rate, thousands};

/// Between two lines that sum up.
const SUM_UP: Duration = Duration::from_secs(10);

/// Turns signals into lines.
#[derive(Debug, Default)]
pub struct Plain {
    city: City,
    said: u64,
    linked: bool,
    summed: Duration,
    seen: u64,
}

impl Plain {
    /// The lines a signal leads to.
    pub fn take(&mut self, signal: &Signal, now: Duration) -> Vec<String> {
        match signal {
            Signal::Frame(frame) => self.frame(frame, now),
            Signal::Lost { why, retry_in } => {
                self.linked = false;
                vec![format!(
                    "link lost: {}, retry in {}",
                    clean(why),
                    ms(u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX))
                )]
            }
            Signal::Connecting { url } => vec![format!("connecting to {}", clean(url))],
            Signal::Answer { outcome: Ok(Answer::Done(text)), .. } => vec![format!("done: {}", clean(text))],
            Signal::Answer { outcome: Err(why), .. } => vec![format!("refused: {}", clean(why))],
            Signal::Answer { outcome: Ok(_), .. } => Vec::new(),
        }
    }

    fn frame(&mut self, frame: &Frame, now: Duration) -> Vec<String> {
        self.city.apply(frame, now);
        let mut lines = Vec::new();
        if !self.linked && self.city.known {
            self.linked = true;
            lines.push(self.picture("live"));
        }
        let fresh = self.city.events.added - self.said;
        self.said = self.city.events.added;
        let new: Vec<&Line> = self.city.events.newest().take(usize::try_from(fresh).unwrap_or(0)).collect();
        lines.extend(new.into_iter().rev().filter_map(line));
        if now.saturating_sub(self.summed) >= SUM_UP {
            self.summed = now;
            if self.city.events.seen > self.seen {
                lines.push(self.picture("now"));
            }
            self.seen = self.city.events.seen;
        }
        lines
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
        format!("{} {word} {}: {kitchens}{flow}{proof}", &city.at.clock()[..8], city.name.fit(30))
    }
}

fn line(line: &Line) -> Option<String> {
    let Body::Event { kind, subject, text, .. } = &line.body else { return None };
    let times = if line.count > 1 { format!(" x{}", thousands(line.count)) } else { String::new() };
    Some(format!("{} {} {} {}{times}", &line.at.clock()[..8], kind.fit(24), subject.fit(40), text.fit(160)))
}

fn clean(text: &str) -> String {
    super::untrusted::Untrusted::new(text).fit(200)
}

/// Reads a command.
///
/// # Errors
/// Says how it is written.
pub fn command(line: &str) -> Result<Request, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let kitchen = |word: &str| word.parse::<KitchenId>().map_err(|error| error.to_string());
    let order = |word: &str| word.parse::<OrderId>().map_err(|error| error.to_string());
    match words.as_slice() {
        ["cordon", id] => kitchen(id).map(Request::Cordon),
        ["uncordon", id] => kitchen(id).map(Request::Uncordon),
        ["drain", id] => kitchen(id).map(Request::Drain),
        ["migrate", id, to] => Ok(Request::Migrate { order: order(id)?, to: kitchen(to)? }),
        ["rush", "stop"] => Ok(Request::StopRush),
        ["rush", per_second, seconds, zone @ ..] if zone.len() <= 1 => {
            let rate = per_second.parse().map_err(|_| format!("`{}` is not a rate", clean(per_second)))?;
            let for_s = seconds.parse().map_err(|_| format!("`{}` is not seconds", clean(seconds)))?;
            Ok(Request::Rush { rate, for_s, zone: zone.first().map(|zone| (*zone).to_owned()) })
        }
        ["kill", id, again] if id == again => kitchen(id).map(Request::Kill),
        ["cancel", id, again] if id == again => order(id).map(Request::Cancel),
        ["kill" | "cancel", id] | ["kill" | "cancel", id, _] => {
            Err(format!("say it twice: {} {} {}", words[0], clean(id), clean(id)))
        }
        _ => {
            Err("cordon|uncordon|drain K, migrate O K, rush RATE SECONDS [ZONE], rush stop, kill K K, cancel O O, quit"
                .to_owned())
        }
    }
}

/// Runs until `quit`, a signal to leave, or nobody reads the lines any more. The end of the commands is not the end.
pub(super) async fn run(
    read_only: bool,
    mut signals: Receiver<Signal>,
    requests: Sender<Sent>,
) -> color_eyre::Result<()> {
    let mut told = super::signals::Signals::new()?;
    let mut plain = Plain::default();
    let mut commands = commands();
    let (began, mut id, mut listening) = (Instant::now(), 0, true);
    loop {
        let lines = tokio::select! {
            told = told.next() => match told {
                super::signals::Told::Quit => return Ok(()),
                super::signals::Told::Stop => { super::signals::stop_self(); continue }
                super::signals::Told::Continued => continue,
            },
            signal = signals.recv() => match signal {
                Some(signal) => plain.take(&signal, began.elapsed()),
                None => return Ok(()),
            },
            command = commands.recv(), if listening => match command {
                Some(line) if line.trim() == "quit" => return Ok(()),
                Some(line) if line.trim().is_empty() => continue,
                Some(line) => {
                    id += 1;
                    submit(&line, read_only, id, &requests)
                }
                None => { listening = false; continue }
            },
        };
        let mut out = std::io::stdout().lock();
        for line in lines {
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                return Ok(()); // nobody reads any more
            }
        }
    }
}

/// Lines of standard input. A thread of its own, because a read cannot be called off; it ends with the process.
fn commands() -> Receiver<String> {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn submit(line: &str, read_only: bool, id: u64, requests: &Sender<Sent>) -> Vec<String> {
    match command(line) {
        Err(why) => vec![format!("not understood: {why}")],
        Ok(request) if read_only && request.is_change() => vec!["refused: read-only".to_owned()],
        Ok(request) => match requests.try_send(Sent { id, request }) {
            Ok(()) => Vec::new(),
            Err(_) => vec!["refused: the link is busy or gone".to_owned()],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_destroys_wants_its_target_twice() {
        let id: KitchenId = "k1".parse().expect("an id");
        assert_eq!(command("kill k1 k1"), Ok(Request::Kill(id.clone())));
        assert!(command("kill k1").is_err_and(|why| why.contains("kill k1 k1")));
        assert!(command("kill k1 k2").is_err());
        assert_eq!(command(" drain  k1 "), Ok(Request::Drain(id)));
        assert_eq!(command("rush 50 30"), Ok(Request::Rush { rate: 50.0, for_s: 30, zone: None }));
        assert!(command("\u{1b}[2J x y z").is_err_and(|why| !why.contains('\u{1b}')));
    }
}
