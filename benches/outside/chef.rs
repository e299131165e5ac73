//! Distributed Chef through its real protocol: orders over `POST /api/v1/orders` (or `/batch`) with real
//! order bodies of 256 bytes, kitchens over the binary WebSocket link, with the frames of the product's own
//! crate `protocol`. A kitchen here does what the real agent does with a dish of 0 ms: one `Completed` for each
//! `Cook`, all of one read in one frame; an order is done when `Settled` says that its completion is durable.
//!
//! kind: `post` (one order a request) or `bulk` (up to `window` orders a request), then, after commas:
//! `key` an idempotency key in each order, `cap=N` places of a kitchen (default 20000), `stations=N`,
//! `full` also `Started` and `StageDone`s as an agent sends them when stages take time,
//! `hold` kitchens take orders and never finish them (for memory and restarts), `beat=MS` between heartbeats.
use super::super::engine::{Conn, Ctx};
use super::super::payload::push_num;
use super::httpws::ws_frame;
use memchr::memmem;
use protocol::link::{self, AgentMessage, BalancerMessage, Hello, LeaseName};
use std::cell::RefCell;
use std::rc::Rc;

const ZONES: [&str; 6] = ["Downtown", "Harbor", "Uptown", "Southside", "West", "Airport"];
const DISHES: [&str; 8] = ["pizza", "pasta", "burger", "sushi", "ramen", "curry", "tacos", "salad"];
/// In the table: the kitchen was faster than the receipt.
const DONE: u64 = 1 << 63;

fn opt<'a>(kind: &'a str, key: &str) -> Option<&'a str> {
    kind.split(',').find_map(|p| p.strip_prefix(key))
}

/// When each order was sent, by its id.
#[derive(Default)]
pub struct Table {
    sent: Vec<u64>,
}

impl Table {
    fn at(&mut self, id: u64) -> &mut u64 {
        let i = id as usize;
        if i >= self.sent.len() {
            self.sent.resize(i + 65_536, 0);
        }
        &mut self.sent[i]
    }
}

thread_local! {
    static TABLE: Rc<RefCell<Table>> = Rc::default();
}

fn response(inp: &[u8]) -> Option<(usize, usize, u32)> {
    let h = memmem::find(inp, b"\r\n\r\n")?;
    let status = inp.get(9..12).map(|s| super::super::payload::parse_num(s) as u32).unwrap_or(0);
    let at = memmem::find(&inp[..h], b"content-length: ")? + 16;
    let len = super::super::payload::parse_num(&inp[at..h]) as usize;
    (inp.len() >= h + 4 + len).then_some((h + 4, h + 4 + len, status))
}

pub struct Producer {
    window: usize,
    bulk: bool,
    key: bool,
    head: Vec<u8>,
    fly: Vec<u64>,
    pend: Vec<u8>,
    pend_t: Vec<u64>,
    number: u64,
    order: Vec<u8>,
    table: Rc<RefCell<Table>>,
    run: u64,
}

impl Producer {
    pub fn new(i: usize, window: usize, kind: &str) -> Self {
        let bulk = kind.starts_with("bulk");
        let path = if bulk { "/api/v1/orders/batch" } else { "/api/v1/orders" };
        Producer {
            window,
            bulk,
            key: kind.split(',').any(|p| p == "key"),
            head: format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ").into_bytes(),
            fly: vec![],
            pend: vec![],
            pend_t: vec![],
            number: i as u64,
            order: vec![],
            table: TABLE.with(Rc::clone),
            run: super::super::sys::now_ns(),
        }
    }

    /// An order of 256 bytes; dishes and zones change from one to the next.
    fn make(&mut self) {
        let n = self.number;
        self.number += 7;
        let o = &mut self.order;
        o.clear();
        o.extend_from_slice(b"{\"items\":[");
        let items = if self.key { 2 } else { 4 };
        for i in 0..items {
            if i > 0 {
                o.push(b',');
            }
            o.extend_from_slice(b"{\"dish\":\"");
            o.extend_from_slice(DISHES[((n + i) % 8) as usize].as_bytes());
            o.extend_from_slice(b"\",\"quantity\":");
            push_num(o, 1 + (n + i) % 3);
            o.push(b'}');
        }
        o.extend_from_slice(b"],\"zone\":\"");
        o.extend_from_slice(ZONES[(n % 6) as usize].as_bytes());
        o.extend_from_slice(b"\",\"priority\":\"normal\",");
        if self.key {
            o.extend_from_slice(b"\"key\":\"");
            let at = o.len();
            push_num(o, self.run);
            o.push(b'-');
            push_num(o, n);
            while o.len() < at + 36 {
                o.push(b'-');
            }
            o.extend_from_slice(b"\",");
        }
        o.extend_from_slice(b"\"customer\":\"c-");
        let at = o.len();
        while o.len() < 254 && o.len() - at < 60 {
            o.push(b'x');
        }
        o.push(b'"');
        while o.len() < 255 {
            o.push(b' ');
        }
        o.push(b'}');
    }

    fn post(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        push_num(out, self.pend.len() as u64);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.pend);
        self.pend.clear();
    }

    fn took(&mut self, id: u64, t0: u64, cx: &mut Ctx) {
        cx.on_ack(t0);
        let before = {
            let mut table = self.table.borrow_mut();
            std::mem::replace(table.at(id), t0)
        };
        if before & DONE != 0 {
            cx.on_done(id, t0);
        }
    }
}

impl Conn for Producer {
    fn open(&mut self, _out: &mut Vec<u8>) {}
    fn ready(&self) -> bool {
        true
    }
    fn room(&self) -> usize {
        if self.bulk {
            self.window - self.pend_t.len()
        } else {
            1 - self.fly.len()
        }
    }
    fn send(&mut self, _body: &[u8], t0: u64, out: &mut Vec<u8>) {
        self.make();
        if self.bulk {
            self.pend.extend_from_slice(if self.pend.is_empty() { b"{\"orders\":[" } else { b"," });
            self.pend.extend_from_slice(&self.order);
            self.pend_t.push(t0);
        } else {
            std::mem::swap(&mut self.pend, &mut self.order);
            self.post(out);
            self.fly.push(t0);
        }
    }
    fn flush(&mut self, out: &mut Vec<u8>, _cx: &mut Ctx) {
        if self.bulk && self.fly.is_empty() && !self.pend_t.is_empty() {
            self.pend.extend_from_slice(b"]}");
            self.post(out);
            std::mem::swap(&mut self.fly, &mut self.pend_t);
        }
    }
    fn data(&mut self, inp: &[u8], _out: &mut Vec<u8>, cx: &mut Ctx) -> usize {
        let mut at = 0;
        while let Some((b, e, st)) = response(&inp[at..]) {
            let body = &inp[at + b..at + e];
            if !(200..300).contains(&st) {
                cx.refuse(self.fly.len() as u64, &String::from_utf8_lossy(&inp[at..at + e]));
                self.fly.clear();
            }
            let fly = std::mem::take(&mut self.fly);
            let mut n = 0;
            for p in memmem::find_iter(body, b"\"id\":\"o") {
                let id = super::super::payload::parse_num(&body[p + 7..]);
                let Some(t0) = fly.get(n).copied() else { break };
                n += 1;
                self.took(id, t0, cx);
            }
            if n < fly.len() {
                cx.refuse((fly.len() - n) as u64, &String::from_utf8_lossy(&body[..body.len().min(300)]));
            }
            self.fly = fly;
            self.fly.clear();
            at += e;
        }
        at
    }
}

pub struct Worker {
    i: usize,
    cap: u32,
    stations: u32,
    full: bool,
    hold: bool,
    open: bool,
    welcomed: bool,
    seq: u64,
    beat_ns: u64,
    next_beat: u64,
    held: Vec<LeaseName>,
    table: Rc<RefCell<Table>>,
    say: Vec<AgentMessage>,
}

impl Worker {
    pub fn new(i: usize, kind: &str) -> Self {
        let number = |key: &str, d: u64| opt(kind, key).and_then(|v| v.parse().ok()).unwrap_or(d);
        let cap = number("cap=", 20_000) as u32;
        Worker {
            i,
            cap,
            stations: number("stations=", u64::from(cap)) as u32,
            full: kind.split(',').any(|p| p == "full"),
            hold: kind.split(',').any(|p| p == "hold"),
            open: false,
            welcomed: false,
            seq: 0,
            beat_ns: number("beat=", 300) * 1_000_000,
            next_beat: 0,
            held: vec![],
            table: TABLE.with(Rc::clone),
            say: vec![],
        }
    }

    fn hello(&self) -> AgentMessage {
        let i = self.i;
        let specialties = (0..3).map(|k| DISHES[(i * 3 + k) % 8].to_string()).collect();
        AgentMessage::Hello(Box::new(Hello {
            kitchen: format!("bench_{i}").parse().expect("an id"),
            name: format!("Bench {i}"),
            zone: ZONES[i % 6].to_string(),
            capacity: self.cap,
            stations: self.stations,
            specialties,
            session: super::super::sys::now_ns() ^ (i as u64) << 40,
            pid: std::process::id(),
            version: "bench".into(),
            speed_milli: 1_000_000,
            stage_timeout_ms: None,
        }))
    }

    fn speak(&mut self, out: &mut Vec<u8>) {
        if self.say.is_empty() {
            return;
        }
        for frame in link::frames(&self.say) {
            let n = frame.len();
            out.push(0x82);
            if n < 126 {
                out.push(0x80 | n as u8);
            } else if n < 65536 {
                out.push(0x80 | 126);
                out.extend_from_slice(&(n as u16).to_be_bytes());
            } else {
                out.push(0x80 | 127);
                out.extend_from_slice(&(n as u64).to_be_bytes());
            }
            out.extend_from_slice(&[0, 0, 0, 0]); // a mask of zero
            out.extend_from_slice(&frame);
        }
        self.say.clear();
    }
}

impl Conn for Worker {
    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            format!("GET {} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", link::PATH).as_bytes(),
        );
    }
    fn ready(&self) -> bool {
        self.welcomed
    }
    fn wants_tick(&self) -> bool {
        true
    }
    fn tick(&mut self, out: &mut Vec<u8>, cx: &mut Ctx) {
        if !self.welcomed || cx.now < self.next_beat {
            return;
        }
        self.next_beat = (self.next_beat + self.beat_ns).max(cx.now);
        if self.held.is_empty() {
            self.seq += 1;
            self.say.push(AgentMessage::Heartbeat { seq: self.seq, held: vec![] });
        }
        for part in self.held.chunks(link::HEARTBEAT_LEASES_MAX) {
            self.seq += 1;
            self.say.push(AgentMessage::Heartbeat { seq: self.seq, held: part.to_vec() });
        }
        self.speak(out);
    }
    fn data(&mut self, inp: &[u8], out: &mut Vec<u8>, cx: &mut Ctx) -> usize {
        let mut at = 0;
        if !self.open {
            let Some(h) = memmem::find(inp, b"\r\n\r\n") else { return 0 };
            if !inp.starts_with(b"HTTP/1.1 101") {
                cx.fail(&String::from_utf8_lossy(inp));
                return inp.len();
            }
            self.open = true;
            at = h + 4;
            self.say.push(self.hello());
        }
        while let Some((e, op, p)) = ws_frame(inp, at) {
            at = e;
            if op == 9 {
                out.extend_from_slice(&[0x8a, 0x80, 0, 0, 0, 0]);
                continue;
            }
            if op != 2 {
                cx.fail("a frame that is not binary");
                continue;
            }
            let messages = match link::decode::<BalancerMessage>(p) {
                Ok(messages) => messages,
                Err(error) => {
                    cx.fail(&error.to_string());
                    continue;
                }
            };
            for message in messages {
                match message {
                    BalancerMessage::Welcome(welcome) => {
                        self.welcomed = true;
                        if self.beat_ns == 300_000_000 {
                            self.beat_ns = u64::from(welcome.timing.heartbeat_ms) * 1_000_000;
                        }
                        // agents do not beat in step
                        self.seq += 1;
                        self.say.push(AgentMessage::Heartbeat { seq: self.seq, held: vec![] });
                        self.next_beat = cx.now + self.beat_ns * (self.i as u64 % 64) / 64;
                    }
                    BalancerMessage::Cook { cook, .. } => {
                        let lease = cook.lease;
                        if self.hold {
                            self.held.push(lease);
                            continue;
                        }
                        if self.full {
                            self.say.push(AgentMessage::Started { lease, stage: 0 });
                            self.say.push(AgentMessage::StageDone { lease, stage: 0 });
                            self.say.push(AgentMessage::StageDone { lease, stage: 1 });
                        }
                        self.say.push(AgentMessage::Completed { lease, cooked_ms: 0 });
                    }
                    BalancerMessage::Settled { lease, stale } => {
                        if stale {
                            cx.fail("a completion was refused as stale");
                            continue;
                        }
                        let id = lease.order.0;
                        let t0 = {
                            let mut table = self.table.borrow_mut();
                            let cell = table.at(id);
                            let t0 = *cell;
                            if t0 == 0 {
                                *cell = DONE;
                            }
                            t0
                        };
                        if t0 != 0 {
                            cx.on_done(id, t0 & !DONE);
                        }
                    }
                    BalancerMessage::Release(lease) => {
                        // asked for before it was begun; here everything is begun at once
                        let why = if self.hold { link::KeepReason::Started } else { link::KeepReason::Finished };
                        self.say.push(AgentMessage::ReleaseRefused { lease, why });
                    }
                    BalancerMessage::Renewed { lost, .. } => {
                        if !lost.is_empty() {
                            self.held.retain(|l| !lost.contains(l));
                        }
                    }
                    BalancerMessage::Stop(lease) => self.held.retain(|l| *l != lease),
                    BalancerMessage::Refused(why) => cx.fail(&why.to_string()),
                    BalancerMessage::Reserve { order, .. } => {
                        self.say.push(AgentMessage::ReserveRefused { order, why: link::DeclineReason::Full })
                    }
                    BalancerMessage::Handover { lease, .. } => {
                        self.say.push(AgentMessage::HandoverRefused { lease, why: link::StayReason::NearlyDone })
                    }
                    BalancerMessage::Unreserve { .. } | BalancerMessage::Resume(_) => {}
                }
            }
        }
        self.speak(out);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn an_order_is_256_bytes_of_what_the_product_accepts() {
        for kind in ["post", "post,key"] {
            let mut p = Producer::new(0, 1, kind);
            for _ in 0..100 {
                p.make();
                assert_eq!(p.order.len(), 256, "{}", String::from_utf8_lossy(&p.order));
            }
        }
    }
}
