//! The pace: when a frame may be drawn.
//!
//! Owns the slot, and what is known of a terminal that takes bytes slower than they come. Never draws, never reads a clock.
//!
//! - Leading edge: the first change after a quiet slot is drawn at once, the rest at the slot.
//! - A key or a resize does not wait for the slot. Nor does an alarm (a lost link, a lost or hot kitchen) unless alarms come in
//!   floods: then the picture tells them, slot by slot.
//! - What waits in the buffers of a slow line is shown before what is true. So a write that blocks tells the line's rate, and
//!   from then on a frame waits until the one before should have arrived: few frames, each of them fresh.

use std::time::Duration;

use super::app::Effects;

/// A write that takes longer has found the buffers full: writing to a terminal that reads takes well under a millisecond.
const BLOCKED: Duration = Duration::from_millis(40);
/// A block of this length is a terminal that stood still (ctrl-s, a suspended viewer), not one that is slow.
const STALL: Duration = Duration::from_secs(1);
/// Of the rate that was measured. The rest empties the buffers, and leaves room for a stall that nobody announces.
const SHARE: f64 = 0.4;
/// Bytes a second after a stall, until the line has shown what it can do: about a frame a second.
const AFTER_STALL: f64 = 3_000.0;
/// No line is taken to be slower: a frame of 2 kB every four seconds.
const SLOWEST: f64 = 500.0;
/// Bytes a second from which a line is as good as any: more than the busiest screen writes.
const FAST: f64 = 40_000.0;
/// What a pseudo terminal's buffers hold, which is full after a write that blocked (seen on Linux 6).
const BUFFERS: f64 = 17_000.0;
/// A writer that waits is woken when at least so much was read, so a short write tells nothing finer.
const GRAIN: f64 = 3_584.0;
/// The longest wait for full buffers to drain.
const DRAIN_MAX: Duration = Duration::from_secs(2);
const DRAIN_AFTER_STALL: Duration = Duration::from_millis(500);
/// What must not wait may be sent with so much still on its way.
const AHEAD: Duration = Duration::from_millis(400);
/// And waits no longer than this, whatever was measured: a terminal may only have stuttered.
const URGENT_MAX: Duration = Duration::from_millis(900);
/// An alarm in so much time does not wait for the slot; some may come at once.
const ALARM: Duration = Duration::from_millis(300);
const ALARMS_AT_ONCE: Duration = Duration::from_millis(1_500);
/// How long a measured rate is kept before a faster one is tried, frame by frame: twice as long after each try that failed.
const KEPT: Duration = Duration::from_secs(60);
const KEPT_AFTER_STALL: Duration = Duration::from_secs(5);
const KEPT_MAX: Duration = Duration::from_secs(600);
const GROWTH: f64 = 1.1;

/// A frame that went out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameOut {
    /// Its bytes.
    pub bytes: u64,
    /// How long the write took.
    pub took: Duration,
}

/// A line that was seen to be slow.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slow {
    /// Bytes a second that we send at most.
    rate: f64,
    /// When what was sent should have arrived.
    through_at: Duration,
    /// No faster rate is tried before.
    kept_until: Duration,
}

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The operator, who waits for it.
    Hand,
    /// The city, or time.
    World,
}

/// When to draw.
#[derive(Debug, Clone, Copy)]
pub struct Pacer {
    slot: Duration,
    drawn: Option<Duration>,
    slow: Option<Slow>,
    /// How long the last measured rate was kept; zero: the line was never slow.
    kept: Duration,
    dirty: bool,
    urgent: bool,
    /// When the alarms so far are paid for, [`ALARM`] each.
    alarms_paid_at: Duration,
}

impl Pacer {
    /// At most `fps` frames a second.
    #[must_use]
    pub fn new(fps: u32) -> Self {
        let slot = Duration::from_secs(1) / fps.clamp(1, 60);
        Self {
            slot,
            drawn: None,
            slow: None,
            kept: Duration::ZERO,
            dirty: true,
            urgent: true,
            alarms_paid_at: Duration::ZERO,
        }
    }

    /// Something happened.
    pub fn note(&mut self, effects: &Effects, cause: Cause, now: Duration) {
        self.dirty |= effects.dirty;
        if !effects.urgent || !effects.dirty || self.urgent {
            return;
        }
        self.urgent = match cause {
            Cause::Hand => true,
            Cause::World => self.alarms_paid_at < now + ALARMS_AT_ONCE,
        };
        if cause == Cause::World && self.urgent {
            self.alarms_paid_at = self.alarms_paid_at.max(now) + ALARM;
        }
    }

    /// When to draw; absent: nothing to draw.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let slot = self.drawn.map_or(Duration::ZERO, |drawn| drawn + self.slot);
        let through = self.slow.map_or(Duration::ZERO, |slow| slow.through_at);
        let urgent = through.saturating_sub(AHEAD).min(slot + URGENT_MAX);
        self.dirty.then(|| if self.urgent { urgent } else { slot.max(through) })
    }

    /// Drawn; `now` is when that began.
    pub fn done(&mut self, now: Duration, out: FrameOut) {
        (self.drawn, self.dirty, self.urgent) = (Some(now), false, false);
        self.slow = if out.took >= BLOCKED {
            Some(self.blocked(now + out.took, out))
        } else {
            self.slow.and_then(|slow| slow.passed(now, out.bytes))
        };
    }

    fn blocked(&mut self, now: Duration, out: FrameOut) -> Slow {
        let measured = bytes(out.bytes).max(GRAIN) / out.took.as_secs_f64();
        let stood_still = out.took >= STALL;
        let rate = match (stood_still, self.slow) {
            (true, Some(slow)) => slow.rate.min(AFTER_STALL),
            (true, None) => AFTER_STALL,
            (false, Some(slow)) => slow.rate.min(measured * SHARE),
            (false, None) => measured * SHARE,
        };
        let first = if stood_still { KEPT_AFTER_STALL } else { KEPT };
        self.kept = (self.kept * 2).clamp(first, KEPT_MAX);
        // A terminal that merely stood still drains in no time.
        let drain_max = if stood_still && self.slow.is_none() { DRAIN_AFTER_STALL } else { DRAIN_MAX };
        let drained = seconds(BUFFERS / measured).min(drain_max);
        Slow { rate: rate.max(SLOWEST), through_at: now + drained, kept_until: now + self.kept }
    }
}

impl Slow {
    /// After a frame that did not block; absent when the line is fast again.
    fn passed(self, now: Duration, sent: u64) -> Option<Self> {
        let rate = if now >= self.kept_until { self.rate * GROWTH } else { self.rate };
        let through_at = self.through_at.max(now) + seconds(bytes(sent) / rate);
        (rate < FAST).then_some(Self { rate, through_at, ..self })
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(DRAIN_MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a frame has far fewer than 2^52 bytes")]
fn bytes(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: FrameOut = FrameOut { bytes: 2_000, took: Duration::from_micros(90) };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn dirty(urgent: bool) -> Effects {
        Effects { dirty: true, urgent, ..Effects::default() }
    }

    #[test]
    fn the_first_change_is_drawn_at_once_and_the_next_at_the_slot() {
        let mut pacer = Pacer::new(10);
        pacer.done(ms(0), QUICK);
        assert_eq!(pacer.due(), None);
        pacer.note(&dirty(false), Cause::World, ms(10));
        assert_eq!(pacer.due(), Some(ms(100)));
        pacer.done(ms(500), QUICK);
        pacer.note(&dirty(false), Cause::World, ms(510));
        assert!(pacer.due() <= Some(ms(600)));
    }

    #[test]
    fn what_is_urgent_does_not_wait() {
        let mut pacer = Pacer::new(10);
        pacer.done(ms(500), QUICK);
        pacer.note(&dirty(true), Cause::World, ms(500));
        assert_eq!(pacer.due(), Some(Duration::ZERO));
        pacer.done(ms(501), QUICK);
        pacer.note(&Effects { urgent: true, ..Effects::default() }, Cause::Hand, ms(502));
        assert_eq!(pacer.due(), None, "a key that changes nothing draws nothing");
    }

    #[test]
    fn a_flood_of_alarms_is_drawn_at_the_slot_and_a_key_beside_it_at_once() {
        let mut pacer = Pacer::new(10);
        let mut at_once = 0;
        for n in 0..100 {
            let now = ms(5_000 + n * 50);
            pacer.note(&dirty(true), Cause::World, now);
            at_once += u32::from(pacer.urgent);
            pacer.done(now, QUICK);
        }
        assert!((16..=23).contains(&at_once), "{at_once} of 100 in 5 s");
        pacer.note(&dirty(true), Cause::Hand, ms(10_001));
        assert_eq!(pacer.due(), Some(Duration::ZERO));
    }

    /// A terminal behind a line: so many bytes a second, and buffers that take what it has not taken yet.
    struct Line {
        rate: f64,
        waiting: f64,
        at: Duration,
        /// Stands still until.
        still_until: Duration,
    }

    impl Line {
        fn new(rate: f64) -> Self {
            Self { rate, waiting: 0.0, at: Duration::ZERO, still_until: Duration::ZERO }
        }

        fn pass(&mut self, now: Duration) {
            let moving = now.saturating_sub(self.at.max(self.still_until));
            self.waiting = (self.waiting - self.rate * moving.as_secs_f64()).max(0.0);
            self.at = now;
        }

        /// Writes, and says how long that took.
        fn write(&mut self, now: Duration, sent: u64) -> FrameOut {
            self.pass(now);
            let too_many = (self.waiting + bytes(sent) - BUFFERS).max(0.0);
            let standing = if too_many > 0.0 { self.still_until.saturating_sub(now) } else { Duration::ZERO };
            let awaited = if too_many > 0.0 { too_many.max(GRAIN) } else { 0.0 };
            let took = standing + seconds(awaited / self.rate);
            self.pass(now + took);
            self.waiting += bytes(sent);
            FrameOut { bytes: sent, took }
        }

        /// When what was written last will be seen.
        fn seen_at(&self) -> Duration {
            self.at.max(self.still_until) + seconds(self.waiting / self.rate)
        }
    }

    /// A minute of changes every 50 ms: the worst age of the screen after the first fifteen seconds, in which the line is
    /// found to be slow, and the frames.
    fn worst_age(line: &mut Line, frame: u64, stall: impl Fn(Duration) -> Option<Duration>) -> (Duration, u32) {
        let (mut pacer, mut now) = (Pacer::new(10), Duration::ZERO);
        let (mut worst, mut frames) = (Duration::ZERO, 0);
        let (mut seen_until, mut fresh_at) = (Duration::ZERO, Duration::ZERO);
        while now < ms(60_000) {
            pacer.note(&dirty(false), Cause::World, now);
            line.still_until = stall(now).unwrap_or(line.still_until);
            if pacer.due().is_some_and(|due| due <= now) {
                let drawn = now;
                let out = line.write(now, frame);
                now += out.took;
                pacer.done(now, out);
                frames += 1;
                // Until this one is seen, the screen shows the one before.
                seen_until = line.seen_at();
                if drawn > ms(15_000) {
                    worst = worst.max(seen_until.saturating_sub(fresh_at));
                }
                fresh_at = drawn;
            }
            now += ms(50);
        }
        assert!(seen_until > Duration::ZERO);
        (worst, frames)
    }

    #[test]
    fn a_fast_line_has_every_slot() {
        let (worst, frames) = worst_age(&mut Line::new(1e6), 2_000, |_| None);
        assert!(frames > 550, "{frames}");
        assert!(worst < ms(200), "{worst:?}");
    }

    #[test]
    fn on_a_slow_line_the_screen_is_never_older_than_a_second_and_a_half() {
        for rate in [4_000.0, 8_000.0, 16_000.0] {
            let (worst, frames) = worst_age(&mut Line::new(rate), 1_200, |_| None);
            assert!(worst < ms(1_500), "{rate}: {worst:?}");
            assert!(frames > 60, "{rate}: {frames}");
        }
    }

    #[test]
    fn a_stall_is_followed_by_a_fresh_screen_within_a_second_and_a_half() {
        let every_eight_seconds =
            |now: Duration| (now.as_millis() % 8_000 < 50 && now > ms(1_000)).then(|| now + ms(2_000));
        for frame in [400, 800, 1_600] {
            let (worst, _) = worst_age(&mut Line::new(8_000.0), frame, every_eight_seconds);
            assert!(worst < ms(3_500), "{frame}: {worst:?}");
        }
    }

    #[test]
    fn a_fast_terminal_that_stutters_never_delays_a_key_by_more_than_a_second() {
        for (stutters, every, took) in [(6, 20_000, 60), (3, 5_000, 150), (1, 1_000, 400), (9, 3_000, 900)] {
            let mut pacer = Pacer::new(10);
            for n in 0..stutters {
                let now = ms(10_000 + n * every);
                pacer.done(now, FrameOut { bytes: 6_000, took: ms(took) });
                pacer.note(&dirty(true), Cause::Hand, now + ms(took));
                let waits = pacer.due().expect("dirty").saturating_sub(now + ms(took));
                assert!(waits <= ms(1_000), "{stutters} x {took} ms: {waits:?}");
            }
        }
    }

    #[test]
    fn a_terminal_that_stood_still_once_is_soon_as_fast_as_before() {
        let mut pacer = Pacer::new(10);
        pacer.done(ms(10_000), FrameOut { bytes: 2_000, took: ms(10_000) });
        assert!(pacer.slow.is_some());
        let mut now = ms(10_000);
        while pacer.slow.is_some() {
            pacer.note(&dirty(false), Cause::World, now);
            now = pacer.due().expect("dirty").max(now);
            pacer.done(now, QUICK);
        }
        assert!(now < ms(40_000), "{now:?}");
    }
}
