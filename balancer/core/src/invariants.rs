//! What must hold of the state at every position; checked by tests and by the simulator after every step.

use std::collections::BTreeSet;

use protocol::{OrderId, OrderState};

use crate::dispatcher::Core;
use crate::state::State;

/// The first invariant that does not hold, in words.
///
/// # Errors
/// Names the order or kitchen and what is wrong with it.
pub fn check(state: &State) -> Result<(), String> {
    let proof = state.proof();
    if !proof.holds() {
        return Err(format!("lost {}, twice {}", proof.lost, proof.twice));
    }
    let by_state: u64 = OrderState::ALL.into_iter().map(|word| state.count(word)).sum();
    if by_state != proof.accepted {
        return Err(format!("{} accepted, but the states add up to {by_state}", proof.accepted));
    }
    let queued: BTreeSet<OrderId> = state.queue.iter().map(|(_, id)| *id).collect();
    for order in state.orders().iter() {
        let holder = order.kitchen.map(|number| state.kitchen(number));
        let waits = holder.is_some_and(|kitchen| kitchen.waiting.contains(&order.id));
        let cooks = holder.is_some_and(|kitchen| kitchen.cooking.contains(&order.id));
        let wanted = match order.state {
            OrderState::Queued => (true, false, false),
            OrderState::Leased => (false, true, false),
            OrderState::Cooking => (false, false, true),
            OrderState::Completed | OrderState::Cancelled | OrderState::DeadLettered => (false, false, false),
        };
        if (queued.contains(&order.id), waits, cooks) != wanted {
            return Err(format!("{} is {} but stands elsewhere", order.id, order.state));
        }
        if order.hops.windows(2).any(|pair| pair[0].token >= pair[1].token) {
            return Err(format!("{}: its tokens do not grow", order.id));
        }
    }
    let held: usize = state.kitchens().iter().map(|kitchen| kitchen.waiting.len() + kitchen.cooking.len()).sum();
    if held as u64 != state.count(OrderState::Leased) + state.count(OrderState::Cooking) {
        return Err(format!("kitchens hold {held} orders, the counts say otherwise"));
    }
    for kitchen in state.kitchens() {
        if kitchen.in_the_oven > kitchen.cooking.len() as u32 {
            return Err(format!(
                "{}: {} in the oven of {} cooking",
                kitchen.id,
                kitchen.in_the_oven,
                kitchen.cooking.len()
            ));
        }
    }
    Ok(())
}

/// Whether each move in flight holds exactly one place at its target, and concerns an order that its source has.
///
/// # Errors
/// Names the kitchen or the order.
pub fn check_reserved(core: &Core) -> Result<(), String> {
    for (index, link) in core.soft.links.iter().enumerate() {
        let moves = core.soft.moves.values().filter(|one| one.to.index() == index).count();
        if moves != link.reserved as usize {
            let kitchen = &core.state.kitchens()[index].id;
            return Err(format!("{kitchen}: {} places are reserved for {moves} moves", link.reserved));
        }
    }
    for (id, one) in &core.soft.moves {
        let order = core.state.order(*id);
        let held = |state| matches!(state, OrderState::Leased | OrderState::Cooking);
        if !order.is_some_and(|order| order.kitchen == Some(one.from) && held(order.state)) {
            return Err(format!("{id} is being moved and its source does not have it"));
        }
    }
    Ok(())
}
