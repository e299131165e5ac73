//! `chef audit`: who did what, when and why, from the whole ledger.
//!
//! Owns its arguments and its table. Never shows what is not in the ledger: a kill stands in the supervisor's log.

use clap::Args;
use protocol::Position;
use protocol::api::{ActionPage, ActionView};

use super::args::{Print, Reach};
use super::failure::Failure;
use crate::output::{self, Table};

/// `chef audit`.
#[derive(Debug, Clone, Args)]
pub struct Audit {
    /// At most so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
    /// Only before this position of the ledger: the next page, as its foot says
    #[arg(long, value_name = "POSITION")]
    pub before: Option<u64>,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

impl Audit {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let page = self.reach.client()?.actions(self.limit, self.before.map(Position)).await?;
        Ok(output::show(self.print.format, &page, table)?)
    }
}

fn table(page: &ActionPage) -> String {
    let mut table = Table::new(&["at", ">position", "who", "what", "subject", "text", "why"]);
    for action in &page.actions {
        table.row([
            action.at.to_string(),
            action.position.to_string(),
            if action.operator.is_empty() { "somebody".into() } else { action.operator.clone() },
            action.kind.clone(),
            action.subject.clone(),
            deed(action).to_owned(),
            action.reason.clone(),
        ]);
    }
    let foot = match page.next {
        Some(next) => format!("older: --before {next}\n"),
        None => format!("that is all, up to position {}\n", page.position),
    };
    table.render() + &foot
}

/// The line without its `by WHO: WHY`, which have columns of their own.
fn deed(action: &ActionView) -> &str {
    action.text.strip_prefix("by ").map_or(action.text.as_str(), |_| "").split(" by ").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use protocol::feed::Tone;
    use protocol::{Epoch, WallTime};

    use super::*;

    #[test]
    fn who_and_why_have_columns_of_their_own() {
        let action = |position, reason: &str, text: &str| ActionView {
            position: Position(position),
            epoch: Epoch(1),
            at: WallTime(0),
            operator: "ada".into(),
            reason: reason.into(),
            kind: "rush_ended".into(),
            tone: Tone::Info,
            subject: "rush".into(),
            text: text.into(),
        };
        let actions = vec![action(12, "", "by ada"), action(7, "by the book", "moved by ada: by the book")];
        let page = ActionPage { actions, next: Some(Position(7)), position: Position(40) };
        let text = table(&page);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>()[1..], ["12", "ada", "rush_ended", "rush"]);
        assert!(lines[2].ends_with("rush     moved  by the book"), "{text}");
        assert_eq!(lines[3], "older: --before 7");
    }
}
