//! The real binary in a pseudo terminal: however it ends, the terminal is as it was.
//!
//! Judged by the terminal: its settings (termios) are those of before, the alternate screen is left, the cursor is shown, and
//! no mouse, paste or synchronized-output mode stays on.

mod fake_feed;
mod pty;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fake_feed::{FakeFeed, Load};
use pty::{PATIENCE, Pty, is_given_back};
use rustix::process::{Pid, Signal, kill_process};

const CHEF: &str = env!("CARGO_BIN_EXE_chef");
const QUIET: Load = Load { kitchens: 4, events: 0, frames: 0 };
const SIZE: (u16, u16) = (80, 24);

fn console(feed: &FakeFeed, env: &[(&str, &str)]) -> Pty {
    Pty::start(Path::new(CHEF), &["console", "--balancer", &feed.url], env, SIZE)
}

/// A console that shows its city.
fn living(feed: &FakeFeed) -> Pty {
    let pty = console(feed, &[]);
    pty.until_shows("kitchen_3");
    assert!(!pty.has_old_settings(), "it has taken the terminal");
    assert!(!is_given_back(&pty.seen()));
    pty
}

fn send(pty: &Pty, signal: Signal) {
    let pid = i32::try_from(pty.pid()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, signal).expect("it runs");
}

#[track_caller]
fn assert_restored(pty: &Pty) {
    pty.until_given_back();
    let (before, after) = pty.settings();
    assert_eq!(before, after, "the settings of the terminal");
}

#[test]
fn q_and_ctrl_c_give_the_terminal_back() {
    let feed = FakeFeed::start(QUIET);
    for key in ["q", "\u{3}"] {
        let mut pty = living(&feed);
        pty.type_keys(key);
        assert!(pty.until_ended().success());
        assert_restored(&pty);
    }
}

#[test]
fn signals_give_the_terminal_back() {
    let feed = FakeFeed::start(QUIET);
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut pty = living(&feed);
        send(&pty, signal);
        assert!(pty.until_ended().success(), "{signal:?}");
        assert_restored(&pty);
    }
}

/// Polls the state of a process: `T` is stopped.
fn until_stopped(pty: &Pty) {
    let began = std::time::Instant::now();
    let stat = format!("/proc/{}/stat", pty.pid());
    while !std::fs::read_to_string(&stat).is_ok_and(|text| text.rsplit(") ").next().is_some_and(|t| t.starts_with('T')))
    {
        assert!(began.elapsed() < PATIENCE, "it has not stopped");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn ctrl_z_gives_it_back_and_going_on_takes_it_again() {
    let feed = FakeFeed::start(QUIET);
    let mut pty = living(&feed);
    for by_key in [true, false] {
        if by_key {
            pty.type_keys("\u{1a}");
        } else {
            send(&pty, Signal::TSTP);
        }
        until_stopped(&pty);
        assert_restored(&pty);
        send(&pty, Signal::CONT);
        pty.until("the screen is taken again", |seen| {
            seen.parser.screen().alternate_screen() && seen.parser.screen().contents().contains("kitchen_3")
        });
        assert!(!pty.has_old_settings());
    }
    pty.type_keys("q");
    assert!(pty.until_ended().success());
    assert_restored(&pty);
}

#[test]
fn a_panic_in_drawing_or_in_a_task_gives_it_back_and_is_reported() {
    let feed = FakeFeed::start(QUIET);
    for place in ["draw", "task"] {
        let mut pty = console(&feed, &[("CHEF_TEST_PANIC", place)]);
        assert!(!pty.until_ended().success(), "{place}");
        assert_restored(&pty);
        pty.until_shows(&format!("CHEF_TEST_PANIC={place}"));
    }
}

#[test]
fn a_dead_server_is_shown_and_the_picture_stays() {
    let mut feed = FakeFeed::start(QUIET);
    let mut pty = living(&feed);
    feed.die();
    pty.until_shows("LOST");
    assert!(pty.screen().contains("kitchen_3"), "the last picture stays");
    pty.type_keys("q");
    assert!(pty.until_ended().success());
    assert_restored(&pty);
}

/// What terminals say without having been asked by the console, late or to a program that ran before.
const REPLIES: [&str; 8] = [
    "\u{1b}P>|Contour 0.4.3\u{1b}\\",
    "\u{1b}P1$r0;38;2;1;2;3m\u{1b}\\",
    "\u{1b}]11;rgb:1d1d/2020/2121\u{1b}\\",
    "\u{1b}]11;rgb:1d1d/2020/2121\u{7}",
    "\u{1b}_Gi=31;OK\u{1b}\\",
    "\u{1b}[?62;22c",
    "\u{1b}[12;40R\u{1b}[I",
    "\u{1b}[?2026;2$y",
];

/// The keys that a recording says were taken.
fn keys_of(tape: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(tape).expect("a recording");
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter_map(|line| Some(line.get("key")?.as_str()?.to_owned())).collect()
}

#[test]
fn what_the_terminal_says_is_never_taken_for_keys() {
    let feed = FakeFeed::start(QUIET);
    let folder = tempfile::tempdir().expect("a folder");
    // On the table, on another screen, in a command line, in a filter.
    for (index, (open, close)) in [("", ""), ("5", "1"), (":", "\u{1b}"), ("/", "\u{1b}")].into_iter().enumerate() {
        let tape = folder.path().join(format!("{index}.tape"));
        let args = ["console", "--balancer", &feed.url, "--record", tape.to_str().expect("a path")];
        let mut pty = Pty::start(Path::new(CHEF), &args, &[], SIZE);
        pty.until_shows("kitchen_3");
        pty.type_keys(open);
        for reply in REPLIES {
            pty.type_keys(reply);
            for at in 2..reply.len() {
                pty.type_keys(&reply[..at]);
                std::thread::sleep(Duration::from_millis(if at % 8 == 3 { 120 } else { 3 }));
                pty.type_keys(&reply[at..]);
            }
        }
        pty.type_keys(close);
        // A lone introducer swallows nothing of what is typed a second later.
        std::thread::sleep(Duration::from_millis(200));
        pty.type_keys("\u{1b}P");
        std::thread::sleep(Duration::from_millis(1_000));
        pty.type_keys("q");
        assert!(pty.until_ended().success(), "{open:?}");
        let keys = keys_of(&tape);
        let esc = close.replace('\u{1b}', "esc");
        let expected: Vec<&str> = [open, &esc, "q"].into_iter().filter(|key| !key.is_empty()).collect();
        assert_eq!(keys, expected, "behind {open:?}");
        assert_restored(&pty);
    }
}

#[test]
fn a_terminal_that_goes_away_ends_it_quietly() {
    let feed = FakeFeed::start(QUIET);
    let mut pty = living(&feed);
    pty.hang_up();
    let status = pty.until_ended();
    // SIGHUP is taken as a wish to leave; without it the next write fails, which is no error either.
    assert!(status.success(), "{status:?}");
}

#[test]
fn lines_end_quietly_when_nobody_reads_them() {
    let feed = FakeFeed::start(Load { kitchens: 4, events: 40, frames: 20 });
    for args in [["console", "--plain"], ["watch", "--json"]] {
        let mut command = Command::new(CHEF);
        command
            .args(args)
            .args(["--balancer", &feed.url])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // The plain console asks for the status first; the fake has none, so a real one is asked in another test.
        let mut child = command.spawn().expect("chef starts");
        let mut out = child.stdout.take().expect("piped");
        let mut some = [0; 16];
        let read = out.read(&mut some).expect("a pipe");
        drop(out);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        if read > 0 {
            assert_eq!((output.status.code(), said.contains("panicked")), (Some(0), false), "{args:?}: {said}");
        }
    }
}

#[test]
fn lines_without_a_balancer_end_with_three() {
    for args in [["console", "--plain"], ["console", "--json"], ["watch", "--json"]] {
        let output =
            Command::new(CHEF).args(args).args(["--balancer", "http://127.0.0.1:1"]).stdin(Stdio::null()).output();
        assert_eq!(output.expect("chef runs").status.code(), Some(3), "{args:?}");
    }
}

#[test]
fn the_doctor_leaves_no_mark() {
    let mut pty = Pty::start(Path::new(CHEF), &["doctor"], &[("LANG", "C.UTF-8")], (120, 36));
    assert!(pty.until_ended().success());
    pty.until_shows("glyph widths");
    assert_restored(&pty);
    assert!(!pty.screen().contains("GLYPH WIDTHS  ─ -"), "{}", pty.screen());
}

#[test]
fn the_doctor_works_without_a_terminal() {
    let output = Command::new("setsid").args([CHEF, "doctor", "--output", "json"]).stdin(Stdio::null()).output();
    let Ok(output) = output else { return skipped("no setsid") };
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(findings[0]["found"].as_str().is_some_and(|found| found.contains("not a terminal")), "{findings}");
}

fn skipped(why: &str) {
    assert!(std::env::var_os("CHEF_NO_SKIP").is_none(), "may not be skipped: {why}");
    println!("skipped: {why}");
}
