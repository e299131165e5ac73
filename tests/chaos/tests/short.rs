//! A short run of each kind of chaos against the real binary: what every change is tested with.
//!
//! Needs `chef` beside the `chaos` binary, as a build of the workspace leaves it; without it the tests say `skipped: no
//! chef` and pass, or fail when CHEF_NO_SKIP is set. Seeds are fixed, so the same faults come in the same sequence.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;

/// One city at a time: times are measured, and machines have few cores.
static ALONE: Mutex<()> = Mutex::new(());

fn chef() -> Option<PathBuf> {
    let found = PathBuf::from(env!("CARGO_BIN_EXE_chaos")).with_file_name("chef");
    if found.is_file() {
        return Some(found);
    }
    assert!(std::env::var_os("CHEF_NO_SKIP").is_none(), "no chef, and CHEF_NO_SKIP forbids to skip");
    eprintln!("skipped: no chef");
    None
}

/// Runs a command of `chaos`; the output must show that everything held.
fn holds(args: &[&str]) -> Option<String> {
    let chef = chef()?;
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_chaos")).args(args).arg("--chef").arg(chef).output().expect("chaos starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    println!("{stdout}{stderr}");
    assert!(status.success(), "chaos {args:?}: {status}");
    assert!(stdout.contains("0 lost, 0 twice"), "a verdict was printed");
    Some(stdout.into_owned())
}

#[test]
fn twelve_kinds_of_faults_lose_and_repeat_nothing() {
    let args = ["run", "--seed", "1", "--cycles", "12", "--rate", "40", "--kitchens", "4"];
    let Some(said) = holds(&args) else { return };
    assert!(said.contains("cycles         12:"), "every kind came once");
}

#[test]
fn results_of_resumed_agents_are_refused_and_counted() {
    let _ = holds(&["zombies", "--seed", "1", "--count", "4", "--kitchens", "4", "--rate", "30"]);
}
