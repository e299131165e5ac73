//! `chef doctor`: what this terminal can do, why the console looks as it does, and what to change.
//!
//! Owns the findings and their words. Asks by [`crate::console::probe`]; without a terminal it says so and tells the rest.

use std::io::IsTerminal;

use clap::Args;
use serde::Serialize;

use super::args::Print;
use super::failure::Failure;
use super::local::Stop;
use crate::console::color::{ColorChoice, Depth, explain};
use crate::console::probe::{self, Answers, GLYPHS};
use crate::console::view::SMALLEST;
use crate::output::{self, Table};

/// `chef doctor`.
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub(super) print: Print,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    what: &'static str,
    found: String,
    /// What to do about it; empty if nothing.
    advice: String,
}

fn finding(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { what, found: found.into(), advice: advice.into() }
}

/// Everything the findings are made of, so that a test can be any terminal.
struct Facts<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    tty: (bool, bool),
    size: Option<(u16, u16)>,
    answers: Option<Answers>,
    clipboard: Option<String>,
}

impl Doctor {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut stop = Stop::new()?;
        let asked = tokio::task::spawn_blocking(probe::ask);
        let answers = tokio::select! {
            answers = asked => answers.ok().and_then(Result::ok),
            () = stop.wait() => {
                let _ = crossterm::terminal::disable_raw_mode();
                return Err(Failure::silent(super::ABORTED));
            }
        };
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let facts = Facts {
            env: &env,
            tty: (std::io::stdin().is_terminal(), std::io::stdout().is_terminal()),
            size: answers.as_ref().and_then(|_| crossterm::terminal::size().ok()),
            answers,
            clipboard: env("TMUX").and_then(|_| tmux_option("set-clipboard")),
        };
        let findings = findings(&facts);
        Ok(output::show(self.print.format, &findings, |findings| table(findings))?)
    }
}

fn table(findings: &[Finding]) -> String {
    let mut table = Table::new(&["what", "found", "advice"]);
    for Finding { what, found, advice } in findings {
        table.row([(*what).to_owned(), found.clone(), advice.clone()]);
    }
    table.render()
}

fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    vec![
        terminal(facts),
        size(facts),
        term(facts),
        colors(facts),
        locale(facts),
        widths(facts),
        synchronized(facts),
        clipboard(facts),
        multiplexer(facts),
        remote(facts),
    ]
}

fn terminal(facts: &Facts<'_>) -> Finding {
    let word = |yes| if yes { "a terminal" } else { "not a terminal" };
    let found = format!("input {}, output {}", word(facts.tty.0), word(facts.tty.1));
    let advice = match (facts.tty.1, &facts.answers) {
        (false, _) => "the console writes lines here, as with --plain",
        (true, None) => "there is no /dev/tty to ask: --plain always works",
        (true, Some(answers)) if !answers.answered => "it answers no questions: if the screen looks wrong, use --plain",
        (true, Some(_)) => "",
    };
    finding("terminal", found, advice)
}

fn size(facts: &Facts<'_>) -> Finding {
    let Some((columns, rows)) = facts.size else { return finding("size", "unknown", "") };
    let small = columns < SMALLEST.0 || rows < SMALLEST.1;
    let advice = match (columns, rows) {
        _ if small => format!("the console needs {}x{}", SMALLEST.0, SMALLEST.1),
        (..80, _) | (_, ..24) => "80x24 shows twelve kitchens and more".to_owned(),
        (..100, _) | (_, ..28) => "from 100x28 panels have boxes".to_owned(),
        _ => String::new(),
    };
    finding("size", format!("{columns}x{rows}"), advice)
}

fn term(facts: &Facts<'_>) -> Finding {
    let value = (facts.env)("TERM");
    let advice = match value.as_deref() {
        None => "set TERM, xterm-256color for instance",
        Some("dumb") => "the console writes lines here, as with --plain",
        Some(_) => "",
    };
    finding("TERM", value.unwrap_or_else(|| "not set".into()), advice)
}

fn colors(facts: &Facts<'_>) -> Finding {
    let (depth, why) = explain(ColorChoice::Auto, facts.env);
    let advice = match depth {
        Depth::None => "nothing is lost: every state has a word and a glyph; --color 16 shows colours all the same",
        Depth::Ansi8 | Depth::Ansi16 => "if it can do more: COLORTERM=truecolor, or --color 256",
        Depth::Indexed => "if it can do more: COLORTERM=truecolor, or --color rgb",
        Depth::Rgb => "",
    };
    finding("colours", format!("{} ({why})", depth.word()), advice)
}

fn locale(facts: &Facts<'_>) -> Finding {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| Some((name, (facts.env)(name)?)));
    let (found, utf8) = match set {
        Some((name, value)) => {
            let lower = value.to_lowercase();
            (format!("{name}={value}"), lower.contains("utf-8") || lower.contains("utf8"))
        }
        None => ("none is set".to_owned(), false),
    };
    finding("locale", found, if utf8 { "" } else { "it does not promise UTF-8: if glyphs look wrong, use --ascii" })
}

fn widths(facts: &Facts<'_>) -> Finding {
    let Some(answers) = facts.answers.as_ref().filter(|answers| answers.widths.iter().any(Option::is_some)) else {
        return finding("glyph widths", "not measured: the terminal does not say where its cursor is", "");
    };
    let measured = GLYPHS.iter().zip(&answers.widths);
    let found: Vec<String> =
        measured.clone().map(|((glyph, _), width)| format!("{glyph} {}", output::or_dash(*width))).collect();
    let is_off = |glyph: &str| {
        measured.clone().any(|((known, wanted), width)| *known == glyph && width.is_some_and(|width| width != *wanted))
    };
    let ambiguous = GLYPHS[..5].iter().any(|(glyph, _)| is_off(glyph));
    let advice = match (ambiguous, is_off("⣿"), is_off("寿")) {
        (true, false, _) => "ambiguous glyphs are wide: use --symbols cjk-safe",
        (_, true, _) => "use --ascii",
        (false, false, true) => "wide names are drawn narrow: rows with them may shift",
        (false, false, false) => "",
    };
    finding("glyph widths", found.join(", "), advice)
}

fn synchronized(facts: &Facts<'_>) -> Finding {
    let (found, advice) = match facts.answers.as_ref().and_then(|answers| answers.synchronized) {
        Some(true) => ("yes (mode 2026)", ""),
        Some(false) => ("no", "a frame is one write all the same; a large one may be seen half drawn"),
        None => ("it does not say", "a frame is one write all the same"),
    };
    finding("synchronized output", found, advice)
}

fn clipboard(facts: &Facts<'_>) -> Finding {
    let advice = match facts.clipboard.as_deref() {
        Some("off") => "in tmux: set -g set-clipboard on",
        Some(_) => "",
        None if (facts.env)("STY").is_some() => "screen passes it on wrapped; some versions drop long texts",
        None => "y sends it; whether it is taken is a setting of the terminal",
    };
    let found =
        facts.clipboard.as_ref().map_or("OSC 52".to_owned(), |value| format!("OSC 52, tmux set-clipboard {value}"));
    finding("clipboard", found, advice)
}

fn multiplexer(facts: &Facts<'_>) -> Finding {
    let term = (facts.env)("TERM").unwrap_or_default();
    let found = match ((facts.env)("TMUX"), (facts.env)("STY"), (facts.env)("ZELLIJ")) {
        (Some(_), _, _) => "tmux",
        (_, Some(_), _) => "screen",
        (_, _, Some(_)) => "zellij",
        (None, None, None) => "none",
    };
    let plain_term = found == "tmux" && !(term.starts_with("tmux") || term.starts_with("screen"));
    let advice = if plain_term { "in tmux TERM is tmux-256color" } else { "" };
    finding("multiplexer", found, advice)
}

fn remote(facts: &Facts<'_>) -> Finding {
    let ssh = ["SSH_TTY", "SSH_CONNECTION"].into_iter().any(|name| (facts.env)(name).is_some());
    let took = facts.answers.as_ref().filter(|answers| answers.answered).map(|answers| answers.took);
    let answer = took.map_or_else(String::new, |took| format!(", answers in {}", output::duration(took)));
    let slow = took.is_some_and(|took| took.as_millis() > 150);
    let advice = if slow { "a slow line: --fps 4 or --reduced-motion sends less" } else { "" };
    finding("line", format!("{}{answer}", if ssh { "ssh" } else { "local" }), advice)
}

fn tmux_option(name: &str) -> Option<String> {
    let told = std::process::Command::new("tmux").args(["show-options", "-gsv", name]).output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?.trim().to_owned();
    (told.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(pairs: &[(&str, &str)], answers: Option<Answers>, size: Option<(u16, u16)>) -> Vec<Finding> {
        let env = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let tty = (answers.is_some(), answers.is_some());
        findings(&Facts { env: &env, tty, size, answers, clipboard: None })
    }

    fn of<'a>(findings: &'a [Finding], what: &str) -> &'a Finding {
        findings.iter().find(|finding| finding.what == what).expect("a finding")
    }

    #[test]
    fn a_good_terminal_needs_no_advice() {
        let widths = GLYPHS.iter().map(|(_, width)| Some(*width)).collect();
        let answers = Answers { synchronized: Some(true), widths, answered: true, ..Answers::default() };
        let env = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")];
        let findings = look(&env, Some(answers), Some((120, 36)));
        for finding in findings.iter().filter(|finding| finding.what != "clipboard") {
            assert_eq!(finding.advice, "", "{finding:?}");
        }
    }

    #[test]
    fn wide_ambiguous_glyphs_get_the_safe_set() {
        let widths = vec![Some(2), Some(2), Some(2), Some(2), Some(2), Some(1), Some(2)];
        let answers = Answers { widths, answered: true, ..Answers::default() };
        let findings = look(&[("TERM", "xterm")], Some(answers), Some((30, 8)));
        assert!(of(&findings, "glyph widths").advice.contains("cjk-safe"));
        assert!(of(&findings, "size").advice.contains("needs 40x10"));
        assert!(of(&findings, "locale").advice.contains("--ascii"));
    }

    #[test]
    fn without_a_terminal_it_says_so() {
        let findings = look(&[("NO_COLOR", "1")], None, None);
        assert!(of(&findings, "terminal").found.contains("not a terminal"));
        assert!(of(&findings, "colours").found.contains("NO_COLOR"));
        assert_eq!(of(&findings, "TERM").found, "not set");
    }
}
