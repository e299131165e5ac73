//! What is written belongs to who runs the program: files 0600, directories 0700.
//!
//! Owns the mask of this process, and the modes of files that an earlier release left readable by everybody. Never
//! changes the mode of a directory that it did not make.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::Mode;

/// What nobody else may: anything.
const OTHERS: u32 = 0o077;
/// Files that balancers make in a data directory begin like this.
const OURS: [&str; 8] = ["ledger.db", "HEAD", "LOCK", "LEADER", "SECRET", "projection.db", "snapshot-", "keys-"];

/// Every file and directory that this process makes from now on is for its user alone, SQLite's companions included.
pub fn from_now_on() {
    rustix::process::umask(Mode::from_raw_mode(OTHERS));
}

/// Takes from others what an earlier release let them read. The directory itself may be a mount or shared on purpose: one
/// that others can read is only named.
pub(crate) fn tighten(dir: &Path) {
    if fs::metadata(dir).is_ok_and(|found| found.permissions().mode() & OTHERS != 0) {
        tracing::warn!(dir = %dir.display(), "others may look into the data directory: `chmod 700` keeps them out");
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| OURS.iter().any(|ours| name.starts_with(ours)));
        let is_open = entry.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & OTHERS != 0);
        if is_ours
            && is_open
            && let Err(error) = fs::set_permissions(entry.path(), Permissions::from_mode(0o600))
        {
            tracing::warn!(file = %entry.path().display(), %error, "others may read it, and that cannot be changed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_release_left_open_is_closed_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().expect("dir");
        let mode = |name: &str| fs::metadata(dir.path().join(name)).expect("there").permissions().mode() & 0o777;
        for name in ["ledger.db", "ledger.db-wal", "snapshot-7.bin", "notes.txt"] {
            fs::write(dir.path().join(name), "").expect("written");
            fs::set_permissions(dir.path().join(name), Permissions::from_mode(0o644)).expect("ours");
        }
        tighten(dir.path());
        assert_eq!(["ledger.db", "ledger.db-wal", "snapshot-7.bin"].map(mode), [0o600; 3]);
        assert_eq!(mode("notes.txt"), 0o644);
    }
}
