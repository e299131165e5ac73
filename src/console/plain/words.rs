//! Commands on standard input: the words of the CLI.
//!
//! What destroys wants its target twice (`kill kitchen_1 kitchen_1`), because a line cannot ask back.

use std::time::Duration;

use protocol::{KitchenId, OrderId};

use crate::console::link::Request;
use crate::console::untrusted::Untrusted;

/// How commands are written.
pub const HELP: &str = "cordon|uncordon|drain KITCHEN, migrate ORDER KITCHEN, release ORDER, rush RATE TIME [ZONE], \
                        rush stop, kill KITCHEN KITCHEN, cancel ORDER ORDER, help, quit";

/// What a line means.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// An empty line.
    Nothing,
    /// What can be said.
    Help,
    /// The end.
    Quit,
    /// A request.
    Ask(Request),
}

/// Reads a command.
///
/// # Errors
/// Says how it is written.
pub fn read(line: &str) -> Result<Word, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [] => Ok(Word::Nothing),
        ["quit" | "exit"] => Ok(Word::Quit),
        ["help" | "?"] => Ok(Word::Help),
        _ => request(&words).map(Word::Ask),
    }
}

fn request(words: &[&str]) -> Result<Request, String> {
    match words {
        ["cordon", id] => kitchen(id).map(Request::Cordon),
        ["uncordon", id] => kitchen(id).map(Request::Uncordon),
        ["drain", id] => kitchen(id).map(Request::drain),
        ["release", id] => order(id).map(Request::Release),
        ["migrate", id, to] => Ok(Request::Migrate { order: order(id)?, to: kitchen(to)? }),
        ["rush", "stop"] => Ok(Request::StopRush),
        ["rush", per_second, lasting, zone @ ..] if zone.len() <= 1 => {
            let rate = per_second.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
            let rate = rate.ok_or_else(|| format!("`{}` is not a rate", clean(per_second)))?;
            let for_s = seconds(lasting).ok_or_else(|| format!("`{}` is not a time like 30s", clean(lasting)))?;
            Ok(Request::Rush { rate, for_s, zone: zone.first().map(|zone| (*zone).to_owned()) })
        }
        ["kill", id, again] if id == again => kitchen(id).map(Request::Kill),
        ["cancel", id, again] if id == again => order(id).map(Request::Cancel),
        [what @ ("kill" | "cancel"), id] | [what @ ("kill" | "cancel"), id, _] => {
            Err(format!("say it twice: {what} {} {}", clean(id), clean(id)))
        }
        _ => Err(format!("not understood; commands are {HELP}")),
    }
}

fn kitchen(word: &str) -> Result<KitchenId, String> {
    word.parse::<KitchenId>().map_err(|error| error.to_string())
}

fn order(word: &str) -> Result<OrderId, String> {
    word.parse::<OrderId>().map_err(|error| error.to_string())
}

/// `30` or `30s`, `2m`; at least one.
fn seconds(word: &str) -> Option<u64> {
    let given = word.parse().ok().or_else(|| humantime::parse_duration(word).ok().map(|time: Duration| time.as_secs()));
    given.filter(|seconds| *seconds > 0)
}

fn clean(text: &str) -> String {
    Untrusted::new(text).fit(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_destroys_wants_its_target_twice() {
        let id: KitchenId = "k1".parse().expect("an id");
        assert_eq!(read("kill k1 k1"), Ok(Word::Ask(Request::Kill(id))));
        assert!(read("kill k1").is_err_and(|why| why.contains("kill k1 k1")));
        assert!(read("kill k1 k2").is_err());
        assert!(read("cancel o1").is_err());
    }

    #[test]
    fn words_are_those_of_the_command_line() {
        let id: KitchenId = "k1".parse().expect("an id");
        assert_eq!(read(" drain  k1 "), Ok(Word::Ask(Request::drain(id))));
        let rush = Request::Rush { rate: 50.0, for_s: 30, zone: None };
        assert_eq!(read("rush 50 30"), Ok(Word::Ask(rush.clone())));
        assert_eq!(read("rush 50 30s"), Ok(Word::Ask(rush)));
        for bad in ["rush 0 30s", "rush nan 3", "rush 5 soon", "dance", "cordon"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read("\u{1b}[2J x y z").is_err_and(|why| !why.contains('\u{1b}')));
    }
}
