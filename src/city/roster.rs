//! The roster: who of the city runs right now.
//!
//! Owns the picture of all processes, keeps `city.json` true to it, and lets those who wait for something watch it.
//! Never starts or stops anything.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::journal::Journal;
use super::keeper::{Change, Role};
use super::record::{BalancerEntry, KitchenEntry, Record};

/// Between two tries to write what could not be written.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Member {
    /// Known from its first start on.
    role: Option<Role>,
    pub(super) pid: Option<u32>,
    pub(super) url: Option<String>,
    /// How often it ended by itself.
    pub(super) ends: u32,
    /// How it ended last.
    pub(super) how: String,
}

/// All of them, by id in the sequence of `kitchen_2 < kitchen_10`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Picture {
    pub(super) members: BTreeMap<(usize, String), Member>,
}

impl Picture {
    pub(super) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(&(id.len(), id.to_owned()))
    }

    fn apply(&mut self, change: &Change) {
        let id = change.id();
        let member = self.members.entry((id.len(), id.clone())).or_default();
        match change {
            Change::Started { pid, role, .. } => {
                member.pid = Some(*pid);
                member.role = Some(*role);
            }
            Change::Ready { url, .. } => member.url = Some(url.clone()),
            Change::Ended { how, .. } => {
                member.pid = None;
                member.ends += 1;
                member.how.clone_from(how);
            }
            Change::Stopped { .. } => member.pid = None,
        }
    }

    fn record(&self, supervisor: Option<PathBuf>) -> Record {
        let mut record = Record { supervisor, ..Record::default() };
        for ((_, id), member) in &self.members {
            let (id, Some(pid), Some(role)) = (id.clone(), member.pid, member.role) else { continue };
            match role {
                Role::Balancer => record.balancers.push(BalancerEntry { id, pid, url: member.url.clone() }),
                Role::Kitchen => record.kitchens.push(KitchenEntry { id, pid }),
            }
        }
        record
    }
}

/// Follows the keepers until all are gone; each change is on disk before a watcher sees it.
pub(super) async fn keep(
    mut changes: mpsc::UnboundedReceiver<Change>,
    picture: watch::Sender<Picture>,
    dir: PathBuf,
    supervisor: Option<PathBuf>,
    journal: Arc<Journal>,
) {
    let mut is_true = true;
    loop {
        let change = tokio::select! {
            change = changes.recv() => match change {
                Some(change) => change,
                None => break,
            },
            // A full disk has space again some time, and no process may change until then.
            () = tokio::time::sleep(WRITE_AGAIN), if !is_true => {
                is_true = picture.borrow().record(supervisor.clone()).write(&dir).is_ok();
                continue;
            }
        };
        say(&journal, &change);
        let mut new = picture.borrow().clone();
        new.apply(&change);
        while let Ok(change) = changes.try_recv() {
            say(&journal, &change);
            new.apply(&change);
        }
        let written = new.record(supervisor.clone()).write(&dir);
        is_true = written.is_ok();
        if let Err(error) = written {
            journal.say(&format!("city.json cannot be written: {error}"));
        }
        picture.send_replace(new);
    }
    Record::remove(&dir);
}

fn say(journal: &Journal, change: &Change) {
    match change {
        Change::Started { id, pid, .. } => journal.note(&format!("{id} started, pid {pid}")),
        Change::Ready { id, url } => journal.note(&format!("{id} takes orders at {url}")),
        Change::Ended { id, how, restart_in } => {
            journal.say(&format!("{id} {how}; starts again in {:.1} s", restart_in.as_secs_f64()));
        }
        Change::Stopped { id } => journal.note(&format!("{id} stopped")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_names_only_what_runs() {
        let mut picture = Picture::default();
        let started = |id: &str, pid| Change::Started { id: id.into(), pid, role: Role::Kitchen };
        picture.apply(&Change::Started { id: "balancer_2".into(), pid: 1, role: Role::Balancer });
        picture.apply(&Change::Ready { id: "balancer_2".into(), url: "http://127.0.0.1:9".into() });
        picture.apply(&started("kitchen_10", 3));
        picture.apply(&started("kitchen_2", 2));
        let ids = |picture: &Picture| -> Vec<String> {
            picture.record(None).kitchens.into_iter().map(|kitchen| kitchen.id).collect()
        };
        assert_eq!(ids(&picture), ["kitchen_2", "kitchen_10"]);
        let ended = Change::Ended { id: "kitchen_2".into(), how: "x".into(), restart_in: Duration::ZERO };
        picture.apply(&ended);
        assert_eq!(ids(&picture), ["kitchen_10"]);
        assert_eq!(picture.member("kitchen_2").map(|member| member.ends), Some(1));
        assert_eq!(picture.record(None).balancers[0].url.as_deref(), Some("http://127.0.0.1:9"));
    }
}
