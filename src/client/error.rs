//! What can go wrong between here and a balancer, told so that the next step is clear.
//!
//! Owns the kinds of failure. Never decides whether to try again: that is `http.rs`.

use protocol::api::Problem;
use protocol::text::clean;

/// A request that brought no answer, or not the one that was asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// No balancer answered.
    #[error("no balancer reachable at {}: {why}", urls.join(", "))]
    Unreachable {
        /// All that were tried.
        urls: Vec<String>,
        /// What the last one said.
        why: String,
    },
    /// A balancer answered, and the answer is no.
    #[error("{} ({})", clean(&problem_text(.0), 400), clean(&.0.code, 60))]
    Refused(Problem),
    /// A balancer answered something else than this program understands.
    #[error("{0}")]
    Protocol(String),
    /// Not an address of a balancer.
    #[error("`{given}` is not a balancer's URL: {why}")]
    BadUrl {
        /// As it was given.
        given: String,
        /// What would be right.
        why: &'static str,
    },
}

impl ClientError {
    /// What to do about it, where there is something to say beyond the message.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => {
                Some("start one with `chef up`, or name another with --balancer URL (or CHEF_BALANCER)".into())
            }
            Self::Refused(problem) => {
                problem.retry_after_ms.map(|ms| format!("worth trying again in {:.1} s", ms as f64 / 1e3))
            }
            Self::Protocol(_) => Some("this `chef` and the balancer may be of different versions".into()),
            Self::BadUrl { .. } => None,
        }
    }

    /// The stable code of a refusal, or a word of the same kind for the rest.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Refused(problem) => &problem.code,
            Self::Protocol(_) => "protocol",
            Self::BadUrl { .. } => "bad_url",
        }
    }
}

impl From<ClientError> for String {
    fn from(error: ClientError) -> Self {
        error.to_string()
    }
}

fn problem_text(problem: &Problem) -> String {
    if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() }
}

/// The body of an answer that is no problem document, as one: a proxy's page, or an empty body.
pub(super) fn problem_from(status: u16, body: &[u8]) -> Problem {
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        return Problem { status, ..problem };
    }
    let shown = clean(&String::from_utf8_lossy(body), 120);
    let detail =
        if shown.is_empty() { format!("HTTP status {status}") } else { format!("HTTP status {status}: {shown}") };
    Problem {
        kind: "about:blank".into(),
        status,
        code: format!("http_{status}"),
        title: detail.clone(),
        detail,
        retry_after_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_a_proxy_becomes_a_problem_without_hidden_characters() {
        let problem = problem_from(502, b"<h1>Bad \x1b[31mGateway</h1>");
        assert_eq!((problem.status, problem.code.as_str()), (502, "http_502"));
        assert!(!ClientError::Refused(problem).to_string().contains('\u{1b}'));
        assert_eq!(problem_from(404, b"").detail, "HTTP status 404");
    }
}
