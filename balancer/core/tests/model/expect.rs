//! What each command must lead to, said by the reference before the core is asked.

use std::time::Duration;

use balancer_core::event::LossCause;
use balancer_core::input::{NewOrder, RequestId};
use balancer_core::{DiskHealth, Event, Input, Refused, Reply};
use protocol::api::{PolicyView, Schedulable};
use protocol::city::{DishNo, ZoneNo};
use protocol::link::{AgentMessage, BalancerMessage, DeclineReason, KeepReason, LeaseName, StayReason};
use protocol::{Item, OrderId, Priority};

use super::bench::{Bench, Out};
use super::command::{Command, Report};
use super::reference::Phase;

/// Stages of the two dishes.
const STAGES: [u8; 2] = [3, 1];

impl Bench {
    pub fn step(&mut self, command: &Command) {
        match *command {
            Command::Submit { dish, high, key } => self.submit(dish, high, key),
            Command::Cancel(n) => self.cancel(n),
            Command::Release(n) => self.release(n),
            Command::Migrate { order, to } => self.migrate(order, to),
            Command::HandOver { order, to } => self.hand_over(order, to),
            Command::Burn(order) => self.burn(order),
            Command::Cordon(kitchen) => self.reschedule(kitchen, Schedulable::Cordoned),
            Command::Uncordon(kitchen) => self.reschedule(kitchen, Schedulable::Open),
            Command::Drain { kitchen, deadline_ms, force } => self.drain_kitchen(kitchen, deadline_ms, force),
            Command::Gone { kitchen, right } => self.gone(kitchen, right),
            Command::Policy { steal, migrate, handover, cycle_ms } => {
                let policy = Box::new(PolicyView { steal, migrate, handover, cycle_ms, ..Self::policy() });
                let answer = self.wish(|request| Input::SetPolicy { request, policy, by: Self::by() });
                answer.map(|(_, reply)| reply.expect("a sound policy"));
            }
            Command::Join(kitchen) => self.join(kitchen, true),
            Command::Rejoin(kitchen) => self.join(kitchen, false),
            Command::Leave(kitchen) => self.leave(kitchen),
            Command::Beat { kitchen, all } => self.beat(kitchen, all),
            Command::Report { kitchen, name, report } => {
                let lease = self.resolve(usize::from(kitchen), name);
                self.report(kitchen, lease, report);
            }
            Command::Answer { kitchen, good } => self.answer(kitchen, good),
            Command::Reserve { kitchen, order, yes } => {
                let order = self.pick(order);
                let why = DeclineReason::Full;
                let no = AgentMessage::ReserveRefused { order, why };
                self.says(kitchen, if yes { AgentMessage::Reserved { order } } else { no });
            }
            Command::Goodbye(kitchen) => _ = self.says(kitchen, AgentMessage::Goodbye),
            Command::Pass { ms, beats } => self.pass(ms, beats),
            Command::Disk(n) => {
                self.disk = [DiskHealth::Fine, DiskHealth::Slow, DiskHealth::Full, DiskHealth::Moved][usize::from(n)];
                self.give(Input::Disk(self.disk));
            }
            Command::Restart => self.restart(),
        }
    }

    /// A wish of an operator, answered at once; while the disk stalls it is refused for that, and nothing is left to say.
    fn wish(&mut self, input: impl FnOnce(RequestId) -> Input) -> Option<(Out, Result<Reply, Refused>)> {
        let (out, reply) = self.ask_now(input);
        match self.disk {
            DiskHealth::Fine => return Some((out, reply)),
            DiskHealth::Slow => assert_eq!(reply, Err(Refused::DiskSlow)),
            DiskHealth::Full => assert_eq!(reply, Err(Refused::DiskFull)),
            DiskHealth::Moved => assert_eq!(reply, Err(Refused::LedgerMoved)),
            DiskHealth::Older => assert_eq!(reply, Err(Refused::LedgerOlder)),
        }
        assert!(out.events.is_empty(), "a wish came through a stalled disk: {:?}", out.events);
        None
    }

    fn submit(&mut self, dish: u8, high: bool, key: Option<u8>) {
        let key = key.map(|key| format!("key-{key}"));
        let known = key.as_ref().and_then(|key| self.reference.keys.get(key)).copied();
        let next = OrderId(self.reference.orders.len() as u64 + 1);
        let order = NewOrder {
            items: vec![Item { dish: DishNo(u16::from(dish)), quantity: 1 }],
            zone: ZoneNo(0),
            customer: None,
            priority: if high { Priority::High } else { Priority::Normal },
            key: key.map(String::into_boxed_str),
        };
        let (out, reply) = self.ask_now(|request| Input::Submit { request, order });
        let accepted = out.count(|event| matches!(event, Event::Accepted(_)));
        match (known, reply) {
            (_, Err(why)) if why.is_at_the_door() => {
                assert_ne!(self.disk, DiskHealth::Fine, "refused without need: {why}");
                assert_eq!(accepted, 0, "refused and accepted");
            }
            (None, Ok(Reply::Placed(receipt))) => assert_eq!((receipt.id, accepted), (next, 1)),
            (Some(id), reply) => {
                assert_eq!(accepted, 0, "a known key was accepted again");
                let first = self.reference.order(id).expect("a key has its order");
                let same = first.dish == u16::from(dish) && first.high == high;
                match reply {
                    Ok(Reply::Replayed(receipt)) => assert_eq!((receipt.id, true), (id, same)),
                    Err(Refused::IdempotencyConflict { order }) => assert_eq!((order, false), (id, same)),
                    other => panic!("a known key is answered {other:?}"),
                }
            }
            (None, other) => panic!("a new order is answered {other:?}"),
        }
    }

    fn cancel(&mut self, n: u8) {
        let id = self.pick(n);
        let phase = self.reference.order(id).map(|order| order.phase);
        let answer = self.wish(|request| Input::Cancel { request, order: id, by: Self::by() });
        let Some((out, reply)) = answer else { return };
        let cancelled = out.count(|event| matches!(event, Event::Cancelled { order, .. } if *order == id));
        match (phase, reply) {
            (None, Err(Refused::NoSuchOrder(_))) => assert_eq!(cancelled, 0),
            (Some(phase), Ok(Reply::Done(_))) if phase.open() || phase == Phase::SetAside => assert_eq!(cancelled, 1),
            (Some(phase), Err(Refused::AlreadyEnded { .. })) if !phase.open() && phase != Phase::SetAside => {
                assert_eq!(cancelled, 0);
            }
            other => panic!("cancel {id}: {other:?}"),
        }
    }

    fn release(&mut self, n: u8) {
        let aside = self.reference.orders.iter().position(|order| order.phase == Phase::SetAside);
        let id = aside.filter(|_| n.is_multiple_of(2)).map_or_else(|| self.pick(n), |index| OrderId(index as u64 + 1));
        let phase = self.reference.order(id).map(|order| order.phase);
        let answer = self.wish(|request| Input::Release { request, order: id, by: Self::by() });
        let Some((out, reply)) = answer else { return };
        let requeued = out.count(|event| matches!(event, Event::Requeued { order, .. } if *order == id));
        match (phase, reply) {
            (None, Err(Refused::NoSuchOrder(_))) => assert_eq!(requeued, 0),
            (Some(Phase::SetAside), Ok(Reply::Done(_))) => assert_eq!(requeued, 1),
            (Some(phase), Err(Refused::NotInQuarantine { .. })) if phase != Phase::SetAside => assert_eq!(requeued, 0),
            other => panic!("release {id}: {other:?}"),
        }
    }

    fn migrate(&mut self, n: u8, to: u8) {
        self.move_to(self.pick(n), to);
    }

    fn hand_over(&mut self, n: u8, to: u8) {
        let cooking: Vec<(OrderId, usize)> = (1..)
            .map(OrderId)
            .zip(&self.reference.orders)
            .filter(|(_, order)| order.phase == Phase::Cooking)
            .map(|(id, order)| (id, self.reference.kitchens[order.holder].actor))
            .collect();
        let Some((id, from)) = cooking.get(usize::from(n) % cooking.len().max(1)).copied() else { return };
        self.move_to(id, to);
        // A question leads to another one, at most twice.
        for kitchen in [to, from as u8, to, from as u8] {
            (0..4).for_each(|_| self.answer(kitchen, true));
        }
        let newest = self.reference.order(id).map(super::reference::Order::newest).unwrap_or_default();
        self.report(to, LeaseName { order: id, token: newest }, Report::Started);
    }

    /// Long enough for three attempts and what an order waits between them.
    fn burn(&mut self, n: u8) {
        let id = self.pick(n);
        for _ in 0..5 {
            let Some(order) = self.reference.order(id).filter(|order| order.phase.open()) else { return };
            if order.phase.held() {
                let (lease, holder) = (LeaseName { order: id, token: order.newest() }, order.holder);
                let actor = self.reference.kitchens[holder].actor;
                self.report(actor as u8, lease, Report::Failed);
            }
            self.pass(1_100, true);
        }
    }

    fn move_to(&mut self, id: OrderId, to: u8) {
        let holder = self.reference.order(id).filter(|order| order.phase.held()).map(|order| order.holder);
        let target = self.reference.kitchen(usize::from(to)).map(|(number, _)| number);
        let possible = target.is_some() && holder.is_some() && holder != target;
        let (_, reply) = self.ask(|request| Input::Migrate { request, order: id, to: Self::id(to), by: Self::by() });
        match reply {
            None | Some(Reply::Done(_)) => assert!(possible, "{id} cannot move to k{to}"),
            Some(Reply::Refused(_)) => {}
            Some(other) => panic!("migrate {id} to k{to}: {other:?}"),
        }
    }

    fn reschedule(&mut self, kitchen: u8, wanted: Schedulable) {
        let id = Self::id(kitchen);
        let before = self.reference.kitchen(usize::from(kitchen)).map(|(_, known)| known.schedulable);
        let answer = self.wish(|request| match wanted {
            Schedulable::Open => Input::Uncordon { request, kitchen: id, by: Self::by() },
            _ => Input::Cordon { request, kitchen: id, by: Self::by() },
        });
        let Some((_, reply)) = answer else { return };
        let after = self.reference.kitchen(usize::from(kitchen)).map(|(_, known)| known.schedulable);
        match (before, reply) {
            (None, Err(Refused::NoSuchKitchen(_))) => {}
            (Some(before), Err(Refused::NothingToChange { .. })) => assert_eq!(before, wanted),
            (Some(before), Ok(Reply::Done(_))) => {
                assert_ne!(before, wanted);
                assert_eq!(after, Some(wanted));
            }
            other => panic!("k{kitchen} to {wanted:?}: {other:?}"),
        }
    }

    fn drain_kitchen(&mut self, kitchen: u8, deadline_ms: Option<u16>, force: bool) {
        let before = self.reference.kitchen(usize::from(kitchen)).map(|(_, known)| known.schedulable);
        let deadline = deadline_ms.map(|ms| Duration::from_millis(u64::from(ms)));
        let answer = self.wish(|request| {
            let kitchen = Self::id(kitchen);
            Input::Drain { request, kitchen, deadline, force, by: Self::by() }
        });
        let Some((_, reply)) = answer else { return };
        let after = self.reference.kitchen(usize::from(kitchen)).map(|(_, known)| known.schedulable);
        match (before, reply) {
            (None, Err(Refused::NoSuchKitchen(_))) => {}
            (Some(before), Err(_)) if before == Schedulable::Draining || !force => assert_eq!(after, Some(before)),
            (Some(_), Ok(Reply::Done(_))) => {
                assert!(matches!(after, Some(Schedulable::Draining | Schedulable::Cordoned)), "{after:?}");
            }
            other => panic!("drain k{kitchen}: {other:?}"),
        }
    }

    fn gone(&mut self, kitchen: u8, right: bool) {
        let pid = if right { self.pid(kitchen) } else { 999_999 };
        let actor = usize::from(kitchen);
        let alive = self.reference.kitchen(actor).map(|(_, known)| known.alive);
        let connected = self.actors.get(actor).is_some_and(|actor| actor.connection.is_some());
        let answer = self.wish(|request| Input::Gone { request, kitchen: Self::id(kitchen), pid });
        let Some((out, reply)) = answer else { return };
        let exited = |event: &Event| matches!(event, Event::KitchenLost { cause: LossCause::ProcessExited, .. });
        match (alive, reply) {
            (None, Err(Refused::NoSuchKitchen(_))) => {}
            (Some(alive), Err(Refused::NotThatProcess { .. })) => {
                assert!(!(right && alive && connected), "the death of k{kitchen} is not believed");
                assert_eq!(out.count(exited), 0, "another process is meant");
            }
            (Some(true), Ok(Reply::Done(_))) => {
                assert_eq!((right, out.count(exited)), (true, 1));
                self.leave(kitchen);
            }
            other => panic!("k{kitchen} is gone: {other:?}"),
        }
    }

    fn report(&mut self, kitchen: u8, lease: LeaseName, report: Report) {
        let actor = usize::from(kitchen);
        let (current, settled) = (self.reference.is_current(actor, lease), self.reference.is_settled(actor, lease));
        let before = self.reference.order(lease.order).cloned();
        let (connected, out) = self.says(kitchen, message(lease, report));
        let current = current && connected;
        let about = |event: &Event| event.order() == Some(lease.order);
        let expected = usize::from(current);
        let stale = BalancerMessage::Settled { lease, stale: !current && !settled };
        match report {
            Report::Started => {
                let begins = current && before.is_some_and(|order| order.phase == Phase::Leased);
                let started = out.count(|event| about(event) && matches!(event, Event::Started { .. }));
                assert_eq!(started, usize::from(begins), "started {lease:?}");
            }
            Report::StageDone(stage) => {
                let counts = |order: super::reference::Order| {
                    stage >= order.stages_done && stage < STAGES[usize::from(order.dish)]
                };
                let done = out.count(|event| about(event) && matches!(event, Event::StageDone { .. }));
                assert_eq!(done, usize::from(current && before.is_some_and(counts)), "stage {stage} of {lease:?}");
            }
            Report::Completed => {
                let done = out.count(|event| matches!(event, Event::Completed { .. }));
                assert_eq!(done, expected, "completed {lease:?}");
                assert_eq!(out.told(|message| *message == stale), connected, "a result is settled");
            }
            Report::Failed => {
                let failed = out.count(|event| matches!(event, Event::AttemptFailed { .. }));
                assert_eq!(failed, expected, "failed {lease:?}");
                assert_eq!(out.told(|message| *message == stale), connected, "a failure is settled");
            }
            Report::Declined | Report::Closing => {
                let declined = |event: &Event| matches!(event, Event::LeaseLost { cause: LossCause::Declined, .. });
                assert_eq!(out.count(declined), expected, "declined {lease:?}");
            }
            Report::Released => {
                assert!(
                    !(connected && self.reference.is_current(actor, lease)),
                    "given back, and still held: {lease:?}"
                );
            }
            Report::Kept | Report::Unknown | Report::Paused(_) | Report::Stays => {}
        }
    }
}

fn message(lease: LeaseName, report: Report) -> AgentMessage {
    match report {
        Report::Started => AgentMessage::Started { lease, stage: 0 },
        Report::StageDone(stage) => AgentMessage::StageDone { lease, stage },
        Report::Completed => AgentMessage::Completed { lease, cooked_ms: 700 },
        Report::Failed => AgentMessage::Failed { lease, stage: 0, output: "burnt\u{1b}[2J".into() },
        Report::Declined => AgentMessage::Declined { lease, why: DeclineReason::Full },
        Report::Closing => AgentMessage::Declined { lease, why: DeclineReason::Closing },
        Report::Released => AgentMessage::Released { lease },
        Report::Kept => AgentMessage::ReleaseRefused { lease, why: KeepReason::Started },
        Report::Unknown => AgentMessage::ReleaseRefused { lease, why: KeepReason::Unknown },
        Report::Paused(stages_done) => AgentMessage::Paused { lease, stages_done },
        Report::Stays => AgentMessage::HandoverRefused { lease, why: StayReason::NearlyDone },
    }
}
