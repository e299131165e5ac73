//! `city.json`: which processes the city has right now, for scripts and for `chef kill`.
//!
//! Owns the file's shape and its atomic replacement. It is true as long as the supervisor lives, and is removed at the
//! end; after a kill -9 of the supervisor it is stale, and its `supervisor` does not answer.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file's name in the data directory.
pub const FILE: &str = "city.json";

/// A balancer that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerEntry {
    /// Its id.
    pub id: String,
    /// Its process.
    pub pid: u32,
    /// Where it takes orders; null while it starts for the first time.
    pub url: Option<String>,
}

/// A kitchen that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitchenEntry {
    /// Its id.
    pub id: String,
    /// Its process.
    pub pid: u32,
}

/// The processes that run now; one that is down is absent until it is started again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    /// By id.
    pub balancers: Vec<BalancerEntry>,
    /// By id.
    pub kitchens: Vec<KitchenEntry>,
    /// The control socket.
    pub supervisor: Option<PathBuf>,
}

impl Record {
    /// Reads the file of a data directory.
    ///
    /// # Errors
    /// It is not there, or no such record.
    pub fn read(dir: &Path) -> io::Result<Self> {
        serde_json::from_slice(&std::fs::read(dir.join(FILE))?).map_err(io::Error::other)
    }

    /// Replaces the file; a reader sees the old or the new one, never a part.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let new = dir.join(".city.json.new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
        file.write_all(b"\n")?;
        std::fs::rename(new, dir.join(FILE))
    }

    /// Removes the file.
    pub fn remove(dir: &Path) {
        let _ = std::fs::remove_file(dir.join(FILE));
    }
}

/// The id of the balancer that leads, as it wrote itself into the data directory; it may have died since.
pub(super) fn leader(dir: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Leader {
        id: String,
    }
    let leader: Leader = serde_json::from_slice(&std::fs::read(dir.join("LEADER")).ok()?).ok()?;
    Some(leader.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_public_shape_and_no_part_of_it_is_ever_seen() {
        let dir = tempfile::tempdir().expect("a directory");
        let record = Record {
            balancers: vec![BalancerEntry { id: "balancer_1".into(), pid: 7, url: Some("http://127.0.0.1:1".into()) }],
            kitchens: vec![KitchenEntry { id: "kitchen_1".into(), pid: 8 }],
            supervisor: Some("/tmp/s".into()),
        };
        record.write(dir.path()).expect("writable");
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(dir.path().join(FILE)).expect("there")).expect("JSON");
        assert_eq!(json["balancers"][0]["url"], "http://127.0.0.1:1");
        assert_eq!(json["kitchens"][0]["pid"], 8);
        assert_eq!(Record::read(dir.path()).expect("own file"), record);
        assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 1, "no half-written file stays");
        Record::remove(dir.path());
        assert!(Record::read(dir.path()).is_err());
    }
}
