//! What is kept of an order that memory has forgotten: enough to answer its key once more, and no more than that.
//!
//! Owns the two fingerprints and the layout of a note. Keys are told apart by 128 bits of BLAKE3: among 200 million keys
//! the odds that any two meet are one in 10^22, far below those of a broken memory chip. Never reads or writes a file.

use balancer_core::KitchenNo;
use balancer_core::input::NewOrder;
use balancer_core::state::{KeyTerm, Order};
use protocol::city::ZoneNo;
use protocol::{Epoch, FencingToken, Item, OrderId, OrderState, Position, Priority, WallTime};

/// 128 bits of a key's BLAKE3 hash, ordered as the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; Self::BYTES]);

impl Fingerprint {
    /// Bytes of one.
    pub const BYTES: usize = 16;

    /// Of an idempotency key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(first(&blake3::hash(key.as_bytes())))
    }

    /// The half that says where it stands: in a sorted file, and in a filter.
    pub(super) fn place(&self) -> u64 {
        u64::from_be_bytes(self.0[..8].try_into().expect("8 of 16 bytes"))
    }

    /// The other half.
    pub(super) fn rest(&self) -> u64 {
        u64::from_be_bytes(self.0[8..].try_into().expect("8 of 16 bytes"))
    }
}

/// A fingerprint is as good as any hash of it.
impl std::hash::Hash for Fingerprint {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.place());
    }
}

/// 64 bits of the BLAKE3 hash of what was asked for: another body under the same key is told apart.
#[must_use]
pub fn body_of(order: &NewOrder) -> u64 {
    body(&order.items, order.zone, order.priority, order.customer.as_deref())
}

fn body(items: &[Item], zone: ZoneNo, priority: Priority, customer: Option<&str>) -> u64 {
    let mut bytes = [0; BODY_MAX];
    let mut length = 0;
    let mut put = |more: &[u8]| {
        bytes[length..length + more.len()].copy_from_slice(more);
        length += more.len();
    };
    for item in items.iter().take(protocol::order::ITEMS_MAX) {
        put(&item.dish.0.to_le_bytes());
        put(&item.quantity.to_le_bytes());
    }
    put(&zone.0.to_le_bytes());
    put(&[u8::from(priority == Priority::High), u8::from(customer.is_some())]);
    put(customer.map_or(&[], |name| &name.as_bytes()[..name.len().min(protocol::order::CUSTOMER_MAX)]));
    u64::from_le_bytes(first(&blake3::hash(&bytes[..length])))
}

/// The longest body: its dishes, zone, priority and customer.
const BODY_MAX: usize = 4 * protocol::order::ITEMS_MAX + 4 + protocol::order::CUSTOMER_MAX;

fn first<const N: usize>(hash: &blake3::Hash) -> [u8; N] {
    hash.as_bytes()[..N].try_into().expect("a hash is longer")
}

/// The last word about an order with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Of its key.
    pub key: Fingerprint,
    /// Of what was asked for.
    pub body: u64,
    /// Which order.
    pub order: OrderId,
    /// When it was accepted: its key is remembered from here on.
    pub placed_at: WallTime,
    /// Where its acceptance stands.
    pub position: Position,
    /// Its newest right.
    pub token: FencingToken,
    /// Who had it last.
    pub kitchen: Option<KitchenNo>,
    /// Its leases.
    pub attempt: u16,
    /// How it ended.
    pub state: OrderState,
}

impl Note {
    /// Bytes of one behind its key's fingerprint.
    pub(super) const BYTES: usize = 52;

    /// Of an order that has ended; none when it has no key.
    #[must_use]
    pub fn of(order: &Order) -> Option<Self> {
        Some(Self {
            key: Fingerprint::of(order.key.as_deref()?),
            body: body(&order.items, order.zone, order.priority, order.customer.as_deref()),
            order: order.id,
            placed_at: order.placed_at,
            position: order.position,
            token: order.token,
            kitchen: order.kitchen,
            attempt: order.attempt,
            state: order.state,
        })
    }

    /// Whether its key is still in its time.
    pub(crate) fn is_fresh(&self, term: KeyTerm, now: WallTime) -> bool {
        !term.is_over(self.placed_at, now)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let before = out.len();
        out.extend_from_slice(&self.body.to_le_bytes());
        out.extend_from_slice(&self.order.0.to_le_bytes());
        out.extend_from_slice(&self.placed_at.0.to_le_bytes());
        out.extend_from_slice(&self.position.0.to_le_bytes());
        out.extend_from_slice(&self.token.counter.to_le_bytes());
        out.extend_from_slice(&self.token.epoch.0.to_le_bytes());
        out.extend_from_slice(&self.kitchen.map_or(u32::MAX, |kitchen| kitchen.0).to_le_bytes());
        out.extend_from_slice(&self.attempt.to_le_bytes());
        let state = OrderState::ALL.iter().position(|state| *state == self.state).unwrap_or_default();
        out.extend_from_slice(&[u8::try_from(state).unwrap_or_default(), 0]);
        debug_assert_eq!(out.len() - before, Self::BYTES);
    }

    /// None when it is not what was written.
    pub(super) fn read(key: Fingerprint, bytes: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let int = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        Some(Self {
            key,
            body: long(0)?,
            order: OrderId(long(8)?),
            placed_at: WallTime(long(16)?),
            position: Position(long(24)?),
            token: FencingToken { epoch: Epoch(int(40)?), counter: long(32)? },
            kitchen: Some(int(44)?).filter(|kitchen| *kitchen != u32::MAX).map(KitchenNo),
            attempt: u16::from_le_bytes(bytes.get(48..50)?.try_into().ok()?),
            state: *OrderState::ALL.get(usize::from(*bytes.get(50)?))?,
        })
    }
}
