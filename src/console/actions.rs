//! The one table of what an operator can do.
//!
//! Owns names, default keys, arguments, danger and where each applies; the key map, the footer, `?`, the palette, read-only
//! mode, confirmation and `chef keys` all read it. Never does anything: [`super::app`] does, by [`ActionId`].
//!
//! - No default takes ctrl-a/b/s/q/z/h/i/m/[ or an alt chord: multiplexers and terminals own them.
//! - What changes anything says so here, and only here.
//! - Names are those of the commands, where there is a command.

use super::keymap::Keymap;
use super::replay::Steer;

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
    /// Every kitchen as a cell.
    Heat,
    /// The way of the orders.
    Flow,
    /// Drills.
    Drill,
    /// Recordings.
    Replay,
    /// While a recording plays, before the keys of the screen; the cursor keys of it on the screen of recordings only.
    Tape,
    /// Proof, audit and events.
    Ledger,
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
    Drill,
    Replay,
    Ledger,
    Heat,
    Down,
    Up,
    Left,
    Right,
    PageDown,
    PageUp,
    Top,
    Bottom,
    NextPane,
    Inspect,
    Back,
    Filter,
    Sort,
    Freeze,
    Help,
    Palette,
    Repeat,
    Undo,
    Copy,
    CopyAll,
    Mouse,
    Theme,
    Migrate,
    Release,
    Order,
    Explain,
    Line,
    Rush,
    Cordon,
    Uncordon,
    Drain,
    Kill,
    Cancel,
    Policy,
    Show,
    Kitchen,
    Zone,
    Redraw,
    Quit,
    Deck(Steer),
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    /// Which.
    pub id: ActionId,
    /// The same name as the command's, where there is one.
    pub name: &'static str,
    /// The default keys, the first one shown; a sequence has spaces. Empty: only in the palette.
    pub keys: &'static [&'static str],
    /// What the palette takes after the name; what is in brackets may be left out. Words in capitals are kinds of things.
    pub args: &'static str,
    /// In the footer; empty: not there.
    pub hint: &'static str,
    /// In help.
    pub description: &'static str,
    /// Where its keys apply; the palette runs it anywhere.
    pub contexts: &'static [Context],
    /// How it is guarded.
    pub danger: Danger,
    /// Whether it changes the system.
    pub changes: bool,
}

const EVERYWHERE: &[Context] = &[
    Context::Fleet,
    Context::Heat,
    Context::Flow,
    Context::Drill,
    Context::Replay,
    Context::Ledger,
    Context::Kitchen,
    Context::Order,
];
const FLEET: &[Context] = &[Context::Fleet, Context::Heat];
const TABLES: &[Context] = &[Context::Fleet, Context::Heat, Context::Ledger, Context::Kitchen];
const LISTS: &[Context] = &[Context::Fleet, Context::Heat, Context::Ledger];
const KITCHENS: &[Context] = &[Context::Fleet, Context::Heat, Context::Kitchen];
const ORDERS: &[Context] = &[Context::Fleet, Context::Heat, Context::Kitchen, Context::Order];
const TAPE: &[Context] = &[Context::Tape];
const PAGES: &[Context] = &[Context::Kitchen, Context::Order];

const fn look(id: ActionId, name: &'static str, keys: &'static [&'static str], hint: &'static str) -> Action {
    Action {
        id,
        name,
        keys,
        args: "",
        hint,
        description: "",
        contexts: EVERYWHERE,
        danger: Danger::None,
        changes: false,
    }
}

const fn change(id: ActionId, name: &'static str, keys: &'static [&'static str], hint: &'static str) -> Action {
    Action { changes: true, ..look(id, name, keys, hint) }
}

/// The table, in the order of the footer.
#[rustfmt::skip]
pub const ACTIONS: &[Action] = &[
    Action { description: "command: every action and every thing by name", ..look(ActionId::Palette, "palette", &[":"], "command") },
    Action { description: "open the selected kitchen, order or event", contexts: TABLES, ..look(ActionId::Inspect, "inspect", &["enter"], "open") },
    Action { description: "back: close, clear the filter, leave the page", ..look(ActionId::Back, "back", &["esc"], "") },
    Action { description: "kitchens: zone=Harbor load>0.8 !alive, or words: dead hot suspected draining cordoned; ledger: kind=migrated subject=o42", contexts: LISTS, args: "[TEXT]", ..look(ActionId::Filter, "filter", &["/"], "filter") },
    Action { description: "sort by load, name, queue or health", contexts: FLEET, args: "[SORT]", ..look(ActionId::Sort, "sort", &["s"], "sort") },
    Action { description: "every kitchen as one cell, by zone", contexts: FLEET, ..look(ActionId::Heat, "heat", &["H"], "heat") },
    Action { description: "audit, events, or the order's line", contexts: &[Context::Ledger, Context::Order], ..look(ActionId::NextPane, "next-pane", &["tab"], "next") },
    Action { description: "the order in space and time", args: "[ORDER]", ..look(ActionId::Line, "line", &["w"], "line") },
    Action { description: "why the order is where it is, all of it", args: "[ORDER]", ..look(ActionId::Explain, "explain", &["e"], "why") },
    Action { description: "place an order: dishes, zone, customer", danger: Danger::Confirm, args: "DISH... [--zone ZONE] [--customer NAME] [--priority PRIORITY]", ..change(ActionId::Order, "order", &["o"], "order") },
    Action { description: "move an order to another kitchen", contexts: ORDERS, args: "[ORDER] [KITCHEN] [--reason TEXT]", ..change(ActionId::Migrate, "migrate", &["m"], "migrate") },
    Action { description: "take an order out of quarantine", contexts: PAGES, danger: Danger::Confirm, args: "[ORDER] [--reason TEXT]", ..change(ActionId::Release, "release", &["R"], "release") },
    Action { description: "start or stop a rush of orders", danger: Danger::Confirm, args: "[stop] [--rate 50] [--for 30s] [--zone ZONE] [--reason TEXT]", ..change(ActionId::Rush, "rush", &["r"], "rush") },
    Action { description: "stop giving it new orders; again: resume", contexts: KITCHENS, args: "[KITCHEN] [--reason TEXT]", ..change(ActionId::Cordon, "cordon", &["C"], "cordon") },
    Action { description: "give it new orders again", contexts: KITCHENS, args: "[KITCHEN] [--reason TEXT]", ..change(ActionId::Uncordon, "uncordon", &[], "") },
    Action { description: "cordon, and move or finish its orders", contexts: KITCHENS, danger: Danger::Confirm, args: "[KITCHEN] [--deadline 30s] [--force] [--reason TEXT]", ..change(ActionId::Drain, "drain", &["d"], "drain") },
    Action { description: "kill the kitchen's process", contexts: KITCHENS, danger: Danger::Typed, args: "[KITCHEN] [--reason TEXT]", ..change(ActionId::Kill, "kill", &["K"], "kill") },
    Action { description: "cancel the order", contexts: &[Context::Order], danger: Danger::Typed, args: "[ORDER] [--reason TEXT]", ..change(ActionId::Cancel, "cancel", &["x"], "cancel") },
    Action { description: "tune how kitchens are chosen and orders moved", danger: Danger::Confirm, args: "[--algorithm ALGORITHM] [--weights L,S,T,D] [--time-scale median] [--distance-scale-km KM] [--overload-threshold RATIO] [--calm-threshold RATIO] [--available-threshold RATIO] [--max-migrations-per-cycle N] [--cycle 500ms] [--min-stay 500ms] [--max-hops N] [--migrate BOOL] [--steal BOOL] [--handover BOOL] [--handover-max-wait 5s] [--max-wait TIME] [--reason TEXT]", ..change(ActionId::Policy, "policy", &[], "") },
    Action { description: "take the last change back, within 10 s", ..change(ActionId::Undo, "undo", &["u"], "") },
    Action { description: "the last action again, here", ..look(ActionId::Repeat, "repeat", &["."], "") },
    Action { description: "freeze the picture; data keep arriving", ..look(ActionId::Freeze, "freeze", &["space"], "freeze") },
    Action { description: "copy the id of what is selected", ..look(ActionId::Copy, "copy", &["y"], "copy") },
    Action { description: "copy the whole row or page", ..look(ActionId::CopyAll, "copy-all", &["Y"], "") },
    Action { description: "choose a theme, with preview", args: "[THEME]", ..look(ActionId::Theme, "theme", &["t"], "theme") },
    Action { description: "mouse on or off; on, text is marked with shift", ..look(ActionId::Mouse, "mouse", &["M"], "") },
    Action { description: "this help; type to search", ..look(ActionId::Help, "help", &["?"], "help") },
    Action { description: "leave the console; a demo stops with it", ..look(ActionId::Quit, "quit", &["q", "ctrl-c"], "quit") },
    Action { description: "kitchens, zones, orders a second, events", ..look(ActionId::Fleet, "fleet", &["1"], "") },
    Action { description: "the way of the orders, moves, timeline", ..look(ActionId::Flow, "flow", &["2"], "") },
    Action { description: "drills", ..look(ActionId::Drill, "drill", &["3"], "") },
    Action { description: "recordings", ..look(ActionId::Replay, "replay", &["4"], "") },
    Action { description: "proof, audit, events, an order's line", ..look(ActionId::Ledger, "ledger", &["5"], "") },
    Action { description: "one order's page", args: "ORDER", ..look(ActionId::Show, "show", &[], "") },
    Action { description: "one kitchen's page", args: "KITCHEN", ..look(ActionId::Kitchen, "kitchen", &[], "") },
    Action { description: "the kitchens of one zone", args: "ZONE", ..look(ActionId::Zone, "zone", &[], "") },
    Action { description: "one row down", ..look(ActionId::Down, "down", &["j", "down"], "") },
    Action { description: "one row up", ..look(ActionId::Up, "up", &["k", "up"], "") },
    Action { description: "the cell on the left; in a table, back", ..look(ActionId::Left, "left", &["h", "left"], "") },
    Action { description: "the cell on the right; in a table, open", ..look(ActionId::Right, "right", &["l", "right"], "") },
    Action { description: "one page down", ..look(ActionId::PageDown, "page-down", &["pagedown", "ctrl-d"], "") },
    Action { description: "one page up", ..look(ActionId::PageUp, "page-up", &["pageup", "ctrl-u"], "") },
    Action { description: "first row", ..look(ActionId::Top, "top", &["g g", "home"], "") },
    Action { description: "last row", ..look(ActionId::Bottom, "bottom", &["G", "end"], "") },
    Action { description: "play or pause", contexts: TAPE, ..look(ActionId::Deck(Steer::Play), "play", &["space"], "play") },
    Action { description: "to the frame before", contexts: TAPE, ..look(ActionId::Deck(Steer::StepBack), "step-back", &[","], "") },
    Action { description: "to the next frame", contexts: TAPE, ..look(ActionId::Deck(Steer::StepOn), "step-on", &["."], "step") },
    Action { description: "half the speed", contexts: TAPE, ..look(ActionId::Deck(Steer::Slower), "slower", &["<"], "") },
    Action { description: "twice the speed", contexts: TAPE, ..look(ActionId::Deck(Steer::Faster), "faster", &[">", "x"], "faster") },
    Action { description: "five seconds back", contexts: TAPE, ..look(ActionId::Deck(Steer::By(-5)), "seek-back", &["[", "left"], "") },
    Action { description: "five seconds on", contexts: TAPE, ..look(ActionId::Deck(Steer::By(5)), "seek-on", &["]", "right"], "seek") },
    Action { description: "a minute back", contexts: TAPE, ..look(ActionId::Deck(Steer::By(-60)), "leap-back", &["{", "pageup"], "") },
    Action { description: "a minute on", contexts: TAPE, ..look(ActionId::Deck(Steer::By(60)), "leap-on", &["}", "pagedown"], "") },
    Action { description: "to the beginning of the recording", contexts: TAPE, ..look(ActionId::Deck(Steer::Start), "rewind", &["home"], "") },
    Action { description: "to its end", contexts: TAPE, ..look(ActionId::Deck(Steer::End), "to-end", &["end"], "") },
    Action { description: "draw everything again", ..look(ActionId::Redraw, "redraw", &["ctrl-r"], "") },
];

/// A row of `chef keys` and of the help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// `K`, `g g` or `ctrl-r`, alternatives separated by commas; `:` and the name where there is no key.
    pub keys: String,
    /// The action's name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// What the palette takes after the name.
    pub args: &'static str,
    /// Where: `everywhere`, or the screens.
    pub screens: String,
    /// `changes`, `asks`, `asks for the name`, or nothing.
    pub guard: &'static str,
}

/// The reference, for `chef keys`.
#[must_use]
pub fn key_rows(keys: &Keymap) -> Vec<KeyRow> {
    ACTIONS.iter().map(|action| row(action, keys)).collect()
}

fn row(action: &Action, keys: &Keymap) -> KeyRow {
    let guard = match (action.danger, action.changes) {
        (Danger::Typed, _) => "asks for the name",
        (Danger::Confirm, _) => "asks",
        (Danger::None, true) => "changes",
        (Danger::None, false) => "",
    };
    let screens: Vec<&str> = action.contexts.iter().map(|context| context.word()).collect();
    let screens = if screens.len() == EVERYWHERE.len() { "everywhere".to_owned() } else { screens.join(", ") };
    let bound = keys.of(action.id);
    let keys = if bound.is_empty() { format!(":{}", action.name) } else { bound.join(", ") };
    let Action { name, description, args, .. } = *action;
    KeyRow { keys, name, description, args, screens, guard }
}

impl Context {
    /// The word in help.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Heat => "heat",
            Self::Flow => "flow",
            Self::Drill => "drill",
            Self::Replay => "replay",
            Self::Tape => "while a recording plays",
            Self::Ledger => "ledger",
            Self::Kitchen => "kitchen",
            Self::Order => "order",
        }
    }
}

/// An action by its id.
#[must_use]
pub fn get(id: ActionId) -> &'static Action {
    ACTIONS.iter().find(|action| action.id == id).unwrap_or(&ACTIONS[0])
}

/// An action by its name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_a_description_and_a_way_to_reach_it() {
        for (at, action) in ACTIONS.iter().enumerate() {
            assert!(!action.description.is_empty(), "{}", action.name);
            assert!(!action.keys.is_empty() || !action.args.is_empty(), "{}", action.name);
            assert!(ACTIONS[..at].iter().all(|other| other.name != action.name), "{}", action.name);
            assert_eq!(get(action.id).name, action.name);
            assert_eq!(named(action.name).map(|found| found.id), Some(action.id));
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
}
