//! An order's parts: what is asked for, how urgent it is, and how far it has come.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::city::{DishNo, Menu, Stage};

/// So many of one dish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Which dish, by its number in the ledger's menu.
    pub dish: DishNo,
    /// How many, 1 to [`QUANTITY_MAX`].
    pub quantity: u16,
}

/// The largest quantity of one dish: a bigger feast is several orders.
pub const QUANTITY_MAX: u16 = 100;
/// The most different dishes in one order.
pub const ITEMS_MAX: usize = 16;
/// The longest customer name, in bytes.
pub const CUSTOMER_MAX: usize = 64;
/// The longest idempotency key, in bytes.
pub const KEY_MAX: usize = 128;
/// The most orders in one batch.
pub const BATCH_MAX: usize = 1_000;

/// Who is shed last and cooked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// In the order of arrival.
    #[default]
    Normal,
    /// Before every normal order, and admitted until the last place.
    High,
}

/// How far an order has come: `Queued -> Leased -> Cooking -> Completed`, or aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Durable, and waiting for a kitchen with a free place.
    Queued,
    /// A kitchen holds it and has not begun.
    Leased,
    /// A kitchen has begun.
    Cooking,
    /// Cooked, once.
    Completed,
    /// Called off before it was done.
    Cancelled,
    /// Set aside after too many failed attempts; a person chooses.
    DeadLettered,
}

impl OrderState {
    /// Every state, in the sequence of the way.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Leased, Self::Cooking, Self::Completed, Self::Cancelled, Self::DeadLettered];

    /// The word in JSON and on screens.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Cooking => "cooking",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::DeadLettered => "dead_lettered",
        }
    }

    /// Whether anything more can happen to the order.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::Queued | Self::Leased | Self::Cooking => true,
            Self::Completed | Self::Cancelled | Self::DeadLettered => false,
        }
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for OrderState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.word() == text);
        found.ok_or_else(|| {
            format!("`{}` is not a state: {}", crate::text::clean(text, 20), Self::ALL.map(Self::word).join(", "))
        })
    }
}

/// The stages of a whole order.
///
/// Dishes of one order cook side by side, so the n-th stage lasts as long as the slowest dish's n-th stage; each further
/// piece of a dish adds a quarter. A stage can be interrupted only if it can be for every dish.
#[must_use]
pub fn plan(items: &[Item], menu: &Menu) -> Vec<Stage> {
    let mut plan: Vec<Stage> = Vec::new();
    for item in items {
        let Some(dish) = menu.dish(item.dish) else { continue };
        for (index, stage) in dish.stages.iter().enumerate() {
            let ms = stage.ms * (3 + u32::from(item.quantity)) / 4;
            match plan.get_mut(index) {
                None => plan.push(Stage { ms, ..stage.clone() }),
                Some(known) => {
                    known.ms = known.ms.max(ms);
                    known.interruptible &= stage.interruptible;
                }
            }
        }
    }
    plan
}
