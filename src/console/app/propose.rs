//! The guards: what stands between a wish and a request.
//!
//! Owns the way from a request to what is asked before it is sent, read from the danger in the action table. A key, the
//! palette and a repetition all come through [`App::propose`].

use protocol::api::{OrderView, Schedulable};
use protocol::{KitchenId, OrderId, OrderState};
use tui_input::Input as Field;

use super::dialog::{Dialog, Question, RushForm};
use super::page::Page;
use super::{App, Effects, Sound, blast, undo};
use crate::console::actions::{self, Danger};
use crate::console::link::Request;
use crate::console::untrusted::Untrusted;
use crate::console::view::text::{ms, percent, setpoint};

impl App {
    /// Sends a request, or asks before, as the action's danger says.
    pub(super) fn propose(&mut self, request: Request, reason: Option<String>, effects: &mut Effects) {
        let Some(action) = request.action().map(actions::get) else { return self.send(request, reason, effects) };
        if let Some(why) = self.off() {
            return self.say(Sound::Bad, &format!("{} is off: {why}", action.name), effects);
        }
        if let Request::SetPolicy(change) = request {
            // What is set now must be known: for the question, and for the way back.
            self.tuning = Some((change, reason));
            return self.send(Request::Policy, None, effects);
        }
        match action.danger {
            Danger::None => self.send(request, reason, effects),
            Danger::Confirm => {
                let question = self.question(request, reason.as_deref());
                self.dialog = Some(Dialog::Confirm(question));
            }
            Danger::Typed => {
                let word = request.subject();
                let question = self.question(request, reason.as_deref());
                self.dialog = Some(Dialog::Typed { question, word, input: Field::default(), missed: false });
            }
        }
        effects.dirty = true;
    }

    /// The policy is known: ask whether it is to be changed.
    pub(super) fn go_on_tuning(&mut self, effects: &mut Effects) {
        let (Some((change, reason)), Some(policy)) = (self.tuning.take(), self.policy.as_ref()) else { return };
        if self.dialog.is_some() || self.off().is_some() {
            return;
        }
        let lines = undo::differences(policy, &change);
        let request = Request::SetPolicy(change);
        let title = "Change the policy?".to_owned();
        self.dialog = Some(Dialog::Confirm(Question::new(title, lines, request, "Change it", reason.as_deref())));
        effects.dirty = true;
    }

    fn question(&self, request: Request, reason: Option<&str>) -> Question {
        let (title, lines, verb) = match &request {
            Request::Drain { kitchen, deadline_ms, force } => {
                let mut lines = self.radius(kitchen, "drains");
                lines.extend(
                    deadline_ms.map(|limit| format!("what is left after {} is recovered elsewhere", ms(limit))),
                );
                lines.extend(force.then(|| "also if the rest of the fleet has no room".to_owned()));
                (format!("Drain {kitchen}?"), lines, "Drain it")
            }
            Request::Kill(kitchen) => (format!("Kill {kitchen}"), self.radius(kitchen, "kills"), "Kill it"),
            Request::Cancel(id) => {
                let state = self.order_seen(*id).map_or("not seen here yet", |order| order.state.word());
                let fate = "it stops being cooked, and a late result is refused".to_owned();
                (format!("Cancel {id}"), vec![format!("1 order, now {state}"), fate], "Cancel it")
            }
            Request::Release(id) => {
                let failure = self.order_seen(*id).and_then(|order| order.failure.clone());
                let mut lines = vec!["it is tried again, with a clean record".to_owned()];
                lines.extend(failure.map(|failure| format!("it was set aside after: {failure}")));
                (format!("Release {id} from quarantine?"), lines, "Release it")
            }
            Request::StopRush => {
                let lines = self.city().rush().map_or_else(
                    || vec!["no rush is known to run".to_owned()],
                    |rush| {
                        vec![
                            format!("{} orders/s, {} s left", setpoint(rush.rate), rush.left_ms / 1_000),
                            format!("placed {}, shed {}", rush.placed, rush.shed),
                        ]
                    },
                );
                ("Stop the rush?".to_owned(), lines, "Stop it")
            }
            other => (format!("{}?", other.words()), Vec::new(), "Do it"),
        };
        Question::new(title, lines, request, verb, reason)
    }

    /// The form of a rush, with what was already said.
    pub(super) fn open_rush(
        &mut self,
        rate: Option<f64>,
        for_s: Option<u64>,
        zone: Option<&str>,
        reason: Option<&str>,
    ) {
        let mut zones = vec![(Untrusted::new("all zones"), None)];
        zones.extend(self.city().zones.iter().map(|zone| (zone.name.clone(), Some(zone.raw.clone()))));
        let lower = zone.map(str::to_lowercase);
        let named = |(_, raw): &(Untrusted, Option<String>)| raw.as_ref().map(|raw| raw.to_lowercase()) == lower;
        let at = zones.iter().position(named);
        let error = at.is_none().then_some("no such zone; choose one");
        let rate = Field::new(setpoint(rate.unwrap_or(50.0)).replace(' ', ""));
        let seconds = Field::new(for_s.unwrap_or(30).to_string());
        let reason = Field::new(reason.unwrap_or_default().to_owned());
        let focus = if error.is_some() { 2 } else { 0 };
        self.dialog =
            Some(Dialog::Rush(RushForm { rate, seconds, zones, zone: at.unwrap_or(0), reason, focus, error }));
    }

    /// Kitchens that an order can go to, the emptiest first, and what will happen with it.
    pub(super) fn choose_target(
        &mut self,
        order: OrderId,
        from: Option<&KitchenId>,
        reason: Option<String>,
        effects: &mut Effects,
    ) {
        let city = self.city();
        let takes = |kitchen: &&super::city::Kitchen| {
            kitchen.is_open() && Some(&kitchen.id) != from && kitchen.held() < u64::from(kitchen.capacity)
        };
        let mut open: Vec<_> = city.kitchens.iter().filter(takes).collect();
        open.sort_by(|a, b| a.load().total_cmp(&b.load()).then_with(|| a.id.cmp(&b.id)));
        let kitchens: Vec<_> = open.into_iter().map(|kitchen| kitchen.id.clone()).collect();
        if kitchens.is_empty() {
            return self.say(Sound::Bad, "no other kitchen is open and has a place", effects);
        }
        let note = self.order_seen(order).and_then(|seen| fate(seen, from, city));
        self.dialog = Some(Dialog::Target { order, kitchens, at: 0, note, reason });
        effects.dirty = true;
    }

    /// An order as a page here shows it.
    pub(super) fn order_seen(&self, id: OrderId) -> Option<&OrderView> {
        let on_pages = self.pages.iter().rev().find_map(|page| match page {
            Page::Order(page) => page.order.as_ref().filter(|order| order.id == id),
            Page::Kitchen(page) => {
                page.orders.as_ref().and_then(|orders| orders.orders.iter().find(|order| order.id == id))
            }
        });
        let chosen = || self.ledger.order.as_ref().and_then(|page| page.order.as_ref()).filter(|order| order.id == id);
        on_pages.or_else(chosen)
    }

    fn radius(&self, id: &KitchenId, verb: &str) -> Vec<String> {
        let city = self.city();
        let Some(kitchen) = city.kitchen(id) else { return vec!["no such kitchen in the picture".to_owned()] };
        let mut lines = blast::radius(city, kitchen, verb);
        if self.frozen.is_some() {
            lines.push("from the frozen picture".to_owned());
        } else if let Some(age) = self.age_shown() {
            lines.push(format!("from a picture {} s old", age.as_secs()));
        }
        if let Some(share) = city.kpi().map(|kpi| kpi.availability).filter(|share| *share < 1.0) {
            lines.push(format!("availability now {}", percent(share)));
        }
        lines
    }
}

/// What a migration of an order that is being cooked will be, or why it will be none.
fn fate(order: &OrderView, from: Option<&KitchenId>, city: &super::city::City) -> Option<String> {
    let draining = from.and_then(|id| city.kitchen(id)).and_then(|kitchen| kitchen.row);
    let draining = draining.is_some_and(|row| row.schedulable == Schedulable::Draining);
    let last = order.stage.done + 1 >= order.stage.of;
    match order.state {
        OrderState::Leased => Some("not started: it moves as it is".to_owned()),
        OrderState::Cooking if last => {
            Some("nearly done (last stage): it finishes in place, a move is refused".to_owned())
        }
        OrderState::Cooking if !order.stage.interruptible => {
            Some("in the oven: it finishes in place, a move is refused".to_owned())
        }
        OrderState::Cooking => {
            let by_itself = if draining { "; the drain does so by itself" } else { "" };
            let (done, of) = (order.stage.done, order.stage.of);
            Some(format!("being cooked, {done} of {of} done: handed over at its next checkpoint{by_itself}"))
        }
        OrderState::Queued => Some("it waits at the balancer: a move is refused until a kitchen has it".to_owned()),
        OrderState::Completed | OrderState::Cancelled | OrderState::DeadLettered => {
            Some(format!("it is {}: a move is refused", order.state.word()))
        }
    }
}
