//! What the feed told of one kitchen or one order: its events and moves in one list.
//!
//! Owns the list for pages while a recording plays, where nobody can be asked. Never more than the feed carried.

use protocol::api::{HopKind, MoveResult};
use protocol::feed::Tone;
use protocol::{OrderId, WallTime};

use super::city::{City, Kitchen};
use super::events::Body;
use super::moves::Move;
use crate::console::untrusted::Untrusted;
use crate::console::view::text::ms;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// When.
    pub at: WallTime,
    /// How loud.
    pub tone: Tone,
    /// The kind of event, or how the move went.
    pub word: Untrusted,
    /// Which kitchen or order.
    pub subject: Untrusted,
    /// The rest.
    pub text: Untrusted,
}

/// What names this order, newest first.
#[must_use]
pub fn of_order(city: &City, id: OrderId) -> Vec<Telling> {
    let word = id.to_string();
    tellings(city, |subject, text| names(subject, &word) || names(text, &word), |moved| moved.order == id)
}

/// What names this kitchen, newest first.
#[must_use]
pub fn of_kitchen(city: &City, kitchen: &Kitchen) -> Vec<Telling> {
    let word = kitchen.id.as_str();
    let no = kitchen.no;
    tellings(
        city,
        |subject, text| names(subject, word) || names(text, word),
        |moved| moved.from == no || moved.to == no,
    )
}

fn tellings(
    city: &City,
    wanted: impl Fn(&Untrusted, &Untrusted) -> bool,
    involves: impl Fn(&Move) -> bool,
) -> Vec<Telling> {
    let events = city.events.newest().filter_map(|line| match &line.body {
        Body::Event { kind, subject, text, .. } if wanted(subject, text) => {
            let (word, subject, text) = (kind.clone(), subject.clone(), text.clone());
            Some(Telling { at: line.at, tone: line.tone, word, subject, text })
        }
        Body::Event { .. } | Body::Collapsed(_) => None,
    });
    let moves = city.moves.known().filter(|moved| involves(moved)).map(|moved| of_move(city, moved));
    let mut all: Vec<Telling> = events.chain(moves).collect();
    all.sort_by_key(|telling| std::cmp::Reverse(telling.at));
    all
}

/// Whether a word stands in a text, as a whole.
fn names(text: &Untrusted, word: &str) -> bool {
    let part = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    text.contains(&word.to_lowercase()) && text.fit(256).split(part).any(|found| found.trim_end_matches('.') == word)
}

fn of_move(city: &City, moved: &Move) -> Telling {
    let name = |no: u32| city.by_no(no).map_or_else(|| "?".to_owned(), |kitchen| kitchen.id.to_string());
    let (tone, end) = match moved.result {
        MoveResult::Done => (Tone::Info, ""),
        MoveResult::InFlight => (Tone::Info, ", in flight"),
        MoveResult::Refused => (Tone::Warn, ", refused"),
        MoveResult::TimedOut => (Tone::Warn, ", timed out"),
        MoveResult::LeaderLost => (Tone::Warn, ", broken off with its leader"),
        MoveResult::Skipped => (Tone::Warn, ", skipped"),
    };
    let word = if moved.kind == HopKind::Recover { "gap" } else { "pause" };
    let pause = moved.pause_ms.map_or_else(String::new, |pause| format!(", {word} {}", ms(pause)));
    let text = format!("{} -> {}{end}: {}{pause}", name(moved.from), name(moved.to), moved.reason.fit(40));
    Telling {
        at: moved.at,
        tone,
        word: Untrusted::new(moved.kind.word()),
        subject: Untrusted::new(&moved.order.to_string()),
        text: Untrusted::new(&text),
    }
}
