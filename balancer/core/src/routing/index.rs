//! The exact index: the best kitchen without looking at each.
//!
//! For one order, two kitchens in the same zone with the same specialties differ only in their own part of the score (load
//! and time). So kitchens form groups by (zone, specialties); each group keeps a tournament tree of own parts, whose root
//! is its best, and an order's choice is the maximum of `root + what zone and specialties add` over the groups. Equal to a
//! scan for every order, also with several dishes. A tree per dish and zone is smaller for orders of one dish and wrong
//! for others; a scan costs 3 us at 1,000 kitchens.

use std::collections::BTreeMap;

use protocol::Item;
use protocol::city::ZoneNo;

use super::DishSet;
use crate::policy::{ONE, Score};

/// Own parts are stored plus one; 0 is a kitchen that cannot be chosen.
type Key = u64;

#[derive(Debug)]
struct Group {
    zone: ZoneNo,
    specialties: DishSet,
    /// Kitchen numbers, rising.
    members: Vec<u32>,
    /// Node 1 is the root, the leaves begin at `leaves`.
    tree: Vec<Key>,
    leaves: usize,
}

/// Groups, and where each kitchen is.
#[derive(Debug)]
pub struct Index {
    groups: Vec<Group>,
    /// Group and place in it, by kitchen number.
    places: Vec<(u32, u32)>,
}

impl Index {
    pub(super) fn build<'a>(kitchens: impl Iterator<Item = (ZoneNo, &'a DishSet, Option<Score>)>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        let mut known: BTreeMap<(ZoneNo, &DishSet), usize> = BTreeMap::new();
        let mut places = Vec::new();
        let mut keys = Vec::new();
        for (number, (zone, specialties, key)) in kitchens.enumerate() {
            let group = *known.entry((zone, specialties)).or_insert_with(|| {
                let (members, tree) = (Vec::new(), Vec::new());
                groups.push(Group { zone, specialties: specialties.clone(), members, tree, leaves: 0 });
                groups.len() - 1
            });
            places.push((group as u32, groups[group].members.len() as u32));
            groups[group].members.push(number as u32);
            keys.push(key);
        }
        for group in &mut groups {
            group.leaves = group.members.len().next_power_of_two();
            group.tree = vec![0; group.leaves * 2];
        }
        let mut index = Self { groups, places };
        for (number, key) in keys.into_iter().enumerate() {
            index.set(number, key);
        }
        index
    }

    pub(super) fn set(&mut self, number: usize, key: Option<Score>) {
        let (group, place) = self.places[number];
        self.groups[group as usize].set(place as usize, key.map_or(0, |own| own + 1));
    }

    pub(super) fn best(
        &self,
        offset: usize,
        specialty_share: u64,
        items: &[Item],
        distance: impl Fn(ZoneNo) -> Score,
    ) -> Option<usize> {
        let mut best: Option<(Score, usize)> = None;
        for group in &self.groups {
            let root = group.tree[1];
            if root == 0 {
                continue;
            }
            let base = root - 1 + distance(group.zone);
            if best.is_some_and(|(top, _)| base + specialty_share * ONE < top) {
                continue;
            }
            let score = base + specialty_share * group.specialties.term(items);
            let better = best.is_none_or(|(top, _)| score > top);
            if better {
                best = Some((score, group.first_best(offset)));
            } else if let Some((top, holder)) = best
                && score == top
            {
                let rival = group.first_best(offset);
                best = Some((top, nearer(offset, holder, rival)));
            }
        }
        best.map(|(_, number)| number)
    }
}

/// Of two kitchens, the one that comes first from the offset on.
fn nearer(offset: usize, a: usize, b: usize) -> usize {
    let rank = |number: usize| (number < offset, number);
    if rank(a) < rank(b) { a } else { b }
}

impl Group {
    fn set(&mut self, place: usize, key: Key) {
        let mut node = self.leaves + place;
        if self.tree[node] == key {
            return;
        }
        self.tree[node] = key;
        while node > 1 {
            node /= 2;
            let winner = self.tree[node * 2].max(self.tree[node * 2 + 1]);
            if self.tree[node] == winner {
                return;
            }
            self.tree[node] = winner;
        }
    }

    /// The number of the first kitchen at or after the offset, round again, that has the root's key.
    fn first_best(&self, offset: usize) -> usize {
        let root = self.tree[1];
        let start = self.members.partition_point(|member| (*member as usize) < offset);
        let place = self
            .first_at_least(1, 0, self.leaves, start, root)
            .or_else(|| self.first_at_least(1, 0, self.leaves, 0, root));
        place.map_or(0, |place| self.members[place] as usize)
    }

    /// The first place from `start` on below `node` (which spans `width` leaves from `low`) with this key.
    fn first_at_least(&self, node: usize, low: usize, width: usize, start: usize, key: Key) -> Option<usize> {
        if low + width <= start || self.tree[node] < key {
            return None;
        }
        if width == 1 {
            return Some(low);
        }
        let half = width / 2;
        let left = self.first_at_least(node * 2, low, half, start, key);
        left.or_else(|| self.first_at_least(node * 2 + 1, low + half, half, start, key))
    }
}
