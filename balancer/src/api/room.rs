//! Room in memory for what is on its way in and out, over all connections.
//!
//! Owns both bounds. What is small is not counted: the number of connections bounds it. Never closes a connection: a peer
//! that takes nothing is given up by its socket, and its room comes back then.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Answers that wait to be taken, in bytes: a hundred pages of 1,000 orders.
const OUT_MAX: usize = 64 * 1024 * 1024;
/// Bodies that have come or are coming, in bytes: 32 of the largest batches.
const IN_MAX: usize = 128 * 1024 * 1024;
/// What is shorter is not counted, in bytes: 12,000 connections of it are 190 MiB.
const SMALL: usize = 16 * 1024;
/// Bytes of one permit.
const UNIT: usize = 1024;
/// For so long room is waited for: peers that read free it within milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

static OUT: Semaphore = Semaphore::const_new(OUT_MAX / UNIT);
static IN: Semaphore = Semaphore::const_new(IN_MAX / UNIT);

/// A part of the room, until it is dropped; none for what is small.
#[derive(Debug, Default)]
pub(crate) struct Room(Option<SemaphorePermit<'static>>);

/// Room for a body of so many bytes.
pub(crate) async fn incoming(bytes: usize) -> Option<Room> {
    take(&IN, bytes).await
}

/// Room for an answer of so many bytes.
pub(crate) async fn outgoing(bytes: usize) -> Option<Room> {
    take(&OUT, bytes).await
}

async fn take(room: &'static Semaphore, bytes: usize) -> Option<Room> {
    if bytes <= SMALL {
        return Some(Room::default());
    }
    let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
    let taken = tokio::time::timeout(PATIENCE, room.acquire_many(units)).await;
    Some(Room(Some(taken.ok()?.ok()?)))
}

struct Held {
    bytes: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Room {
    /// The bytes with their room, which comes back when the last of them has been written.
    pub(crate) fn around(self, bytes: Bytes) -> Bytes {
        if self.0.is_none() { bytes } else { Bytes::from_owner(Held { bytes, _room: self }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_large_has_its_room_until_it_is_dropped() {
        let small = outgoing(SMALL).await.expect("not counted");
        assert!(small.around(Bytes::from_static(b"x")).len() == 1 && OUT.available_permits() == OUT_MAX / UNIT);
        let half = OUT_MAX / 2;
        let first = outgoing(half).await.expect("room").around(Bytes::from_static(b"first"));
        let second = outgoing(half).await.expect("room");
        assert!(outgoing(SMALL + 1).await.is_none(), "full, also after a while");
        drop(first.clone());
        assert!(outgoing(SMALL + 1).await.is_none(), "somebody still has it");
        drop(first);
        assert!(outgoing(SMALL + 1).await.is_some());
        drop(second);
        assert_eq!(OUT.available_permits(), OUT_MAX / UNIT);
    }
}
