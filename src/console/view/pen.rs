//! The only writer into the buffer.
//!
//! Owns clipping, glyphs and looks. Text is either ours (`put`) or [`Untrusted`] (`name`): both stay inside their columns,
//! and with `--ascii` both are below 0x80.
//! Never writes data that did not pass `Untrusted`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::console::symbols::{EIGHTHS, SPARK};
use crate::console::theme::{Role, Theme};
use crate::console::untrusted::Untrusted;

/// Writes into a buffer in the looks of a theme.
pub struct Pen<'a> {
    buffer: &'a mut Buffer,
    /// The looks.
    pub theme: &'a Theme,
}

impl<'a> Pen<'a> {
    /// A pen for a buffer.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme) -> Self {
        Self { buffer, theme }
    }

    /// The empty screen's look.
    pub fn ground(&mut self, area: Rect) {
        let ground = self.theme.ground();
        if ground != Style::new() {
            self.buffer.set_style(area, ground);
        }
    }

    /// Writes our own text, at most `width` columns of it; returns the next column.
    pub fn put(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        let area = self.buffer.area;
        if y < area.y || y >= area.bottom() || x >= area.right() || width == 0 {
            return x;
        }
        debug_assert!(!text.chars().any(protocol::text::is_hidden), "text of ours: {text:?}");
        let style = self.theme.style(role);
        self.buffer.set_stringn(x, y, self.theme.glyphs(text), usize::from(width), style).0
    }

    /// Writes our own text so that it ends before `right`; returns its first column.
    pub fn put_right(&mut self, right: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        let columns = u16::try_from(text.width()).unwrap_or(u16::MAX).min(width);
        let x = right.saturating_sub(columns);
        self.put(x, y, columns, text, role);
        x
    }

    /// Writes text from the wire, at most `width` columns; returns the next column.
    pub fn name(&mut self, x: u16, y: u16, width: u16, text: &Untrusted, role: Role) -> u16 {
        let fits = text.fit(usize::from(width));
        self.put(x, y, width, &fits, role)
    }

    /// Writes pieces one after the other; returns the next column.
    pub fn run(&mut self, x: u16, y: u16, right: u16, pieces: &[(&str, Role)]) -> u16 {
        pieces.iter().fold(x, |x, (text, role)| self.put(x, y, right.saturating_sub(x), text, *role))
    }

    /// Lays a look over what is there.
    pub fn wash(&mut self, area: Rect, role: Role) {
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, self.theme.style(role));
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for y in area.y..area.bottom() {
            for x in area.x..area.right() {
                self.buffer[(x, y)].reset();
            }
            // A wide character cut by the left edge would lose its right half.
            if area.x > 0 {
                let left = &mut self.buffer[(area.x - 1, y)];
                if left.symbol().width() > 1 {
                    left.reset();
                }
            }
        }
        self.ground(area);
    }

    /// A rule with a title on the left and figures on the right.
    pub fn rule(&mut self, area: Rect, title: &str, right: &str) {
        if area.height == 0 {
            return;
        }
        self.put(area.x, area.y, area.width, &"─".repeat(usize::from(area.width)), Role::Rule);
        self.titles(area, 1, title, right);
    }

    fn titles(&mut self, area: Rect, inset: u16, title: &str, right: &str) {
        let room = area.width.saturating_sub(2 * inset + 2);
        let mut used = 0;
        if !title.is_empty() && room > 4 {
            // The rule's look lies there, and a title without a colour of its own would keep it.
            let columns = u16::try_from(title.width()).unwrap_or(room).saturating_add(2).min(room);
            self.bare(Rect { x: area.x + inset, y: area.y, width: columns, height: 1 });
            used = self.put(area.x + inset, area.y, room, &format!(" {title} "), Role::Title).saturating_sub(area.x);
        }
        let columns = u16::try_from(right.width()).unwrap_or(u16::MAX).saturating_add(2);
        if !right.is_empty() && used + columns + 2 <= area.width {
            self.bare(Rect { x: area.right() - inset - columns, y: area.y, width: columns, height: 1 });
            self.put_right(area.right() - inset, area.y, columns, &format!(" {right} "), Role::Dim);
        }
    }

    /// Takes the looks off an area.
    fn bare(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, Style::reset().patch(self.theme.ground()));
    }

    /// A panel: a box if `framed`, else a rule above; returns what is inside.
    pub fn panel(&mut self, area: Rect, framed: bool, title: &str, right: &str) -> Rect {
        if !framed || area.width < 4 || area.height < 3 {
            self.rule(area, title, right);
            return Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..area };
        }
        self.frame(area, Role::Rule);
        self.titles(area, 2, title, right);
        Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
    }

    /// A line between two panels that stand side by side below rules.
    pub fn divider(&mut self, right_panel: Rect) {
        let x = right_panel.x.saturating_sub(1);
        self.put(x, right_panel.y, 1, "┬", Role::Rule);
        for y in right_panel.y + 1..right_panel.bottom() {
            self.put(x, y, 1, "│", Role::Rule);
        }
    }

    /// A box.
    pub fn frame(&mut self, area: Rect, role: Role) {
        let line = "─".repeat(usize::from(area.width.saturating_sub(2)));
        self.put(area.x, area.y, area.width, &format!("╭{line}╮"), role);
        for y in area.y + 1..area.bottom().saturating_sub(1) {
            self.put(area.x, y, 1, "│", role);
            self.put(area.right() - 1, y, 1, "│", role);
        }
        self.put(area.x, area.bottom() - 1, area.width, &format!("╰{line}╯"), role);
    }

    /// A load bar of one colour with eighths, and a tick at a threshold.
    pub fn bar(&mut self, x: u16, y: u16, width: u16, share: f64, tick: Option<f64>, role: Role) {
        let columns = usize::from(width);
        let eighths = scaled(share, columns * 8);
        let (full, part) = (eighths / 8, EIGHTHS[eighths % 8]);
        let filled = format!("{}{part}", "█".repeat(full));
        let next = self.put(x, y, width, &filled, role);
        let rest = usize::from((x + width).saturating_sub(next));
        self.put(next, y, width, &"·".repeat(rest), Role::BarEmpty);
        if let Some(tick) = tick.filter(|tick| (0.0..1.0).contains(tick)) {
            let at = scaled(tick, columns).min(columns.saturating_sub(1));
            let (glyph, look) = if at < full { ("╋", role) } else { ("┃", Role::BarTick) };
            self.put(x + u16::try_from(at).unwrap_or(0), y, 1, glyph, look);
        }
    }

    /// A spark, one column a sample, `top` being full; an absent or zero sample is a blank.
    pub fn spark(&mut self, x: u16, y: u16, samples: impl Iterator<Item = Option<f64>>, top: f64, role: Role) -> u16 {
        let line: String = samples.map(|sample| SPARK[sample.map_or(0, |value| level(value, top, 8))]).collect();
        let width = u16::try_from(line.width()).unwrap_or(u16::MAX);
        self.put(x, y, width, &line, role)
    }

    /// A column of a chart: eighths over `height` rows, from the bottom.
    pub fn column(&mut self, x: u16, bottom: u16, height: u16, eighths: usize, role: Role) {
        for row in 0..height {
            let left = eighths.saturating_sub(usize::from(row) * 8).min(8);
            if left == 0 {
                break;
            }
            self.put(x, bottom.saturating_sub(row), 1, SPARK[left], role);
        }
    }
}

/// `value` of `top` in `steps` steps; at least 1 for anything above zero.
#[must_use]
pub fn level(value: f64, top: f64, steps: usize) -> usize {
    if value <= 0.0 || top <= 0.0 { 0 } else { scaled(value / top, steps).max(1) }
}

fn scaled(share: f64, steps: usize) -> usize {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and not negative"
    )]
    let step = (share * steps as f64).round() as usize;
    step.min(steps)
}
