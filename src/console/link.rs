//! What the console and the network tell each other.
//!
//! Owns the two channels' words. Never opens a socket: `client.rs` does, and a test can play either side.

use std::time::Duration;

use protocol::{KitchenId, OrderId, api, feed};

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
    Cordon(KitchenId),
    Uncordon(KitchenId),
    Drain(KitchenId),
    Migrate { order: OrderId, to: KitchenId },
    Cancel(OrderId),
    Rush { rate: f64, for_s: u64, zone: Option<String> },
    StopRush,
    Kill(KitchenId),
}

impl Request {
    /// Whether it changes anything; never sent in read-only mode.
    #[must_use]
    pub fn is_change(&self) -> bool {
        match self {
            Self::Order(_)
            | Self::Explain(_)
            | Self::History(_)
            | Self::Kitchen(_)
            | Self::OrdersOf(_)
            | Self::Migrations => false,
            Self::Cordon(_)
            | Self::Uncordon(_)
            | Self::Drain(_)
            | Self::Migrate { .. }
            | Self::Cancel(_)
            | Self::Rush { .. }
            | Self::StopRush
            | Self::Kill(_) => true,
        }
    }

    /// Whether something is destroyed that the same console cannot bring back; only sent after the typed word.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        match self {
            Self::Kill(_) | Self::Cancel(_) => true,
            Self::Order(_)
            | Self::Explain(_)
            | Self::History(_)
            | Self::Kitchen(_)
            | Self::OrdersOf(_)
            | Self::Migrations
            | Self::Cordon(_)
            | Self::Uncordon(_)
            | Self::Drain(_)
            | Self::Migrate { .. }
            | Self::Rush { .. }
            | Self::StopRush => false,
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
}
