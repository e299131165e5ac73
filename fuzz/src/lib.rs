//! Hostile bytes at every door: for each door a body, which must hold for any bytes, and seeds to begin with.
//!
//! libFuzzer drives the bodies (`fuzz/run`), and so does a test of the workspace, with the seeds and a few thousand seeded
//! mutations, on any machine. A body panics when something is wrong; what it returns is nobody's business.

pub mod bodies;

pub use bodies::{agent_frames, balancer_frames, city_files, http_bodies, journal_rows};

/// Writes the seeds into the folder that `FUZZ_CORPUS` names, for libFuzzer to begin with.
pub fn write_seeds(seeds: &[Vec<u8>]) {
    let Some(folder) = std::env::var_os("FUZZ_CORPUS").map(std::path::PathBuf::from) else { return };
    for (number, seed) in seeds.iter().enumerate() {
        if let Err(error) = std::fs::write(folder.join(format!("seed-{number}")), seed) {
            eprintln!("seed {number} could not be written to {}: {error}", folder.display());
        }
    }
}
