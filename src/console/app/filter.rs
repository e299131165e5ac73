//! The filter of the kitchens' table: `zone=Harbor load>0.8 !alive text`.
//!
//! Words are separated by blanks and must all hold; `!` before one turns it round. A word without an operator is a state
//! if it is one, and else looked for in id, name and zone. `*` stands for any run after `=`. What cannot be read is
//! reported, and the filter before it stays.
//!
//! Owns the words of a filter and what they let through. Never touches the table.

use protocol::api::{Health, Schedulable};

use super::city::{City, Kitchen};
use crate::console::keymap::nearest;
use crate::console::untrusted::glob;
use protocol::text::clean;

/// A filter that was read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Debug, Clone)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Text(String),
    State(String),
    Zone(String),
    Id(String),
    Name(String),
    Number(Figure, std::cmp::Ordering, f64),
}

#[derive(Debug, Clone, Copy)]
enum Figure {
    Load,
    Queue,
    Cooking,
    Capacity,
}

const KEYS: [&str; 10] = ["zone", "id", "kitchen", "name", "state", "load", "queue", "wait", "cook", "cap"];
const STATES: [&str; 8] = ["alive", "suspected", "dead", "open", "cordoned", "draining", "retired", "hot"];

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// Says which word cannot be read and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split_whitespace().map(term).collect::<Result<_, _>>().map(|terms| Self { terms })
    }

    /// Reads a filter that is still being typed: a last word that may become a key is left out.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_unfinished(text: &str) -> Result<Self, String> {
        let last = text.split_whitespace().next_back().unwrap_or_default();
        let word = last.trim_start_matches('!').to_lowercase();
        let unfinished = !text.ends_with(' ') && KEYS.iter().any(|key| key.starts_with(&word));
        Self::parse(if unfinished { text.strip_suffix(last).unwrap_or(text) } else { text })
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// What to say when nothing passes: the first word that is only a text, and what it may have meant.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        self.terms.iter().find_map(|term| match &term.test {
            Test::Text(text) => {
                let near = nearest(text, STATES.into_iter().chain(KEYS));
                Some(format!("no id, name or zone has `{}` in it{near}", clean(text, 20)))
            }
            Test::State(_) | Test::Zone(_) | Test::Id(_) | Test::Name(_) | Test::Number(..) => None,
        })
    }

    /// Whether a kitchen passes.
    #[must_use]
    pub fn passes(&self, kitchen: &Kitchen, city: &City) -> bool {
        self.terms.iter().all(|term| term.test.holds(kitchen, city) != term.negated)
    }
}

fn term(word: &str) -> Result<Term, String> {
    let (negated, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
    let lower = word.to_lowercase();
    let Some(at) = lower.find(['=', '<', '>']) else {
        let test = if STATES.contains(&lower.as_str()) { Test::State(lower) } else { Test::Text(lower) };
        return Ok(Term { negated, test });
    };
    let (key, operator, value) = (&lower[..at], lower.as_bytes()[at], lower[at + 1..].to_owned());
    let (negated, key) = key.strip_suffix('!').map_or((negated, key), |key| (!negated, key));
    let figure = match key {
        "load" => Some(Figure::Load),
        "queue" | "wait" | "queued" => Some(Figure::Queue),
        "cook" | "cooking" => Some(Figure::Cooking),
        "cap" | "capacity" => Some(Figure::Capacity),
        _ => None,
    };
    let test = match (key, figure, operator) {
        (_, Some(figure), _) => {
            let order = match operator {
                b'<' => std::cmp::Ordering::Less,
                b'>' => std::cmp::Ordering::Greater,
                _ => std::cmp::Ordering::Equal,
            };
            Test::Number(figure, order, number(&value)?)
        }
        ("zone", None, b'=') => Test::Zone(value),
        ("id" | "kitchen", None, b'=') => Test::Id(value),
        ("name", None, b'=') => Test::Name(value),
        ("state", None, b'=') if STATES.contains(&value.as_str()) => Test::State(value),
        ("state", None, b'=') if "ok" == value => {
            return Ok(Term { negated: !negated, test: Test::State("hot|".to_owned()) });
        }
        ("state", None, b'=') => return Err(format!("state is one of {}", STATES.join(", "))),
        _ => {
            let (shown, near) = (clean(key, 20), nearest(key, KEYS.into_iter()));
            return Err(format!(
                "`{shown}` is not known{near}: zone= id= name= state= load> queue> cook> cap>, or a text"
            ));
        }
    };
    Ok(Term { negated, test })
}

fn number(text: &str) -> Result<f64, String> {
    let (digits, scale) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
    if digits.is_empty() {
        return Err("a number is missing".to_owned());
    }
    digits.parse::<f64>().map(|value| value / scale).map_err(|_| format!("`{text}` is not a number"))
}

impl Test {
    fn holds(&self, kitchen: &Kitchen, city: &City) -> bool {
        match self {
            Self::Text(text) => {
                kitchen.id.as_str().to_lowercase().contains(text)
                    || kitchen.name.contains(text)
                    || city.zone_of(kitchen).contains(text)
            }
            Self::State(state) => is_in(kitchen, state),
            Self::Zone(zone) => city.zone_of(kitchen).matches(zone),
            Self::Id(id) => glob(id, &kitchen.id.as_str().to_lowercase()),
            Self::Name(name) => kitchen.name.matches(name),
            Self::Number(figure, order, value) => {
                let row = kitchen.row;
                let is = match figure {
                    Figure::Load => kitchen.load(),
                    Figure::Queue => f64::from(row.map_or(0, |row| row.queued)),
                    Figure::Cooking => f64::from(row.map_or(0, |row| row.cooking)),
                    Figure::Capacity => f64::from(kitchen.capacity),
                };
                is.total_cmp(value) == *order
            }
        }
    }
}

fn is_in(kitchen: &Kitchen, state: &str) -> bool {
    let health = |wanted: Health| kitchen.health() == Some(wanted);
    let schedulable = |wanted: Schedulable| kitchen.row.is_some_and(|row| row.schedulable == wanted);
    match state {
        "alive" => health(Health::Alive),
        "suspected" => health(Health::Suspected),
        "dead" => health(Health::Dead),
        "open" => schedulable(Schedulable::Open),
        "cordoned" => schedulable(Schedulable::Cordoned),
        "draining" => schedulable(Schedulable::Draining),
        "retired" => schedulable(Schedulable::Retired),
        "hot" => kitchen.hot,
        // `state=ok`: everything that needs no look; the term is turned round by the parser.
        _ => kitchen.hot || !kitchen.is_open(),
    }
}
