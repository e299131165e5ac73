//! The palette's language: a line of words becomes a [`Command`], or says what is missing.
//!
//! ```text
//! drain kitchen_2 --deadline 30s --reason oven check
//! migrate o42 kitchen_3          rush --rate 80 --for 1m --zone Harbor          rush stop
//! ```
//! Owns the words and their kinds, read from the arguments in the action table. Never runs anything, and never guards:
//! a command goes the way of its key. Durations are written as in the command line.

mod build;

use protocol::{KitchenId, OrderId};

use super::order_form::Wish;
use crate::console::actions::{self, ACTIONS, Action, ActionId};
use crate::console::keymap::nearest;
use crate::console::link::Request;
use crate::console::untrusted::Untrusted;

/// What a line means.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// An action on what is selected.
    Act(ActionId),
    /// A change of something named.
    Change {
        /// What would be sent.
        request: Request,
        /// Why.
        reason: Option<String>,
    },
    /// A rush with some of its figures.
    Rush {
        /// Orders a second.
        rate: Option<f64>,
        /// Seconds.
        for_s: Option<u64>,
        /// Where.
        zone: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// A new order with some of its parts.
    Place(Box<Wish>),
    /// To which kitchen an order goes is chosen.
    MigrateFrom(OrderId),
    /// A page.
    Kitchen(KitchenId),
    /// A page.
    Show(OrderId),
    /// A page.
    Explain(OrderId),
    /// A page.
    Line(OrderId),
    /// A filter of the kitchens.
    Filter(String),
    /// Only one zone's kitchens.
    Zone(String),
    /// The table's order.
    Sort(String),
    /// A look.
    Theme(String),
}

/// What kind of thing a word of the arguments stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A kitchen's id.
    Kitchen,
    /// An order's id.
    Order,
    /// A zone's name.
    Zone,
    /// A dish on the menu, with how many after a colon.
    Dish,
    /// How urgent an order is.
    Priority,
    /// A theme's name.
    Theme,
    /// What a table is sorted by.
    Sort,
    /// A dispatch algorithm.
    Algorithm,
    /// true or false.
    Bool,
    /// Words to the end, or to the next option.
    Text,
    /// Anything else; the word in the table is an example.
    Value,
}

/// One argument of an action, as the table writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// A word in its place.
    Place {
        /// As in the table.
        word: &'static str,
        /// Of which kind.
        kind: Kind,
        /// Whether there may be several.
        many: bool,
    },
    /// A word that stands for itself.
    Word(&'static str),
    /// `--name value`, or without a value.
    Option {
        /// `--name`.
        name: &'static str,
        /// The example of a value, and its kind.
        value: Option<(&'static str, Kind)>,
    },
}

/// The arguments of an action.
#[must_use]
pub fn args(action: &Action) -> Vec<Arg> {
    let mut found = Vec::new();
    let mut rest = action.args.trim();
    while !rest.is_empty() {
        let (group, more) = match rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((inside, more)) => (inside, more),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        rest = more.trim_start();
        let (first, value) = group.split_once(' ').map_or((group, None), |(first, value)| (first, Some(value)));
        found.push(if first.starts_with("--") {
            Arg::Option { name: first, value: value.map(|value| (value, kind(value))) }
        } else if let word = first.trim_end_matches("...")
            && word.chars().all(|c| c.is_ascii_uppercase())
        {
            Arg::Place { word, kind: kind(word), many: word != first }
        } else {
            Arg::Word(first)
        });
    }
    found
}

fn kind(word: &str) -> Kind {
    match word {
        "KITCHEN" => Kind::Kitchen,
        "ORDER" => Kind::Order,
        "ZONE" => Kind::Zone,
        "DISH" => Kind::Dish,
        "PRIORITY" => Kind::Priority,
        "THEME" => Kind::Theme,
        "SORT" => Kind::Sort,
        "ALGORITHM" => Kind::Algorithm,
        "BOOL" => Kind::Bool,
        "TEXT" => Kind::Text,
        _ => Kind::Value,
    }
}

/// The words of a line; in double quotes, blanks belong to the word.
#[must_use]
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for character in line.chars() {
        match character {
            '"' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            other => {
                word.push(other);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// A word as it is written in a line.
#[must_use]
pub fn quoted(word: &str) -> String {
    if word.contains(' ') || word.is_empty() { format!("\"{word}\"") } else { word.to_owned() }
}

/// What was said after the name.
#[derive(Debug, Default)]
struct Said {
    places: Vec<String>,
    options: Vec<(&'static str, String)>,
}

impl Said {
    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn reason(&self) -> Option<String> {
        self.option("--reason").map(str::to_owned)
    }
}

/// Reads a line.
///
/// # Errors
/// Says what is missing or cannot be read, and how it is written.
pub fn parse(line: &str) -> Result<Command, String> {
    let words = words(line.trim().trim_start_matches(':'));
    let Some((name, rest)) = words.split_first() else { return Err("a name, like drain or kitchen_2".to_owned()) };
    let Some(action) = actions::named(name) else {
        let near = nearest(name, ACTIONS.iter().map(|action| action.name));
        return Err(format!("no action is called `{}`{near}", show(name)));
    };
    let said = read(action, rest)?;
    build::command(action, &said)
}

fn show(word: &str) -> String {
    Untrusted::new(word).fit(24)
}

fn read(action: &Action, words: &[String]) -> Result<Said, String> {
    let known = args(action);
    let mut said = Said::default();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if !word.starts_with("--") {
            said.places.push(word.clone());
            continue;
        }
        let (word, given) = word.split_once('=').map_or((word.as_str(), None), |(word, value)| (word, Some(value)));
        let found = known.iter().find_map(|arg| match arg {
            Arg::Option { name, value } if *name == word => Some((*name, *value)),
            Arg::Option { .. } | Arg::Place { .. } | Arg::Word(_) => None,
        });
        let Some((name, value)) = found else {
            let names = known.iter().filter_map(|arg| match arg {
                Arg::Option { name, .. } => Some(*name),
                Arg::Place { .. } | Arg::Word(_) => None,
            });
            return Err(format!("{} has no {}{}", action.name, show(word), nearest(word, names)));
        };
        let value = match (value, given) {
            (None, _) => String::new(),
            (Some(_), Some(given)) => given.to_owned(),
            (Some((_, Kind::Text)), None) => {
                let mut text: Vec<&str> = Vec::new();
                while let Some(word) = words.next_if(|word| !word.starts_with("--")) {
                    text.push(word);
                }
                text.join(" ")
            }
            (Some((example, _)), None) => {
                let next = words.next_if(|word| !word.starts_with("--"));
                next.cloned().ok_or_else(|| format!("{name} wants a value, like {name} {example}"))?
            }
        };
        said.options.push((name, value));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use protocol::api::{Algorithm, ItemBody, PolicyChange};

    use super::*;

    fn id(text: &str) -> KitchenId {
        text.parse().expect("an id")
    }

    #[test]
    fn commands_read_as_on_the_command_line() {
        let drain = Request::Drain { kitchen: id("kitchen_2"), deadline_ms: Some(30_000), force: true };
        assert_eq!(
            parse("drain kitchen_2 --deadline 30s --force --reason oven check"),
            Ok(Command::Change { request: drain, reason: Some("oven check".to_owned()) })
        );
        assert_eq!(parse(":migrate o42"), Ok(Command::MigrateFrom(OrderId(42))));
        let request = Request::Migrate { order: OrderId(42), to: id("k3") };
        assert_eq!(parse("migrate o42 k3"), Ok(Command::Change { request, reason: None }));
        let zone = Some("Old Town".to_owned());
        assert_eq!(
            parse("rush --rate 80 --for 1m --zone \"Old Town\""),
            Ok(Command::Rush { rate: Some(80.0), for_s: Some(60), zone, reason: None })
        );
        assert_eq!(parse("rush stop"), Ok(Command::Change { request: Request::StopRush, reason: None }));
        assert_eq!(parse("drain"), Ok(Command::Act(ActionId::Drain)));
        assert_eq!(parse("show o7"), Ok(Command::Show(OrderId(7))));
        let item = |dish: &str, quantity| ItemBody { dish: dish.to_owned(), quantity };
        let wish = Wish {
            items: vec![item("pizza", 2), item("fish pie", 1)],
            zone: Some("Old Town".to_owned()),
            customer: Some("Ada L".to_owned()),
            high: Some(true),
        };
        assert_eq!(
            parse("order pizza:2 \"fish pie\" --zone \"Old Town\" --customer \"Ada L\" --priority high"),
            Ok(Command::Place(Box::new(wish)))
        );
        assert_eq!(parse("filter load>0.8 hot"), Ok(Command::Filter("load>0.8 hot".to_owned())));
        let change = PolicyChange { algorithm: Some(Algorithm::RoundRobin), ..PolicyChange::default() };
        let request = Request::SetPolicy(Box::new(change));
        assert_eq!(parse("policy --algorithm round-robin"), Ok(Command::Change { request, reason: None }));
    }

    #[test]
    fn what_cannot_be_read_says_what_would_be_right() {
        for (line, wanted) in [
            ("", "a name"),
            ("drian k1", "is it `drain`?"),
            ("drain k1 --dedline 3s", "is it `--deadline`?"),
            ("drain k1 --deadline", "like --deadline 30s"),
            ("drain k1 --deadline soon", "30s, 2m or 500ms"),
            ("drain a b", "takes nothing like `b`"),
            ("show", "which one?"),
            ("show 42", "like o42"),
            ("order o42", "show o42"),
            ("order pizza:0", "1 to 100"),
            ("order pizza --priority soon", "normal or high"),
            ("rush now", "takes `stop`"),
            ("rush --rate much", "is not a number"),
            ("rush --for 2h", "1 s to 1 h"),
            ("policy", "what is to change"),
            ("policy --weights 1,2", "four numbers"),
            ("policy --migrate maybe", "neither true nor false"),
            ("policy --time-scale fast", "or median"),
            ("quit now", "takes nothing"),
            ("\u{1b}[2J", "no action is called `␛[2J`"),
        ] {
            let why = parse(line).expect_err(line);
            assert!(why.contains(wanted), "{line}: {why}");
        }
    }

    #[test]
    fn every_argument_in_the_table_is_understood_as_one() {
        let count = ACTIONS.iter().map(|action| args(action).len()).sum::<usize>();
        assert!(count > 30);
        assert_eq!(
            args(actions::get(ActionId::Drain)),
            [
                Arg::Place { word: "KITCHEN", kind: Kind::Kitchen, many: false },
                Arg::Option { name: "--deadline", value: Some(("30s", Kind::Value)) },
                Arg::Option { name: "--force", value: None },
                Arg::Option { name: "--reason", value: Some(("TEXT", Kind::Text)) },
            ]
        );
    }
}
