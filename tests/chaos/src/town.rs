//! City files for chaos: a menu and kitchens whose capacity is known in advance.
//!
//! Owns the text. Every dish lasts as long as every other, so orders a second = stations / dish time.

use std::fmt::Write;

/// Zones of a chaos city.
pub const ZONES: [&str; 3] = ["Downtown", "Harbor", "Uptown"];
/// What customers ask for.
pub const DISHES: [&str; 3] = ["pizza", "pasta", "salad"];
/// On the menu, and never asked for by the ordinary load.
pub const POISON: &str = "poison";

/// What a chaos city is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Town {
    /// Places of each kitchen, waiting and cooking.
    pub capacity: u32,
    /// Of those, cooking at once.
    pub stations: u32,
    /// The three stages of every dish; the pizza's second cannot be broken off.
    pub stages_ms: [u32; 3],
}

impl Town {
    /// Orders a second that so many kitchens can cook at most.
    #[must_use]
    pub fn rate(&self, kitchens: u32, speed: f64) -> f64 {
        let seconds = f64::from(self.stages_ms.iter().sum::<u32>()) / 1e3 / speed;
        f64::from(kitchens * self.stations) / seconds
    }

    /// The city file; `chef up` starts the first kitchens of it.
    #[must_use]
    pub fn file(&self, kitchens: u32) -> String {
        let mut text = String::from("name = \"Chaos\"\n");
        let [prep, cook, plate] = self.stages_ms;
        for (index, zone) in ZONES.iter().enumerate() {
            let _ = write!(text, "\n[[zone]]\nname = \"{zone}\"\nx_km = {}.0\ny_km = {index}.0\n", index * 2);
        }
        for dish in DISHES.iter().chain([&POISON]) {
            let oven = if *dish == "pizza" { ", interruptible = false" } else { "" };
            let _ = write!(
                text,
                "\n[[dish]]\nname = \"{dish}\"\nstages = [\n  {{ name = \"prep\", ms = {prep} }},\n  {{ name = \"cook\", ms = {cook}{oven} }},\n  {{ name = \"plate\", ms = {plate} }},\n]\n"
            );
        }
        for number in 1..=kitchens.max(1) {
            let (zone, dishes) = (self.zone(number), self.specialties(number));
            let _ = write!(
                text,
                "\n[[kitchen]]\nid = \"kitchen_{number}\"\nzone = \"{zone}\"\ncapacity = {}\nstations = {}\nspecialties = [\"{}\"]\n",
                self.capacity,
                self.stations,
                dishes.replace(',', "\", \""),
            );
        }
        text
    }

    /// Where the kitchen of this number stands.
    #[must_use]
    pub fn zone(&self, number: u32) -> &'static str {
        ZONES[number as usize % ZONES.len()]
    }

    /// What it is good at: two of the three.
    #[must_use]
    pub fn specialties(&self, number: u32) -> String {
        let number = number as usize;
        format!("{},{}", DISHES[number % DISHES.len()], DISHES[(number + 1) % DISHES.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_follows_from_stations_and_dish_time() {
        let town = Town { capacity: 20, stations: 10, stages_ms: [100, 250, 50] };
        assert!((town.rate(4, 1.0) - 100.0).abs() < 1e-9);
        assert!((town.rate(4, 2.0) - 200.0).abs() < 1e-9);
        let file = town.file(2);
        assert_eq!(file.matches("[[kitchen]]").count(), 2);
        assert!(file.contains("specialties = [\"pasta\", \"salad\"]"), "{file}");
    }
}
