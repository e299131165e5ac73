//! What may come in: commands in words, so that a story that fails reads as one. Never decides what they lead to.

use proptest::prelude::*;

/// How many kitchens there are.
pub const KITCHENS: usize = 4;
/// Idempotency keys that stories use: few, so that they meet.
const KEYS: u8 = 6;

/// Which lease an agent names.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// The newest lease of the n-th order that this kitchen holds.
    Held(u8),
    /// The newest lease of the n-th order of all, whoever has it.
    Newest(u8),
    /// A lease that was once given for the n-th order.
    Old(u8),
    /// One that nobody ever gave.
    Invented(u64, u64),
}

/// What an agent says about a lease.
#[derive(Debug, Clone, Copy)]
pub enum Report {
    Started,
    StageDone(u8),
    Completed,
    Failed,
    Declined,
    Closing,
    Released,
    Kept,
    Unknown,
    Paused(u8),
    Stays,
}

/// One input, or a burst of them.
#[derive(Debug, Clone)]
pub enum Command {
    /// An order that is being cooked is to move, and both kitchens answer all they are asked.
    HandOver {
        order: u8,
        to: u8,
    },
    /// An order fails wherever it comes to, for a while.
    Burn(u8),
    Submit {
        dish: u8,
        high: bool,
        key: Option<u8>,
    },
    Cancel(u8),
    Release(u8),
    Migrate {
        order: u8,
        to: u8,
    },
    Cordon(u8),
    Uncordon(u8),
    Drain {
        kitchen: u8,
        deadline_ms: Option<u16>,
        force: bool,
    },
    Gone {
        kitchen: u8,
        right: bool,
    },
    Policy {
        steal: bool,
        migrate: bool,
        handover: bool,
        cycle_ms: u64,
    },
    /// A new process connects.
    Join(u8),
    /// The same process connects again.
    Rejoin(u8),
    /// The connection breaks.
    Leave(u8),
    /// A heartbeat that names all it holds, or nothing.
    Beat {
        kitchen: u8,
        all: bool,
    },
    Report {
        kitchen: u8,
        name: Name,
        report: Report,
    },
    /// An answer to the oldest question of the balancer, as a good agent would give it, or the opposite.
    Answer {
        kitchen: u8,
        good: bool,
    },
    /// A place is kept, or not.
    Reserve {
        kitchen: u8,
        order: u8,
        yes: bool,
    },
    Goodbye(u8),
    /// Time passes; everybody who is connected beats, if `beats`.
    Pass {
        ms: u16,
        beats: bool,
    },
    Disk(u8),
    /// The balancer dies and another one replays the ledger.
    Restart,
}

/// One kitchen in twenty is none.
fn kitchen() -> impl Strategy<Value = u8> {
    prop_oneof![19 => 0..KITCHENS as u8, 1 => Just(KITCHENS as u8)]
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        9 => any::<u8>().prop_map(Name::Held),
        1 => any::<u8>().prop_map(Name::Newest),
        1 => any::<u8>().prop_map(Name::Old),
        1 => (0..40_u64, 0..40_u64).prop_map(|(order, counter)| Name::Invented(order, counter)),
    ]
}

fn report() -> impl Strategy<Value = Report> {
    prop_oneof![
        4 => Just(Report::Started),
        3 => (0..4_u8).prop_map(Report::StageDone),
        3 => Just(Report::Completed),
        6 => Just(Report::Failed),
        1 => Just(Report::Declined),
        1 => Just(Report::Closing),
        2 => Just(Report::Released),
        1 => Just(Report::Kept),
        1 => Just(Report::Unknown),
        2 => (0..4_u8).prop_map(Report::Paused),
        1 => Just(Report::Stays),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let key = proptest::option::weighted(0.6, 0..KEYS);
    let submit = (0..2_u8, any::<bool>(), key).prop_map(|(dish, high, key)| Command::Submit { dish, high, key });
    let migrate = (any::<u8>(), kitchen()).prop_map(|(order, to)| Command::Migrate { order, to });
    let deadline = proptest::option::of(0..4_000_u16);
    let drain = (kitchen(), deadline, any::<bool>()).prop_map(|(kitchen, deadline_ms, force)| Command::Drain {
        kitchen,
        deadline_ms,
        force,
    });
    let policy = (any::<bool>(), any::<bool>(), any::<bool>(), 50..800_u64)
        .prop_map(|(steal, migrate, handover, cycle_ms)| Command::Policy { steal, migrate, handover, cycle_ms });
    let said =
        (kitchen(), name(), report()).prop_map(|(kitchen, name, report)| Command::Report { kitchen, name, report });
    let reserve = (kitchen(), any::<u8>(), any::<bool>()).prop_map(|(kitchen, order, yes)| Command::Reserve {
        kitchen,
        order,
        yes,
    });
    prop_oneof![
        12 => submit,
        2 => any::<u8>().prop_map(Command::Cancel),
        2 => any::<u8>().prop_map(Command::Release),
        6 => migrate,
        3 => (any::<u8>(), kitchen()).prop_map(|(order, to)| Command::HandOver { order, to }),
        1 => any::<u8>().prop_map(Command::Burn),
        2 => kitchen().prop_map(Command::Cordon),
        3 => kitchen().prop_map(Command::Uncordon),
        3 => drain,
        1 => (kitchen(), any::<bool>()).prop_map(|(kitchen, right)| Command::Gone { kitchen, right }),
        1 => policy,
        6 => kitchen().prop_map(Command::Join),
        4 => kitchen().prop_map(Command::Rejoin),
        2 => kitchen().prop_map(Command::Leave),
        4 => (kitchen(), any::<bool>()).prop_map(|(kitchen, all)| Command::Beat { kitchen, all }),
        36 => said,
        8 => (kitchen(), proptest::bool::weighted(0.8)).prop_map(|(kitchen, good)| Command::Answer { kitchen, good }),
        1 => reserve,
        1 => kitchen().prop_map(Command::Goodbye),
        6 => (1..2_500_u16, proptest::bool::weighted(0.8)).prop_map(|(ms, beats)| Command::Pass { ms, beats }),
        2 => prop_oneof![5 => Just(0_u8), 1 => Just(1), 1 => Just(2)].prop_map(Command::Disk),
        1 => Just(Command::Restart),
    ]
}

/// Up to so many commands.
pub fn story(most: usize) -> impl Strategy<Value = Vec<Command>> {
    proptest::collection::vec(command(), 1..most)
}
