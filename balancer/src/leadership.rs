//! Who leads, as the balancers of one data directory tell each other: the file LEADER, and who follows.
//!
//! ```text
//! LEADER    {"id":"balancer_1","pid":4242,"url":"http://127.0.0.1:8080","epoch":3}
//! ```
//! The file is a signpost, never the right to lead: that is the lock of the ledger. Only the holder of the lock writes or
//! removes it, so a LEADER with the holder's pid was written by that very process, which answered when it wrote it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::api::BalancerView;
use protocol::{Epoch, Position};
use serde::{Deserialize, Serialize};

/// The file's name in the data directory.
const FILE: &str = "LEADER";
/// A standby says where it is ten times a second; one that has been silent for so long is not shown any more.
const FOLLOWER_SILENT: Duration = Duration::from_secs(1);
/// Standbys that are remembered: `chef up` starts at most four.
const FOLLOWERS_MAX: usize = 16;

/// The balancer that leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leader {
    /// Its id.
    pub(crate) id: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Where it answers.
    pub(crate) url: String,
    /// Its reign.
    pub(crate) epoch: Epoch,
}

impl Leader {
    /// Whoever wrote the file last.
    pub(crate) fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join(FILE)).ok()?).ok()
    }

    /// Replaces the file; a reader sees the old or the new one, never a part. Not synced: after a power loss nobody leads.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let new = dir.join(".LEADER.new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        file.write_all(b"\n")?;
        std::fs::rename(new, dir.join(FILE))
    }

    /// Takes away what an earlier leader wrote.
    pub(crate) fn remove(dir: &Path) {
        // It may not be there; if it stays, its pid tells that it is old.
        let _ = std::fs::remove_file(dir.join(FILE));
    }
}

/// The leader's list of those who follow it.
#[derive(Debug)]
pub struct Peers {
    id: String,
    url: String,
    heard: Mutex<BTreeMap<String, (BalancerView, Duration)>>,
}

impl Peers {
    /// Of the balancer `id`, which answers at `url`.
    pub(crate) fn new(id: String, url: String) -> Self {
        Self { id, url, heard: Mutex::default() }
    }

    /// Takes in what a standby says about itself; one too many is not remembered, and only not shown.
    pub(crate) fn heard(&self, now: Duration, standby: BalancerView) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|_, (_, at)| now < *at + FOLLOWER_SILENT);
        if heard.len() < FOLLOWERS_MAX || heard.contains_key(&standby.id) {
            heard.insert(standby.id.clone(), (BalancerView { role: "standby".into(), ..standby }, now));
        }
    }

    /// The leader itself.
    #[must_use]
    pub fn leader(&self, position: Option<Position>) -> BalancerView {
        let (id, url) = (self.id.clone(), Some(self.url.clone()));
        BalancerView { id, role: "leader".into(), pid: std::process::id(), url, position }
    }

    /// Those who follow, by id.
    #[must_use]
    pub fn standbys(&self, now: Duration) -> Vec<BalancerView> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = heard.values().filter(|(_, at)| now < *at + FOLLOWER_SILENT);
        alive.map(|(standby, _)| standby.clone()).collect()
    }

    /// The leader, then the others.
    #[must_use]
    pub fn all(&self, now: Duration) -> Vec<BalancerView> {
        std::iter::once(self.leader(None)).chain(self.standbys(now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_reads_back_and_no_part_of_it_is_ever_seen() {
        let dir = tempfile::tempdir().expect("dir");
        assert_eq!(Leader::read(dir.path()), None);
        let leader = Leader { id: "b1".into(), pid: 7, url: "http://127.0.0.1:1".into(), epoch: Epoch(3) };
        leader.write(dir.path()).expect("writable");
        assert_eq!(Leader::read(dir.path()), Some(leader));
        assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 1);
        Leader::remove(dir.path());
        assert_eq!(Leader::read(dir.path()), None);
    }

    #[test]
    fn a_silent_standby_is_not_shown() {
        let peers = Peers::new("b1".into(), "http://127.0.0.1:1".into());
        let standby = |id: &str| BalancerView { id: id.into(), role: String::new(), pid: 8, url: None, position: None };
        peers.heard(Duration::from_secs(10), standby("b2"));
        peers.heard(Duration::from_millis(10_500), standby("b3"));
        let ids = |at| peers.all(Duration::from_millis(at)).into_iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(10_600), ["b1", "b2", "b3"]);
        assert_eq!(ids(11_200), ["b1", "b3"]);
        (0..100).for_each(|number| peers.heard(Duration::from_secs(20), standby(&format!("x{number}"))));
        assert_eq!(ids(20_000).len(), 1 + FOLLOWERS_MAX);
    }
}
