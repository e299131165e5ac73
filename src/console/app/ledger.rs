//! The ledger screen: which list has the hands, which line is selected, and what is filtered out.
//!
//! Owns the panes, the event filter and the order whose line is shown. Never owns the lists: they are the city's.
//!
//! - A selection is a line counted from the newest; while it is not the newest, new lines push it down and it stays on
//!   what it was.

use protocol::{KitchenId, OrderId};

use super::audit::Entry;
use super::city::City;
use super::events::{Body, Line};
use super::page::OrderPage;
use crate::console::keymap::nearest;
use crate::console::untrusted::{Untrusted, glob};

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// What operators did.
    #[default]
    Audit,
    /// Notable events.
    Events,
    /// The chosen order's line.
    Line,
}

impl Pane {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Audit => Self::Events,
            Self::Events => Self::Line,
            Self::Line => Self::Audit,
        }
    }
}

/// The screen's state.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The list with the hands.
    pub pane: Pane,
    /// Selected line of the audit, from the newest.
    pub audit_at: usize,
    /// Selected line of the events, from the newest.
    pub events_at: usize,
    /// As it was typed.
    pub filter_text: String,
    /// What passes.
    pub filter: EventFilter,
    /// The order whose line is shown.
    pub order: Option<Box<OrderPage>>,
}

/// What is behind a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behind {
    /// An order.
    Order(OrderId),
    /// A kitchen.
    Kitchen(KitchenId),
}

impl Ledger {
    /// Entries of the audit that pass, newest first.
    pub fn audit<'a>(&'a self, city: &'a City) -> impl Iterator<Item = &'a Entry> {
        city.audit.newest().filter(|entry| self.filter.passes_entry(entry))
    }

    /// Events that pass, newest first.
    pub fn events<'a>(&'a self, city: &'a City) -> impl Iterator<Item = &'a Line> {
        city.events.newest().filter(|line| self.filter.passes(line))
    }

    /// Moves the selection.
    pub fn go(&mut self, city: &City, by: isize) {
        match self.pane {
            Pane::Audit => {
                let count = self.audit(city).count();
                self.audit_at = self.audit_at.saturating_add_signed(by).min(count.saturating_sub(1));
            }
            Pane::Events => {
                let count = self.events(city).count();
                self.events_at = self.events_at.saturating_add_signed(by).min(count.saturating_sub(1));
            }
            Pane::Line => {
                if let Some(order) = &mut self.order {
                    order.scroll(by);
                }
            }
        }
    }

    /// New lines came on top, as many as are told: a selection further down stays on its line.
    pub fn shift(&mut self, city: &City, audit: u64, events: u64) {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        if self.audit_at > 0 {
            self.audit_at += city.audit.newest().take(count(audit)).filter(|one| self.filter.passes_entry(one)).count();
        }
        if self.events_at > 0 {
            self.events_at += city.events.newest().take(count(events)).filter(|one| self.filter.passes(one)).count();
        }
    }

    /// What the selected line is about.
    #[must_use]
    pub fn selected(&self, city: &City) -> Option<Behind> {
        let subject = match self.pane {
            Pane::Audit => self.audit(city).nth(self.audit_at).map(|entry| &entry.subject),
            Pane::Events => self.events(city).nth(self.events_at).and_then(|line| match &line.body {
                Body::Event { subject, .. } => Some(subject),
                Body::Collapsed(_) => None,
            }),
            Pane::Line => return self.order.as_ref().map(|page| Behind::Order(page.id)),
        }?;
        behind(city, subject)
    }

    /// The selected line as text.
    #[must_use]
    pub fn row(&self, city: &City) -> Option<String> {
        match self.pane {
            Pane::Audit => self.audit(city).nth(self.audit_at).map(|entry| {
                let position = entry.position.map_or_else(String::new, |position| position.to_string());
                let texts =
                    [&entry.who, &entry.what, &entry.subject, &entry.text, &entry.why].map(|text| text.fit(200));
                format!("{}\t{position}\t{}", entry.at.clock(), texts.join("\t"))
            }),
            Pane::Events => self.events(city).nth(self.events_at).map(|line| match &line.body {
                Body::Event { position, kind, subject, text } => {
                    let position = position.map_or_else(String::new, |position| position.to_string());
                    let texts = [kind, subject, text].map(|text| text.fit(200));
                    format!("{}\t{position}\t{}", line.at.clock(), texts.join("\t"))
                }
                Body::Collapsed(kinds) => {
                    let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{} {n}", kind.fit(40))).collect();
                    format!("{}\t\t{}", line.at.clock(), kinds.join(", "))
                }
            }),
            Pane::Line => None,
        }
    }
}

fn behind(city: &City, subject: &Untrusted) -> Option<Behind> {
    let word = subject.fit(40);
    let kitchen = word.parse().ok().filter(|id| city.kitchen(id).is_some()).map(Behind::Kitchen);
    kitchen.or_else(|| word.parse().ok().map(Behind::Order))
}

/// A filter of events and audit entries: `kind=migrated subject=o42 by=ada tone=bad text !text`.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    terms: Vec<Term>,
}

#[derive(Debug, Clone)]
struct Term {
    negated: bool,
    field: Field,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Any,
    Kind,
    Subject,
    By,
    Tone,
}

const FIELDS: [(&str, Field); 5] =
    [("kind", Field::Kind), ("subject", Field::Subject), ("by", Field::By), ("tone", Field::Tone), ("who", Field::By)];
const TONES: [&str; 4] = ["info", "good", "warn", "bad"];

impl EventFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// Says which word cannot be read and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split_whitespace().map(term).collect::<Result<_, _>>().map(|terms| Self { terms })
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    fn passes(&self, line: &Line) -> bool {
        let none = Untrusted::default();
        self.terms.iter().all(|term| {
            let holds = match &line.body {
                Body::Event { kind, subject, text, .. } => term.holds([kind, subject, text, &none], line.tone),
                Body::Collapsed(kinds) => match term.field {
                    Field::Any | Field::Kind => kinds.iter().any(|(kind, _)| term.on(kind)),
                    Field::Tone => term.tone(line.tone),
                    Field::Subject | Field::By => false,
                },
            };
            holds != term.negated
        })
    }

    fn passes_entry(&self, entry: &Entry) -> bool {
        let texts = [&entry.what, &entry.subject, &entry.text, &entry.who];
        self.terms.iter().all(|term| {
            let why = term.field == Field::Any && entry.why.contains(&term.value);
            (why || term.holds(texts, entry.tone)) != term.negated
        })
    }
}

impl Term {
    fn holds(&self, [kind, subject, text, who]: [&Untrusted; 4], tone: protocol::feed::Tone) -> bool {
        match self.field {
            Field::Any => [kind, subject, text, who].iter().any(|part| part.contains(&self.value)),
            Field::Kind => self.on(kind),
            Field::Subject => self.on(subject),
            Field::By => self.on(who) || (who.is_empty() && text.contains(&format!("by {}", self.value))),
            Field::Tone => self.tone(tone),
        }
    }

    fn on(&self, text: &Untrusted) -> bool {
        if self.field == Field::Any { text.contains(&self.value) } else { text.matches(&self.value) }
    }

    fn tone(&self, tone: protocol::feed::Tone) -> bool {
        use protocol::feed::Tone;
        let word = match tone {
            Tone::Info => "info",
            Tone::Good => "good",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
        };
        glob(&self.value, word)
    }
}

fn term(word: &str) -> Result<Term, String> {
    let (negated, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
    let lower = word.to_lowercase();
    let Some((key, value)) = lower.split_once('=') else {
        return Ok(Term { negated, field: Field::Any, value: lower });
    };
    let (negated, key) = key.strip_suffix('!').map_or((negated, key), |key| (!negated, key));
    let Some((_, field)) = FIELDS.iter().find(|(name, _)| *name == key) else {
        let near = nearest(key, FIELDS.iter().map(|(name, _)| *name));
        return Err(format!(
            "`{}=` is not known{near}: kind= subject= by= tone=, or a text",
            protocol::text::clean(key, 20)
        ));
    };
    if *field == Field::Tone && !value.contains('*') && !TONES.contains(&value) {
        return Err(format!("tone is one of {}", TONES.join(", ")));
    }
    Ok(Term { negated, field: *field, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_named_with_what_is_near() {
        let wrong = EventFilter::parse("knid=migrated").expect_err("a typo");
        assert!(wrong.contains("`knid=`") && wrong.contains("is it `kind`?"), "{wrong}");
        assert!(EventFilter::parse("tone=loud").expect_err("no tone").contains("info, good, warn, bad"));
        assert!(EventFilter::parse("kind=migr* !subject=o4* ada").is_ok());
    }
}
