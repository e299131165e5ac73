//! The city: its zones, its menu and the kitchens it starts with, as a TOML file and as the ledger keeps it.
//!
//! Owns reading and checking a city file. Dishes and zones have numbers that never change once they are in a ledger:
//! [`Menu::merged`] and [`merged_zones`] add, and never move.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::KitchenId;
use crate::text;

/// A dish by its place in the ledger's menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DishNo(pub u16);

/// A zone by its place in the ledger's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ZoneNo(pub u16);

/// A part of the city; distances are straight lines between the zones' points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its name, unique.
    pub name: String,
    /// Kilometres to the east of the city's origin.
    pub x_km: f64,
    /// Kilometres to the north.
    pub y_km: f64,
}

impl Zone {
    /// Kilometres between two zones.
    #[must_use]
    pub fn km_to(&self, other: &Self) -> f64 {
        (self.x_km - other.x_km).hypot(self.y_km - other.y_km)
    }
}

/// A step of a dish between two checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// `prep`, `cook`, `plate`, ...
    pub name: String,
    /// How long it takes at speed 1, in milliseconds.
    pub ms: u32,
    /// Whether it may be broken off and resumed elsewhere ("not in the oven").
    #[serde(default = "yes")]
    pub interruptible: bool,
}

fn yes() -> bool {
    true
}

/// Something that can be ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dish {
    /// Its name, unique; kitchens list these names as their specialties.
    pub name: String,
    /// In sequence, at least one.
    pub stages: Vec<Stage>,
    /// No longer offered; kept because old orders name its number.
    #[serde(default)]
    pub withdrawn: bool,
}

/// All dishes, in the sequence of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Menu {
    /// Number n stands at index n.
    pub dishes: Vec<Dish>,
}

impl Menu {
    /// The dish with this number.
    #[must_use]
    pub fn dish(&self, number: DishNo) -> Option<&Dish> {
        self.dishes.get(usize::from(number.0))
    }

    /// The number of an offered dish.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<DishNo> {
        let index = self.dishes.iter().position(|dish| dish.name == name && !dish.withdrawn)?;
        u16::try_from(index).ok().map(DishNo)
    }

    /// This menu brought up to `newer`: known dishes keep their number, new ones follow, missing ones are withdrawn.
    #[must_use]
    pub fn merged(&self, newer: &Self) -> Self {
        let mut dishes: Vec<Dish> = self
            .dishes
            .iter()
            .map(|old| match newer.dishes.iter().find(|dish| dish.name == old.name) {
                Some(dish) => dish.clone(),
                None => Dish { withdrawn: true, ..old.clone() },
            })
            .collect();
        dishes.extend(newer.dishes.iter().filter(|dish| !self.dishes.iter().any(|old| old.name == dish.name)).cloned());
        Self { dishes }
    }
}

/// `old` brought up to `newer`: known zones keep their number, new ones follow; none is ever removed.
#[must_use]
pub fn merged_zones(old: &[Zone], newer: &[Zone]) -> Vec<Zone> {
    let mut zones: Vec<Zone> = old
        .iter()
        .map(|zone| newer.iter().find(|candidate| candidate.name == zone.name).unwrap_or(zone).clone())
        .collect();
    zones.extend(newer.iter().filter(|zone| !old.iter().any(|known| known.name == zone.name)).cloned());
    zones
}

/// A kitchen that `chef up` starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitchenSpec {
    /// Its id, unique.
    pub id: KitchenId,
    /// What people call it; the id if absent.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it is: a zone's name.
    pub zone: String,
    /// How many orders it may hold, waiting and cooking.
    pub capacity: u32,
    /// How many it cooks at once; half the capacity, rounded up, if absent.
    #[serde(default)]
    pub stations: Option<u32>,
    /// Dishes it is good at.
    #[serde(default)]
    pub specialties: Vec<String>,
}

/// A city file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct City {
    /// What people call it.
    pub name: String,
    /// At least one.
    #[serde(rename = "zone")]
    pub zones: Vec<Zone>,
    /// At least one.
    #[serde(rename = "dish")]
    pub menu: Menu,
    /// The kitchens of `chef up`, the first N of `--kitchens N`.
    #[serde(default, rename = "kitchen")]
    pub kitchens: Vec<KitchenSpec>,
}

/// A city file that cannot be used, with the place and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCity {
    /// Not TOML, or not of this shape.
    #[error("{0}")]
    Syntax(String),
    /// Well formed, but it cannot be.
    #[error("{what}: {why}")]
    Meaning {
        /// The entry.
        what: String,
        /// What is wrong with it and what would be right.
        why: String,
    },
}

/// The most zones, dishes or kitchens in one city file: what the tables on a screen and the routing index are tested with.
pub const CITY_ENTRIES_MAX: usize = 10_000;
/// The largest map and menu, in bytes on the wire: they reach an agent in one frame.
pub const CITY_WIRE_MAX: usize = 48 * 1024;
/// The largest capacity of one kitchen.
pub const CAPACITY_MAX: u32 = 100_000;
/// The longest name of a dish, zone, stage or kitchen, in bytes.
pub const NAME_MAX: usize = 48;

impl City {
    /// The city that is built into every binary.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse(include_str!("city.toml")).expect("the built-in city is checked by a test")
    }

    /// Reads and checks a city file.
    ///
    /// # Errors
    /// Names the line or the entry, what is wrong, and what would be right.
    pub fn parse(text: &str) -> Result<Self, BadCity> {
        let city: Self = toml::from_str(text).map_err(|error| BadCity::Syntax(error.to_string()))?;
        city.check()?;
        Ok(city)
    }

    /// Kilometres between two zones by number; 0 if either is unknown.
    #[must_use]
    pub fn km(&self, from: ZoneNo, to: ZoneNo) -> f64 {
        let zone = |number: ZoneNo| self.zones.get(usize::from(number.0));
        zone(from).zip(zone(to)).map_or(0.0, |(a, b)| a.km_to(b))
    }

    fn check(&self) -> Result<(), BadCity> {
        let meaning = |what: String, why: String| Err(BadCity::Meaning { what, why });
        for (kind, count) in [("zone", self.zones.len()), ("dish", self.menu.dishes.len())] {
            if count == 0 {
                return meaning(format!("[[{kind}]]"), "a city needs at least one".into());
            }
        }
        for (kind, count) in
            [("zone", self.zones.len()), ("dish", self.menu.dishes.len()), ("kitchen", self.kitchens.len())]
        {
            if count > CITY_ENTRIES_MAX {
                return meaning(format!("[[{kind}]]"), format!("{count} entries, at most {CITY_ENTRIES_MAX}"));
            }
        }
        let wire = postcard::to_stdvec(&(&self.zones, &self.menu)).map_or(usize::MAX, |bytes| bytes.len());
        if wire > CITY_WIRE_MAX {
            return meaning(
                "zones and dishes".into(),
                format!("take {wire} bytes on the wire, at most {CITY_WIRE_MAX}: use fewer or shorter names"),
            );
        }
        check_names("zone", self.zones.iter().map(|zone| zone.name.as_str()))?;
        check_names("dish", self.menu.dishes.iter().map(|dish| dish.name.as_str()))?;
        check_names("kitchen", self.kitchens.iter().map(|kitchen| kitchen.id.as_str()))?;
        for zone in &self.zones {
            if !(zone.x_km.abs() <= 1_000.0 && zone.y_km.abs() <= 1_000.0) {
                return meaning(
                    format!("zone `{}`", zone.name),
                    "x_km and y_km must be within 1000 of the origin".into(),
                );
            }
        }
        for dish in &self.menu.dishes {
            let what = || format!("dish `{}`", dish.name);
            if dish.stages.is_empty() || dish.stages.len() > 16 {
                return meaning(what(), "needs 1 to 16 stages".into());
            }
            for stage in &dish.stages {
                if let Err(why) = text::check(&stage.name, NAME_MAX) {
                    return meaning(what(), format!("a stage's name {why}"));
                }
                if stage.ms > 3_600_000 {
                    return meaning(what(), format!("stage `{}` lasts {} ms, at most 3600000", stage.name, stage.ms));
                }
            }
        }
        self.kitchens.iter().try_for_each(|kitchen| self.check_kitchen(kitchen))
    }

    fn check_kitchen(&self, kitchen: &KitchenSpec) -> Result<(), BadCity> {
        let meaning = |why: String| Err(BadCity::Meaning { what: format!("kitchen `{}`", kitchen.id), why });
        if let Some(Err(why)) = kitchen.name.as_deref().map(|name| text::check(name, NAME_MAX)) {
            return meaning(format!("its name {why}"));
        }
        if !self.zones.iter().any(|zone| zone.name == kitchen.zone) {
            return meaning(format!("there is no zone `{}`", text::clean(&kitchen.zone, 40)));
        }
        if !(1..=CAPACITY_MAX).contains(&kitchen.capacity) {
            return meaning(format!("capacity {} is not in 1 to {CAPACITY_MAX}", kitchen.capacity));
        }
        if let Some(stations) = kitchen.stations
            && !(1..=kitchen.capacity).contains(&stations)
        {
            return meaning(format!("stations {stations} is not in 1 to its capacity {}", kitchen.capacity));
        }
        match kitchen.specialties.iter().find(|name| self.menu.find(name).is_none()) {
            Some(unknown) => meaning(format!("its specialty `{}` is not on the menu", text::clean(unknown, 40))),
            None => Ok(()),
        }
    }
}

fn check_names<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<(), BadCity> {
    let mut seen = BTreeSet::new();
    for name in names {
        let what = format!("{kind} `{}`", text::clean(name, 40));
        if let Err(why) = text::check(name, NAME_MAX) {
            return Err(BadCity::Meaning { what, why: format!("its name {why}") });
        }
        if !seen.insert(name) {
            return Err(BadCity::Meaning { what, why: "appears twice".into() });
        }
    }
    Ok(())
}

/// Stations when none are given: half the capacity, rounded up.
#[must_use]
pub fn default_stations(capacity: u32) -> u32 {
    capacity.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_city_is_sound_and_has_downtown() {
        let city = City::built_in();
        assert_eq!(city.kitchens.len(), 4);
        let downtown = city.kitchens.iter().find(|kitchen| kitchen.zone == "Downtown").expect("a kitchen in Downtown");
        for dish in ["pizza", "pasta", "burger"] {
            assert!(downtown.specialties.iter().any(|name| name == dish), "{dish}");
        }
    }

    #[test]
    fn a_bad_city_is_refused_with_place_and_mend() {
        let good = include_str!("city.toml");
        for (change, with, expected) in [
            ("zone = \"Downtown\"", "zone = \"Atlantis\"", "there is no zone `Atlantis`"),
            ("capacity = ", "capacity = 0 # ", "capacity 0 is not in 1 to"),
            ("capacity = ", "capacities = ", "unknown field `capacities`"),
            ("name = \"pizza\"", "name = \"pasta\"", "appears twice"),
            ("name = \"pizza\"", "name = \"pi\\u001bzza\"", "control"),
        ] {
            let error = City::parse(&good.replacen(change, with, 1)).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_newer_menu_never_moves_a_number() {
        let dish = |name: &str| Dish {
            name: name.into(),
            stages: vec![Stage { name: "cook".into(), ms: 1, interruptible: true }],
            withdrawn: false,
        };
        let old = Menu { dishes: vec![dish("soup"), dish("pie")] };
        let merged = old.merged(&Menu { dishes: vec![dish("tart"), dish("pie")] });
        assert_eq!(merged.find("pie"), Some(DishNo(1)));
        assert_eq!(merged.find("tart"), Some(DishNo(2)));
        assert_eq!(merged.find("soup"), None);
        assert!(merged.dishes[0].withdrawn);
    }
}
