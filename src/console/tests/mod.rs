//! Stories, screens and limits of the console, with a frozen clock and a fixed city.

mod asking;
pub mod fixture;
mod gallery;
mod hostile;
mod limits;
mod looks;
mod pictures;
mod placing;
mod screens;
mod steering;
mod stories;
mod svg;
mod tape;
