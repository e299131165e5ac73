//! A proof that two processes share a data directory: a secret in a file there, which never travels.
//!
//! ```text
//! SECRET                      32 bytes at random, readable by its owner only; made by whoever leads first
//! chef-shared: <64 hex>       BLAKE3, keyed by the secret, of "METHOD path\n" and the body
//! ```
//! Asked for where somebody speaks of others: that a kitchen's process has ended, that a standby follows. Whoever can read
//! the directory may do both, and could as well read the ledger; nobody else may.

/// The header.
pub const HEADER: &str = "chef-shared";
/// The file's name.
pub const FILE: &str = "SECRET";

/// The secret of a data directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Of what lies in the file.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_the_directory_proves_it_and_nobody_else() {
        let secret = Secret::new([1; 32]);
        let proof = secret.proof("POST", "/a", b"{}");
        assert!(secret.proves(&proof, "POST", "/a", b"{}"));
        for (method, path, body) in [("PUT", "/a", &b"{}"[..]), ("POST", "/b", b"{}"), ("POST", "/a", b"{ }")] {
            assert!(!secret.proves(&proof, method, path, body));
        }
        assert!(!secret.proves("", "POST", "/a", b"{}"));
        assert!(!Secret::new([7; 32]).proves(&proof, "POST", "/a", b"{}"), "another directory");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
