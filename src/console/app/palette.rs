//! The palette: a line that is typed, what it could become, and the lines before it.
//!
//! Owns the line, the candidates and the cycle of completion. Never runs a line and never knows what a command does:
//! [`super::command`] reads it, and [`super::App`] runs it.
//!
//! - tab takes the next candidate into the line; enter runs the line, or takes the best candidate of a line that is none.
//! - up and down go through the lines of this session.

use tui_input::Input;

use super::city::City;
use super::command::{self, Arg, Kind};
use super::dialog::TYPED;
use crate::console::actions::{self, ACTIONS, Action};
use crate::console::theme;
use crate::console::untrusted::Untrusted;
use protocol::OrderId;
use protocol::api::Algorithm;

/// The most candidates offered: more than any screen shows.
const OFFERED: usize = 40;
/// What fits so much worse than the best is noise.
const FARTHEST: i32 = 45;
/// The most lines remembered.
pub const REMEMBERED: usize = 100;

/// What lies over the screen while a command is typed.
#[derive(Debug, Clone, Default)]
pub struct Palette {
    /// The line.
    pub input: Input,
    /// Why it could not be run.
    pub error: Option<String>,
    /// The candidate that was taken last, and the line before it was.
    pub cycle: Option<(String, usize)>,
    /// How far back in the lines before; 0 is the line being typed.
    back: usize,
}

/// Something the line could become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The line then.
    pub line: String,
    /// What is shown.
    pub label: Untrusted,
    /// Beside it.
    pub note: Untrusted,
    /// Whether the line is whole then.
    pub whole: bool,
}

/// What the candidates are made of.
pub struct Things<'a> {
    /// Kitchens and zones.
    pub city: &'a City,
    /// Orders that were seen here.
    pub orders: Vec<OrderId>,
}

impl Palette {
    /// The line that candidates are for: what was typed, not what tab put there.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.cycle.as_ref().map_or(self.input.value(), |(stem, _)| stem)
    }

    /// Puts a line in.
    pub fn put(&mut self, line: &str) {
        let kept: String = line.chars().filter(|c| !protocol::text::is_hidden(*c)).take(TYPED).collect();
        self.input = Input::new(kept);
    }

    /// Takes the next candidate, or the one before, into the line.
    pub fn turn(&mut self, candidates: &[Candidate], forward: bool) {
        if candidates.is_empty() {
            return;
        }
        let count = candidates.len();
        let (stem, at) = match self.cycle.take() {
            Some((stem, at)) => (stem, if forward { (at + 1) % count } else { (at + count - 1) % count }),
            None => (self.input.value().to_owned(), if forward { 0 } else { count - 1 }),
        };
        self.put(&candidates[at.min(count - 1)].line);
        self.cycle = Some((stem, at));
        self.error = None;
    }

    /// Goes through the lines before.
    pub fn recall(&mut self, before: &[String], older: bool) {
        let back = if older { (self.back + 1).min(before.len()) } else { self.back.saturating_sub(1) };
        if back == self.back {
            return;
        }
        self.back = back;
        (self.cycle, self.error) = (None, None);
        match back {
            0 => self.put(""),
            back => self.put(&before[before.len() - back]),
        }
    }

    /// The line was edited by hand.
    pub fn edited(&mut self) {
        (self.cycle, self.error) = (None, None);
    }
}

/// What a line could become, the best first.
#[must_use]
pub fn candidates(line: &str, things: &Things<'_>) -> Vec<Candidate> {
    let words = command::words(line);
    let open = line.is_empty() || line.ends_with(' ');
    match words.first().and_then(|word| actions::named(word)) {
        Some(action) if words.len() > 1 || open => {
            let before = if open { &words[1..] } else { &words[1..words.len() - 1] };
            let word = if open { "" } else { words.last().map_or("", String::as_str) };
            arguments(action, before, word, things)
        }
        _ => names(line.trim(), things),
    }
}

fn names(typed: &str, things: &Things<'_>) -> Vec<Candidate> {
    let mut found: Vec<(i32, usize, Candidate)> = Vec::new();
    let mut offer = |score: Option<i32>, candidate: &dyn Fn() -> Candidate| {
        if let Some(score) = score {
            found.push((-score, found.len(), candidate()));
        }
    };
    for action in ACTIONS {
        let by_name = fuzzy(typed, action.name).map(|score| score + 20);
        let told = typed.len() >= 3 && action.description.contains(&typed.to_lowercase());
        let by_words = told.then_some(-20);
        offer(by_name.max(by_words), &|| of_action(action));
    }
    if typed.is_empty() {
        return found.into_iter().map(|(_, _, candidate)| candidate).take(OFFERED).collect();
    }
    let city = things.city;
    for kitchen in &city.kitchens {
        let score = fuzzy(typed, kitchen.id.as_str()).max(kitchen.name.fuzzy(typed));
        offer(score, &|| {
            let note = format!("kitchen, {}", kitchen.name.fit(30));
            whole(format!("kitchen {}", kitchen.id), &Untrusted::new(kitchen.id.as_str()), &note)
        });
    }
    for zone in &city.zones {
        offer(zone.name.fuzzy(typed), &|| whole(format!("zone {}", command::quoted(&zone.raw)), &zone.name, "zone"));
    }
    for name in theme::names() {
        offer(fuzzy(typed, &name), &|| whole(format!("theme {name}"), &Untrusted::new(&name), "theme"));
    }
    for id in things.orders.iter().copied().chain(typed.parse().ok()) {
        let id = id.to_string();
        offer(fuzzy(typed, &id), &|| whole(format!("show {id}"), &Untrusted::new(&id), "order"));
    }
    found.sort_by_key(|(score, at, _)| (*score, *at));
    let worst = found.first().map_or(0, |(score, ..)| score + FARTHEST);
    let mut shown: Vec<Candidate> = Vec::new();
    for (_, _, candidate) in found.into_iter().filter(|(score, ..)| *score <= worst) {
        if shown.len() < OFFERED && !shown.iter().any(|known| known.line == candidate.line) {
            shown.push(candidate);
        }
    }
    shown
}

fn of_action(action: &Action) -> Candidate {
    let args = if action.args.is_empty() { String::new() } else { format!(" {}", action.args) };
    let more = if action.args.is_empty() { "" } else { " " };
    Candidate {
        line: format!("{}{more}", action.name),
        label: Untrusted::new(&format!("{}{args}", action.name)),
        note: Untrusted::new(action.description),
        whole: action.args.is_empty(),
    }
}

fn whole(line: String, label: &Untrusted, note: &str) -> Candidate {
    Candidate { line, label: label.clone(), note: Untrusted::new(note), whole: true }
}

fn arguments(action: &Action, before: &[String], word: &str, things: &Things<'_>) -> Vec<Candidate> {
    let known = command::args(action);
    let head: String = [action.name.to_owned()]
        .into_iter()
        .chain(before.iter().map(|word| command::quoted(word)))
        .flat_map(|word| [word, " ".to_owned()])
        .collect();
    let values = values(&known, before, word, things);
    let mut found: Vec<(i32, usize, Candidate)> = Vec::new();
    for (value, label, note) in values {
        // Nothing typed yet: the sequence of the table.
        let bare = word.trim_start_matches('-').is_empty() && (word.is_empty() || value.starts_with(word));
        if let Some(score) = if bare { Some(0) } else { label.fuzzy(word) } {
            let line = format!("{head}{}", if value.starts_with("--") { value } else { command::quoted(&value) });
            found.push((-score, found.len(), Candidate { line, label, note: Untrusted::new(&note), whole: false }));
        }
    }
    found.sort_by_key(|(score, at, _)| (*score, *at));
    found.into_iter().map(|(_, _, candidate)| candidate).take(OFFERED).collect()
}

/// A value, what is shown of it, and what stands beside it.
type Value = (String, Untrusted, String);

fn values(known: &[Arg], before: &[String], word: &str, things: &Things<'_>) -> Vec<Value> {
    // The value of an option that stands just before.
    let option = before.last().and_then(|last| {
        known.iter().find_map(|arg| match arg {
            Arg::Option { name, value: Some((example, kind)) } if name == last => Some((*example, *kind)),
            Arg::Option { .. } | Arg::Place { .. } | Arg::Word(_) => None,
        })
    });
    if let Some((example, kind)) = option {
        return of_kind(kind, example, things);
    }
    let mut offered = Vec::new();
    let mut places_before = before.iter().filter(|word| !word.starts_with("--")).count();
    for arg in known {
        match arg {
            Arg::Place { word: example, kind, many } if (*many || places_before == 0) && !word.starts_with("--") => {
                offered.extend(of_kind(*kind, example, things));
                places_before = usize::MAX;
            }
            Arg::Place { .. } => places_before = places_before.saturating_sub(1),
            Arg::Word(text) => offered.push(((*text).to_owned(), Untrusted::new(text), String::new())),
            Arg::Option { name, value } if !before.iter().any(|said| said == name) => {
                let note = value.map_or_else(String::new, |(example, _)| format!("{name} {example}"));
                offered.push(((*name).to_owned(), Untrusted::new(name), note));
            }
            Arg::Option { .. } => {}
        }
    }
    offered
}

fn of_kind(kind: Kind, example: &str, things: &Things<'_>) -> Vec<Value> {
    let plain = |words: &[&str]| {
        words.iter().map(|word| ((*word).to_owned(), Untrusted::new(word), String::new())).collect::<Vec<_>>()
    };
    let city = things.city;
    match kind {
        Kind::Kitchen => {
            let of = |kitchen: &super::city::Kitchen| {
                let (id, zone) = (kitchen.id.to_string(), city.zone_of(kitchen).fit(16));
                (id.clone(), Untrusted::new(&id), format!("{}, {zone}", kitchen.name.fit(24)))
            };
            city.kitchens.iter().map(of).collect()
        }
        Kind::Order => things
            .orders
            .iter()
            .map(|id| (id.to_string(), Untrusted::new(&id.to_string()), "seen here".to_owned()))
            .collect(),
        Kind::Zone => {
            let safe = city.zones.iter().filter(|zone| !zone.raw.chars().any(protocol::text::is_hidden));
            safe.map(|zone| (zone.raw.clone(), zone.name.clone(), format!("{} kitchens", zone.kitchens))).collect()
        }
        Kind::Dish => {
            let safe = city.dishes.iter().filter(|dish| !dish.raw.chars().any(protocol::text::is_hidden));
            safe.map(|dish| (dish.raw.clone(), dish.name.clone(), "dish; pizza:2 is two".to_owned())).collect()
        }
        Kind::Priority => plain(&["normal", "high"]),
        Kind::Theme => theme::names().iter().map(|name| (name.clone(), Untrusted::new(name), String::new())).collect(),
        Kind::Sort => plain(&["load", "name", "queue", "health"]),
        Kind::Algorithm => plain(&Algorithm::ALL.map(Algorithm::word)),
        Kind::Bool => plain(&["true", "false"]),
        Kind::Value => vec![(example.to_owned(), Untrusted::new(example), "for instance".to_owned())],
        Kind::Text => Vec::new(),
    }
}

/// How well the letters of `typed` are found in `text`, in their sequence; absent if they are not. More is better: letters
/// in a row, at the beginning of the text or of a word, and little else.
#[must_use]
pub fn fuzzy(typed: &str, text: &str) -> Option<i32> {
    let mut score = 0;
    let mut last: Option<usize> = None;
    let letters: Vec<char> = text.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut at = 0;
    for wanted in typed.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_lowercase()) {
        let found = letters[at..].iter().position(|letter| *letter == wanted)? + at;
        score += 10;
        if last.is_some_and(|last| last + 1 == found) {
            score += 8;
        }
        if found == 0 || letters.get(found.wrapping_sub(1)).is_some_and(|before| !before.is_alphanumeric()) {
            score += 12;
        }
        score -= i32::try_from((found - at).min(6)).unwrap_or(6);
        last = Some(found);
        at = found + 1;
    }
    Some(score - i32::try_from(letters.len().min(40) / 2).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(line: &str) -> Vec<String> {
        let city = City::default();
        let things = Things { city: &city, orders: vec![OrderId(42), OrderId(7)] };
        candidates(line, &things).into_iter().map(|candidate| candidate.line).collect()
    }

    #[test]
    fn letters_in_a_row_and_at_the_beginning_are_better() {
        assert!(fuzzy("drn", "drain") > fuzzy("drn", "a dark rain"));
        assert!(fuzzy("co", "cordon") > fuzzy("co", "uncordon"));
        assert_eq!(fuzzy("xyz", "drain"), None);
        assert!(fuzzy("K2", "kitchen_2").is_some());
    }

    #[test]
    fn a_line_is_completed_word_by_word() {
        assert_eq!(lines("dr")[0], "drain ");
        assert_eq!(lines("unc")[0], "uncordon ");
        assert_eq!(lines("o42")[0], "show o42");
        assert_eq!(lines("nord")[0], "theme nord");
        assert_eq!(lines("migrate "), ["migrate o42", "migrate o7", "migrate --reason"]);
        assert_eq!(lines("drain k1 --"), ["drain k1 --deadline", "drain k1 --force", "drain k1 --reason"]);
        assert_eq!(lines("drain k1 --d"), ["drain k1 --deadline"]);
        assert_eq!(lines("drain k1 --deadline "), ["drain k1 --deadline 30s"]);
        assert_eq!(lines("policy --algorithm rou")[0], "policy --algorithm round-robin");
        assert_eq!(lines("sort "), ["sort load", "sort name", "sort queue", "sort health"]);
        assert!(lines("drain k1 --reason ").is_empty());
    }

    #[test]
    fn tab_goes_round_and_up_goes_back() {
        let mut palette = Palette::default();
        palette.put("sort ");
        let city = City::default();
        let things = Things { city: &city, orders: Vec::new() };
        let found = candidates(palette.stem(), &things);
        palette.turn(&found, true);
        palette.turn(&found, true);
        assert_eq!((palette.input.value(), palette.stem()), ("sort name", "sort "));
        palette.turn(&found, false);
        assert_eq!(palette.input.value(), "sort load");
        let before = ["one".to_owned(), "two".to_owned()];
        palette.recall(&before, true);
        assert_eq!(palette.input.value(), "two");
        palette.recall(&before, true);
        palette.recall(&before, true);
        assert_eq!(palette.input.value(), "one");
        palette.recall(&before, false);
        palette.recall(&before, false);
        assert_eq!(palette.input.value(), "");
    }
}
