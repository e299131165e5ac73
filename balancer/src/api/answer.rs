//! An answer on its way to bytes: JSON, text, a problem, or the switch to a WebSocket.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::{HeaderMap, Method, StatusCode};
use protocol::api::{IDEMPOTENT_REPLAYED, Problem};
use serde::Serialize;

use super::room::Room;
use crate::hub::NoAnswer;

/// What hyper sends.
pub(super) type Response = hyper::Response<Full<Bytes>>;

/// Status, type and body.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Most answers are receipts, in bytes.
const RECEIPT: usize = 256;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Answer {
    fn new(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, kind);
        Self { status, headers, body: body.into() }
    }

    /// 200 with a JSON body.
    pub(super) fn json<T: Serialize>(body: &T) -> Self {
        Self::json_with(StatusCode::OK, body)
    }

    /// A JSON body under another status.
    pub(super) fn json_with<T: Serialize>(status: StatusCode, body: &T) -> Self {
        Self::json_of(status, body, 1)
    }

    /// A JSON body with about so many receipts in it.
    pub(super) fn json_of<T: Serialize>(status: StatusCode, body: &T, receipts: usize) -> Self {
        let mut bytes = Vec::with_capacity(receipts * RECEIPT);
        serde_json::to_writer(&mut bytes, body).expect("bodies of the contract have text keys only");
        Self::new(status, JSON, bytes)
    }

    /// 200 with text.
    pub(super) fn text(body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, TEXT, body)
    }

    /// Bytes of its body.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// Has its room until it has been taken.
    pub(super) fn held_in(mut self, room: Room) -> Self {
        self.body = room.around(self.body);
        self
    }

    /// Says that the answer repeats an earlier one.
    pub(super) fn replayed(mut self) -> Self {
        self.headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
        self
    }

    /// Ends the connection after this answer.
    pub(super) fn closing(mut self) -> Self {
        self.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        self
    }

    /// Says which methods the path has.
    pub(super) fn allowing(mut self, methods: &[&Method]) -> Self {
        let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
            self.headers.insert(ALLOW, names);
        }
        self
    }

    /// 101.
    pub(super) fn switching(accept: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        Self { status: StatusCode::SWITCHING_PROTOCOLS, headers, body: Bytes::new() }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).expect("a problem is plain text");
        let mut answer = Self::new(status, PROBLEM, body);
        if let Some(ms) = problem.retry_after_ms {
            answer.headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
        }
        answer
    }
}

impl From<NoAnswer> for Answer {
    fn from(why: NoAnswer) -> Self {
        Self::from(super::problem::no_answer(why))
    }
}
