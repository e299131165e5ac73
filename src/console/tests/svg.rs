//! Cells of a terminal as an SVG: bars and lines are shapes, so that they meet whatever font the reader has.
//!
//! Owns the shapes. Never knows a screen.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// A cell, in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 12.0;

/// A terminal's own colours.
#[derive(Debug, Clone, Copy)]
pub struct Ground {
    pub text: &'static str,
    pub back: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
struct Paint {
    fg: String,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

fn hex(color: Color, default: &str) -> String {
    match color {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => default.to_owned(),
    }
}

fn paint(cell: &Cell, ground: Ground) -> Paint {
    let (mut fg, mut bg) = (hex(cell.fg, ground.text), (cell.bg != Color::Reset).then(|| hex(cell.bg, ground.back)));
    if cell.modifier.contains(Modifier::REVERSED) {
        (fg, bg) = (bg.unwrap_or_else(|| ground.back.to_owned()), Some(fg));
    }
    let has = |modifier| cell.modifier.contains(modifier);
    Paint { fg, bg, bold: has(Modifier::BOLD), dim: has(Modifier::DIM), underlined: has(Modifier::UNDERLINED) }
}

/// How a glyph is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Letter,
    /// Left, top, width and height in parts of the cell, and how solid.
    Block([f64; 4], f64),
    /// Arms up, right, down and left: 0 none, 1 light, 2 heavy.
    Lines([u8; 4]),
}

fn shape(symbol: &str) -> Shape {
    let low = |eighths: f64| Shape::Block([0.0, 1.0 - eighths / 8.0, 1.0, eighths / 8.0], 1.0);
    let left = |eighths: f64| Shape::Block([0.0, 0.0, eighths / 8.0, 1.0], 1.0);
    let mut characters = symbol.chars();
    let (Some(one), None) = (characters.next(), characters.next()) else { return Shape::Letter };
    match one {
        '▁'..='█' => low(f64::from(u32::from(one) - u32::from('▁') + 1)),
        '▉'..='▏' => left(f64::from(8 - (u32::from(one) - u32::from('█')))),
        '░' => Shape::Block([0.0, 0.0, 1.0, 1.0], 0.25),
        '▒' => Shape::Block([0.0, 0.0, 1.0, 1.0], 0.5),
        '▓' => Shape::Block([0.0, 0.0, 1.0, 1.0], 0.75),
        '─' => Shape::Lines([0, 1, 0, 1]),
        '━' => Shape::Lines([0, 2, 0, 2]),
        '│' => Shape::Lines([1, 0, 1, 0]),
        '┃' => Shape::Lines([2, 0, 2, 0]),
        '╭' => Shape::Lines([0, 1, 1, 0]),
        '╮' => Shape::Lines([0, 0, 1, 1]),
        '╰' | '└' => Shape::Lines([1, 1, 0, 0]),
        '╯' => Shape::Lines([1, 0, 0, 1]),
        '├' => Shape::Lines([1, 1, 1, 0]),
        '┤' => Shape::Lines([1, 0, 1, 1]),
        '┬' => Shape::Lines([0, 1, 1, 1]),
        '┴' => Shape::Lines([1, 1, 0, 1]),
        '┼' => Shape::Lines([1, 1, 1, 1]),
        '╋' => Shape::Lines([2, 2, 2, 2]),
        '╴' => Shape::Lines([0, 0, 0, 1]),
        _ => Shape::Letter,
    }
}

/// The whole picture.
pub fn svg(buffer: &Buffer, themed: Option<Color>, ground: Ground) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let back = themed.map_or_else(|| ground.back.to_owned(), |color| hex(color, ground.back));
    let (width, height) = (f64::from(columns) * CELL.0 + 2.0 * MARGIN, f64::from(rows) * CELL.1 + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{back}\"/>\n\
         <g font-family=\"ui-monospace,Menlo,DejaVu Sans Mono,monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for y in 0..rows {
        let mut x = 0;
        while x < columns {
            let cell = &buffer[(x, y)];
            let (look, form) = (paint(cell, ground), shape(cell.symbol()));
            let (start, mut text) = (x, String::new());
            loop {
                let symbol = buffer[(x, y)].symbol();
                text.push_str(symbol);
                x += u16::try_from(symbol.width().max(1)).unwrap_or(1);
                let goes_on = |next: &Cell| paint(next, ground) == look && joins(form, next.symbol());
                if x >= columns || !goes_on(&buffer[(x, y)]) {
                    break;
                }
            }
            run(&mut out, &look, &back, (&text, form), (start, x - start, y));
        }
    }
    out.push_str("</g></svg>\n");
    out
}

/// Whether a cell continues a run: letters go on, a shape goes on with the same shape if it fills the cell's width.
fn joins(form: Shape, symbol: &str) -> bool {
    form == shape(symbol)
        && match form {
            Shape::Letter => true,
            Shape::Block([left, _, width, _], _) => left == 0.0 && width == 1.0,
            Shape::Lines(arms) => arms[0] == 0 && arms[2] == 0,
        }
}

/// One run of cells that look alike.
fn run(out: &mut String, look: &Paint, ground: &str, (text, form): (&str, Shape), (x, columns, y): (u16, u16, u16)) {
    let (left, top) = (MARGIN + f64::from(x) * CELL.0, MARGIN + f64::from(y) * CELL.1);
    let width = f64::from(columns.max(1)) * CELL.0;
    if let Some(bg) = look.bg.as_ref().filter(|bg| *bg != ground) {
        rect(out, [left, top, width, CELL.1], bg, 1.0);
    }
    let fade = if look.dim { 0.6 } else { 1.0 };
    match form {
        Shape::Letter => letters(out, look, text, (left, top, width)),
        Shape::Block([from, down, _, high], solid) if columns > 1 => {
            rect(out, [left + from, top + down * CELL.1, width, high * CELL.1], &look.fg, solid * fade);
        }
        Shape::Block([from, down, wide, high], solid) => {
            let place = [left + from * CELL.0, top + down * CELL.1, wide * CELL.0, high * CELL.1];
            rect(out, place, &look.fg, solid * fade);
        }
        Shape::Lines(arms) => lines(out, arms, &look.fg, fade, (left, top, width)),
    }
}

fn rect(out: &mut String, [x, y, width, height]: [f64; 4], fill: &str, opacity: f64) {
    let faint = if opacity < 1.0 { format!(" opacity=\"{opacity:.2}\"") } else { String::new() };
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"{faint}/>"
    );
}

fn lines(out: &mut String, [up, right, down, left]: [u8; 4], stroke: &str, opacity: f64, place: (f64, f64, f64)) {
    let (x, y, width) = place;
    let (middle, centre) = (x + CELL.0 / 2.0, y + CELL.1 / 2.0);
    let thick = |arm: u8| if arm == 2 { 3.0 } else { 1.0 };
    if left > 0 && right > 0 {
        rect(out, [x, centre - thick(left) / 2.0, width, thick(left)], stroke, opacity);
    } else if left > 0 {
        rect(out, [x, centre - thick(left) / 2.0, middle - x, thick(left)], stroke, opacity);
    } else if right > 0 {
        rect(out, [middle, centre - thick(right) / 2.0, x + CELL.0 - middle, thick(right)], stroke, opacity);
    }
    if up > 0 {
        rect(out, [middle - thick(up) / 2.0, y, thick(up), centre - y + 0.5], stroke, opacity);
    }
    if down > 0 {
        rect(out, [middle - thick(down) / 2.0, centre - 0.5, thick(down), y + CELL.1 - centre + 0.5], stroke, opacity);
    }
}

/// Words stand where they stood, whatever the width of the reader's font.
fn letters(out: &mut String, look: &Paint, text: &str, (left, top, width): (f64, f64, f64)) {
    if text.trim().is_empty() {
        return;
    }
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    let faint = if look.dim { " opacity=\"0.6\"" } else { "" };
    let under = if look.underlined { " text-decoration=\"underline\"" } else { "" };
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (baseline, fill) = (top + 13.5, &look.fg);
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{baseline:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         fill=\"{fill}\"{weight}{faint}{under}>{escaped}</text>"
    );
}
