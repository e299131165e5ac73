//! A proof that two processes share a data directory: a secret in a file there, which never travels.
//!
//! ```text
//! SECRET                      32 bytes at random, readable by its owner only; made by whoever leads first
//! chef-shared: <64 hex>       BLAKE3, keyed by the secret, of "METHOD path\n" and the body
//! ```
//! Asked for where somebody speaks of others: that a kitchen's process has ended, that a standby follows. Whoever can read
//! the directory may do both, and could as well read the ledger; nobody else may.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The header.
pub const HEADER: &str = "chef-shared";
/// The file's name.
const FILE: &str = "SECRET";

/// The secret of a data directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// What lies in `dir`.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path(dir))?;
        let secret =
            bytes.try_into().map_err(|_| io::Error::other("it is not 32 bytes long: remove it, and start again"))?;
        Ok(Self(secret))
    }

    /// What lies in `dir`, made if there is none. A reader sees a whole one or none.
    ///
    /// # Errors
    /// It can be neither read nor made.
    pub fn of(dir: &Path) -> io::Result<Self> {
        match Self::read(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            known => return known,
        }
        let mut secret = [0; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut secret)?;
        let draft = dir.join(format!(".{FILE}.{}", std::process::id()));
        let mut file = private(&draft)?;
        file.write_all(&secret)?;
        file.sync_all()?;
        std::fs::rename(&draft, path(dir))?;
        Ok(Self(secret))
    }

    /// The proof for a request.
    #[must_use]
    pub fn proof(&self, method: &str, path: &str, body: &[u8]) -> String {
        self.hash(method, path, body).to_hex().to_string()
    }

    /// Whether `proof` is that of the request; takes the same time wherever it differs.
    #[must_use]
    pub fn proves(&self, proof: &str, method: &str, path: &str, body: &[u8]) -> bool {
        blake3::Hash::from_hex(proof).is_ok_and(|proof| proof == self.hash(method, path, body))
    }

    fn hash(&self, method: &str, path: &str, body: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(format!("{method} {path}\n").as_bytes()).update(body);
        hasher.finalize()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<std::fs::File> {
    std::fs::File::create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_the_directory_proves_it_and_nobody_else() {
        let dir = std::env::temp_dir().join(format!("chef-secret-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("made");
        assert!(Secret::read(&dir).is_err());
        let secret = Secret::of(&dir).expect("made");
        assert_eq!(Secret::of(&dir).expect("read"), secret, "made once");
        let proof = secret.proof("POST", "/a", b"{}");
        assert!(secret.proves(&proof, "POST", "/a", b"{}"));
        for (method, path, body) in [("PUT", "/a", &b"{}"[..]), ("POST", "/b", b"{}"), ("POST", "/a", b"{ }")] {
            assert!(!secret.proves(&proof, method, path, body));
        }
        assert!(!secret.proves("", "POST", "/a", b"{}"));
        assert!(!Secret([7; 32]).proves(&proof, "POST", "/a", b"{}"), "another directory");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        std::fs::remove_dir_all(&dir).expect("own");
    }
}
