//! Prometheus text. Counts what the shell alone can see; everything else is read from the core when asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use balancer_core::{DiskHealth, KitchenNo, Trouble};
use protocol::KitchenId;
use protocol::api::{Health, HopKind};

use crate::hub::Inner;
use crate::scrub;

/// Upper bounds in seconds: fine where a dispatch lives, coarse where cooking does.
const BOUNDS: [f64; 18] =
    [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];
/// Upper bounds of events in a group commit.
const SIZES: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1_024.0, 4_096.0, 16_384.0];

/// A histogram with fixed bounds.
#[derive(Debug, Clone)]
pub struct Buckets {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Buckets {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], sum: 0.0, count: 0 }
    }

    /// Adds one value, in the unit of the bounds.
    pub fn add(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
        self.count += 1;
    }

    fn write(&self, out: &mut String, name: &str, help: &str) {
        head(out, name, "histogram", help);
        let mut below = 0;
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            below += count;
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(
            out,
            "{name}_bucket{{le=\"+Inf\"}} {}\n{name}_sum {}\n{name}_count {}",
            self.count, self.sum, self.count
        );
    }
}

/// What the shell counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Acceptance to completion.
    pub order_seconds: Buckets,
    /// Acceptance to the first lease.
    pub dispatch_seconds: Buckets,
    /// How long nobody had a moved order.
    pub pause_seconds: Buckets,
    /// Write and sync of a group commit.
    pub append_seconds: Buckets,
    /// Events in a group commit.
    pub batch_events: Buckets,
    /// Request to answer.
    pub http_seconds: Buckets,
    /// Requests by route and status.
    pub http: BTreeMap<(&'static str, u16), u64>,
    /// Moves by kind and result.
    pub moves: BTreeMap<(&'static str, &'static str), u64>,
    /// Feed readers that were cut off, and events that were only counted for want of room.
    pub feed_dropped: u64,
    /// How far the projection is, by its thread.
    pub projection: Arc<AtomicU64>,
    /// What the scrub has found, by its thread.
    pub scrub: Arc<scrub::Report>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            order_seconds: Buckets::new(&BOUNDS),
            dispatch_seconds: Buckets::new(&BOUNDS),
            pause_seconds: Buckets::new(&BOUNDS),
            append_seconds: Buckets::new(&BOUNDS),
            batch_events: Buckets::new(&SIZES),
            http_seconds: Buckets::new(&BOUNDS),
            http: BTreeMap::new(),
            moves: BTreeMap::new(),
            feed_dropped: 0,
            projection: Arc::default(),
            scrub: Arc::default(),
        }
    }
}

impl Metrics {
    /// A group commit is durable.
    pub fn appended(&mut self, took: Duration, events: u32) {
        if events > 0 {
            self.append_seconds.add(took.as_secs_f64());
            self.batch_events.add(f64::from(events));
        }
    }

    /// A request was answered.
    pub fn answered(&mut self, route: &'static str, status: u16, took: Duration) {
        *self.http.entry((route, status)).or_default() += 1;
        self.http_seconds.add(took.as_secs_f64());
    }

    /// A move ended.
    pub fn moved(&mut self, kind: HopKind, result: &'static str) {
        *self.moves.entry((kind.word(), result)).or_default() += 1;
    }
}

/// What a page is made from, of one position of the ledger: figures only, so that copying them takes no time.
#[derive(Debug)]
pub struct Look {
    counters: [(&'static str, &'static str, u64); 10],
    gauges: [(&'static str, &'static str, f64); 10],
    efficiency: Option<f64>,
    kitchens: Vec<KitchenLook>,
    troubled: Vec<(KitchenNo, Trouble)>,
    metrics: Metrics,
}

#[derive(Debug)]
struct KitchenLook {
    id: KitchenId,
    number: KitchenNo,
    load: f64,
    completed: u64,
    failed: u64,
    health: Health,
}

/// Looks at everything that is counted.
#[must_use]
pub fn look(inner: &Inner, now: Duration) -> Look {
    let (state, metrics) = (inner.core.state(), &inner.metrics);
    let counts = state.counts();
    let stalled = inner.core.disk() != DiskHealth::Fine;
    let (projection, scrub) = (metrics.projection.load(Relaxed), metrics.scrub.look());
    let counters = [
        ("chef_orders_accepted_total", "Orders acknowledged since the ledger began", counts.accepted),
        ("chef_orders_completed_total", "Orders completed since the ledger began", counts.completed),
        ("chef_orders_cancelled_total", "Orders cancelled since the ledger began", counts.cancelled),
        ("chef_orders_dead_lettered_total", "Orders set aside since the ledger began", counts.dead_lettered),
        ("chef_orders_shed_total", "Orders refused at the door under this leader", inner.core.shed().0),
        ("chef_recoveries_total", "Orders leased again after their kitchen was lost", counts.recovered),
        ("chef_stale_refused_total", "Late results refused", counts.stale_refused),
        ("chef_feed_dropped_total", "Feed events that were only counted, and readers cut off", metrics.feed_dropped),
        (
            "chef_feed_encodes_total",
            "Frames of the feed that became text, each for all its readers",
            inner.feed.encodes(),
        ),
        ("chef_feed_bytes_total", "Bytes of those frames, each counted once", inner.feed.bytes()),
    ];
    let gauges = [
        ("chef_orders_open", "Orders that have not ended", state.orders().open() as f64),
        ("chef_leader", "1 if this balancer leads", 1.0),
        ("chef_epoch", "The leader's reign", f64::from(state.epoch().0)),
        ("chef_ledger_position", "The last position of the ledger", state.position().0 as f64),
        ("chef_projection_position", "The position that the history tables have come to", projection as f64),
        ("chef_scrub_position", "The position that the scrub has come to", scrub.position.0 as f64),
        ("chef_scrub_damaged", "1 if the scrub has found damage", f64::from(u8::from(scrub.damage.is_some()))),
        ("chef_ledger_stalled", "1 if the disk takes nothing: figures are ahead of it", f64::from(u8::from(stalled))),
        ("chef_feed_clients", "Readers of the feed", inner.feed.readers() as f64),
        ("chef_faults_active", "Faults in force", 0.0),
    ];
    let kitchens = inner.kitchens().map(|(number, kitchen)| KitchenLook {
        id: kitchen.id.clone(),
        number,
        load: kitchen.load(),
        completed: kitchen.completed,
        failed: kitchen.failed,
        health: inner.core.signs(now, number).health,
    });
    let (efficiency, kitchens, troubled) = (inner.efficiency(), kitchens.collect(), inner.core.troubled().collect());
    Look { counters, gauges, efficiency, kitchens, troubled, metrics: metrics.clone() }
}

impl Look {
    /// The whole page.
    #[must_use]
    pub fn page(&self, version: &str) -> String {
        let Self { counters, gauges, efficiency, kitchens, troubled, metrics } = self;
        let mut out = String::with_capacity(16 * 1024 + 256 * kitchens.len());
        for (name, help, value) in counters {
            head(&mut out, name, "counter", help);
            let _ = writeln!(out, "{name} {value}");
        }
        for (name, help, value) in gauges {
            head(&mut out, name, "gauge", help);
            let _ = writeln!(out, "{name} {value}");
        }
        if let Some(efficiency) = efficiency {
            let help = "Mean / maximum utilisation over the open kitchens";
            head(&mut out, "chef_load_balance_efficiency", "gauge", help);
            let _ = writeln!(out, "chef_load_balance_efficiency {efficiency}");
        }
        of_kitchens(&mut out, kitchens, troubled);
        labelled(&mut out, metrics);
        metrics.order_seconds.write(&mut out, "chef_order_duration_seconds", "Acceptance to completion");
        metrics.dispatch_seconds.write(&mut out, "chef_dispatch_seconds", "Acceptance to the first lease");
        metrics.pause_seconds.write(&mut out, "chef_migration_pause_seconds", "How long nobody had a moved order");
        metrics.append_seconds.write(&mut out, "chef_ledger_append_seconds", "Write and sync of a group commit");
        metrics.batch_events.write(&mut out, "chef_ledger_batch_events", "Events in a group commit");
        metrics.http_seconds.write(&mut out, "chef_http_request_seconds", "Request to answer");
        head(&mut out, "chef_build_info", "gauge", "The version that runs");
        let _ = writeln!(out, "chef_build_info{{version=\"{version}\"}} 1");
        out
    }
}

fn of_kitchens(out: &mut String, kitchens: &[KitchenLook], troubled: &[(KitchenNo, Trouble)]) {
    head(out, "chef_kitchen_load_ratio", "gauge", "Held / capacity");
    for KitchenLook { id, load, .. } in kitchens {
        let _ = writeln!(out, "chef_kitchen_load_ratio{{kitchen=\"{id}\"}} {load}");
    }
    head(out, "chef_kitchen_completed_total", "counter", "Orders completed by the kitchen");
    for KitchenLook { id, completed, .. } in kitchens {
        let _ = writeln!(out, "chef_kitchen_completed_total{{kitchen=\"{id}\"}} {completed}");
    }
    head(out, "chef_kitchen_failed_total", "counter", "Attempts that failed in the kitchen");
    for KitchenLook { id, failed, .. } in kitchens {
        let _ = writeln!(out, "chef_kitchen_failed_total{{kitchen=\"{id}\"}} {failed}");
    }
    for (name, help, what) in [
        ("chef_kitchen_slow", "1 while the kitchen is far slower than the others", Trouble::Slow),
        ("chef_kitchen_stuck", "1 while the kitchen holds orders and cooks none", Trouble::Stuck),
        ("chef_kitchen_ejected", "1 while the kitchen is left out because most of its attempts fail", Trouble::Failing),
    ] {
        head(out, name, "gauge", help);
        let mut troubled = troubled.iter().filter(|(_, trouble)| *trouble == what).peekable();
        for KitchenLook { id, number, .. } in kitchens {
            let value = u8::from(troubled.next_if(|(one, _)| one == number).is_some());
            let _ = writeln!(out, "{name}{{kitchen=\"{id}\"}} {value}");
        }
    }
    head(out, "chef_kitchen_health", "gauge", "1 for the health that the signs of life say");
    for KitchenLook { id, health: is, .. } in kitchens {
        for health in [Health::Alive, Health::Suspected, Health::Dead] {
            let value = u8::from(health == *is);
            let _ = writeln!(out, "chef_kitchen_health{{kitchen=\"{id}\",health=\"{}\"}} {value}", health.word());
        }
    }
}

fn labelled(out: &mut String, metrics: &Metrics) {
    head(out, "chef_migrations_total", "counter", "Moves by kind and result, under this leader");
    for ((kind, result), count) in &metrics.moves {
        let _ = writeln!(out, "chef_migrations_total{{kind=\"{kind}\",result=\"{result}\"}} {count}");
    }
    head(out, "chef_http_requests_total", "counter", "Requests by route and status");
    for ((route, status), count) in &metrics.http {
        let _ = writeln!(out, "chef_http_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}");
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}.\n# TYPE {name} {kind}");
}
