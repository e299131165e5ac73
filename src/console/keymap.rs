//! Which keys mean which action: the defaults of the table, and what a `[keys]` file puts in their place.
//!
//! ```toml
//! [keys]
//! kill = "ctrl-k"            # instead of K
//! top = ["g g", "home"]      # a sequence has a space
//! freeze = []                # no key: only by the palette
//! ```
//! Owns the reading of such a file and the look-up. Never does anything, and never takes a key that the terminal owns.
//!
//! - An unknown action, a key that is none, or two actions on one key where both apply are refused with the line.
//! - A key that begins a sequence cannot stand alone in the same place: it could never be told from the sequence.

use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use toml::Spanned;

use super::actions::{ACTIONS, Action, ActionId, Context, key_rows};

/// Keys that multiplexers and terminals own, or that are always the same here.
const RESERVED: [&str; 10] =
    ["ctrl-a", "ctrl-b", "ctrl-s", "ctrl-q", "ctrl-z", "ctrl-h", "ctrl-i", "ctrl-m", "ctrl-[", "ctrl-c"];
/// Keys with a name of more than one character.
const NAMED: [&str; 13] =
    ["space", "enter", "esc", "tab", "up", "down", "left", "right", "home", "end", "pageup", "pagedown", "backspace"];
/// The longest sequence.
const LONGEST: usize = 3;

/// Which keys mean which action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    /// In the sequence of [`ACTIONS`].
    keys: Vec<Vec<String>>,
}

/// Why a file of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {what}")]
pub struct BadKeys {
    /// Which file.
    pub file: String,
    /// Where, counted from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

/// What a key means after the keys before it.
#[derive(Debug, Clone, Copy)]
pub enum Found {
    /// This.
    Action(&'static Action),
    /// The beginning of a sequence.
    Prefix,
    /// Nothing here.
    Nothing,
}

impl Default for Keymap {
    fn default() -> Self {
        let keys = ACTIONS.iter().map(|action| action.keys.iter().map(|key| (*key).to_owned()).collect());
        Self { keys: keys.collect() }
    }
}

impl Keymap {
    /// The keys of an action, the first one shown.
    #[must_use]
    pub fn of(&self, id: ActionId) -> &[String] {
        let at = ACTIONS.iter().position(|action| action.id == id);
        at.and_then(|at| self.keys.get(at)).map_or(&[], Vec::as_slice)
    }

    /// The key to show for an action; empty if it has none.
    #[must_use]
    pub fn shown(&self, id: ActionId) -> &str {
        self.of(id).first().map_or("", String::as_str)
    }

    /// Looks a key up; `before` is the pending beginning of a sequence.
    #[must_use]
    pub fn find(&self, context: Context, before: Option<&str>, key: &str) -> Found {
        let pressed = before.map_or_else(|| key.to_owned(), |before| format!("{before} {key}"));
        let here = || ACTIONS.iter().zip(&self.keys).filter(|(action, _)| action.contexts.contains(&context));
        if let Some((action, _)) = here().find(|(_, keys)| keys.contains(&pressed)) {
            return Found::Action(action);
        }
        if here().any(|(_, keys)| keys.iter().any(|keys| begins(&pressed, keys))) {
            Found::Prefix
        } else {
            Found::Nothing
        }
    }

    /// What a sequence that has begun can go on with: the whole sequence, and what it does.
    #[must_use]
    pub fn continuations(&self, context: Context, before: &str) -> Vec<(&str, &'static Action)> {
        let here = ACTIONS.iter().zip(&self.keys).filter(|(action, _)| action.contexts.contains(&context));
        here.flat_map(|(action, keys)| keys.iter().map(move |keys| (keys.as_str(), action)))
            .filter(|(keys, _)| begins(before, keys))
            .collect()
    }

    /// The file that is read if none is named: `chef/keys.toml` in the directory for settings, if it is there.
    ///
    /// # Errors
    /// As [`Keymap::read`].
    pub fn load(named: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Result<Self, BadKeys> {
        match named {
            Some(path) => Self::read(path),
            None => match usual_place(env).filter(|path| path.exists()) {
                Some(path) => Self::read(&path),
                None => Ok(Self::default()),
            },
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or says something that cannot be; with the line.
    pub fn read(path: &Path) -> Result<Self, BadKeys> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| BadKeys {
            file: file.clone(),
            line: 1,
            what: error.to_string(),
        })?;
        Self::parse(&text, &file)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// As [`Keymap::read`].
    pub fn parse(text: &str, file: &str) -> Result<Self, BadKeys> {
        let bad = |at: usize, what: String| BadKeys { file: file.to_owned(), line: line_of(text, at), what };
        let read: File = toml::from_str(text)
            .map_err(|error| bad(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        let mut map = Self::default();
        let mut said: Vec<Option<usize>> = vec![None; ACTIONS.len()];
        for (name, value) in &read.keys {
            let at = name.span().start;
            let Some(index) = ACTIONS.iter().position(|action| action.name == name.get_ref().as_str()) else {
                let near = nearest(name.get_ref(), ACTIONS.iter().map(|action| action.name));
                return Err(bad(at, format!("no action is called `{}`{near}", clean(name.get_ref()))));
            };
            let mut keys = Vec::new();
            for key in value.list() {
                keys.push(sequence(key).map_err(|what| bad(at, what))?);
            }
            map.keys[index] = keys;
            said[index] = Some(at);
        }
        map.check(&said).map_err(|(at, what)| bad(at, what))?;
        Ok(map)
    }

    /// Refuses two meanings of one key in one place. The line is that of the action the file speaks of.
    fn check(&self, said: &[Option<usize>]) -> Result<(), (usize, String)> {
        for (one, other) in pairs(ACTIONS.len()) {
            let (first, second) = (&ACTIONS[one], &ACTIONS[other]);
            let Some(place) = first.contexts.iter().find(|context| second.contexts.contains(context)) else { continue };
            for key in &self.keys[one] {
                let clash = |keys: &&String| *keys == key || begins(key, keys) || begins(keys, key);
                if let Some(found) = self.keys[other].iter().find(clash) {
                    let at = said[one].max(said[other]).unwrap_or(0);
                    let place = if first.contexts.len() > 6 { "everywhere" } else { place.word() };
                    let what = format!(
                        "`{key}` of {} and `{found}` of {} cannot both be ({place}); give one of them another key",
                        first.name, second.name
                    );
                    return Err((at, what));
                }
            }
        }
        if self.of(ActionId::Quit).is_empty() && self.of(ActionId::Palette).is_empty() {
            return Err((0, "neither quit nor the palette has a key left".to_owned()));
        }
        Ok(())
    }

    /// The reference as a page for the documentation.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = String::from(MARKDOWN_HEAD);
        for row in key_rows(self) {
            let keys: Vec<String> = row.keys.split(", ").map(|key| format!("`{key}`")).collect();
            let args = if row.args.is_empty() { String::new() } else { format!(" `{}`", row.args.replace('|', "\\|")) };
            page.push_str(&format!(
                "| {} | {}{args} | {} | {} | {} |\n",
                keys.join(" "),
                row.name,
                row.description,
                row.screens,
                row.guard
            ));
        }
        page.push_str(MARKDOWN_TAIL);
        page
    }
}

const MARKDOWN_HEAD: &str = "# Keys of the console

Generated by `chef keys --markdown`; a test compares this page with the program.

What is in the column *action* is also the command in the palette (`:`), with its arguments: `:drain kitchen_2 --deadline 30s`.
*changes* is sent at once, *asks* opens a question that starts on Cancel, *asks for the name* wants the target typed.

| keys | action | does | where | guard |
|---|---|---|---|---|
";

const MARKDOWN_TAIL: &str = "
## Other keys

`~/.config/chef/keys.toml`, or `chef console --keys FILE`:

```toml
[keys]
kill = \"ctrl-k\"          # instead of K
top = [\"g g\", \"home\"]    # a sequence has a space
freeze = []              # no key: only by the palette
```

An action that is not named keeps its keys. Unknown actions, keys that are none, and two actions on one key in one place are
refused with the line. Keys that terminals own (ctrl-a, b, s, q, z, h, i, m, [, and ctrl-c) cannot be given away.
";

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    keys: std::collections::BTreeMap<Spanned<String>, Keys>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Many(Vec<String>),
}

impl Keys {
    fn list(&self) -> &[String] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Many(keys) => keys,
        }
    }
}

fn usual_place(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(base.join("chef").join("keys.toml"))
}

fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |one| (one + 1..count).map(move |other| (one, other)))
}

/// Whether `pressed` is the beginning of the sequence `keys`.
fn begins(pressed: &str, keys: &str) -> bool {
    keys.strip_prefix(pressed).is_some_and(|rest| rest.starts_with(' '))
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn clean(text: &str) -> String {
    protocol::text::clean(text, 30)
}

/// A sequence as the table writes it.
fn sequence(text: &str) -> Result<String, String> {
    let keys: Vec<&str> = text.split_whitespace().collect();
    if keys.is_empty() || keys.len() > LONGEST {
        return Err(format!("`{}` is not 1 to {LONGEST} keys", clean(text)));
    }
    for key in &keys {
        if RESERVED.contains(key) {
            return Err(format!("{key} belongs to the terminal or to the console itself"));
        }
        let bare = key.strip_prefix("ctrl-").unwrap_or(key);
        let one = bare.chars().count() == 1 && !protocol::text::is_hidden(bare.chars().next().unwrap_or('\0'));
        if !one && !NAMED.contains(&bare) {
            return Err(format!("`{}` is not a key: a character, ctrl-x, or {}", clean(key), NAMED.join(", ")));
        }
    }
    Ok(keys.join(" "))
}

/// `; is it `drain`?`, if one of the words is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let word = word.to_lowercase();
    let best = known.map(|known| (distance(&word, known), known)).min();
    best.filter(|(far, known)| *far <= 2 && *far < known.len().min(word.len().max(1)))
        .map_or_else(String::new, |(_, known)| format!("; is it `{known}`?"))
}

/// How many letters have to change, be put in, taken out or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().take(40).collect(), other.chars().collect());
    let mut rows = vec![vec![0; other.len() + 1]; one.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=other.len()).collect();
    for i in 1..=one.len() {
        for j in 1..=other.len() {
            let change = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[one.len()][other.len()]
}

/// A key as the table writes it; absent for what the table never uses.
#[must_use]
pub fn key_name(key: KeyEvent) -> Option<String> {
    let plain = match key.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(character) => character.to_string(),
        KeyCode::Enter => "enter".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        KeyCode::Tab => "tab".to_owned(),
        KeyCode::Backspace => "backspace".to_owned(),
        KeyCode::Up => "up".to_owned(),
        KeyCode::Down => "down".to_owned(),
        KeyCode::Left => "left".to_owned(),
        KeyCode::Right => "right".to_owned(),
        KeyCode::Home => "home".to_owned(),
        KeyCode::End => "end".to_owned(),
        KeyCode::PageUp => "pageup".to_owned(),
        KeyCode::PageDown => "pagedown".to_owned(),
        _ => return None,
    };
    if key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META | KeyModifiers::HYPER) {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) { Some(format!("ctrl-{plain}")) } else { Some(plain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (usize, String) {
        let bad = Keymap::parse(text, "keys.toml").expect_err(text);
        (bad.line, bad.what)
    }

    #[test]
    fn the_defaults_do_not_meet_and_take_no_reserved_key() {
        let map = Keymap::default();
        assert_eq!(map.check(&vec![None; ACTIONS.len()]), Ok(()));
        for key in map.keys.iter().flatten().filter(|key| *key != "ctrl-c") {
            assert_eq!(sequence(key).as_deref(), Ok(key.as_str()));
        }
    }

    #[test]
    fn a_sequence_waits_for_its_second_key() {
        let map = Keymap::default();
        assert!(matches!(map.find(Context::Fleet, None, "g"), Found::Prefix));
        assert!(
            matches!(map.find(Context::Fleet, Some("g"), "g"), Found::Action(action) if action.id == ActionId::Top)
        );
        assert!(matches!(map.find(Context::Fleet, Some("g"), "q"), Found::Nothing));
        assert!(matches!(map.find(Context::Flow, None, "K"), Found::Nothing));
    }

    #[test]
    fn a_file_puts_its_keys_in_the_place_of_the_defaults() {
        let map = Keymap::parse("[keys]\nkill = \"z k\"\nfreeze = []\ntop = [\"g t\", \"home\"]\n", "f").expect("keys");
        assert!(matches!(map.find(Context::Fleet, None, "K"), Found::Nothing));
        assert!(matches!(map.find(Context::Fleet, None, "z"), Found::Prefix));
        assert!(
            matches!(map.find(Context::Fleet, Some("z"), "k"), Found::Action(action) if action.id == ActionId::Kill)
        );
        assert_eq!((map.shown(ActionId::Freeze), map.shown(ActionId::Top)), ("", "g t"));
        assert_eq!(map.shown(ActionId::Drain), "d", "what is not named keeps its keys");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line() {
        let (line, what) = refused("[keys]\ndrain = \"D\"\nkil = \"z\"\n");
        assert_eq!((line, what.as_str()), (3, "no action is called `kil`; is it `kill`?"));
        let (line, what) = refused("[keys]\n\nkill = \"d\"\n");
        assert_eq!(line, 3);
        assert!(what.contains("drain") && what.contains("kill") && what.contains("`d`"), "{what}");
        let (line, what) = refused("[keys]\nsort = \"g\"\n");
        assert!(line == 2 && what.contains("`g g`"), "{what}");
        assert!(refused("[keys]\nkill = \"ctrl-z\"\n").1.contains("belongs to the terminal"));
        assert!(refused("[keys]\nkill = \"hyper\"\n").1.contains("not a key"));
        assert_eq!(refused("[keys]\nkill = \"x\n").0, 2);
        assert_eq!(refused("[keyes]\nkill = \"x\"\n").0, 1);
        assert!(refused("[keys]\nquit = []\npalette = []\n").1.contains("neither quit"));
    }

    #[test]
    fn the_same_key_may_stand_where_the_other_does_not_apply() {
        assert!(Keymap::parse("[keys]\ncancel = \"s\"\n", "f").is_ok(), "sort is for tables, cancel for an order");
    }

    #[test]
    fn the_page_of_the_documentation_is_the_program() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keys.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == Keymap::default().markdown(), "docs/keys.md is old: chef keys --markdown > docs/keys.md");
    }
}
