//! Every kind of violation, once each, in a dump that is otherwise sound: a judge that misses one is no judge.

use super::*;

/// `event order token`, as in `leased 1 1.2 recover`; positions and the epoch are counted on.
fn rows(text: &[&str]) -> Vec<Row> {
    let (mut rows, mut epoch) = (Vec::new(), 0);
    for line in text {
        let mut words = line.split(' ');
        let event = words.next().expect("an event").to_owned();
        epoch += u64::from(event == "epoch_started");
        let order = words.next().and_then(|word| word.parse().ok());
        let third = words.next();
        let token = third.and_then(|word| word.split_once('.')).map(|(epoch, counter)| Token {
            epoch: epoch.parse().expect("a number"),
            counter: counter.parse().expect("a number"),
        });
        let key = third.filter(|_| event == "accepted").map(str::to_owned);
        let kind = words.next().map(str::to_owned);
        let position = rows.len() as u64 + 1;
        rows.push(Row { position, epoch, event, order, token, key, kind, ..Row::default() });
    }
    rows
}

const SOUND: [&str; 9] = [
    "epoch_started",
    "accepted 1 a",
    "leased 1 1.1 dispatch",
    "started 1 1.1",
    "lease_lost 1 1.1",
    "epoch_started",
    "leased 1 2.2 recover",
    "stale_refused 1 1.1",
    "completed 1 2.2",
];

fn sent(key: &str) -> Line {
    Line::Sent { at: 1, key: key.into(), body: "b".into(), attempt: 1, url: "u".into() }
}

fn got(key: &str, order: u64, position: u64) -> Line {
    let (order, position) = (Some(format!("o{order}")), Some(position));
    Line::Got { at: 2, key: key.into(), attempt: 1, status: Some(201), order, position, why: None }
}

fn proof() -> Proof {
    Proof { position: 9, accepted: 1, completed: 1, stale_refused: 1, ..Proof::default() }
}

fn judge(rows: &[Row], record: &[Line], proof: Proof) -> Verdict {
    let mut promises = Promises::default();
    record.iter().for_each(|line| promises.line(line));
    let mut checker = Checker::new(promises, proof);
    rows.iter().for_each(|row| checker.row(row));
    checker.finish()
}

/// The sound story with one line changed must be called wrong, with these words.
fn expect(change: impl FnOnce(&mut Vec<Row>), words: &str) {
    let mut changed = rows(&SOUND);
    change(&mut changed);
    found(&judge(&changed, &[sent("a"), got("a", 1, 2)], proof()), words);
}

fn found(verdict: &Verdict, words: &str) {
    let told = &verdict.violations.first;
    assert!(told.iter().any(|line| line.contains(words)), "`{words}` not in {told:#?}");
}

/// Puts a row behind the last, at the next position.
fn append(rows: &mut Vec<Row>, line: &str) {
    let last = rows.last().expect("not empty").clone();
    let mut more = self::rows(&[line]);
    let row = more.pop().expect("one row");
    rows.push(Row { position: last.position + 1, epoch: last.epoch, ..row });
}

#[test]
fn a_sound_story_is_sound() {
    let verdict = judge(&rows(&SOUND), &[sent("a"), got("a", 1, 2), got("a", 1, 2)], proof());
    assert_eq!(verdict.violations, Violations::default());
    assert_eq!((verdict.acknowledged, verdict.lost, verdict.twice, verdict.epoch), (1, 0, 0, 2));
}

#[test]
fn an_acknowledged_order_that_is_not_in_the_ledger_is_lost() {
    let verdict = judge(&rows(&SOUND), &[sent("a"), got("a", 1, 2), sent("b"), got("b", 2, 7)], proof());
    found(&verdict, "o2 was acknowledged and is not in the ledger");
    assert_eq!(verdict.lost, 1);
}

#[test]
fn an_order_that_never_ends_or_ends_twice_is_found() {
    expect(|rows| rows[8].event = "feed".into(), "o1 has not ended");
    expect(|rows| append(rows, "cancelled 1"), "I1: position 10: o1 ends a second time");
    expect(|rows| append(rows, "requeued 1"), "was not in quarantine");
    expect(|rows| append(rows, "started 7 2.2"), "I3: position 10: o7 started under token 2.2");
    expect(|rows| append(rows, "cancelled 7"), "I1: position 10: o7 cancelled of an order that was never accepted");
}

#[test]
fn two_acceptances_of_an_order_or_a_key_are_found() {
    expect(|rows| append(rows, "accepted 1 z"), "I1: position 10: o1 was accepted twice");
    expect(|rows| append(rows, "accepted 2 a"), "I2: position 10: o2 was accepted under a, the key of o1");
    expect(|rows| append(rows, "accepted 2 z"), "which nobody sent");
}

#[test]
fn answers_that_contradict_each_other_are_found() {
    let judge = |more: Line| judge(&rows(&SOUND), &[sent("a"), got("a", 1, 2), more], proof());
    found(&judge(got("a", 3, 2)), "I2: a was answered with o1 and with o3");
    found(&judge(got("a", 1, 5)), "I6: a was said to stand at 2 and at 5");
    let without =
        Line::Got { at: 2, key: "a".into(), attempt: 1, status: Some(200), order: None, position: Some(2), why: None };
    found(&judge(without), "a 2xx without an order");
}

#[test]
fn a_completion_under_an_old_token_or_a_second_one_is_found() {
    expect(
        |rows| rows[8].token = rows[2].token,
        "I3: position 9: o1 completed under token 1.1, which is not its lease",
    );
    expect(|rows| append(rows, "completed 1 2.2"), "I3: o1 was completed 2 times");
    expect(|rows| rows[7].token = Some(Token { epoch: 2, counter: 2 }), "the result of the current lease was refused");
}

#[test]
fn tokens_that_do_not_grow_or_have_another_epoch_are_found() {
    expect(|rows| rows[6].token = rows[2].token, "I4: position 7: o1 token 1.1 is not above every earlier one");
    expect(|rows| rows[6].token = Some(Token { epoch: 3, counter: 9 }), "I4: position 7: o1 token 3.9 in epoch 2");
}

#[test]
fn two_holders_at_once_are_found() {
    expect(|rows| rows[4].event = "feed".into(), "I3: position 7: o1 is leased while another kitchen holds it");
    expect(|rows| rows[6].kind = Some("handover".into()), "is moved, but nobody holds it");
    expect(|rows| append(rows, "leased 1 2.3 retry"), "is leased after its end");
}

/// An order that is set aside behind these lines, with the counts that follow.
fn aside(lines: &[&str]) -> Verdict {
    let rows = rows(&[&["epoch_started", "accepted 1 a"], lines, &["dead_lettered 1"]].concat());
    let proof = Proof { position: rows.len() as u64, accepted: 1, dead_lettered: 1, ..Proof::default() };
    judge(&rows, &[sent("a"), got("a", 1, 2)], proof)
}

#[test]
fn an_order_that_is_set_aside_without_three_attempts_is_found() {
    let failed = ["leased 1 1.1 dispatch", "started 1 1.1", "attempt_failed 1 1.1"];
    let lost = ["leased 1 1.2 retry", "started 1 1.2", "lease_lost 1 1.2"];
    let third = ["leased 1 1.3 recover", "started 1 1.3", "attempt_failed 1 1.3"];
    let unbegun = ["leased 1 1.3 recover", "lease_lost 1 1.3"];
    assert_eq!(aside(&[failed, lost, third].concat()).violations, Violations::default());
    found(&aside(&[&failed[..], &lost, &unbegun].concat()), "o1 is set aside after 2 and a half attempts");
    found(&aside(&[]), "o1 is set aside after 0 attempts");
    let mut given_back =
        rows(&[&["epoch_started", "accepted 1 a"], &failed[..], &lost, &third, &["dead_lettered 1"]].concat());
    given_back[7].cause = Some("declined".into());
    found(&judge(&given_back, &[sent("a")], proof()), "position 12: o1 is set aside after 2 attempts");
    let requeued = ["requeued 1", "leased 1 1.4 release", "started 1 1.4", "attempt_failed 1 1.4"];
    let again = [&failed[..], &lost, &third, &["dead_lettered 1"], &requeued].concat();
    found(&aside(&again), "o1 is set aside after 1 attempts");
}

#[test]
fn more_strikes_than_the_ledger_shows_are_found() {
    let attempts = Attempts::default();
    assert!(attempts.not_enough(&Row { strikes: Some(3), ..Row::default() }).is_some());
    let mut rows = rows(&["started 1", "attempt_failed 1", "attempt_failed 1", "attempt_failed 1"]);
    rows.push(Row { event: "dead_lettered".into(), strikes: Some(4), ..Row::default() });
    let mut attempts = Attempts::default();
    rows.iter().for_each(|row| attempts.row(row));
    let wrong = attempts.not_enough(&rows[4]).expect("one too many");
    assert_eq!(wrong, "is set aside for 4 attempts, the ledger shows 3");
}

#[test]
fn a_cancellation_that_nobody_wished_or_that_was_not_kept_is_found() {
    let cancel = |status| Line::Cancel { at: 3, order: "o1".into(), status };
    let cancelled = rows(&["epoch_started", "accepted 1 a", "cancelled 1"]);
    let proof = Proof { position: 3, accepted: 1, cancelled: 1, ..Proof::default() };
    let story = |more: &[Line]| judge(&cancelled, &[&[sent("a"), got("a", 1, 2)], more].concat(), proof);
    found(&story(&[]), "cancel: o1 is cancelled, and nobody called it off");
    // Without an answer both ends are right.
    assert!(story(&[cancel(None)]).holds());
    assert!(story(&[cancel(None), cancel(Some(200))]).holds());
    let completed = |status| judge(&rows(&SOUND), &[sent("a"), got("a", 1, 2), cancel(status)], self::proof());
    found(&completed(Some(200)), "cancel: o1 was said to be cancelled, and is Some(Completed)");
    assert!(completed(Some(409)).holds());
}

#[test]
fn a_lease_to_a_closed_kitchen_is_found() {
    let story = |event: &str, schedulable: Option<&str>| {
        let mut rows = rows(&SOUND);
        let kitchen = Some("k2".to_owned());
        rows[6].kitchen.clone_from(&kitchen);
        let schedulable = schedulable.map(str::to_owned);
        rows[4] = Row { kitchen, schedulable, event: event.into(), ..rows[4].clone() };
        rows[6].kind = Some("reassign".into());
        judge(&rows, &[sent("a"), got("a", 1, 2)], proof())
    };
    found(&story("drain_started", None), "closed: position 7: o1 is leased to k2, which is closed");
    found(&story("kitchen_scheduling", Some("cordoned")), "is leased to k2, which is closed");
    assert!(story("kitchen_scheduling", Some("open")).holds());
}

#[test]
fn an_order_that_nobody_sent_is_found() {
    expect(|rows| rows[1].key = None, "has no key, and no rush made it");
    let mut by_rush = rows(&SOUND);
    by_rush[1] = Row { key: None, rush: true, ..by_rush[1].clone() };
    assert!(judge(&by_rush, &[], proof()).holds());
}

#[test]
fn gaps_repetitions_and_epochs_that_fall_are_found() {
    expect(|rows| _ = rows.remove(3), "I5: position 5: o1 follows 3: there is a gap");
    expect(|rows| rows[3].position = 3, "I5: position 3: o1 follows 3");
    expect(|rows| rows[7].epoch = 1, "I5: position 8: o1 epoch 1 after 2");
    expect(|rows| rows[5].event = "feed".into(), "epoch 2 has no beginning");
    expect(|rows| rows[3].event = "epoch_started".into(), "epoch 1 began a second time");
}

#[test]
fn an_order_that_stands_elsewhere_than_its_answer_said_is_found() {
    found(&judge(&rows(&SOUND), &[sent("a"), got("a", 1, 3)], proof()), "I6: a: said to stand at 3, stands at Some(2)");
}

#[test]
fn a_proof_that_is_not_the_ledgers_is_found() {
    let judge = |proof: Proof| judge(&rows(&SOUND), &[sent("a"), got("a", 1, 2)], proof);
    found(&judge(Proof { completed: 0, open: 1, ..proof() }), "I7: position 9: o1 the proof says 1 open, the ledger 0");
    found(&judge(Proof { stale_refused: 0, ..proof() }), "the proof says 0 stale refused, the ledger 1");
    found(&judge(Proof { position: 99, ..proof() }), "the ledger has no position 99");
    found(&judge(Proof { lost: 1, ..proof() }), "the proof says 1 lost");
    found(&judge(Proof { twice: 2, ..proof() }), "2 twice");
}
