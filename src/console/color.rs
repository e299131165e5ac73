//! Colours and what a terminal can show of them.
//!
//! Owns the five depths, the way down from one to the next (nearest in `OKLab`, Ottosson 2020), and contrast (WCAG 2.2).
//! Never knows what a colour is for.

use ratatui::style::Color;

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: words, glyphs and bold only.
    None,
    /// The first eight.
    Ansi8,
    /// With their bright halves.
    Ansi16,
    /// The fixed palette of 256.
    Indexed,
    /// Any.
    Rgb,
}

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// As the terminal and `NO_COLOR` say.
    #[default]
    Auto,
    /// Even with `NO_COLOR`.
    Always,
    /// Not at all.
    Never,
    /// So many.
    Fixed(Depth),
}

impl Depth {
    /// How it is written: `none`, `8`, `16`, `256`, `rgb`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ansi8 => "8",
            Self::Ansi16 => "16",
            Self::Indexed => "256",
            Self::Rgb => "rgb",
        }
    }
}

/// Finds the depth from the environment.
pub fn detect(choice: ColorChoice, env: impl Fn(&str) -> Option<String>) -> Depth {
    explain(choice, env).0
}

/// The depth, and why it is so.
pub fn explain(choice: ColorChoice, env: impl Fn(&str) -> Option<String>) -> (Depth, String) {
    let has = |name: &str| env(name).filter(|value| !value.is_empty());
    let (found, why) = told(&has);
    match choice {
        ColorChoice::Never => (Depth::None, "--color never".to_owned()),
        ColorChoice::Fixed(depth) => (depth, format!("--color {}", depth.word())),
        ColorChoice::Auto if has("NO_COLOR").is_some() => (Depth::None, "NO_COLOR is set".to_owned()),
        ColorChoice::Auto => (found, why),
        ColorChoice::Always if found < Depth::Ansi16 => (Depth::Ansi16, format!("--color always over {why}")),
        ColorChoice::Always => (found, why),
    }
}

/// What the terminal's own variables say.
fn told(has: &impl Fn(&str) -> Option<String>) -> (Depth, String) {
    let term = has("TERM").unwrap_or_default();
    let by_term = |depth| (depth, if term.is_empty() { "TERM is not set".to_owned() } else { format!("TERM={term}") });
    match has("COLORTERM") {
        Some(value) if value == "truecolor" || value == "24bit" => (Depth::Rgb, format!("COLORTERM={value}")),
        _ if term.contains("direct") => by_term(Depth::Rgb),
        _ if term.contains("256") => by_term(Depth::Indexed),
        _ if term == "linux" || term.ends_with("-color") => by_term(Depth::Ansi8),
        _ if term.is_empty() || term == "dumb" || term == "vt100" => by_term(Depth::None),
        _ => by_term(Depth::Ansi16),
    }
}

/// Red, green and blue.
pub type Rgb = (u8, u8, u8);

/// `#rrggbb`.
#[must_use]
pub fn parse_hex(text: &str) -> Option<Rgb> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some((part(0)?, part(2)?, part(4)?))
}

/// The sixteen names and how most terminals show them.
const ANSI: [(&str, Color, Rgb); 16] = [
    ("black", Color::Black, (0, 0, 0)),
    ("red", Color::Red, (205, 0, 0)),
    ("green", Color::Green, (0, 205, 0)),
    ("yellow", Color::Yellow, (205, 205, 0)),
    ("blue", Color::Blue, (0, 0, 238)),
    ("magenta", Color::Magenta, (205, 0, 205)),
    ("cyan", Color::Cyan, (0, 205, 205)),
    ("white", Color::Gray, (229, 229, 229)),
    ("bright-black", Color::DarkGray, (127, 127, 127)),
    ("bright-red", Color::LightRed, (255, 0, 0)),
    ("bright-green", Color::LightGreen, (0, 255, 0)),
    ("bright-yellow", Color::LightYellow, (255, 255, 0)),
    ("bright-blue", Color::LightBlue, (92, 92, 255)),
    ("bright-magenta", Color::LightMagenta, (255, 0, 255)),
    ("bright-cyan", Color::LightCyan, (0, 255, 255)),
    ("bright-white", Color::White, (255, 255, 255)),
];

/// A colour in each depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swatch {
    /// As designed.
    pub rgb: Rgb,
    idx: u8,
    ansi: usize,
}

impl Swatch {
    /// A colour; the depths that are not given are the nearest.
    ///
    /// # Errors
    /// Says which name is no colour.
    pub fn new(rgb: Rgb, idx: Option<u8>, ansi: Option<&str>) -> Result<Self, String> {
        let ansi = match ansi {
            None => nearest(rgb, ANSI.iter().map(|(_, _, shown)| *shown)),
            Some(name) => {
                let found = ANSI.iter().position(|(known, _, _)| *known == name);
                found.ok_or_else(|| format!("`{name}` is none of the 16 colours"))?
            }
        };
        let derived = || u8::try_from(16 + nearest(rgb, (16..=255).map(indexed_rgb))).unwrap_or(7);
        Ok(Self { rgb, idx: idx.unwrap_or_else(derived), ansi })
    }

    /// What to write at a depth; nothing without colours.
    #[must_use]
    pub fn at(self, depth: Depth) -> Option<Color> {
        match depth {
            Depth::None => None,
            Depth::Ansi8 if self.ansi == 8 => Some(Color::Gray), // grey would become black on black
            Depth::Ansi8 => Some(ANSI[self.ansi % 8].1),
            Depth::Ansi16 => Some(ANSI[self.ansi].1),
            Depth::Indexed => Some(Color::Indexed(self.idx)),
            Depth::Rgb => Some(Color::Rgb(self.rgb.0, self.rgb.1, self.rgb.2)),
        }
    }
}

/// What the fixed part of the 256 colours looks like.
fn indexed_rgb(idx: u8) -> Rgb {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match idx.checked_sub(16) {
        Some(cube @ 0..=215) => (level(cube / 36), level(cube / 6 % 6), level(cube % 6)),
        Some(grey) => (8 + 10 * (grey - 216), 8 + 10 * (grey - 216), 8 + 10 * (grey - 216)),
        None => ANSI[usize::from(idx)].2,
    }
}

fn nearest(wanted: Rgb, of: impl Iterator<Item = Rgb>) -> usize {
    let wanted = oklab(wanted);
    let distance = |rgb: Rgb| oklab(rgb).iter().zip(wanted).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    of.enumerate().min_by(|a, b| distance(a.1).total_cmp(&distance(b.1))).map_or(0, |(at, _)| at)
}

fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

fn oklab((r, g, b): Rgb) -> [f64; 3] {
    let (r, g, b) = (linear(r), linear(g), linear(b));
    let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
    let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
    let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
    [
        0.210_454_255_3 * l + 0.793_617_785 * m - 0.004_072_046_8 * s,
        1.977_998_495_1 * l - 2.428_592_205 * m + 0.450_593_709_9 * s,
        0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766 * s,
    ]
}

/// A kind of colour blindness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vision {
    /// No red cones.
    Protan,
    /// No green cones.
    Deutan,
    /// No blue cones.
    Tritan,
}

/// How a colour looks to such eyes (Machado, Oliveira and Fernandes 2009, severity 1, on linear light).
#[must_use]
pub fn seen(vision: Vision, (r, g, b): Rgb) -> Rgb {
    let rows = match vision {
        Vision::Protan => {
            [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]]
        }
        Vision::Deutan => {
            [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]]
        }
        Vision::Tritan => {
            [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]]
        }
    };
    let light = [linear(r), linear(g), linear(b)];
    let [r, g, b] = rows.map(|row| encoded(row.iter().zip(light).map(|(part, light)| part * light).sum()));
    (r, g, b)
}

/// The inverse of [`linear`], clamped.
fn encoded(light: f64) -> u8 {
    let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
    let byte = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    byte
}

/// How far apart two colours look: 0 to about 1; 0.02 is just noticeable side by side.
#[must_use]
pub fn distance(one: Rgb, other: Rgb) -> f64 {
    oklab(one).iter().zip(oklab(other)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Contrast of two colours, 1 to 21.
#[must_use]
pub fn contrast(one: Rgb, other: Rgb) -> f64 {
    let luminance = |(r, g, b): Rgb| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)], choice: ColorChoice) -> Depth {
        detect(choice, |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_terminal_says_how_many_colours_it_has() {
        assert_eq!(with(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], ColorChoice::Auto), Depth::Rgb);
        assert_eq!(with(&[("TERM", "tmux-256color")], ColorChoice::Auto), Depth::Indexed);
        assert_eq!(with(&[("TERM", "xterm")], ColorChoice::Auto), Depth::Ansi16);
        assert_eq!(with(&[("TERM", "linux")], ColorChoice::Auto), Depth::Ansi8);
        assert_eq!(with(&[("TERM", "dumb")], ColorChoice::Auto), Depth::None);
    }

    #[test]
    fn no_color_wins_over_the_terminal_and_the_flag_over_both() {
        let env = [("TERM", "xterm-256color"), ("NO_COLOR", "1")];
        assert_eq!(with(&env, ColorChoice::Auto), Depth::None);
        assert_eq!(with(&env, ColorChoice::Always), Depth::Indexed);
        assert_eq!(with(&[("TERM", "xterm"), ("NO_COLOR", "")], ColorChoice::Auto), Depth::Ansi16);
        assert_eq!(with(&[("TERM", "xterm")], ColorChoice::Never), Depth::None);
    }

    #[test]
    fn a_depth_that_is_not_given_is_the_nearest() {
        let red = Swatch::new((0xff, 0, 0), None, None).expect("a colour");
        assert_eq!(red.at(Depth::Indexed), Some(Color::Indexed(196)));
        assert_eq!(red.at(Depth::Ansi16), Some(Color::LightRed));
        assert_eq!(red.at(Depth::Ansi8), Some(Color::Red));
        assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 0.01);
    }
}
