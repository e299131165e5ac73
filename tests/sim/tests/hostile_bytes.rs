//! The bodies of the fuzz targets (`fuzz/`) on their seeds and on seeded mutations of them: what libFuzzer does for hours
//! with an eye on coverage, this does for a second or two on any machine, always the same.

#[path = "../../../fuzz/src/bodies/mod.rs"]
mod bodies;

use sim::dice::Dice;

/// Mutations of the seeds of one target.
const MUTATIONS: usize = 10_000;

/// Runs a body on its seeds and on mutations of them; a failure names the bytes.
fn hostile(seeds: &[Vec<u8>], body: fn(&[u8])) {
    seeds.iter().for_each(|seed| body(seed));
    let mut dice = Dice::new(1, 77);
    for number in 0..MUTATIONS {
        let mut bytes = seeds[dice.below(seeds.len())].clone();
        for _ in 0..dice.between(1, 4) {
            mutate(&mut dice, &mut bytes, seeds);
        }
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let result = std::panic::catch_unwind(|| body(&bytes));
        assert!(result.is_ok(), "mutation {number}: {hex}");
    }
}

/// What a careless or hostile peer does to bytes.
fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = dice.below(bytes.len() + 1);
    match dice.below(7) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, dice.bits() as u8),
        2 => {
            let other = &seeds[dice.below(seeds.len())];
            let from = dice.below(other.len() + 1);
            let piece = other[from..].iter().take(40).copied().collect::<Vec<u8>>();
            bytes.splice(at..at, piece);
        }
        3 => _ = bytes.drain(at..(at + 1 + dice.below(9)).min(bytes.len())),
        4 => bytes.splice(at..at, [0xff; 9]).for_each(drop),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
    }
}

#[test]
fn no_frame_of_an_agent_breaks_the_balancer() {
    hostile(&bodies::agent_frames::seeds(), bodies::agent_frames::body);
}

#[test]
fn no_frame_of_a_balancer_breaks_an_agent() {
    hostile(&bodies::balancer_frames::seeds(), bodies::balancer_frames::body);
}

#[test]
fn no_http_body_is_misread() {
    hostile(&bodies::http_bodies::seeds(), bodies::http_bodies::body);
}

#[test]
fn no_journal_row_is_misread() {
    hostile(&bodies::journal_rows::seeds(), bodies::journal_rows::body);
}

#[test]
fn no_city_file_is_taken_that_cannot_be_led() {
    hostile(&bodies::city_files::seeds(), bodies::city_files::body);
}
