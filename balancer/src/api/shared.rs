//! Who may speak of others: only a process that shares the data directory, and proves it.
//!
//! Owns the check. What is proven, and how, is in [`protocol::shared`].

use hyper::HeaderMap;
use hyper::body::Incoming;
use protocol::api::Problem;
use protocol::shared::HEADER;
use serde::de::DeserializeOwned;

use super::orders::{BODY_MAX, read};
use super::problem;
use crate::hub::Hub;

/// The body of a `POST` to `path` from a process that shares this data directory.
pub(super) async fn json<T: DeserializeOwned>(
    hub: &Hub,
    headers: &HeaderMap,
    path: &str,
    body: &mut Incoming,
) -> Result<T, Problem> {
    let body = read(body, BODY_MAX).await?;
    let proof = headers.get(HEADER).and_then(|proof| proof.to_str().ok()).unwrap_or_default();
    if !hub.secret.is_some_and(|secret| secret.proves(proof, "POST", path, &body)) {
        return Err(problem::not_shared());
    }
    serde_json::from_slice(&body).map_err(|error| problem::malformed(&error))
}
