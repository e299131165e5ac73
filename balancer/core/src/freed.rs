//! Kitchens in which a place or a station has just become free: the lowest number first, each once.
//!
//! Owns the set; never judges whether a kitchen may take anything. It is filled and emptied with every order, so it keeps
//! its memory, which a `BTreeSet` gives back each time.

use std::collections::VecDeque;

use crate::event::KitchenNo;

/// A sorted set that keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Freed(VecDeque<KitchenNo>);

impl Freed {
    pub(crate) fn insert(&mut self, kitchen: KitchenNo) {
        let place = self.0.partition_point(|known| *known < kitchen);
        if self.0.get(place) != Some(&kitchen) {
            self.0.insert(place, kitchen);
        }
    }

    /// All kitchens of a city of so many.
    pub(crate) fn insert_all(&mut self, count: usize) {
        self.0.clear();
        self.0.extend((0..count).map(|number| KitchenNo(u32::try_from(number).unwrap_or(u32::MAX))));
    }

    pub(crate) fn pop_first(&mut self) -> Option<KitchenNo> {
        self.0.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_once_and_the_lowest_first() {
        let mut freed = Freed::default();
        for number in [7, 2, 9, 2, 7] {
            freed.insert(KitchenNo(number));
        }
        assert_eq!(
            [(); 4].map(|()| freed.pop_first()),
            [Some(KitchenNo(2)), Some(KitchenNo(7)), Some(KitchenNo(9)), None]
        );
        freed.insert(KitchenNo(2));
        freed.insert_all(3);
        assert_eq!(
            [(); 4].map(|()| freed.pop_first()),
            [Some(KitchenNo(0)), Some(KitchenNo(1)), Some(KitchenNo(2)), None]
        );
    }
}
