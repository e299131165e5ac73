//! What the console and the network tell each other.
//!
//! Owns the two channels' words. Never opens a socket: `client.rs` does, and a test can play either side.

use std::time::Duration;

use protocol::{KitchenId, OrderId, Position, api, feed};

use super::actions::{self, ActionId, Danger};

/// A kitchen that was killed by hand stays down at least so long: its leases run out after 1.5 s, and a person sees it happen.
pub const KILL_HOLD: Duration = Duration::from_secs(5);

/// What the network tells the console.
#[derive(Debug, Clone)]
pub enum Signal {
    /// A frame of the feed.
    Frame(Box<feed::Frame>),
    /// The link is gone; it will be tried again.
    Lost {
        /// For people; may hold untrusted text.
        why: String,
        /// Until the next try.
        retry_in: Duration,
    },
    /// A try begins.
    Connecting {
        /// Where.
        url: String,
    },
    /// The answer to a request.
    Answer {
        /// [`Sent::id`].
        request: u64,
        /// What came back, or why nothing did.
        outcome: Result<Answer, String>,
    },
}

/// What a balancer answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A change is done, in words.
    Done(String),
    /// An order is placed.
    Placed {
        /// What the balancer promises.
        receipt: Box<api::Receipt>,
        /// It was there already, under the same key.
        replayed: bool,
    },
    /// One order.
    Order(Box<api::OrderView>),
    /// Why an order is where it is.
    Explain(Box<api::ExplainView>),
    /// An order's events.
    History(Box<api::History>),
    /// One kitchen.
    Kitchen(Box<api::KitchenView>),
    /// Orders of one kitchen.
    Orders(Box<api::OrderPage>),
    /// The newest migrations.
    Migrations(Box<api::Migrations>),
    /// What operators did, a page of it.
    Actions(Box<api::ActionPage>),
    /// What is tuned.
    Policy(Box<api::PolicyView>),
    /// The processes that a supervisor here can kill, by id.
    Supervisor(Vec<String>),
}

/// What the console wants.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is the command of the same name")]
pub enum Request {
    Order(OrderId),
    Explain(OrderId),
    History(OrderId),
    Kitchen(KitchenId),
    OrdersOf(KitchenId),
    Migrations,
    Actions { before: Option<Position> },
    Policy,
    Supervisor,
    Cordon(KitchenId),
    Uncordon(KitchenId),
    Drain { kitchen: KitchenId, deadline_ms: Option<u64>, force: bool },
    Migrate { order: OrderId, to: KitchenId },
    Cancel(OrderId),
    Release(OrderId),
    Place(Box<api::PlaceOrder>),
    Rush { rate: f64, for_s: u64, zone: Option<String> },
    StopRush,
    SetPolicy(Box<api::PolicyChange>),
    Kill(KitchenId),
}

impl Request {
    /// A drain with the usual deadline.
    #[must_use]
    pub fn drain(kitchen: KitchenId) -> Self {
        Self::Drain { kitchen, deadline_ms: None, force: false }
    }

    /// Which action of the table asks for it; absent for what only looks.
    #[must_use]
    pub fn action(&self) -> Option<ActionId> {
        match self {
            Self::Order(_)
            | Self::Explain(_)
            | Self::History(_)
            | Self::Kitchen(_)
            | Self::OrdersOf(_)
            | Self::Migrations
            | Self::Actions { .. }
            | Self::Policy
            | Self::Supervisor => None,
            Self::Cordon(_) => Some(ActionId::Cordon),
            Self::Uncordon(_) => Some(ActionId::Uncordon),
            Self::Drain { .. } => Some(ActionId::Drain),
            Self::Migrate { .. } => Some(ActionId::Migrate),
            Self::Cancel(_) => Some(ActionId::Cancel),
            Self::Release(_) => Some(ActionId::Release),
            Self::Place(_) => Some(ActionId::Order),
            Self::Rush { .. } | Self::StopRush => Some(ActionId::Rush),
            Self::SetPolicy(_) => Some(ActionId::Policy),
            Self::Kill(_) => Some(ActionId::Kill),
        }
    }

    /// Whether it changes anything; never sent in read-only mode.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.action().is_some()
    }

    /// Whether something is destroyed that the same console cannot bring back; only sent after the typed word.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        self.action().is_some_and(|id| actions::get(id).danger == Danger::Typed)
    }

    /// The kitchen or order it is about; empty for what is about the whole.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Order(id)
            | Self::Explain(id)
            | Self::History(id)
            | Self::Cancel(id)
            | Self::Release(id)
            | Self::Migrate { order: id, .. } => id.to_string(),
            Self::Kitchen(id)
            | Self::OrdersOf(id)
            | Self::Cordon(id)
            | Self::Uncordon(id)
            | Self::Kill(id)
            | Self::Drain { kitchen: id, .. } => id.to_string(),
            Self::Place(order) => order.zone.clone(),
            Self::Rush { zone, .. } => zone.clone().unwrap_or_default(),
            Self::Migrations
            | Self::Actions { .. }
            | Self::Policy
            | Self::Supervisor
            | Self::StopRush
            | Self::SetPolicy(_) => String::new(),
        }
    }

    /// The command, for people: `drain kitchen_2`.
    #[must_use]
    pub fn words(&self) -> String {
        let Some(action) = self.action().map(actions::get) else { return String::new() };
        match self {
            Self::Migrate { order, to } => format!("migrate {order} to {to}"),
            Self::StopRush => "stop the rush".to_owned(),
            Self::Place(order) => format!("order to {}", order.zone),
            Self::Rush { rate, .. } => format!("rush {rate}/s"),
            other => format!("{} {}", action.name, other.subject()).trim_end().to_owned(),
        }
    }
}

/// A request under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// Comes back in [`Signal::Answer`].
    pub id: u64,
    /// What is wanted.
    pub request: Request,
    /// Why, in the operator's words; recorded with the change.
    pub reason: Option<String>,
}
