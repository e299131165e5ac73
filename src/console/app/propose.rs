//! The guards: what stands between a wish and a request.
//!
//! Owns the way from a request to what is asked before it is sent, read from the danger in the action table. A key, the
//! palette and a repetition all come through [`App::propose`].
//! Never sends what must be confirmed and was not.

use tui_input::Input as Field;

use super::dialog::Dialog;
use super::question::Question;
use super::rush_form::{Line, RushForm};
use super::{App, Effects, Sound};
use crate::console::actions::{self, Danger};
use crate::console::link::Request;
use crate::console::untrusted::Untrusted;
use crate::console::view::text::setpoint;

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
            Danger::Confirm => self.dialog = Some(Dialog::Confirm(question(request, reason.as_deref()))),
            Danger::Typed => {
                if self.nobody_kills(&request, reason.as_deref(), effects) {
                    return;
                }
                let word = request.subject();
                let question = question(request, reason.as_deref());
                self.dialog = Some(Dialog::Typed { question, word, input: Field::default(), missed: false });
            }
        }
        effects.dirty = true;
    }

    /// The policy is known: ask whether it is to be changed.
    pub(super) fn go_on_tuning(&mut self, effects: &mut Effects) {
        let Some((change, reason)) = self.tuning.take() else { return };
        if self.policy.is_none() || self.dialog.is_some() || self.off().is_some() {
            return;
        }
        self.dialog = Some(Dialog::Confirm(question(Request::SetPolicy(change), reason.as_deref())));
        effects.dirty = true;
    }

    /// The form of a rush, with what was already said.
    pub(super) fn open_rush(
        &mut self,
        rate: Option<f64>,
        for_s: Option<u64>,
        zone: Option<&str>,
        reason: Option<&str>,
    ) {
        let zones = self.zones_to_choose();
        let lower = zone.map(str::to_lowercase);
        let named = |(_, raw): &(Untrusted, Option<String>)| raw.as_ref().map(|raw| raw.to_lowercase()) == lower;
        let at = zones.iter().position(named);
        let error = at.is_none().then_some("no such zone; choose one");
        let rate = Field::new(setpoint(rate.unwrap_or(50.0)).replace(' ', ""));
        let seconds = Field::new(for_s.unwrap_or(30).to_string());
        let reason = Field::new(reason.unwrap_or_default().to_owned());
        let (zone, selected) = (at.unwrap_or(0), true);
        let focus = if error.is_some() { Line::Zone } else { Line::Rate };
        self.dialog = Some(Dialog::Rush(RushForm { rate, seconds, zones, zone, reason, focus, selected, error }));
    }

    /// The whole city, the zone of the selected kitchen, then the others.
    fn zones_to_choose(&self) -> Vec<(Untrusted, Option<String>)> {
        let city = self.city();
        let here = self.subject().and_then(|id| city.kitchen(&id)).map(|kitchen| kitchen.zone);
        let mut order: Vec<usize> = (0..city.zones.len()).collect();
        order.sort_by_key(|at| Some(*at) != here);
        let zones = order.into_iter().filter_map(|at| city.zones.get(at));
        let whole = (Untrusted::new("whole city"), None);
        [whole].into_iter().chain(zones.map(|zone| (zone.name.clone(), Some(zone.raw.clone())))).collect()
    }
}

/// What is asked before a request; what it would touch is read with each draw.
fn question(request: Request, reason: Option<&str>) -> Question {
    let (title, verb) = match &request {
        Request::Drain { kitchen, .. } => (format!("Drain {kitchen}?"), "Drain it"),
        Request::Kill(kitchen) => (format!("Kill {kitchen}"), "Kill it"),
        Request::Cancel(id) => (format!("Cancel {id}"), "Cancel it"),
        Request::Release(id) => (format!("Release {id} from quarantine?"), "Release it"),
        Request::StopRush => ("Stop the rush?".to_owned(), "Stop it"),
        Request::SetPolicy(_) => ("Change the policy?".to_owned(), "Change it"),
        other => (format!("{}?", other.words()), "Do it"),
    };
    Question::new(title, request, verb, reason)
}
