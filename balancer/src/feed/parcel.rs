//! A frame on its way to several readers: text that is made once, whoever asks first.
//!
//! A delta is small and becomes text where it is sent. A snapshot of 10,000 kitchens is 2 MB: its text is made on a thread
//! of its own, so that nobody who waits for an acknowledgement waits for a console that has just been opened. Never knows
//! who reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use protocol::feed::{Frame, KitchenInfo};
use tokio::sync::OnceCell;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// How many frames became text, and how long they were together.
#[derive(Debug, Default)]
pub(super) struct Counts {
    encodes: AtomicU64,
    bytes: AtomicU64,
}

impl Counts {
    pub(super) fn encodes(&self) -> u64 {
        self.encodes.load(Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(super) fn encode(&self, frame: &Frame) -> Utf8Bytes {
        let text = serde_json::to_string(frame).expect("a frame has text keys only");
        self.encodes.fetch_add(1, Relaxed);
        self.bytes.fetch_add(text.len() as u64, Relaxed);
        text.into()
    }
}

/// What a reader's task takes from its queue; a clone is a pointer.
#[derive(Debug, Clone)]
pub(crate) enum Parcel {
    /// A delta.
    Text(Utf8Bytes),
    /// A snapshot, shared by all who came in the same tick.
    Whole(Arc<Whole>),
}

/// A snapshot, and its text once somebody has asked for it.
#[derive(Debug)]
pub(crate) struct Whole {
    frame: Frame,
    /// What the kitchens are: copied into the frame where its text is made.
    cards: Vec<Arc<KitchenInfo>>,
    text: OnceCell<Utf8Bytes>,
    counts: Arc<Counts>,
}

impl Whole {
    pub(super) fn new(frame: Frame, cards: Vec<Arc<KitchenInfo>>, counts: Arc<Counts>) -> Self {
        Self { frame, cards, text: OnceCell::new(), counts }
    }

    fn encode(&self) -> Utf8Bytes {
        let registered = self.cards.iter().map(|card| KitchenInfo::clone(card)).collect();
        self.counts.encode(&Frame { registered, ..self.frame.clone() })
    }
}

impl Parcel {
    /// As it goes over the wire.
    pub(crate) async fn text(self) -> Utf8Bytes {
        match self {
            Self::Text(text) => text,
            Self::Whole(whole) => {
                let shared = Arc::clone(&whole);
                let encode = move || shared.encode();
                let made = whole.text.get_or_init(|| async {
                    // It fails only when the process ends: then nobody reads it.
                    tokio::task::spawn_blocking(encode).await.unwrap_or_default()
                });
                made.await.clone()
            }
        }
    }
}
