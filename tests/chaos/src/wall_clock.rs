//! A wall clock that is stepped: balancers are started with a small library before the system's, which adds what a shared
//! file says to the time of day.
//!
//! Owns library and file. The library is C, built by `cc` when a run begins; without one clocks are not stepped, and the
//! run says so. Monotonic clocks are never touched: no system steps those.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use color_eyre::eyre::{WrapErr, ensure};

use crate::Result;
use crate::world::Environment;

const SOURCE: &str = include_str!("wall_clock/step.c");

/// The clock of a city's balancers.
#[derive(Debug)]
pub struct WallClock {
    step: File,
    environment: [(&'static str, OsString); 2],
}

impl WallClock {
    /// Builds the library in this directory; the clock is right until it is stepped.
    ///
    /// # Errors
    /// There is no C compiler here.
    pub fn build(dir: &Path) -> Result<Self> {
        let [source, library, step] = ["step.c", "step.so", "clock"].map(|name| dir.join(name));
        std::fs::write(&source, SOURCE)?;
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).output();
        let built = built.wrap_err("there is no C compiler here")?;
        ensure!(built.status.success(), "cc: {}", String::from_utf8_lossy(&built.stderr).trim());
        std::fs::write(&step, 0_i64.to_ne_bytes())?;
        let file = File::options().write(true).open(&step)?;
        let environment = [("LD_PRELOAD", library.into_os_string()), ("CHEF_CHAOS_CLOCK", step.into_os_string())];
        Ok(Self { step: file, environment })
    }

    /// What processes must be started with.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.environment.to_vec()
    }

    /// From now on the balancers' clocks are so far off.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn step(&self, ms: i64) -> Result<()> {
        Ok(self.step.write_all_at(&ms.to_ne_bytes(), 0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds since 1970 in the eyes of a shell whose first argument is this.
    fn seconds(clock: &WallClock, role: &str) -> i64 {
        let mut command = Command::new("bash");
        // `bash balancer` runs the file of that name: the command line looks like that of a balancer.
        command.arg(role).envs(clock.environment());
        command.current_dir(Path::new(&clock.environment[1].1).parent().expect("in a directory"));
        let said = command.output().expect("bash is there").stdout;
        String::from_utf8_lossy(&said).trim().parse().expect("a number")
    }

    #[test]
    fn a_balancers_clock_is_stepped_both_ways_and_nobody_elses() {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = match WallClock::build(dir.path()) {
            Ok(clock) => clock,
            Err(error) => return eprintln!("skipped: {error:#}"),
        };
        for role in ["balancer", "kitchen"] {
            std::fs::write(dir.path().join(role), "echo $EPOCHSECONDS\n").expect("a disk");
        }
        let right = seconds(&clock, "balancer");
        clock.step(86_400_000).expect("a file");
        assert!((86_000..87_000).contains(&(seconds(&clock, "balancer") - right)));
        clock.step(-3_600_500).expect("a file");
        assert!((-3_601..-3_000).contains(&(seconds(&clock, "balancer") - right)));
        assert!((0..60).contains(&(seconds(&clock, "kitchen") - right)));
    }
}
