//! What an older ledger leaves behind: the files that say that there was one, or that there was more of it.
//!
//! Owns the list of those files, and what is done with them when an operator says so: they are set aside, never deleted.
//! A copy that was restored without its ledger, or with an old one, must not be led as if it were whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use protocol::{Epoch, Position};
use rusqlite::{Connection, OpenFlags};

use super::{Tip, snapshot, sqlite};

/// Files of a data directory that only a ledger with events brings about. Logs, `city.json` and keys say nothing of that.
/// `archive` is where rows go that a ledger no longer holds, for whoever keeps such.
const NAMES: [&str; 5] = ["HEAD", "LEADER", "projection.db", "archive", "ledger.db-wal"];

/// The files of an older ledger in `dir`, by name.
pub(super) fn of_an_older(dir: &Path) -> Vec<String> {
    let named = NAMES.iter().filter(|name| dir.join(name).exists()).map(|name| (*name).to_owned());
    let snapshots = snapshot::positions(dir).into_iter().map(snapshot::name);
    named.chain(snapshots).chain(volumes(dir)).collect()
}

/// A file that knows of more than the ledger that ends at `tip`, and of what.
pub(super) fn newer_than(dir: &Path, tip: &Tip) -> Option<String> {
    if let Some(position) = snapshot::positions(dir).into_iter().max().filter(|position| *position > tip.position) {
        return Some(format!("{} is of position {position}", snapshot::name(position)));
    }
    if let Some(position) = projected(dir).filter(|position| *position > tip.position) {
        return Some(format!("projection.db goes to position {position}"));
    }
    let epoch = leader_epoch(dir).filter(|epoch| *epoch > tip.epoch)?;
    Some(format!("LEADER was written in epoch {epoch}"))
}

/// Moves the traces into a directory of their own beside the ledger, and says which.
pub(super) fn set_aside(dir: &Path, names: &[String]) -> io::Result<PathBuf> {
    let aside = (1..).map(|number| dir.join(format!("older-{number}"))).find(|path| !path.exists());
    let aside = aside.unwrap_or_else(|| dir.join("older"));
    fs::create_dir(&aside)?;
    for name in names {
        for end in ["", "-wal", "-shm"] {
            let name = format!("{name}{end}");
            if dir.join(&name).exists() {
                fs::rename(dir.join(&name), aside.join(&name))?;
            }
        }
    }
    super::sync_dir(&aside)?;
    super::sync_dir(dir)?;
    Ok(aside)
}

/// What knows of more than a ledger that an operator accepts as it is.
pub(super) fn that_know_more() -> impl Iterator<Item = &'static str> {
    ["LEADER", "projection.db"].into_iter()
}

/// Files of remembered keys.
fn volumes(dir: &Path) -> impl Iterator<Item = String> {
    let names = fs::read_dir(dir).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with("keys-") && name.ends_with(".bin"))
}

/// Snapshots of positions behind `tip`, by name.
pub(super) fn snapshots_behind(dir: &Path, tip: &Tip) -> impl Iterator<Item = String> {
    let end = tip.position;
    snapshot::positions(dir).into_iter().filter(move |position| *position > end).map(snapshot::name)
}

/// Where the projection stands; none if there is none that can be read.
fn projected(dir: &Path) -> Option<Position> {
    let path = dir.join("projection.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = path.exists().then(|| Connection::open_with_flags(path, flags).ok())??;
    sqlite::allow_checkpoint_on_close(&db, false).ok()?;
    let position: i64 = db.query_row("SELECT position FROM projection", [], |row| row.get(0)).ok()?;
    u64::try_from(position).ok().map(Position)
}

fn leader_epoch(dir: &Path) -> Option<Epoch> {
    let leader: serde_json::Value = serde_json::from_slice(&fs::read(dir.join("LEADER")).ok()?).ok()?;
    leader["epoch"].as_u64().and_then(|epoch| u32::try_from(epoch).ok()).map(Epoch)
}
