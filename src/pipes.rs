//! Lines to and from the standard streams, each by a thread of its own: a reader that stalls, or a terminal that nobody
//! types at, never keeps a signal or a time limit from being heard.
//!
//! Owns the two threads. Never interprets a line.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::{mpsc, oneshot};

/// Texts that may wait for standard output. Beyond them the sender waits, and what it follows is dropped at its source.
const OUT_MAX: usize = 64;
/// Lines that may wait for whoever reads what is typed.
const IN_MAX: usize = 16;
/// How long what was handed over may take to leave, at the end.
const FAREWELL: Duration = Duration::from_secs(1);
/// Between two looks at whether this program is in the foreground.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
/// The longest line that is read, in bytes: a command, not a file.
const LINE_MAX: usize = 64 * 1024;

/// Nobody reads standard output any more; no error, as with `| head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderGone;

/// Standard output.
#[derive(Debug)]
pub struct Out {
    sender: mpsc::Sender<String>,
    ended: oneshot::Receiver<()>,
}

impl Out {
    /// Begins.
    #[must_use]
    pub fn stdout() -> Self {
        Self::into(io::stdout())
    }

    fn into(mut to: impl Write + Send + 'static) -> Self {
        let (sender, mut texts) = mpsc::channel::<String>(OUT_MAX);
        let (ends, ended) = oneshot::channel();
        std::thread::spawn(move || {
            while let Some(text) = texts.blocking_recv() {
                if to.write_all(text.as_bytes()).and_then(|()| to.flush()).is_err() {
                    break;
                }
            }
            // Nobody may be waiting for the end.
            let _ = ends.send(());
        });
        Self { sender, ended }
    }

    /// Hands a text over, and waits while too much is on its way; called off, it has not been handed over.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub async fn send(&self, text: String) -> Result<(), ReaderGone> {
        self.sender.send(text).await.map_err(|_| ReaderGone)
    }

    /// Waits a moment for what was handed over.
    pub async fn finish(self) {
        drop(self.sender);
        let _ = tokio::time::timeout(FAREWELL, self.ended).await;
    }
}

/// Lines of standard input, until its end. In the background of a terminal nothing is read, so that the program is not
/// stopped for it; back in the foreground it reads again.
#[must_use]
pub fn typed() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(IN_MAX);
    std::thread::spawn(move || {
        let (mut lines, mut piece) = (Cut::default(), [0; 4_096]);
        loop {
            if !readable() {
                continue;
            }
            let read = rustix::io::read(io::stdin(), &mut piece).unwrap_or(0);
            for line in if read == 0 { lines.end() } else { lines.take(&piece[..read]) } {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
            if read == 0 {
                return;
            }
        }
    });
    lines
}

/// Waits until there is something to read and this program may read it; false: look again.
fn readable() -> bool {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return true;
    }
    let mut watched = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
    let found = poll(&mut watched, Some(&LOOK)).unwrap_or(0) > 0;
    let foreground = rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp());
    if found && !foreground {
        // Somebody else's keys: they stay readable, so the wait is made here.
        std::thread::sleep(Duration::from_millis(500));
    }
    found && foreground
}

/// Cuts bytes into lines.
#[derive(Debug, Default)]
struct Cut {
    begun: Vec<u8>,
}

impl Cut {
    fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => lines.push(self.line()),
                _ if self.begun.len() < LINE_MAX => self.begun.push(byte),
                _ => {}
            }
        }
        lines
    }

    /// What stands after the last line's end.
    fn end(&mut self) -> Vec<String> {
        if self.begun.is_empty() { Vec::new() } else { vec![self.line()] }
    }

    fn line(&mut self) -> String {
        let line = std::mem::take(&mut self.begun);
        String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_the_bytes_were() {
        let mut cut = Cut::default();
        assert_eq!(cut.take(b"kill k"), [""; 0]);
        assert_eq!(cut.take(b"itchen_1\r\nqu"), ["kill kitchen_1"]);
        assert_eq!(cut.take(b"it\n\n"), ["quit", ""]);
        assert_eq!(cut.take(b"last"), [""; 0]);
        assert_eq!(cut.end(), ["last"]);
        assert_eq!(cut.end(), [""; 0]);
    }

    /// Takes nothing until it is let.
    struct Stalled(std::sync::mpsc::Receiver<()>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_reader_that_stalls_holds_up_only_what_is_sent() {
        let (go_on, stalled) = std::sync::mpsc::channel();
        let out = Out::into(Stalled(stalled));
        let mut handed_over = 0;
        // One is in the thread's hands at most, the others wait.
        while tokio::time::timeout(Duration::from_millis(50), out.send("line\n".into())).await.is_ok() {
            handed_over += 1;
            assert!(handed_over <= OUT_MAX + 1, "there is a bound");
        }
        tokio::time::timeout(FAREWELL * 2, out.finish()).await.expect("the end waits a moment only");
        drop(go_on);
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_said_to_the_sender() {
        let (go_on, stalled) = std::sync::mpsc::channel();
        drop(go_on);
        let out = Out::into(Stalled(stalled));
        let gone = async { while out.send("line\n".into()).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("told at once");
    }
}
