//! Stories, screens and limits of the console, with a frozen clock and a fixed city.

mod fixture;
mod limits;
mod looks;
mod screens;
mod stories;
