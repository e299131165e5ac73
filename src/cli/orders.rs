//! Commands about orders: place, list, show, explain, cancel, release, migrate.
//!
//! Owns their arguments and their tables. Never decides anything about an order.

use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::api::{ExplainView, History, ItemBody, OrderPage, OrderView, PlaceOrder};
use protocol::order::{OrderState, Priority};
use protocol::{KitchenId, OrderId, WallTime};

use super::args::{Print, Reach, item};
use super::failure::Failure;
use crate::client::{Client, OrderFilter};
use crate::output::{self, Format, Table, or_dash, pairs};

/// Between two looks at an order that is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// `chef order`.
#[derive(Debug, Clone, Args)]
pub struct Order {
    /// What: `pizza`, `salad:2`
    #[arg(required = true, value_name = "DISH[:N]", value_parser = item)]
    pub items: Vec<ItemBody>,
    /// Where to
    #[arg(long)]
    pub zone: String,
    /// Who asks
    #[arg(long, value_name = "NAME")]
    pub customer: Option<String>,
    /// How urgent
    #[arg(long, default_value = "normal")]
    pub priority: Urgency,
    /// Idempotency key: the same key is the same order [default: a fresh one]
    #[arg(long)]
    pub key: Option<String>,
    /// Wait until it has ended; exit 1 if it was not completed
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

/// How urgent an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Urgency {
    /// In the order of arrival.
    Normal,
    /// Before every normal order.
    High,
}

impl Order {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let client = self.reach.client()?;
        let priority = match self.priority {
            Urgency::Normal => Priority::Normal,
            Urgency::High => Priority::High,
        };
        let order =
            PlaceOrder { items: self.items, zone: self.zone, customer: self.customer, priority, key: self.key.clone() };
        let placed = client.place(&order, self.key.as_deref()).await?;
        if self.wait {
            return wait_for(&client, placed.receipt.id, self.print.format).await;
        }
        output::show(self.print.format, &placed.receipt, |receipt| {
            let again = if placed.replayed { ", as before under this key" } else { "" };
            match &receipt.kitchen {
                Some(kitchen) => format!("{} {} at {kitchen}{again}\n", receipt.id, receipt.state),
                None => format!("{} {}{again}\n", receipt.id, receipt.state),
            }
        })?;
        Ok(())
    }
}

async fn wait_for(client: &Client, id: OrderId, format: Format) -> Result<(), Failure> {
    let client = client.clone().with_patience(Duration::from_secs(30), 1);
    let view = loop {
        let view = client.order(id).await?;
        if !view.state.is_open() {
            break view;
        }
        tokio::time::sleep(LOOK).await;
    };
    output::show(format, &view, |view| {
        let took = view.completed_at.map(|end| end.ms_since(view.placed_at));
        let kitchen = view.kitchen.as_ref().map_or_else(String::new, |kitchen| format!(" at {kitchen}"));
        format!("{} {}{kitchen} after {}\n", view.id, view.state, output::ms(took))
    })?;
    match view.state {
        OrderState::Completed => Ok(()),
        _ => Err(Failure::failed(format!("{id} is {}, not completed", view.state))),
    }
}

/// `chef orders`.
#[derive(Debug, Clone, Args)]
pub struct Orders {
    /// Only in this state: queued, leased, cooking, completed, cancelled, dead_lettered
    #[arg(long)]
    pub state: Option<OrderState>,
    /// Only of this kitchen
    #[arg(long, value_name = "ID")]
    pub kitchen: Option<KitchenId>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// The `next` of an earlier page
    #[arg(long)]
    pub cursor: Option<String>,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

impl Orders {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let filter =
            OrderFilter { state: self.state, kitchen: self.kitchen, limit: Some(self.limit), cursor: self.cursor };
        let page = self.reach.client()?.orders(&filter).await?;
        output::show(self.print.format, &page, orders_table)?;
        Ok(())
    }
}

fn orders_table(page: &OrderPage) -> String {
    let mut table = Table::new(&["order", "state", "stage", "kitchen", ">try", "zone", "items", "placed"]);
    for order in &page.orders {
        table.row([
            order.id.to_string(),
            order.state.to_string(),
            stage(order),
            or_dash(order.kitchen.as_ref()),
            order.attempt.to_string(),
            order.zone.clone(),
            items(&order.items),
            order.placed_at.clock(),
        ]);
    }
    let more = page.next.as_ref().map_or_else(String::new, |next| format!("more: --cursor {next}\n"));
    format!("{}{more}", table.render())
}

fn stage(order: &OrderView) -> String {
    if order.state.is_open() {
        format!("{} {}/{}", order.stage.name, order.stage.done, order.stage.of)
    } else {
        "-".into()
    }
}

fn items(items: &[ItemBody]) -> String {
    let one = |item: &ItemBody| match item.quantity {
        1 => item.dish.clone(),
        n => format!("{}:{n}", item.dish),
    };
    items.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// `chef show`.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// Like o42
    #[arg(value_name = "ORDER")]
    pub order: OrderId,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

/// The order and its events, as one JSON document.
#[derive(serde::Serialize)]
struct Shown {
    #[serde(flatten)]
    order: OrderView,
    history: History,
}

impl Show {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let client = self.reach.client()?;
        let (order, history) = tokio::try_join!(client.order(self.order), client.history(self.order))?;
        output::show(self.print.format, &Shown { order, history }, |shown| {
            format!("{}\n{}", order_pairs(&shown.order), history_table(&shown.history))
        })?;
        Ok(())
    }
}

fn order_pairs(order: &OrderView) -> String {
    let way = |hop: &protocol::api::HopView| match hop.pause_ms {
        Some(ms) => format!("{} ({}, pause {ms} ms)", hop.kitchen, hop.kind.word()),
        None => format!("{} ({})", hop.kitchen, hop.kind.word()),
    };
    pairs(&[
        ("order", order.id.to_string()),
        ("state", order.state.to_string()),
        ("items", items(&order.items)),
        ("zone", order.zone.clone()),
        ("customer", or_dash(order.customer.as_ref())),
        ("kitchen", or_dash(order.kitchen.as_ref())),
        ("attempt", order.attempt.to_string()),
        ("token", or_dash(order.token)),
        ("stage", format!("{} ({} of {} done)", order.stage.name, order.stage.done, order.stage.of)),
        ("way", order.hops.iter().map(way).collect::<Vec<_>>().join(" -> ")),
        ("placed", order.placed_at.to_string()),
        ("ended", or_dash(order.completed_at)),
        ("took", output::ms(order.completed_at.map(|end: WallTime| end.ms_since(order.placed_at)))),
        ("failure", or_dash(order.failure.as_ref())),
        ("wasted", output::ms(Some(order.wasted_ms).filter(|ms| *ms > 0))),
        ("finishes here", or_dash(order.stays.as_ref())),
    ])
}

fn history_table(history: &History) -> String {
    let mut table = Table::new(&[">position", "at", "event", "detail"]);
    for event in &history.events {
        table.row([event.position.to_string(), event.at.clock(), event.event.clone(), event.detail.clone()]);
    }
    table.render()
}

/// `chef explain`.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// Like o42
    #[arg(value_name = "ORDER")]
    pub order: OrderId,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

impl Explain {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let view = self.reach.client()?.explain(self.order).await?;
        output::show(self.print.format, &view, explanation)?;
        Ok(())
    }
}

fn explanation(view: &ExplainView) -> String {
    let mut table = Table::new(&["kitchen", ">score", ">load", ">specialty", ">time", ">distance"]);
    let factor = |value: f64| format!("{value:.3}");
    for one in &view.candidates {
        let cells = [one.score, one.load, one.specialty, one.time, one.distance].map(factor);
        let [score, load, specialty, time, distance] = cells;
        table.row([one.kitchen.to_string(), score, load, specialty, time, distance]);
    }
    let weights = view.weights;
    let mut text = format!(
        "{} went to {} by {} at {} (weights: load {} specialty {} time {} distance {})\n{}",
        view.id,
        view.chosen,
        view.algorithm,
        view.at.clock(),
        weights.load,
        weights.specialty,
        weights.time,
        weights.distance,
        table.render()
    );
    let more = |count: u32| if count > 0 { format!(", and {count} more") } else { String::new() };
    if view.more_candidates > 0 {
        text.push_str(&format!("and {} more kitchens with lower scores\n", view.more_candidates));
    }
    if !view.excluded.is_empty() {
        let all: Vec<String> = view.excluded.iter().map(|one| format!("{} ({})", one.kitchen, one.why)).collect();
        text.push_str(&format!("excluded: {}{}\n", all.join(", "), more(view.more_excluded)));
    }
    if !view.alternatives.is_empty() {
        let all: Vec<String> = view.alternatives.iter().map(|one| format!("{}: {}", one.rule, one.kitchen)).collect();
        text.push_str(&format!("would have chosen: {}\n", all.join(", ")));
    }
    text
}

/// `chef cancel`, `chef release`.
#[derive(Debug, Clone, Args)]
pub struct OneOrder {
    /// Like o42
    #[arg(value_name = "ORDER")]
    pub order: OrderId,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

impl OneOrder {
    pub(super) async fn release(self) -> Result<(), Failure> {
        self.reach.client()?.release(self.order).await?;
        super::done(self.print.format, &format!("{} waits again, with a clean record", self.order))
    }

    pub(super) async fn cancel(self) -> Result<(), Failure> {
        self.reach.client()?.cancel(self.order).await?;
        super::done(self.print.format, &format!("{} is cancelled", self.order))
    }
}

/// `chef migrate`.
#[derive(Debug, Clone, Args)]
pub struct Migrate {
    /// Like o42
    #[arg(value_name = "ORDER")]
    pub order: OrderId,
    /// The target
    #[arg(value_name = "KITCHEN")]
    pub to: KitchenId,
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(flatten)]
    pub(super) print: Print,
}

impl Migrate {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.reach.client()?.migrate(self.order, self.to.clone()).await?;
        super::done(self.print.format, &format!("{} moves to {}", self.order, self.to))
    }
}
