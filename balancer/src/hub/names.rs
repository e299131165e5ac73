//! Names of dishes and zones to their numbers in the ledger: one look-up an order. Never changes within a reign.

use std::collections::HashMap;

use protocol::city::{City, DishNo, ZoneNo};

/// Names of dishes and zones, as clients write them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    dishes: HashMap<String, DishNo>,
    zones: HashMap<String, ZoneNo>,
}

impl Names {
    pub(crate) fn dish(&self, name: &str) -> Option<DishNo> {
        self.dishes.get(name).copied()
    }

    pub(crate) fn zone(&self, name: &str) -> Option<ZoneNo> {
        self.zones.get(name).copied()
    }

    /// Those of a city; withdrawn dishes are not offered.
    pub(crate) fn of(city: &City) -> Self {
        let number = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
        let offered = city.menu.dishes.iter().enumerate().filter(|(_, dish)| !dish.withdrawn);
        let zones = city.zones.iter().enumerate();
        Self {
            dishes: offered.map(|(index, dish)| (dish.name.clone(), DishNo(number(index)))).collect(),
            zones: zones.map(|(index, zone)| (zone.name.clone(), ZoneNo(number(index)))).collect(),
        }
    }
}
