//! Commands that go on until they are told to end: a reader that stalls keeps none of them from hearing it, and what was
//! measured until then is said.

mod running_city;

use std::process::Child;
use std::time::{Duration, Instant};

use running_city::RunningCity;
use rustix::process::{Pid, Signal, kill_process};

/// The pipes are made this small, in bytes, so that a stream of few lines fills one soon: the writer waits then.
const PIPE: usize = 4_096;
/// Less room than this holds no further line.
const NEARLY_FULL: u64 = 3_600;
const LIMIT: Duration = Duration::from_secs(60);

fn ended_within(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    None
}

fn terminate(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::TERM).expect("it runs");
}

#[tokio::test]
async fn a_stream_whose_reader_stalls_hears_a_signal_and_its_own_time_limit() {
    let city = RunningCity::start("streams", &["--rate", "20", "--speed", "5"]);
    let [mut watch, mut plain] = [&["watch", "--json"][..], &["--json"]].map(|args| {
        let child = city.chef(args);
        let out = child.stdout.as_ref().expect("a pipe");
        rustix::pipe::fcntl_setpipe_size(out, PIPE).expect("nothing is in it yet");
        child
    });
    // Each kill is a handful of lines.
    for _ in 0..3 {
        for kitchen in ["kitchen_1", "kitchen_2"] {
            let pid = city.pid(kitchen).expect("it runs");
            RunningCity::signal(pid, Signal::KILL);
            city.until("it is back", LIMIT, async |city| city.pid(kitchen).is_some_and(|new| new != pid)).await;
        }
    }
    let mut limited = city.chef(&["watch", "--json", "--for", "4s"]);
    for child in [&watch, &plain] {
        let out = child.stdout.as_ref().expect("a pipe");
        let began = Instant::now();
        while rustix::io::ioctl_fionread(out).expect("a pipe") < NEARLY_FULL {
            assert!(began.elapsed() < LIMIT, "the pipe does not fill");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for child in [&mut watch, &mut plain] {
        terminate(child);
        let status = ended_within(child, Duration::from_secs(10)).expect("it hears the signal");
        assert!(status.success(), "{status}");
    }
    assert!(ended_within(&mut limited, LIMIT).expect("its time is over").success());
}

#[tokio::test]
async fn a_load_test_that_is_broken_off_says_what_it_measured() {
    let city = RunningCity::start("broken-off", &["--kitchens", "1"]);
    // More than one kitchen cooks in this time, so that the end is not reached.
    let load = city.chef(&["load", "--orders", "60", "--users", "4"]);
    city.until("orders are placed", LIMIT, async |city| city.proof().await.accepted >= 60).await;
    terminate(&load);
    let output = load.wait_with_output().expect("it ends");
    let (said, code) = (String::from_utf8_lossy(&output.stdout), output.status.code());
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("60") && said.contains("p99"), "{said}");
}
