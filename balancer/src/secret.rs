//! The file of what those who share a data directory know: made once, and read by whoever has to prove it.
//!
//! Owns the file. What is proven with it, and how, is in [`protocol::shared`].

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use protocol::shared::{FILE, Secret};

/// What lies in `dir`.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn read(dir: &Path) -> io::Result<Secret> {
    let bytes = fs::read(dir.join(FILE))?;
    let bytes =
        bytes.try_into().map_err(|_| io::Error::other("it is not 32 bytes long: remove it, and start again"))?;
    Ok(Secret::new(bytes))
}

/// What lies in `dir`, made if there is none. A reader sees a whole one or none.
///
/// # Errors
/// It can be neither read nor made.
pub(crate) fn of(dir: &Path) -> io::Result<Secret> {
    match read(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        known => return known,
    }
    let mut bytes = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let draft = dir.join(format!(".{FILE}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&draft, dir.join(FILE))?;
    Ok(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_and_its_owner_reads_it() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(read(dir.path()).is_err());
        let secret = of(dir.path()).expect("made");
        assert_eq!((of(dir.path()).expect("read"), read(dir.path()).expect("read")), (secret, secret));
        let mode = fs::metadata(dir.path().join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(dir.path().join(FILE), "short").expect("written");
        assert!(read(dir.path()).is_err());
    }
}
