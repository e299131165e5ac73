//! What commands print: plain aligned tables for people, JSON for programs.
//!
//! Owns alignment and the cleaning of untrusted text: every cell passes [`clean`]. A reader that goes away (`| head`)
//! is no error. Never colours anything: a table means the same in a file.

use std::io::{self, Write};
use std::time::Duration;

use protocol::text::clean;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// The longest cell, in characters.
const CELL_MAX: usize = 120;

/// Which side of its column a cell keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Rows under a header.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one; a column whose name begins with `>` keeps to the right.
    #[must_use]
    pub fn new(columns: &[&'static str]) -> Self {
        let side = |name: &&'static str| match name.strip_prefix('>') {
            Some(name) => (name, Side::Right),
            None => (*name, Side::Left),
        };
        Self { columns: columns.iter().map(side).collect(), rows: Vec::new() }
    }

    /// Adds a row; each cell is cleaned.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len());
        self.rows.push(cells.iter().map(|cell| clean(cell, CELL_MAX)).collect());
    }

    /// The whole table; the last column has no padding behind it.
    #[must_use]
    pub fn render(&self) -> String {
        let width = |index: usize| {
            let cells = self.rows.iter().map(|row| row[index].width());
            cells.chain([self.columns[index].0.width()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let header: Vec<String> = self.columns.iter().map(|(name, _)| name.to_uppercase()).collect();
        let mut text = String::new();
        for row in std::iter::once(&header).chain(&self.rows) {
            let cells = row.iter().zip(&self.columns).zip(&widths).map(|((cell, (_, side)), width)| {
                let gap = " ".repeat(width.saturating_sub(cell.width()));
                match side {
                    Side::Left => format!("{cell}{gap}"),
                    Side::Right => format!("{gap}{cell}"),
                }
            });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// Names and values, one pair a line.
#[must_use]
pub fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:width$}  {}\n", clean(value, 400))).collect()
}

/// Writes text to standard output as it is.
///
/// # Errors
/// Standard output failed; that its reader has gone away is told as `BrokenPipe`.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints a value as JSON, or what `table` makes of it.
///
/// # Errors
/// As [`print()`].
pub fn show<T: Serialize>(format: Format, value: &T, table: impl FnOnce(&T) -> String) -> io::Result<()> {
    match format {
        Format::Table => print(&table(value)),
        Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(value).map_err(io::Error::other)?)),
    }
}

/// `-` for what is unknown.
#[must_use]
pub fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

/// A duration in the unit that fits: `0.8 ms`, `812 ms`, `4.1 s`, `3 min 20 s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 0.0095 => format!("{:.1} ms", s * 1e3),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{} min {:02} s", s as u64 / 60, s as u64 % 60),
        s => format!("{} h {:02} min", s as u64 / 3_600, s as u64 / 60 % 60),
    }
}

/// The same from milliseconds, `-` if unknown.
#[must_use]
pub fn ms(ms: Option<u64>) -> String {
    or_dash(ms.map(|ms| duration(Duration::from_millis(ms))))
}

/// A ratio as a percentage.
#[must_use]
pub fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_hidden_characters_are_shown_as_taken() {
        let mut table = Table::new(&["kitchen", ">load"]);
        table.row(["kitchen_1".into(), "7 %".into()]);
        table.row(["k\u{1b}[2J\u{202e}2".into(), "100 %".into()]);
        assert_eq!(table.render(), "KITCHEN     LOAD\nkitchen_1    7 %\nk␛[2J␛2    100 %\n");
    }

    #[test]
    fn durations_keep_about_two_digits() {
        let shown = |ms| duration(Duration::from_micros(ms));
        assert_eq!(shown(840), "0.8 ms");
        assert_eq!(shown(812_400), "812 ms");
        assert_eq!(shown(4_120_000), "4.1 s");
        assert_eq!(shown(200_000_000), "3 min 20 s");
        assert_eq!(ms(None), "-");
    }
}
