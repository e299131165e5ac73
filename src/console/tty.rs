//! Where keys come from: the terminal, read by a thread of its own, and its changes of size.
//!
//! Owns waiting for them. Never says what a byte means: that is [`decoder`](super::decoder). Elsewhere than on Unix the
//! system hands out keys instead of bytes, and there is nothing to decode.

#[cfg(unix)]
pub(super) use self::unix::Keys;

#[cfg(unix)]
mod unix {
    use std::collections::VecDeque;
    use std::fs::File;
    use std::io::{self, IsTerminal, Read};
    use std::os::fd::AsFd;
    use std::time::{Duration, Instant};

    use crossterm::event::Event;
    use tokio::signal::unix::{Signal, SignalKind, signal};
    use tokio::sync::mpsc::{Receiver, Sender, channel};

    use crate::console::decoder::Decoder;

    /// Bytes of one read: a terminal's buffer holds no more.
    const READ: usize = 4_096;
    /// Reads that may wait for the loop; what comes beyond waits in the terminal.
    const READS: usize = 64;
    /// Another program may have made our descriptor non-blocking: then it is looked at this often.
    const LOOK: Duration = Duration::from_millis(5);

    type Bytes = io::Result<(Instant, Vec<u8>)>;

    /// The keys of this process's terminal.
    pub(in crate::console) struct Keys {
        bytes: Receiver<Bytes>,
        resized: Signal,
        decoder: Decoder,
        began: Instant,
        ready: VecDeque<Event>,
    }

    impl Keys {
        /// Listens from now on.
        ///
        /// # Errors
        /// There is no terminal.
        pub(in crate::console) fn open() -> io::Result<Self> {
            let stdin = io::stdin();
            let terminal =
                if stdin.is_terminal() { stdin.as_fd().try_clone_to_owned()?.into() } else { File::open("/dev/tty")? };
            let (sender, bytes) = channel(READS);
            // It ends with the process, or with the first byte after nobody listens: a read cannot be called off.
            std::thread::Builder::new().name("keys".into()).spawn(move || read(terminal, &sender))?;
            let (resized, began) = (signal(SignalKind::window_change())?, Instant::now());
            Ok(Self { bytes, resized, decoder: Decoder::default(), began, ready: VecDeque::new() })
        }

        /// The next event; none once the terminal has ended. Safe to cancel.
        pub(in crate::console) async fn next(&mut self) -> Option<io::Result<Event>> {
            loop {
                if let Some(event) = self.ready.pop_front() {
                    return Some(Ok(event));
                }
                let wake = self.decoder.wake_at().map(|at| at.saturating_sub(self.began.elapsed()));
                tokio::select! {
                    biased;
                    read = self.bytes.recv() => match read? {
                        Ok(read) => self.decode(&read),
                        Err(error) => return Some(Err(error)),
                    },
                    _ = self.resized.recv() => return Some(size()),
                    () = tokio::time::sleep(wake.unwrap_or(Duration::MAX)), if wake.is_some() => {
                        self.ready.extend(self.decoder.expire(self.began.elapsed()));
                    }
                }
            }
        }

        /// An event that is there already.
        pub(in crate::console) fn ready(&mut self) -> Option<io::Result<Event>> {
            while self.ready.is_empty() {
                match self.bytes.try_recv().ok()? {
                    Ok(read) => self.decode(&read),
                    Err(error) => return Some(Err(error)),
                }
            }
            self.ready.pop_front().map(Ok)
        }

        fn decode(&mut self, (at, bytes): &(Instant, Vec<u8>)) {
            self.ready.extend(self.decoder.read(bytes, at.saturating_duration_since(self.began)));
        }
    }

    fn size() -> io::Result<Event> {
        crossterm::terminal::size().map(|(columns, rows)| Event::Resize(columns, rows))
    }

    fn read(mut terminal: File, bytes: &Sender<Bytes>) {
        let mut buffer = [0; READ];
        loop {
            let read = match terminal.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => Ok((Instant::now(), buffer[..count].to_vec())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(LOOK);
                    continue;
                }
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if bytes.blocking_send(read).is_err() || failed {
                return;
            }
        }
    }
}

#[cfg(not(unix))]
pub(super) use self::elsewhere::Keys;

#[cfg(not(unix))]
mod elsewhere {
    use std::io;

    use crossterm::event::{Event, EventStream};
    use futures_util::StreamExt;

    /// The keys of this process's terminal.
    pub(in crate::console) struct Keys(EventStream);

    impl Keys {
        /// Listens from now on.
        ///
        /// # Errors
        /// Never.
        pub(in crate::console) fn open() -> io::Result<Self> {
            Ok(Self(EventStream::new()))
        }

        /// The next event; none once the terminal has ended. Safe to cancel.
        pub(in crate::console) async fn next(&mut self) -> Option<io::Result<Event>> {
            self.0.next().await
        }

        /// Nothing: what is there is the next event.
        pub(in crate::console) fn ready(&mut self) -> Option<io::Result<Event>> {
            None
        }
    }
}
