//! Figures as text: short, steady in width, and never more exact than they are.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::console::untrusted::Untrusted;

/// `9 812`.
#[must_use]
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// At most five columns: `9812`, `98.1k`, `9.8M`.
#[must_use]
pub fn short(n: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = n as f64;
    match n {
        0..=9_999 => n.to_string(),
        10_000..=99_949 => format!("{:.1}k", value / 1e3),
        99_950..=999_499 => format!("{:.0}k", value / 1e3),
        999_500..=99_949_999 => format!("{:.1}M", value / 1e6),
        99_950_000..=999_499_999 => format!("{:.0}M", value / 1e6),
        _ => format!("{:.0}G", value / 1e9),
    }
}

/// `0.4`, `12.4`, `812`, `9 812`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second < 0.0 {
        "?".to_owned()
    } else if per_second < 99.95 {
        format!("{per_second:.1}")
    } else {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and not negative")]
        thousands(per_second.round() as u64)
    }
}

/// `81 %`; rounded down below 100, so that 99.9 % is never shown as all.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", whole_percent(share))
}

/// `81`.
#[must_use]
pub fn whole_percent(share: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let floor = (share * 100.0 + 1e-9).floor().clamp(0.0, 9_999.0) as u32;
    floor
}

/// `41 ms`, `4.1 s`, `2 min`, `3 h`.
#[must_use]
pub fn ms(ms: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let seconds = ms as f64 / 1e3;
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=9_949 => format!("{seconds:.1} s"),
        9_950..=119_999 => format!("{} s", ms / 1_000),
        120_000..=7_199_999 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// How long a kitchen has been silent: in steps that the model draws.
#[must_use]
pub fn silence(silent_ms: u64) -> String {
    if silent_ms < 9_950 { format!("{}.{} s", silent_ms / 1_000, silent_ms / 100 % 10) } else { ms(silent_ms) }
}

/// How old a picture is, so that it counts each second: `12 s`, `2 min 05 s`, `3 h 07 min`.
#[must_use]
pub fn counted(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// Our own text in so many columns, with `…` where it is cut.
#[must_use]
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let kept = text.chars().take_while(|c| {
        let columns = c.width().unwrap_or(0);
        let fits = columns <= left;
        left = left.saturating_sub(columns);
        fits
    });
    kept.chain((width > 0).then_some('…')).collect()
}

/// What somebody asked for: `50`, `0.5`.
#[must_use]
pub fn setpoint(per_second: f64) -> String {
    let text = rate(per_second);
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The same, for a duration.
#[must_use]
pub fn age(age: Duration) -> String {
    ms(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

/// `1 order`, `7 orders`.
#[must_use]
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

/// A text in lines of at most `width` columns, broken at blanks; a word that is longer is cut.
#[must_use]
pub fn wrapped(text: &Untrusted, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.fit(usize::MAX).split_whitespace() {
        let word = Untrusted::new(word).fit(width);
        let line = lines.last_mut().filter(|line| line.is_empty() || line.width() + 1 + word.width() <= width);
        match line {
            Some(line) if line.is_empty() => *line = word,
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word),
        }
    }
    lines
}

/// The next of 1, 1.5, 2, 3, 5, 7.5, 10, 15, ... : the top of an axis, which must not move with every sample.
#[must_use]
pub fn nice_ceil(value: f64) -> f64 {
    if !(value.is_finite() && value > 0.0) {
        return 1.0;
    }
    let base = 10_f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0]
        .into_iter()
        .map(|step| step * base)
        .find(|top| *top >= value * 0.999_999)
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_breaks_at_its_blanks() {
        let text = Untrusted::new("what is left after 30 s is recovered elsewhere");
        assert_eq!(wrapped(&text, 20), ["what is left after", "30 s is recovered", "elsewhere"]);
        assert_eq!(wrapped(&Untrusted::new("unbreakable"), 6), ["unbre…"]);
        assert_eq!(wrapped(&Untrusted::default(), 6), [""]);
    }

    #[test]
    fn figures_are_short_and_never_flatter() {
        assert_eq!(thousands(1_204), "1 204");
        assert_eq!(thousands(12), "12");
        assert_eq!(
            [short(9_999), short(12_345), short(123_456), short(12_345_678)],
            ["9999", "12.3k", "123k", "12.3M"]
        );
        assert_eq!([rate(0.0), rate(12.44), rate(9_812.2)], ["0.0", "12.4", "9 812"]);
        assert_eq!(percent(0.999), "99 %");
        assert_eq!(percent(0.29), "29 %");
        assert_eq!([ms(41), ms(4_123), ms(12_345), ms(180_000)], ["41 ms", "4.1 s", "12 s", "3 min"]);
        let age = |s| counted(Duration::from_secs(s));
        assert_eq!([age(0), age(119), age(125), age(11_220)], ["0 s", "119 s", "2 min 05 s", "3 h 07 min"]);
        assert_eq!([fit("kitchens", 8), fit("kitchens", 4), fit("x", 0)], ["kitchens", "kit…", ""]);
        assert!((nice_ceil(34.0) - 50.0).abs() < 1e-9);
        assert!((nice_ceil(50.0) - 50.0).abs() < 1e-9);
    }
}
