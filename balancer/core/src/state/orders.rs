//! The table of orders: open ones and the last ended ones, by id.
//!
//! Ids are given in sequence, so the table is pages of 256 in a ring: a look-up is two index operations, and the pages of
//! the oldest ended orders fall off at the front. A page of which little is left is packed, so that orders that wait for
//! long among millions of ended ones (in quarantine, say) cost their own size and not a page each.

use std::collections::VecDeque;

use protocol::api::HopKind;
use protocol::city::ZoneNo;
use protocol::{FencingToken, Item, OrderId, OrderState, Position, Priority, WallTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::{Cause, KitchenNo};

/// One kitchen on an order's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Where.
    pub kitchen: KitchenNo,
    /// With which right.
    pub token: FencingToken,
    /// Why there.
    pub cause: Cause,
    /// When.
    pub at: WallTime,
    /// How long nobody cooked it, for a move that has come to its end.
    pub pause_ms: Option<u32>,
}

/// One order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// How far it is.
    pub state: OrderState,
    /// How urgent.
    pub priority: Priority,
    /// Where it goes.
    pub zone: ZoneNo,
    /// How many stages are done.
    pub stages_done: u8,
    /// How many there are.
    pub stages: u8,
    /// Leases so far.
    pub attempt: u16,
    /// Half strikes: two for an attempt that failed, or was lost in mid-cooking by a kitchen that does not speak for itself;
    /// one for a kitchen that died before it said that it had begun.
    pub half_strikes: u8,
    /// Automatic moves so far.
    pub moves: u8,
    /// Who has it, or had it last.
    pub kitchen: Option<KitchenNo>,
    /// The newest right.
    pub token: FencingToken,
    /// The right under which a late result was refused last: the same one repeated is not counted again.
    pub refused: FencingToken,
    /// When it was accepted.
    pub placed_at: WallTime,
    /// When it was leased last.
    pub leased_at: WallTime,
    /// When it ended.
    pub ended_at: Option<WallTime>,
    /// Where its acceptance stands.
    pub position: Position,
    /// Where its newest event stands.
    pub last: Position,
    /// What was asked for.
    pub items: Vec<Item>,
    /// Its way.
    pub hops: Vec<Hop>,
    /// How the next lease will have come about.
    pub next_cause: Cause,
    /// Who asked.
    pub customer: Option<Box<str>>,
    /// The idempotency key.
    pub key: Option<Box<str>>,
    /// Output of the last failed attempt.
    pub failure: Option<Box<str>>,
    /// Since when the stage in hand is cooked.
    pub stage_since: WallTime,
    /// Cooking time that was lost with its kitchens.
    pub wasted_ms: u32,
    /// Its stage cannot be broken off.
    pub in_the_oven: bool,
}

impl Order {
    /// Attempts that failed or were lost; a kitchen that died before it said that it had begun counts half.
    #[must_use]
    pub fn strikes(&self) -> u8 {
        self.half_strikes / 2
    }

    /// The kind of the newest hop.
    #[must_use]
    pub fn came_by(&self) -> Option<HopKind> {
        self.hops.last().map(|hop| hop.cause.kind())
    }

    /// The dish with the most pieces (the first of equals): what decides whether a kitchen is its specialist.
    #[must_use]
    pub fn main_dish(&self) -> Option<protocol::city::DishNo> {
        let mut main: Option<&Item> = None;
        for item in &self.items {
            if main.is_none_or(|best| item.quantity > best.quantity) {
                main = Some(item);
            }
        }
        main.map(|item| item.dish)
    }
}

const PAGE: u64 = 256;
/// A wide page that has no more orders than this is packed: a sixteenth.
const PACK_AT: u32 = 16;
/// A packed page with so many orders becomes wide: an eighth, so that none goes to and fro.
const WIDE_FROM: usize = 32;

/// Up to [`PAGE`] orders with neighbouring ids.
#[derive(Debug, Clone)]
enum Page {
    /// By slot.
    Wide { slots: Vec<Option<Order>>, used: u32 },
    /// The first, or what is left, by id.
    Packed(Vec<Order>),
}

impl Page {
    fn new() -> Self {
        Self::Packed(Vec::new())
    }

    fn widen(orders: Vec<Order>) -> Self {
        let used = u32::try_from(orders.len()).unwrap_or(u32::MAX);
        let mut slots: Vec<Option<Order>> = (0..PAGE).map(|_| None).collect();
        for order in orders {
            let place = slot(order.id);
            slots[place] = Some(order);
        }
        Self::Wide { slots, used }
    }

    #[inline]
    fn get(&self, id: OrderId) -> Option<&Order> {
        match self {
            Self::Wide { slots, .. } => slots[slot(id)].as_ref(),
            Self::Packed(orders) => orders.binary_search_by_key(&id, |order| order.id).ok().map(|at| &orders[at]),
        }
    }

    #[inline]
    fn get_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        match self {
            Self::Wide { slots, .. } => slots[slot(id)].as_mut(),
            Self::Packed(orders) => orders.binary_search_by_key(&id, |order| order.id).ok().map(|at| &mut orders[at]),
        }
    }

    /// Puts an order in, and says whether its place was free.
    fn insert(&mut self, order: Order) -> bool {
        match self {
            Self::Wide { slots, used } => {
                let before = slots[slot(order.id)].replace(order);
                *used += u32::from(before.is_none());
                before.is_none()
            }
            Self::Packed(orders) => match orders.binary_search_by_key(&order.id, |other| other.id) {
                Ok(at) => {
                    orders[at] = order;
                    false
                }
                Err(at) => {
                    orders.insert(at, order);
                    if orders.len() >= WIDE_FROM {
                        *self = Self::widen(std::mem::take(orders));
                    }
                    true
                }
            },
        }
    }

    fn remove(&mut self, id: OrderId) -> Option<Order> {
        match self {
            Self::Wide { slots, used } => {
                let order = slots[slot(id)].take()?;
                *used -= 1;
                if *used <= PACK_AT {
                    *self = Self::Packed(std::mem::take(slots).into_iter().flatten().collect());
                }
                Some(order)
            }
            Self::Packed(orders) => {
                let at = orders.binary_search_by_key(&id, |order| order.id).ok()?;
                Some(orders.remove(at))
            }
        }
    }

    fn places(&self) -> usize {
        match self {
            Self::Wide { slots, .. } => slots.len(),
            Self::Packed(orders) => orders.capacity(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Wide { used, .. } => *used == 0,
            Self::Packed(orders) => orders.is_empty(),
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &Order> {
        let (slots, packed): (&[Option<Order>], &[Order]) = match self {
            Self::Wide { slots, .. } => (slots, &[]),
            Self::Packed(orders) => (&[], orders),
        };
        slots.iter().flatten().chain(packed)
    }
}

/// The same orders: how a page holds them does not matter.
impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Orders by id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OrderTable {
    first_page: u64,
    pages: VecDeque<Option<Box<Page>>>,
    open: usize,
    len: usize,
    /// Every order below this id has ended.
    oldest_open: OrderId,
    newest: OrderId,
}

impl OrderTable {
    /// How many are not ended; kept by `State::apply` through [`Self::insert`] and [`Self::mark_ended`].
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// How many are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The order with this id. Asked some twenty times an order.
    #[must_use]
    #[inline]
    pub fn get(&self, id: OrderId) -> Option<&Order> {
        self.pages.get(self.page_index(id)?)?.as_ref()?.get(id)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        let index = self.page_index(id)?;
        self.pages.get_mut(index)?.as_mut()?.get_mut(id)
    }

    /// Adds an order with a new id.
    pub(crate) fn insert(&mut self, order: Order) {
        let page_no = order.id.0 / PAGE;
        if self.pages.is_empty() {
            self.first_page = page_no;
        }
        while page_no < self.first_page {
            self.pages.push_front(None);
            self.first_page -= 1;
        }
        let index = usize::try_from(page_no - self.first_page).unwrap_or(usize::MAX);
        while self.pages.len() <= index {
            self.pages.push_back(None);
        }
        let page = self.pages[index].get_or_insert_with(|| Box::new(Page::new()));
        if self.open == 0 || order.id < self.oldest_open {
            self.oldest_open = order.id;
        }
        self.newest = self.newest.max(order.id);
        self.open += usize::from(order.state.is_open());
        self.len += usize::from(page.insert(order));
    }

    /// Says that an open order has ended, after its state was changed.
    pub(crate) fn mark_ended(&mut self) {
        self.open -= 1;
        self.skip_ended();
    }

    /// Says that an ended order is open again, after its state was changed.
    pub(crate) fn mark_open(&mut self, id: OrderId) {
        self.oldest_open = if self.open == 0 { id } else { self.oldest_open.min(id) };
        self.open += 1;
    }

    /// Moves the lower bound up to the oldest open order, id by id, and over pages that are gone in one step: the bound
    /// falls far back when an old order is released.
    fn skip_ended(&mut self) {
        while self.oldest_open <= self.newest {
            let page = self.page_index(self.oldest_open).and_then(|index| self.pages.get(index)?.as_ref());
            match page.map(|page| page.get(self.oldest_open)) {
                Some(Some(order)) if order.state.is_open() => return,
                Some(_) => self.oldest_open.0 += 1,
                None => self.oldest_open.0 = (self.oldest_open.0 / PAGE + 1) * PAGE,
            }
        }
    }

    pub(crate) fn remove(&mut self, id: OrderId) -> Option<Order> {
        let index = self.page_index(id)?;
        let entry = self.pages.get_mut(index)?;
        let page = entry.as_mut()?;
        let order = page.remove(id)?;
        self.len -= 1;
        self.open -= usize::from(order.state.is_open());
        if page.is_empty() {
            *entry = None;
        }
        if id == self.oldest_open {
            self.skip_ended();
        }
        while matches!(self.pages.front(), Some(None)) {
            self.pages.pop_front();
            self.first_page += 1;
        }
        Some(order)
    }

    /// Orders that there is memory for.
    #[must_use]
    pub fn places(&self) -> usize {
        self.pages.iter().flatten().map(|page| page.places()).sum()
    }

    /// All orders, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.pages.iter().flatten().flat_map(|page| page.iter())
    }

    /// Orders with an id below this one, newest first.
    pub fn below(&self, id: OrderId) -> impl Iterator<Item = &Order> {
        let pages = (id.0 / PAGE + 1).saturating_sub(self.first_page);
        let pages = usize::try_from(pages).unwrap_or(usize::MAX).min(self.pages.len());
        let newest_first = self.pages.range(..pages).rev().flatten();
        newest_first.flat_map(|page| page.iter().rev()).filter(move |order| order.id < id)
    }

    /// The open order with the lowest id.
    #[must_use]
    pub fn oldest_open(&self) -> Option<&Order> {
        self.get(self.oldest_open).filter(|order| order.state.is_open())
    }

    #[inline]
    fn page_index(&self, id: OrderId) -> Option<usize> {
        usize::try_from((id.0 / PAGE).checked_sub(self.first_page)?).ok()
    }
}

fn slot(id: OrderId) -> usize {
    (id.0 % PAGE) as usize
}

impl Serialize for OrderTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut seq = serializer.serialize_seq(Some(self.len))?;
        for order in self.iter() {
            seq.serialize_element(order)?;
        }
        seq.end()
    }
}

impl<'de> Deserialize<'de> for OrderTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let orders = Vec::<Order>::deserialize(deserializer)?;
        let mut table = Self::default();
        orders.into_iter().for_each(|order| table.insert(order));
        Ok(table)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn order(id: u64) -> Order {
        Order {
            id: OrderId(id),
            state: OrderState::Queued,
            priority: Priority::Normal,
            zone: ZoneNo(0),
            stages_done: 0,
            stages: 3,
            attempt: 0,
            half_strikes: 0,
            moves: 0,
            kitchen: None,
            token: FencingToken::default(),
            refused: FencingToken::default(),
            placed_at: WallTime(0),
            leased_at: WallTime(0),
            ended_at: None,
            position: Position(id),
            last: Position(id),
            items: Vec::new(),
            hops: Vec::new(),
            next_cause: Cause::Dispatch,
            customer: None,
            key: None,
            failure: None,
            stage_since: WallTime(0),
            wasted_ms: 0,
            in_the_oven: false,
        }
    }

    #[test]
    fn pages_fall_off_at_the_front_and_an_old_open_order_stays() {
        let mut table = OrderTable::default();
        for id in 1..=2_000 {
            table.insert(order(id));
        }
        for id in (1..=1_900).filter(|id| *id != 7) {
            assert_eq!(table.remove(OrderId(id)).expect("there").id, OrderId(id));
        }
        assert_eq!((table.len(), table.open()), (101, 101));
        assert_eq!(table.oldest_open().expect("one").id, OrderId(7));
        assert_eq!(table.pages.iter().flatten().count(), 2, "the page of o7 and the last one");
        assert!(table.get(OrderId(8)).is_none());
        assert!(table.get(OrderId(5_000)).is_none());
        table.remove(OrderId(7));
        assert_eq!(table.pages.len(), 1);
        let newest: Vec<u64> = table.below(OrderId(1_999)).take(3).map(|order| order.id.0).collect();
        assert_eq!(newest, [1_998, 1_997, 1_996]);
    }
}
