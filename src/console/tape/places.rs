//! Places of lines that cannot be played.
//!
//! Owns the first of them, each once however often it is met. Never grows with a file that is nothing but damage.

use std::collections::BTreeSet;

/// The most kept: nobody reads more, and a file may hold millions.
const KEPT: usize = 1_000;

/// Some places in a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    first: BTreeSet<u64>,
    /// There were more than are kept.
    more: bool,
}

impl Places {
    /// Notes a place.
    pub(super) fn note(&mut self, place: u64) {
        self.first.insert(place);
        if self.first.len() > KEPT {
            self.first.pop_last();
            self.more = true;
        }
    }

    /// Those that are kept, in the sequence of the file.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = u64> {
        self.first.iter().copied()
    }

    /// How many there are, for people; none if there is none.
    pub(super) fn words(&self) -> Option<String> {
        let count = self.first.len();
        (count > 0).then(|| if self.more { format!("more than {count}") } else { count.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stays_whatever_else_is_met() {
        let mut places = Places::default();
        assert_eq!(places.words(), None);
        for place in (0..5_000).rev().chain(0..5_000) {
            places.note(place);
        }
        assert_eq!((places.iter().next(), places.iter().len()), (Some(0), KEPT));
        assert_eq!(places.words().as_deref(), Some("more than 1000"));
    }
}
