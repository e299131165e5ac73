//! The terminal: how a frame gets out in one write, and how the terminal comes back whatever happens.
//!
//! - A frame is one `write(2)` between `CSI ?2026 h` and `l`; a frame without a change is no write at all.
//! - [`FrameBackend`] wraps `CrosstermBackend` and draws the cells itself, because that one writes colour resets into
//!   every frame: 25 bytes for nothing, and a colour sequence under `NO_COLOR`.
//! - The terminal is never asked anything (`CSI 6n` would fight with the keys for the answer).
//! - After a glyph whose width terminals may see differently the cursor is placed anew, so no later column moves.
//! - [`restore`] can be called from anywhere and any number of times.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

use super::symbols::Symbols;

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// Alternate screen, no cursor, pastes marked as such (so that a paste is never a command).
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[0m\x1b[2J";
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// Whether the terminal is ours.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// Told when anything panicked, so that the loop ends.
pub static PANICKED: tokio::sync::Notify = tokio::sync::Notify::const_new();

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Frames that changed something.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How long writing them took.
    pub took: Duration,
}

/// Gathers a frame and writes it at once.
#[derive(Debug)]
pub struct FrameWriter<W: Write> {
    out: W,
    pending: Vec<u8>,
    written: Written,
}

impl<W: Write> FrameWriter<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, pending: Vec::with_capacity(16 * 1024), written: Written::default() }
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        self.written
    }

    /// Where it goes.
    pub fn out(&self) -> &W {
        &self.out
    }

    /// Writes what was gathered, if anything.
    ///
    /// # Errors
    /// As the terminal says; what was gathered is gone then.
    pub fn commit(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.pending.extend_from_slice(END);
        let began = Instant::now();
        let outcome = write_all(&mut self.out, &self.pending).and_then(|()| self.out.flush());
        self.written.took += began.elapsed();
        self.written.frames += 1;
        self.written.bytes += self.pending.len() as u64;
        self.pending.clear();
        outcome
    }
}

/// `write_all` that also waits where the other side made our descriptor non-blocking.
fn write_all(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.is_empty() {
            self.pending.extend_from_slice(BEGIN);
        }
        self.pending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Nothing: a frame goes out whole, by [`FrameWriter::commit`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How cells are written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Look = Look { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

/// A cell to be written.
#[derive(Debug, Clone, Copy)]
struct Drawn<'a> {
    x: u16,
    y: u16,
    look: Look,
    symbol: &'a str,
}

/// The backend of the console.
#[derive(Debug)]
pub struct FrameBackend<W: Write> {
    writer: FrameWriter<W>,
    size: Option<Size>,
    look: Look,
    cursor: Option<Position>,
    cursor_shown: Option<bool>,
    symbols: Symbols,
}

impl<W: Write> FrameBackend<W> {
    /// Draws to `out`; with a `size` the terminal is not asked for its own.
    pub fn new(out: W, size: Option<Size>, symbols: impl Into<Symbols>) -> Self {
        let (writer, symbols) = (FrameWriter::new(out), symbols.into());
        Self { writer, size, look: PLAIN, cursor: None, cursor_shown: None, symbols }
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        self.writer.written()
    }

    /// Where it goes.
    pub fn out(&self) -> &W {
        self.writer.out()
    }

    /// The size for tests and benches.
    pub fn set_size(&mut self, size: Size) {
        self.size = Some(size);
    }

    /// The terminal was away: nothing is known of its cursor and looks.
    pub fn forget(&mut self) {
        (self.look, self.cursor, self.cursor_shown) = (PLAIN, None, None);
    }

    /// The cells, those of one look together: to move the cursor takes a third of the bytes that a change of colour takes.
    /// Glyphs of uncertain width come first, so that what stands beside them is drawn over what they may have spilt.
    fn grouped<'a>(&self, content: impl Iterator<Item = (u16, u16, &'a Cell)>) -> Vec<Drawn<'a>> {
        let drawn = |(x, y, cell): (u16, u16, &'a Cell)| {
            let look = Look { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
            Drawn { x, y, look, symbol: cell.symbol() }
        };
        let mut cells: Vec<Drawn<'a>> = content.map(drawn).collect();
        let mut looks = vec![self.look];
        cells.sort_by_cached_key(|cell| {
            let known = looks.iter().position(|look| *look == cell.look);
            let place = known.unwrap_or_else(|| {
                looks.push(cell.look);
                looks.len() - 1
            });
            // Uncertain ones stay in their sequence: the right one of two neighbours is drawn over what the left one spilt.
            let steady = is_steady(cell.symbol);
            (steady, if steady { place } else { 0 })
        });
        cells
    }

    /// Moves the cursor from where it surely is, if that is known, in as few bytes as it takes.
    fn go_to(&mut self, from: Option<(u16, u16)>, x: u16, y: u16) -> io::Result<()> {
        match from {
            Some((before, row)) if row == y && before < x && x - before == 1 => self.writer.write_all(b"\x1b[C"),
            Some((before, row)) if row == y && before < x => write!(self.writer, "\x1b[{}C", x - before),
            Some(_) | None => write!(self.writer, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1),
        }
    }

    fn dress(&mut self, look: Look) -> io::Result<()> {
        if look == self.look {
            return Ok(());
        }
        let mut from = self.look;
        let mut codes: Vec<String> = Vec::new();
        if !look.modifier.contains(from.modifier) {
            codes.push("0".to_owned());
            from = PLAIN;
        }
        for (flag, code) in MODIFIERS {
            if look.modifier.contains(flag) && !from.modifier.contains(flag) {
                codes.push(code.to_owned());
            }
        }
        codes.extend((look.fg != from.fg).then(|| color(look.fg, 30)));
        codes.extend((look.bg != from.bg).then(|| color(look.bg, 40)));
        self.look = look;
        write!(self.writer, "\x1b[{}m", codes.join(";"))
    }
}

const MODIFIERS: [(Modifier, &str); 5] = [
    (Modifier::BOLD, "1"),
    (Modifier::DIM, "2"),
    (Modifier::ITALIC, "3"),
    (Modifier::UNDERLINED, "4"),
    (Modifier::REVERSED, "7"),
];

/// The code of a colour; `base` is 30 for text and 40 for the background.
fn color(color: Color, base: u8) -> String {
    let named = |n: u8| (base + n).to_string();
    let bright = |n: u8| (base + 60 + n).to_string();
    match color {
        Color::Reset => named(9),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(n) => format!("{};5;{n}", base + 8),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
    }
}

/// Glyphs that every terminal draws one column wide: ASCII, and ours.
fn is_steady(symbol: &str) -> bool {
    let mut characters = symbol.chars();
    let first = characters.next().unwrap_or(' ');
    characters.next().is_none()
        && (first.is_ascii() || matches!(first, '\u{2500}'..='\u{25ff}' | '·' | '—' | '…' | '×' | '✓' | '✕'))
}

impl<W: Write> Backend for FrameBackend<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut next: Option<(u16, u16)> = None;
        for Drawn { x, y, look, symbol } in self.grouped(content) {
            if next != Some((x, y)) {
                self.go_to(next, x, y)?;
            }
            self.dress(look)?;
            self.writer.write_all(self.symbols.map(symbol).as_bytes())?;
            next = is_steady(symbol).then_some((x + 1, y));
            self.cursor = None;
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown.replace(false) == Some(false) { Ok(()) } else { self.writer.write_all(b"\x1b[?25l") }
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown.replace(true) == Some(true) { Ok(()) } else { self.writer.write_all(b"\x1b[?25h") }
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor.unwrap_or(Position::ORIGIN))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.cursor == Some(position) {
            return Ok(());
        }
        self.cursor = Some(position);
        write!(self.writer, "\x1b[{};{}H", u32::from(position.y) + 1, u32::from(position.x) + 1)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.dress(PLAIN)?; // or the cleared cells would take the last background
        CrosstermBackend::new(&mut self.writer).clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let (width, height) = crossterm::terminal::size()?;
        Ok(Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.commit()
    }
}

/// Our own handle on standard output, without the line buffer that would cut a frame into lines.
///
/// # Errors
/// As the system says.
pub fn output() -> io::Result<std::fs::File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
    }
}

/// Takes the terminal.
///
/// # Errors
/// As the terminal says; it is given back then.
pub fn enter() -> io::Result<()> {
    crossterm::terminal::enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    let written = output().and_then(|mut out| write_all(&mut out, ENTER));
    if written.is_err() {
        restore();
    }
    written
}

/// Whether the terminal is ours to write to.
pub fn is_ours() -> bool {
    ENTERED.load(Ordering::SeqCst)
}

/// Gives the terminal back. Errors are not reported: there may be no terminal any more.
pub fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = output().and_then(|mut out| write_all(&mut out, LEAVE));
    let _ = crossterm::terminal::disable_raw_mode();
}

/// Gives the terminal back before a panic is reported, whichever task or thread it is in.
pub fn restore_on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if is_ours() {
                restore();
                PANICKED.notify_one();
            }
            before(panic);
        }));
    });
}

/// Gives the terminal back when dropped.
pub struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}
