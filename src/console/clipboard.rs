//! The clipboard, as far as a terminal can be asked for it: OSC 52, through tmux if need be, and a file where that is not
//! known to work.
//!
//! Owns the sequence and the file. No terminal says whether it took a copy, so the message never claims more than was done.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::app::Copied;

/// More than this is refused by most terminals (xterm takes about 75 kB of base64).
const LARGEST: usize = 50_000;

/// What this terminal does with OSC 52.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It takes it.
    Known,
    /// It may, or not.
    Unknown,
    /// It does not.
    None,
}

/// The clipboard of one terminal.
#[derive(Debug, Clone)]
pub struct Clipboard {
    support: Support,
    tmux: bool,
    file: PathBuf,
}

impl Clipboard {
    /// As the environment says.
    #[must_use]
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let tmux = set("TMUX").is_some();
        Self { support: support(&set, tmux), tmux, file: file(&set) }
    }

    /// Gives a copy to the terminal, to the file, or to both; says which.
    ///
    /// # Errors
    /// Neither took it.
    pub fn copy(&self, copied: &Copied, terminal: &mut impl Write) -> Result<String, String> {
        let Copied { what, text } = copied;
        let fits = text.len() <= LARGEST;
        let sent = self.support != Support::None
            && fits
            && terminal.write_all(&self.sequence(text)).and_then(|()| terminal.flush()).is_ok();
        if sent && self.support == Support::Known {
            return Ok(format!("{what} copied to the clipboard"));
        }
        let why = match (fits, self.support, self.tmux) {
            (false, ..) => "too long for a terminal's clipboard",
            (true, Support::None, _) => "this terminal has no clipboard",
            (true, _, true) => "also sent through tmux, which may keep it back (set-clipboard)",
            (true, _, false) => "also sent to the terminal, which does not say if it takes it",
        };
        match write(&self.file, text) {
            Ok(()) => Ok(format!("{what} copied to {}; {why}", self.file.display())),
            Err(error) if sent => Ok(format!("{what} sent to the terminal; {}: {error}", self.file.display())),
            Err(error) => Err(format!("not copied: {why}, and {}: {error}", self.file.display())),
        }
    }

    /// OSC 52; in tmux plain for its own clipboard, and wrapped for the terminal around it.
    fn sequence(&self, text: &str) -> Vec<u8> {
        let plain = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
        if !self.tmux {
            return plain.into_bytes();
        }
        let wrapped = plain.replace('\x1b', "\x1b\x1b");
        format!("{plain}\x1bPtmux;{wrapped}\x1b\\").into_bytes()
    }
}

/// Terminals known to take OSC 52 as they come, and those known to have nothing like it.
fn support(set: &impl Fn(&str) -> Option<String>, tmux: bool) -> Support {
    let term = set("TERM").unwrap_or_default();
    if tmux || term.starts_with("screen") {
        return Support::Unknown;
    }
    let program = set("TERM_PROGRAM").unwrap_or_default();
    let known = ["kitty", "alacritty", "foot", "ghostty", "wezterm", "contour", "rio"];
    if set("WT_SESSION").is_some()
        || known.iter().any(|name| term.contains(name))
        || ["WezTerm", "ghostty", "vscode", "rio"].contains(&program.as_str())
    {
        return Support::Known;
    }
    if term == "linux" || term == "dumb" || program == "Apple_Terminal" { Support::None } else { Support::Unknown }
}

fn file(set: &impl Fn(&str) -> Option<String>) -> PathBuf {
    let state = set("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| set("HOME").map(|home| Path::new(&home).join(".local").join("state")));
    state.map_or_else(|| std::env::temp_dir().join("chef-copied.txt"), |state| state.join("chef").join("copied.txt"))
}

/// Only the operator may read it: names of customers may be in it.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    if text.ends_with('\n') { Ok(()) } else { file.write_all(b"\n") }
}

/// RFC 4648; 15 lines are less than a crate.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let group = part.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for digit in 0..4 {
            let at = (group >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= part.len() { char::from(DIGITS[at]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clipboard(pairs: &[(&str, &str)]) -> Clipboard {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Clipboard::from_env(move |name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
    }

    fn copied(text: &str) -> Copied {
        Copied { what: "o42".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, wanted) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), wanted);
        }
    }

    #[test]
    fn a_terminal_that_is_known_gets_the_sequence_and_no_file_is_written() {
        let mut out = Vec::new();
        let clipboard = clipboard(&[("TERM", "xterm-kitty"), ("HOME", "/nonexistent")]);
        assert_eq!(clipboard.copy(&copied("foo"), &mut out), Ok("o42 copied to the clipboard".to_owned()));
        assert_eq!(out, b"\x1b]52;c;Zm9v\x07");
    }

    #[test]
    fn what_is_not_known_goes_to_a_file_too_and_the_message_says_so() {
        let dir = std::env::temp_dir().join(format!("chef-copy-{}", std::process::id()));
        let state = dir.display().to_string();
        let mut out = Vec::new();
        let tmux = clipboard(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/t,1,0"), ("XDG_STATE_HOME", &state)]);
        let said = tmux.copy(&copied("foo"), &mut out).expect("copied");
        assert!(said.contains("copied.txt") && said.contains("tmux"), "{said}");
        assert_eq!(out, b"\x1b]52;c;Zm9v\x07\x1bPtmux;\x1b\x1b]52;c;Zm9v\x07\x1b\\");
        assert_eq!(std::fs::read_to_string(dir.join("chef/copied.txt")).expect("a file"), "foo\n");
        let mut none = Vec::new();
        let linux = clipboard(&[("TERM", "linux"), ("XDG_STATE_HOME", &state)]);
        assert!(linux.copy(&copied(&"x".repeat(9)), &mut none).expect("a file").contains("no clipboard"));
        assert!(none.is_empty());
        let long = tmux.copy(&copied(&"x".repeat(LARGEST + 1)), &mut none).expect("a file");
        assert!(long.contains("too long") && none.is_empty());
        std::fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn nowhere_is_said() {
        let nowhere = clipboard(&[("TERM", "linux"), ("HOME", "/dev/null")]);
        assert!(nowhere.copy(&copied("x"), &mut Vec::new()).expect_err("nowhere").starts_with("not copied"));
    }
}
