//! Attempts that failed, as the ledger has them: in which kitchens, and what the orders that were set aside went through.
//! Never judges: that each had its attempts is seen by the checker.

use std::collections::{BTreeMap, BTreeSet};

use crate::dump::Row;

/// So many stories are told.
const SHOWN: usize = 10;

/// Folds a dump.
#[derive(Debug)]
pub(super) struct Graves {
    bad: BTreeSet<String>,
    holders: BTreeMap<u64, String>,
    /// Attempts of every open order that came to nothing: `failed at k1`, `kitchen_silent at k2`.
    stories: BTreeMap<u64, Vec<String>>,
    /// Orders that a bad kitchen was leased and that are open.
    touched: BTreeSet<u64>,
    failed: BTreeMap<String, u64>,
    lost: BTreeMap<String, u64>,
    completed_elsewhere: u64,
    set_aside: BTreeMap<String, u64>,
    /// Of those, tried by bad kitchens alone.
    innocent: u64,
}

impl Graves {
    /// With the kitchens that cook nothing.
    pub(super) fn new<'a>(bad: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            bad: bad.into_iter().map(str::to_owned).collect(),
            holders: BTreeMap::new(),
            stories: BTreeMap::new(),
            touched: BTreeSet::new(),
            failed: BTreeMap::new(),
            lost: BTreeMap::new(),
            completed_elsewhere: 0,
            set_aside: BTreeMap::new(),
            innocent: 0,
        }
    }

    /// Takes the next row.
    pub(super) fn row(&mut self, row: &Row) {
        let Some(order) = row.order else { return };
        match row.event.as_str() {
            "leased" => {
                let kitchen = row.kitchen.clone().unwrap_or_default();
                if self.bad.contains(&kitchen) {
                    self.touched.insert(order);
                }
                self.holders.insert(order, kitchen);
            }
            "attempt_failed" => {
                let kitchen = self.holders.remove(&order).unwrap_or_default();
                *self.failed.entry(kitchen.clone()).or_default() += 1;
                self.tell(order, "failed", &kitchen);
            }
            "lease_lost" => {
                let kitchen = self.holders.remove(&order).unwrap_or_default();
                let cause = row.cause.as_deref().unwrap_or("lost");
                *self.lost.entry(cause.to_owned()).or_default() += 1;
                self.tell(order, cause, &kitchen);
            }
            "completed" => {
                self.completed_elsewhere += u64::from(self.touched.contains(&order));
                self.forget(order);
            }
            "cancelled" => self.forget(order),
            "dead_lettered" => self.bury(order),
            _ => {}
        }
    }

    fn tell(&mut self, order: u64, what: &str, kitchen: &str) {
        self.stories.entry(order).or_default().push(format!("{what} at {kitchen}"));
    }

    fn bury(&mut self, order: u64) {
        let mut story = self.stories.get(&order).cloned().unwrap_or_default();
        let kitchen_of = |attempt: &String| attempt.rsplit_once(" at ").map(|(_, kitchen)| kitchen.to_owned());
        let by_bad = story.iter().filter_map(kitchen_of).all(|kitchen| self.bad.contains(&kitchen));
        self.innocent += u64::from(by_bad && !story.is_empty());
        story.sort_unstable();
        *self.set_aside.entry(story.join(", ")).or_default() += 1;
        self.forget(order);
    }

    fn forget(&mut self, order: u64) {
        self.holders.remove(&order);
        self.stories.remove(&order);
        self.touched.remove(&order);
    }
}

fn counts(of: &BTreeMap<String, u64>) -> String {
    let all: Vec<String> = of.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

impl std::fmt::Display for Graves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "attempts       failed: {}; leases lost: {}", counts(&self.failed), counts(&self.lost))?;
        writeln!(f, "bad kitchens   {} orders that they held were completed elsewhere", self.completed_elsewhere)?;
        let total: u64 = self.set_aside.values().sum();
        writeln!(f, "set aside      {total}, {} of them tried by bad kitchens alone", self.innocent)?;
        let mut stories: Vec<(&String, &u64)> = self.set_aside.iter().collect();
        stories.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        stories.into_iter().take(SHOWN).try_for_each(|(story, count)| writeln!(f, "  {count} times  {story}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event: &str, order: u64, kitchen: Option<&str>) -> Row {
        Row { event: event.into(), order: Some(order), kitchen: kitchen.map(Into::into), ..Row::default() }
    }

    #[test]
    fn a_story_names_every_attempt_and_a_completion_elsewhere_is_counted() {
        let mut graves = Graves::new(["failing"]);
        for order in [1, 2] {
            for _ in 0..3 {
                graves.row(&row("leased", order, Some("failing")));
                graves.row(&row("attempt_failed", order, None));
            }
        }
        graves.row(&row("leased", 1, Some("k1")));
        graves.row(&row("completed", 1, None));
        graves.row(&row("dead_lettered", 2, None));
        let said = graves.to_string();
        assert!(said.contains("failed: failing 6; leases lost: none"), "{said}");
        assert!(said.contains("1 orders that they held were completed elsewhere"), "{said}");
        assert!(said.contains("set aside      1, 1 of them tried by bad kitchens alone"), "{said}");
        assert!(said.contains("1 times  failed at failing, failed at failing, failed at failing"), "{said}");
    }
}
