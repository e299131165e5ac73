//! Rows of the result, and the ratios within one run.

use std::fmt;

use hdrhistogram::Histogram;

/// One measurement.
pub struct Row {
    /// Which program.
    pub who: &'static str,
    /// Single requests or batches.
    pub what: &'static str,
    /// Client connections.
    pub connections: usize,
    /// Orders a second, acknowledged and completed.
    pub rate: f64,
    /// Processor milliseconds of the server for 1,000 orders.
    pub cpu_ms_per_1000: Option<f64>,
    /// Acknowledgement at half of the rate, in microseconds.
    pub ack: Histogram<u64>,
    /// Acceptance to completion at half of the rate, p99, in milliseconds.
    pub completion_p99_ms: Option<f64>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |quantile| self.ack.value_at_quantile(quantile) as f64 / 1e3;
        let or_dash = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
        write!(
            f,
            "{:<14} {:<13} {:>3} connections {:>9.0} orders/s   at half: ack p50 {:>6.2} ms p99 {:>6.2} ms, completion p99 {:>5} ms   cpu {:>5} ms/1000",
            self.who,
            self.what,
            self.connections,
            self.rate,
            ms(0.5),
            ms(0.99),
            or_dash(self.completion_p99_ms),
            or_dash(self.cpu_ms_per_1000)
        )
    }
}

/// All rows, and the best of each program against the best of Redis.
pub fn print(rows: &[Row]) {
    println!("\nall rounds");
    rows.iter().for_each(|row| println!("  {row}"));
    for what in ["single", "batch of 100"] {
        let best = |who: &str| {
            rows.iter().filter(|row| row.who == who && row.what == what).map(|row| row.rate).fold(0.0, f64::max)
        };
        let (chef, redis) = (best("chef"), best("redis always"));
        if redis > 0.0 {
            println!("{what}: chef {chef:.0}, redis always {redis:.0} orders/s, ratio {:.2}", chef / redis);
        }
    }
}
