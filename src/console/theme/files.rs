//! Theme files: the built-in ones, the user's, how they inherit, and when one has changed.
//!
//! Owns the format and where files are looked for: `NAME` is a built-in theme or `NAME.toml` in the user's directory
//! (`$XDG_CONFIG_HOME/chef/themes`, else `~/.config/chef/themes`); a name ending in `.toml` is a path. Never resolves a colour.
//!
//! - A file is watched by its time of change: a look a second, no watcher, and only where a file is in use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

use crate::console::color::Depth;

/// The built-in themes, in the order of `t`.
const BUILT_IN: [(&str, &str); 11] = [
    ("base-dark", include_str!("../../../themes/base-dark.toml")),
    ("base-light", include_str!("../../../themes/base-light.toml")),
    ("nord", include_str!("../../../themes/nord.toml")),
    ("gruvbox", include_str!("../../../themes/gruvbox.toml")),
    ("catppuccin", include_str!("../../../themes/catppuccin.toml")),
    ("solarized-16", include_str!("../../../themes/solarized-16.toml")),
    ("high-contrast-dark", include_str!("../../../themes/high-contrast-dark.toml")),
    ("high-contrast-light", include_str!("../../../themes/high-contrast-light.toml")),
    ("deuteranopia", include_str!("../../../themes/deuteranopia.toml")),
    ("tritanopia", include_str!("../../../themes/tritanopia.toml")),
    ("mono", include_str!("../../../themes/mono.toml")),
];
/// The most files that are looked at in the user's directory: more than anyone scrolls through.
const OWN_MAX: usize = 100;
/// The largest theme file; ours have 1 KiB.
const BYTES_MAX: u64 = 256 * 1024;

/// Why a theme could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("theme `{theme}`: {what}")]
pub struct BadTheme {
    theme: String,
    what: String,
}

impl BadTheme {
    pub(super) fn new(theme: &str, what: String) -> Self {
        Self { theme: theme.to_owned(), what }
    }

    /// All of it in one line, for a message on the screen: the line of the file before the cause.
    #[must_use]
    pub fn brief(&self) -> String {
        let mut lines = self.what.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        // The parser draws the place below its first line and ends with the cause.
        match lines.next_back() {
            Some(cause) => format!("theme `{}`: {first}: {cause}", self.theme),
            None => format!("theme `{}`: {first}", self.theme),
        }
    }
}

/// The files of a theme and when each was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps(Vec<(PathBuf, Option<SystemTime>)>);

impl Stamps {
    /// Whether there is nothing to watch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same files as they are now.
    #[must_use]
    pub fn now(&self) -> Self {
        Self(self.0.iter().map(|(path, _)| (path.clone(), changed(path))).collect())
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// Names of the themes: the built-in ones, then the user's.
#[must_use]
pub fn names() -> Vec<String> {
    let mut own: Vec<String> = own_directory()
        .and_then(|directory| std::fs::read_dir(directory).ok())
        .into_iter()
        .flat_map(|files| files.take(OWN_MAX).flatten())
        .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .filter(|name| BUILT_IN.iter().all(|(known, _)| known != name) && !name.contains(protocol::text::is_hidden))
        .collect();
    own.sort();
    BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).chain(own).collect()
}

/// Names of the built-in themes.
#[cfg(test)]
pub(in crate::console) fn built_in() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).collect()
}

fn own_directory() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(config.join("chef").join("themes"))
}

#[derive(Debug, Clone, Deserialize, Default)]
pub(super) struct File {
    pub(super) inherits: Option<String>,
    /// What contrast is measured against.
    pub(super) background: Option<String>,
    /// Whether to paint it, or to leave the terminal's own.
    pub(super) paint: Option<bool>,
    /// At most so many colours (8, 16 or 256): for a theme that is made of the terminal's own palette.
    depth: Option<u16>,
    #[serde(default)]
    pub(super) palette: BTreeMap<String, Paint>,
    #[serde(default)]
    pub(super) roles: BTreeMap<String, Look>,
    #[serde(default)]
    pub(super) symbols: SymbolSet,
    /// What is not known: a warning, not an error, so that a newer theme still works.
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Clone, Deserialize, Default)]
pub(super) struct SymbolSet {
    pub(super) set: Option<String>,
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Paint {
    Hex(String),
    Full { rgb: String, idx: Option<u8>, ansi: Option<String> },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Look {
    /// The text's colour.
    Fg(String),
    /// For `bar.fill`: calm, warm, hot.
    Steps(Vec<String>),
    /// All of it.
    Full {
        fg: Option<String>,
        bg: Option<String>,
        #[serde(default, rename = "mod")]
        modifiers: Vec<String>,
    },
}

impl File {
    /// Keys that mean nothing here.
    pub(super) fn unknown(&self) -> impl Iterator<Item = String> + '_ {
        let inner = self.symbols.unknown.keys().map(|key| format!("symbols.{key}"));
        self.unknown.keys().cloned().chain(inner)
    }
}

/// The depth a theme is made for, if it says so.
pub(super) fn depth(name: &str, files: &[File]) -> Result<Option<Depth>, BadTheme> {
    match files.iter().find_map(|file| file.depth) {
        None => Ok(None),
        Some(8) => Ok(Some(Depth::Ansi8)),
        Some(16) => Ok(Some(Depth::Ansi16)),
        Some(256) => Ok(Some(Depth::Indexed)),
        Some(other) => Err(BadTheme::new(name, format!("depth {other} is none of 8, 16, 256"))),
    }
}

/// A theme's file and those it inherits from, nearest first.
pub(super) fn chain(name: &str) -> Result<(Vec<File>, Stamps), BadTheme> {
    let (mut seen, mut files, mut stamps) = (Vec::new(), Vec::new(), Stamps::default());
    let mut next = Some(name.to_owned());
    while let Some(name) = next {
        let bad = |what: String| BadTheme::new(&name, what);
        if seen.contains(&name) {
            return Err(bad(format!("inherits from itself: {}", seen.join(" -> "))));
        }
        let (text, path) = source(&name).map_err(bad)?;
        stamps.0.extend(path.map(|path| (changed(&path), path)).map(|(at, path)| (path, at)));
        let file: File = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        next = file.inherits.clone();
        seen.push(name);
        files.push(file);
    }
    Ok((files, stamps))
}

/// The text of a theme, and its file if it is one.
fn source(name: &str) -> Result<(String, Option<PathBuf>), String> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Ok(((*text).to_owned(), None));
    }
    if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
        return read(PathBuf::from(name));
    }
    // A name is one word: it never leads out of the directory.
    let own = own_directory().filter(|_| !name.contains(['/', '\\'])).map(|dir| dir.join(format!("{name}.toml")));
    match own.filter(|path| path.exists()) {
        Some(path) => read(path),
        None => Err(format!("unknown; give a path ending in .toml or one of {}", names().join(", "))),
    }
}

fn read(path: PathBuf) -> Result<(String, Option<PathBuf>), String> {
    let size = std::fs::metadata(&path).map_err(|error| error.to_string())?.len();
    if size > BYTES_MAX {
        return Err(format!("{size} bytes are no theme"));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    Ok((text, Some(path)))
}
