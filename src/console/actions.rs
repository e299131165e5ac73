//! The one table of what an operator can do.
//!
//! Owns names, keys, danger and where each applies; the key dispatch, the footer, `?`, read-only mode, confirmation and
//! `chef keys` all read it. Never does anything: [`super::app`] does, by [`ActionId`].
//!
//! - No default takes ctrl-a/b/s/q/z/h/i/m/[ or an alt chord: multiplexers and terminals own them.
//! - What changes anything says so here, and only here.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// How an action is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Danger {
    /// Not at all.
    None,
    /// By a question that starts on Cancel, or by a form that must be sent.
    Confirm,
    /// By typing the target's name.
    Typed,
}

/// Where an action applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The table of kitchens.
    Fleet,
    /// The way of the orders.
    Flow,
    /// One kitchen.
    Kitchen,
    /// One order.
    Order,
}

/// Which action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the description in the table says it")]
pub enum ActionId {
    Fleet,
    Flow,
    Down,
    Up,
    PageDown,
    PageUp,
    Top,
    Bottom,
    Inspect,
    Back,
    Filter,
    Sort,
    Freeze,
    Help,
    Theme,
    Migrate,
    Rush,
    Cordon,
    Drain,
    Kill,
    Cancel,
    Redraw,
    Quit,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    /// Which.
    pub id: ActionId,
    /// The same name as the command's, where there is one.
    pub name: &'static str,
    /// The keys, the first one shown; a sequence has spaces.
    pub keys: &'static [&'static str],
    /// In the footer; empty: not there.
    pub hint: &'static str,
    /// In help.
    pub description: &'static str,
    /// Where.
    pub contexts: &'static [Context],
    /// How it is guarded.
    pub danger: Danger,
    /// Whether it changes the system.
    pub changes: bool,
}

const EVERYWHERE: &[Context] = &[Context::Fleet, Context::Flow, Context::Kitchen, Context::Order];
const FLEET: &[Context] = &[Context::Fleet];
const TABLES: &[Context] = &[Context::Fleet, Context::Kitchen];
const KITCHENS: &[Context] = &[Context::Fleet, Context::Kitchen];
const ORDERS: &[Context] = &[Context::Fleet, Context::Kitchen, Context::Order];

const fn look(id: ActionId, name: &'static str, keys: &'static [&'static str], hint: &'static str) -> Action {
    Action { id, name, keys, hint, description: "", contexts: EVERYWHERE, danger: Danger::None, changes: false }
}

const fn change(id: ActionId, name: &'static str, keys: &'static [&'static str], hint: &'static str) -> Action {
    Action { changes: true, ..look(id, name, keys, hint) }
}

/// The table, in the order of the footer.
#[rustfmt::skip]
pub const ACTIONS: &[Action] = &[
    Action { description: "open the selected kitchen or order", contexts: TABLES, ..look(ActionId::Inspect, "inspect", &["enter", "l", "right"], "open") },
    Action { description: "back: close, clear the filter, leave the page", ..look(ActionId::Back, "back", &["esc", "h", "left"], "") },
    Action { description: "filter: zone=Harbor load>0.8 state=hot !alive", contexts: FLEET, ..look(ActionId::Filter, "filter", &["/"], "filter") },
    Action { description: "sort by load, name, queue or health", contexts: FLEET, ..look(ActionId::Sort, "sort", &["s"], "sort") },
    Action { description: "move an order to another kitchen", contexts: ORDERS, ..change(ActionId::Migrate, "migrate", &["m"], "migrate") },
    Action { description: "start or stop a rush of orders", contexts: EVERYWHERE, danger: Danger::Confirm, ..change(ActionId::Rush, "rush", &["r"], "rush") },
    Action { description: "stop or resume giving it new orders", contexts: KITCHENS, ..change(ActionId::Cordon, "cordon", &["C"], "cordon") },
    Action { description: "cordon, and move or finish its orders", contexts: KITCHENS, danger: Danger::Confirm, ..change(ActionId::Drain, "drain", &["d"], "drain") },
    Action { description: "kill the kitchen's process", contexts: KITCHENS, danger: Danger::Typed, ..change(ActionId::Kill, "kill", &["K"], "kill") },
    Action { description: "cancel the order", contexts: &[Context::Order], danger: Danger::Typed, ..change(ActionId::Cancel, "cancel", &["x"], "cancel") },
    Action { description: "freeze the picture; data keep arriving", ..look(ActionId::Freeze, "freeze", &["space"], "freeze") },
    Action { description: "choose a theme, with preview", ..look(ActionId::Theme, "theme", &["t"], "theme") },
    Action { description: "this help; type to search", ..look(ActionId::Help, "help", &["?"], "help") },
    Action { description: "leave the console; a demo stops with it", ..look(ActionId::Quit, "quit", &["q", "ctrl-c"], "quit") },
    Action { description: "kitchens, zones, orders a second, events", ..look(ActionId::Fleet, "fleet", &["1"], "") },
    Action { description: "the way of the orders, moves, timeline", ..look(ActionId::Flow, "flow", &["2"], "") },
    Action { description: "one row down", ..look(ActionId::Down, "down", &["j", "down"], "") },
    Action { description: "one row up", ..look(ActionId::Up, "up", &["k", "up"], "") },
    Action { description: "one page down", ..look(ActionId::PageDown, "page-down", &["pagedown", "ctrl-d"], "") },
    Action { description: "one page up", ..look(ActionId::PageUp, "page-up", &["pageup", "ctrl-u"], "") },
    Action { description: "first row", ..look(ActionId::Top, "top", &["g g", "home"], "") },
    Action { description: "last row", ..look(ActionId::Bottom, "bottom", &["G", "end"], "") },
    Action { description: "draw everything again", ..look(ActionId::Redraw, "redraw", &["ctrl-r"], "") },
];

/// A row of `chef keys` and of the help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// `K`, `g g` or `ctrl-r`, alternatives separated by commas.
    pub keys: String,
    /// The action's name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Where: `everywhere`, or the screens.
    pub screens: String,
    /// `changes`, `asks`, `asks for the name`, or nothing.
    pub guard: &'static str,
}

/// The reference, for `chef keys`.
#[must_use]
pub fn key_rows() -> Vec<KeyRow> {
    ACTIONS.iter().map(row).collect()
}

fn row(action: &Action) -> KeyRow {
    let guard = match (action.danger, action.changes) {
        (Danger::Typed, _) => "asks for the name",
        (Danger::Confirm, _) => "asks",
        (Danger::None, true) => "changes",
        (Danger::None, false) => "",
    };
    let screens: Vec<&str> = action.contexts.iter().map(|context| context.word()).collect();
    let screens = if screens.len() == EVERYWHERE.len() { "everywhere".to_owned() } else { screens.join(", ") };
    KeyRow { keys: action.keys.join(", "), name: action.name, description: action.description, screens, guard }
}

impl Context {
    /// The word in help.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Flow => "flow",
            Self::Kitchen => "kitchen",
            Self::Order => "order",
        }
    }
}

/// What a key means after the keys before it.
#[derive(Debug, Clone, Copy)]
pub enum Found {
    /// This.
    Action(&'static Action),
    /// The beginning of a sequence.
    Prefix,
    /// Nothing here.
    Nothing,
}

/// Looks a key up; `before` is the pending beginning of a sequence.
#[must_use]
pub fn find(context: Context, before: Option<&str>, key: &str) -> Found {
    let pressed = before.map_or_else(|| key.to_owned(), |before| format!("{before} {key}"));
    let here = || ACTIONS.iter().filter(|action| action.contexts.contains(&context));
    if let Some(action) = here().find(|action| action.keys.contains(&pressed.as_str())) {
        return Found::Action(action);
    }
    let begins = |keys: &str| keys.strip_prefix(pressed.as_str()).is_some_and(|rest| rest.starts_with(' '));
    if here().any(|action| action.keys.iter().any(|keys| begins(keys))) { Found::Prefix } else { Found::Nothing }
}

/// An action by its id.
#[must_use]
pub fn get(id: ActionId) -> &'static Action {
    ACTIONS.iter().find(|action| action.id == id).unwrap_or(&ACTIONS[0])
}

/// A key as the table writes it; absent for what the table never uses.
#[must_use]
pub fn key_name(key: KeyEvent) -> Option<String> {
    let plain = match key.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(character) => character.to_string(),
        KeyCode::Enter => "enter".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        KeyCode::Tab => "tab".to_owned(),
        KeyCode::Up => "up".to_owned(),
        KeyCode::Down => "down".to_owned(),
        KeyCode::Left => "left".to_owned(),
        KeyCode::Right => "right".to_owned(),
        KeyCode::Home => "home".to_owned(),
        KeyCode::End => "end".to_owned(),
        KeyCode::PageUp => "pageup".to_owned(),
        KeyCode::PageDown => "pagedown".to_owned(),
        _ => return None,
    };
    if key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META | KeyModifiers::HYPER) {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) { Some(format!("ctrl-{plain}")) } else { Some(plain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_a_key_and_a_description_of_its_own() {
        for (at, action) in ACTIONS.iter().enumerate() {
            assert!(!action.description.is_empty() && !action.keys.is_empty(), "{}", action.name);
            assert!(ACTIONS[..at].iter().all(|other| other.name != action.name), "{}", action.name);
            assert_eq!(get(action.id).name, action.name);
        }
    }

    #[test]
    fn no_two_actions_share_a_key_and_none_takes_a_reserved_one() {
        let reserved = ["ctrl-a", "ctrl-b", "ctrl-s", "ctrl-q", "ctrl-z", "ctrl-h", "ctrl-i", "ctrl-m", "ctrl-["];
        for (at, action) in ACTIONS.iter().enumerate() {
            for keys in action.keys {
                assert!(!reserved.contains(keys) && !keys.contains("alt"), "{keys}");
                for other in &ACTIONS[at + 1..] {
                    let meet = other.contexts.iter().any(|context| action.contexts.contains(context));
                    let begins = |other: &str| other == *keys || other.starts_with(&format!("{keys} "));
                    assert!(
                        !meet || !other.keys.iter().any(|other| begins(other)),
                        "{keys}: {} {}",
                        action.name,
                        other.name
                    );
                }
            }
        }
    }

    #[test]
    fn what_destroys_asks_for_the_name_and_what_is_guarded_changes() {
        for action in ACTIONS {
            assert!(action.danger == Danger::None || action.changes, "{}", action.name);
        }
        for id in [ActionId::Kill, ActionId::Cancel] {
            assert_eq!(get(id).danger, Danger::Typed);
        }
    }

    #[test]
    fn a_sequence_waits_for_its_second_key() {
        assert!(matches!(find(Context::Fleet, None, "g"), Found::Prefix));
        assert!(matches!(find(Context::Fleet, Some("g"), "g"), Found::Action(action) if action.id == ActionId::Top));
        assert!(matches!(find(Context::Fleet, Some("g"), "q"), Found::Nothing));
        assert!(matches!(find(Context::Flow, None, "K"), Found::Nothing));
    }
}
