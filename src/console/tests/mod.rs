//! Stories, screens and limits of the console, with a frozen clock and a fixed city.

pub mod fixture;
mod limits;
mod looks;
mod pictures;
mod screens;
mod steering;
mod stories;
mod tape;
