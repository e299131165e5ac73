//! The form of a new order: how many of each dish, where to, for whom.
//!
//! Owns what the keys do in it and what is sent. Never sends: it hands a [`Verdict`] back.
//!
//! - A form has one idempotency key, drawn by the caller. What is the same as an order that was sent before and had no good
//!   answer goes under the key of then, so it can not be placed twice.

use crossterm::event::{KeyCode, KeyEvent};
use protocol::api::{ItemBody, PlaceOrder};
use protocol::order::{CUSTOMER_MAX, ITEMS_MAX, Priority, QUANTITY_MAX};
use tui_input::Input;

use super::city::{City, Named};
use super::dialog::{Verdict, edit};
use crate::console::link::Request;
use crate::console::untrusted::Untrusted;

/// What was said of an order before the form is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Dishes.
    pub items: Vec<ItemBody>,
    /// Where to.
    pub zone: Option<String>,
    /// For whom.
    pub customer: Option<String>,
    /// Whether it goes before others.
    pub high: Option<bool>,
}

impl From<&PlaceOrder> for Wish {
    fn from(order: &PlaceOrder) -> Self {
        let PlaceOrder { items, zone, customer, priority, key: _ } = order.clone();
        Self { items, zone: Some(zone), customer, high: Some(priority == Priority::High) }
    }
}

/// A dish and how many of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// The dish.
    pub dish: Named,
    /// How many.
    pub quantity: u16,
}

/// Which line of the form has the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// A dish, by its place on the menu.
    Dish(usize),
    /// Where to.
    Zone,
    /// For whom.
    Customer,
    /// How urgent.
    Priority,
    /// Do nothing.
    Cancel,
    /// Place it.
    Place,
}

/// The form.
#[derive(Debug, Clone)]
pub struct OrderForm {
    /// The menu.
    pub picks: Vec<Pick>,
    /// The city's zones.
    pub zones: Vec<Named>,
    /// The one chosen.
    pub zone: usize,
    /// For whom; may be empty.
    pub customer: Input,
    /// Whether it goes before others.
    pub high: bool,
    /// What has the focus.
    pub focus: Field,
    /// Whether the number with the focus is replaced by the next digit: it stood there before.
    selected: bool,
    /// What cannot be sent, or was not understood.
    pub error: Option<Untrusted>,
    /// What was sent before and had no good answer yet.
    before: Vec<PlaceOrder>,
    key: String,
}

impl OrderForm {
    /// A form with what was said; `key` is fresh. The focus is on what is missing, or else on the button that places.
    #[must_use]
    pub fn new(city: &City, wish: &Wish, before: Vec<PlaceOrder>, key: String) -> Self {
        let picks = city.dishes.iter().map(|dish| Pick { dish: dish.clone(), quantity: 0 }).collect();
        let zones = city.zones.iter().map(|zone| Named { name: zone.name.clone(), raw: zone.raw.clone() }).collect();
        let customer = Input::new(wish.customer.clone().unwrap_or_default());
        let mut form = Self {
            picks,
            zones,
            zone: 0,
            customer,
            high: wish.high.unwrap_or(false),
            focus: Field::Dish(0),
            selected: true,
            error: None,
            before,
            key,
        };
        form.fill(wish);
        form
    }

    fn fill(&mut self, wish: &Wish) {
        let mut unknown = None;
        for item in &wish.items {
            match self.picks.iter_mut().find(|pick| pick.dish.raw.eq_ignore_ascii_case(&item.dish)) {
                Some(pick) => pick.quantity = pick.quantity.saturating_add(item.quantity).min(QUANTITY_MAX),
                None => unknown = Some(format!("no dish is called `{}`: choose from the menu", item.dish)),
            }
        }
        let zone = wish.zone.as_ref().map(|name| {
            self.zones.iter().position(|zone| zone.raw.eq_ignore_ascii_case(name)).ok_or_else(|| name.clone())
        });
        match &zone {
            Some(Ok(at)) => self.zone = *at,
            Some(Err(name)) => unknown = unknown.or(Some(format!("no zone is called `{name}`: choose one"))),
            None => {}
        }
        self.focus = match (&unknown, wish.items.is_empty(), zone) {
            (None, false, Some(_)) => Field::Place,
            (None, false, None) => Field::Zone,
            (Some(_), _, Some(Err(_))) if self.chosen() > 0 => Field::Zone,
            (Some(_), ..) | (None, true, _) => Field::Dish(0),
        };
        self.error = unknown.map(|why| Untrusted::new(&why));
    }

    /// How many dishes are chosen, each counted once.
    #[must_use]
    pub fn chosen(&self) -> usize {
        self.picks.iter().filter(|pick| pick.quantity > 0).count()
    }

    /// Whether it is what was sent before, so that it goes under the same key.
    #[must_use]
    pub fn is_again(&self) -> bool {
        self.again().is_some()
    }

    fn again(&self) -> Option<&PlaceOrder> {
        let order = self.order();
        self.before.iter().rev().find(|before| PlaceOrder { key: None, ..(*before).clone() } == order)
    }

    /// An order that was sent before has got its answer.
    pub(super) fn settle(&mut self, order: &PlaceOrder) {
        self.before.retain(|before| before.key != order.key);
    }

    /// What a key does.
    pub(super) fn key(&mut self, key: KeyEvent) -> Verdict {
        match (key.code, self.focus) {
            (KeyCode::Esc, _) | (KeyCode::Enter, Field::Cancel) => return Verdict::Close,
            (KeyCode::Enter, Field::Place) => return self.send(),
            (KeyCode::Up | KeyCode::BackTab, _) => self.step(false),
            (KeyCode::Down | KeyCode::Tab, _) => self.step(true),
            (KeyCode::Enter, Field::Dish(_)) => self.focus = Field::Zone,
            (KeyCode::Enter, Field::Zone | Field::Customer) => self.step(true),
            (KeyCode::Enter, Field::Priority) => self.focus = Field::Place,
            (KeyCode::Left | KeyCode::Right, Field::Cancel) => self.focus = Field::Place,
            (KeyCode::Left | KeyCode::Right, Field::Place) => self.focus = Field::Cancel,
            _ if self.change(key) => self.error = None,
            _ => return Verdict::Ignored,
        }
        Verdict::Changed
    }

    /// Changes the field with the focus; says whether it did.
    fn change(&mut self, key: KeyEvent) -> bool {
        let right = matches!(key.code, KeyCode::Right | KeyCode::Char(' ' | '+'));
        let left = matches!(key.code, KeyCode::Left | KeyCode::Char('-'));
        match self.focus {
            Field::Dish(at) => {
                let over = std::mem::take(&mut self.selected);
                self.picks.get_mut(at).is_some_and(|pick| pick.change(key.code, (right, left), over))
            }
            Field::Customer => edit(&mut self.customer, key),
            Field::Zone if right || left => {
                let count = self.zones.len().max(1);
                self.zone = (self.zone + if right { 1 } else { count - 1 }) % count;
                true
            }
            Field::Priority if right || left => {
                self.high = !self.high;
                true
            }
            Field::Zone | Field::Priority | Field::Cancel | Field::Place => false,
        }
    }

    fn step(&mut self, down: bool) {
        self.selected = true;
        let dishes = self.picks.len();
        let all = dishes + 5;
        let at = match self.focus {
            Field::Dish(at) => at,
            Field::Zone => dishes,
            Field::Customer => dishes + 1,
            Field::Priority => dishes + 2,
            Field::Cancel => dishes + 3,
            Field::Place => dishes + 4,
        };
        let at = (at + if down { 1 } else { all - 1 }) % all;
        self.focus = match at.checked_sub(dishes) {
            None => Field::Dish(at),
            Some(0) => Field::Zone,
            Some(1) => Field::Customer,
            Some(2) => Field::Priority,
            Some(3) => Field::Cancel,
            Some(_) => Field::Place,
        };
    }

    fn order(&self) -> PlaceOrder {
        let picked = self.picks.iter().filter(|pick| pick.quantity > 0);
        let items = picked.map(|pick| ItemBody { dish: pick.dish.raw.clone(), quantity: pick.quantity }).collect();
        let zone = self.zones.get(self.zone).map(|zone| zone.raw.clone()).unwrap_or_default();
        let customer = Some(self.customer.value().trim().to_owned()).filter(|name| !name.is_empty());
        let priority = if self.high { Priority::High } else { Priority::Normal };
        PlaceOrder { items, zone, customer, priority, key: None }
    }

    fn send(&mut self) -> Verdict {
        let order = self.order();
        let wrong = if order.items.is_empty() {
            Some((Field::Dish(0), "nothing chosen: right adds one, or type how many".to_owned()))
        } else if order.items.len() > ITEMS_MAX {
            Some((Field::Dish(0), format!("at most {ITEMS_MAX} different dishes, not {}", order.items.len())))
        } else if order.customer.as_ref().is_some_and(|name| name.len() > CUSTOMER_MAX) {
            Some((Field::Customer, format!("the name has at most {CUSTOMER_MAX} bytes")))
        } else {
            None
        };
        if let Some((field, why)) = wrong {
            (self.focus, self.error) = (field, Some(Untrusted::new(&why)));
            return Verdict::Changed;
        }
        let before = self.again().and_then(|before| before.key.clone());
        let key = Some(before.unwrap_or_else(|| self.key.clone()));
        Verdict::Send(Request::Place(Box::new(PlaceOrder { key, ..order })), None)
    }
}

impl Pick {
    /// One more, one less, or as typed; says whether it changed.
    fn change(&mut self, code: KeyCode, (more, less): (bool, bool), over: bool) -> bool {
        let before = self.quantity;
        self.quantity = match code {
            _ if more => before.saturating_add(1).min(QUANTITY_MAX),
            _ if less => before.saturating_sub(1),
            KeyCode::Char(digit) => match digit.to_digit(10).and_then(|digit| u16::try_from(digit).ok()) {
                Some(digit) if over => digit,
                Some(digit) => Some(before.saturating_mul(10) + digit).filter(|n| *n <= QUANTITY_MAX).unwrap_or(digit),
                None => before,
            },
            KeyCode::Backspace | KeyCode::Delete if over => 0,
            KeyCode::Backspace | KeyCode::Delete => before / 10,
            _ => before,
        };
        self.quantity != before
    }
}
