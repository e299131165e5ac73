//! The questions of a standby to its leader: "this is me, I am at this position; and you?", ten times a second.
//!
//! Owns one kept connection to wherever LEADER points. Never judges: what an answer, or none, means is `watch.rs`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use protocol::api::PREFIX;
use protocol::shared::{self, Secret};
use tokio::sync::mpsc::Sender;

use super::Node;
use super::forward::{Client, client, is_refused, is_timeout};
use crate::leadership::Leader;

/// The path of the question on a leader.
pub(crate) const PATH: &str = "/standby";
/// Between two questions.
const EVERY: Duration = Duration::from_millis(100);
/// Between two looks for a LEADER that is not there.
const LOOK: Duration = Duration::from_millis(20);
/// After so long the question is asked anew, on another connection; far above the second after which silence is a hang.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// It leads, and said so itself.
    Leads(Leader),
    /// Nobody listens there.
    Refused,
    /// Something lives there and does not lead, or the connection broke.
    NotLeading,
    /// Nothing is known: the question could not be put.
    Unasked,
}

/// Asks until nobody listens.
pub(super) async fn ask_forever(dir: PathBuf, node: Arc<Node>, words: Sender<Word>) {
    let client = client(1);
    let (mut known, mut secret) = (None, None);
    loop {
        // A leader whose directory was moved away still answers: it is asked where it was, or its silence would be our own.
        known = Leader::read(&dir).or(known);
        let Some(leader) = known.clone() else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        // Read once: the directory may be away later.
        secret = secret.or_else(|| crate::secret::read(&dir).ok());
        let word = tokio::time::timeout(PATIENCE, ask(&client, &leader, &node, secret)).await;
        if let Ok(Some(word)) = word
            && words.send(word).await.is_err()
        {
            return;
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What the leader said; nothing when it is silent.
async fn ask(client: &Client, leader: &Leader, node: &Node, secret: Option<Secret>) -> Option<Word> {
    let body = serde_json::to_vec(&node.report()).unwrap_or_default();
    let request = Request::builder().method(Method::POST).uri(format!("{}{PREFIX}{PATH}", leader.url));
    let proof = secret.map(|secret| secret.proof("POST", &format!("{PREFIX}{PATH}"), &body)).unwrap_or_default();
    let request = request.header(CONTENT_TYPE, "application/json").header(shared::HEADER, proof);
    let Ok(request) = request.body(body.into()) else { return Some(Word::Unasked) };
    let response = match client.request(request).await {
        Ok(response) => response,
        Err(error) if is_refused(&error) => return Some(Word::Refused),
        // A stopped process whose queue of connections is full lets no new one in: that is silence too.
        Err(error) if error.is_connect() => return (!is_timeout(&error)).then_some(Word::Unasked),
        Err(_) => return Some(Word::NotLeading),
    };
    let status = response.status();
    let Ok(body) = response.into_body().collect().await else { return Some(Word::NotLeading) };
    let leads = serde_json::from_slice(&body.to_bytes()).ok().filter(|_| status == StatusCode::OK);
    Some(leads.map_or(Word::NotLeading, Word::Leads))
}
