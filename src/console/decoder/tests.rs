//! Replies cut at every byte, and what people type around them.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyModifiers, MouseEventKind};

use super::super::keymap::key_name;
use super::{Decoder, ESC_WAIT, OWED, WAIT};

const MS: Duration = Duration::from_millis(1);

/// What terminals say without having been asked by us.
const STRINGS: [&[u8]; 14] = [
    b"\x1bP>|Contour 0.4.3\x1b\\",
    b"\x1bP>|XTerm(379)\x07",
    b"\x1bP1$r0;38;2;1;2;3m\x1b\\",
    b"\x1bP1+r544e=787465726d\x1b\\",
    b"\x1b]11;rgb:1d1d/2020/2121\x1b\\",
    b"\x1b]11;rgba:1d1d/2020/2121/ffff\x07",
    b"\x1b]52;c;S2lsbA==\x07",
    b"\x1b]4;1;rgb:ff/0/0\x1b\\",
    b"\x1b_Gi=31;OK\x1b\\",
    b"\x1b^Cqd private\x1b\\",
    b"\x1bXCqd start\x1b\\",
    b"\x90>|Contour \xe2\x9c\x9c 0.4.3\x9c",
    b"\x9d11;rgb:1d1d/2020/2121\x07",
    b"\xc2\x90>|Contour 0.4.3\xc2\x9c",
];
const SEQUENCES: [&[u8]; 14] = [
    b"\x1b[?62;22c",
    b"\x1b[>1;95;0c",
    b"\x1b[=0c",
    b"\x1b[12;40R",
    b"\x1b[0n",
    b"\x1b[?2026;2$y",
    b"\x1b[?1u",
    b"\x1b[100;5:3u",
    b"\x1b[67u",
    b"\x1b[4;600;800t",
    b"\x1b[I",
    b"\x1b[O",
    b"\x9b?62;22c",
    b"\xc2\x9b?62;22c",
];

/// Names of the keys that would act.
fn names(events: &[Event]) -> Vec<String> {
    let name = |event: &Event| match event {
        Event::Key(key) => key_name(*key),
        Event::Paste(text) => Some(format!("paste {text:?}")),
        Event::Mouse(mouse) => Some(format!("mouse {:?} {} {}", mouse.kind, mouse.column, mouse.row)),
        Event::Resize(..) | Event::FocusGained | Event::FocusLost => None,
    };
    events.iter().filter_map(name).collect()
}

/// What these parts say, with a pause behind each, and a second after all of them.
fn say(parts: &[&[u8]], pause: Duration) -> Vec<String> {
    let (mut decoder, mut now, mut events) = (Decoder::default(), Duration::ZERO, Vec::new());
    for part in parts {
        events.extend(decoder.read(part, now));
        now += pause;
        events.extend(decoder.expire(now));
    }
    events.extend(decoder.expire(now + 1_000 * MS));
    assert_eq!(decoder.wake_at(), None, "nothing is awaited any more");
    names(&events)
}

#[test]
fn a_reply_never_acts_wherever_it_is_cut_and_however_long_the_rest_takes() {
    for reply in STRINGS.into_iter().chain(SEQUENCES) {
        assert_eq!(say(&[reply], MS), [""; 0], "{reply:?}");
        for at in 1..reply.len() {
            let (one, other) = reply.split_at(at);
            for pause in [Duration::ZERO, MS, 20 * MS, 300 * MS, 600 * MS] {
                let said = say(&[one, other], pause);
                // Behind so long a pause a lone ESC is the key; what follows is still no text.
                let key = if at == 1 && one == b"\x1b" && pause > ESC_WAIT { &["esc"][..] } else { &[] };
                assert_eq!(said, key, "{one:?} {pause:?} {other:?}");
            }
        }
    }
}

#[test]
fn the_rest_of_a_string_is_known_by_its_end_after_any_pause() {
    for reply in STRINGS {
        for at in 1..reply.len() {
            let (one, other) = reply.split_at(at);
            let said = say(&[one, other], 5_000 * MS);
            let key = if one == b"\x1b" { &["esc"][..] } else { &[] };
            // An end of one byte alone is a key that nobody has, or none.
            let said: Vec<&str> = said.iter().map(String::as_str).filter(|key| *key != "ctrl-g").collect();
            assert_eq!(said, key, "{one:?} {other:?}");
        }
    }
}

#[test]
fn a_string_in_three_pieces_does_not_act_though_its_esc_was_alone() {
    for reply in STRINGS.into_iter().filter(|reply| reply[0] == 0x1b) {
        for at in 4..reply.len() {
            let parts = [&reply[..1], &reply[1..at], &reply[at..]];
            for pause in [60 * MS, 300 * MS, 600 * MS] {
                let said = say(&parts, pause);
                // An end of one byte alone is a key that nobody has, or none.
                let said: Vec<&str> = said.iter().map(String::as_str).filter(|key| *key != "ctrl-g").collect();
                assert_eq!(said, ["esc"], "{parts:?} {pause:?}");
            }
        }
    }
}

#[test]
fn a_reply_that_comes_byte_by_byte_does_not_act_either() {
    for reply in STRINGS.into_iter().chain(SEQUENCES) {
        let parts: Vec<&[u8]> = reply.chunks(1).collect();
        assert_eq!(say(&parts, 10 * MS), [""; 0], "{reply:?}");
    }
}

#[test]
fn keys_around_a_reply_are_heard() {
    for reply in STRINGS.into_iter().chain(SEQUENCES) {
        let all = [b"j", reply, b"k"].concat();
        assert_eq!(say(&[&all], MS), ["j", "k"], "{reply:?}");
        assert_eq!(say(&[b"j", reply, b"k"], MS), ["j", "k"], "{reply:?}");
    }
}

#[test]
fn a_person_who_types_an_introducer_loses_nothing_typed_a_second_later() {
    for introducer in ["P", "]", "_", "^", "X", "[", "O"] {
        for typed in [&b"j"[..], b":orders\r", b"?", b"5"] {
            let mut decoder = Decoder::default();
            let mut events = decoder.read(format!("\x1b{introducer}").as_bytes(), Duration::ZERO);
            assert!(decoder.wake_at().is_some_and(|at| at < 1_000 * MS));
            events.extend(decoder.expire(1_000 * MS));
            events.extend(decoder.read(typed, 1_000 * MS));
            let said = names(&events).len();
            assert_eq!(said, typed.len(), "{introducer}: {events:?}");
        }
    }
}

#[test]
fn typing_does_not_keep_a_broken_string_open() {
    let mut decoder = Decoder::default();
    decoder.read(b"\x1b]11;rgb:", Duration::ZERO);
    let mut heard = None;
    for step in 1..40_u32 {
        let now = step * 50 * MS;
        if heard.is_none() && !decoder.read(b"j", now).is_empty() {
            heard = Some(now);
        }
    }
    assert_eq!(heard, Some(WAIT));
}

#[test]
fn a_long_reply_over_a_slow_line_stays_a_reply() {
    let mut decoder = Decoder::default();
    let mut now = Duration::ZERO;
    assert!(decoder.read(b"\x1b]52;c;", now).is_empty());
    for _ in 0..100 {
        now += 500 * MS;
        assert!(decoder.read(b"S2lsbENvcmRvbg", now).is_empty());
    }
    assert!(decoder.read(b"\x07", now + MS).is_empty());
    assert_eq!(names(&decoder.read(b"q", now + 2 * MS)), ["q"]);
}

#[test]
fn ctrl_c_leaves_even_out_of_a_string_and_a_paste_that_never_end() {
    assert_eq!(say(&[b"\x1bP>|Con", b"\x03"], MS), ["ctrl-c"]);
    assert_eq!(say(&[b"\x1b[200~abc", b"\x03"], MS), ["ctrl-c"]);
}

#[test]
fn esc_is_a_key_at_once_before_another_and_soon_when_alone() {
    let mut decoder = Decoder::default();
    assert!(decoder.read(b"\x1b", Duration::ZERO).is_empty());
    assert_eq!(decoder.wake_at(), Some(ESC_WAIT));
    assert_eq!(names(&decoder.expire(ESC_WAIT)), ["esc"]);
    assert_eq!(say(&[b"\x1b", b"q"], 60 * MS), ["esc", "q"]);
    assert_eq!(say(&[b"\x1b\x1b"], MS), ["esc", "esc"]);
    assert_eq!(say(&[b"\x1bq"], MS), [""; 0], "an Alt chord is no key of ours");
}

#[test]
fn keys_in_every_form_that_terminals_use() {
    let all: [(&[u8], &str); 22] = [
        (b"a", "a"),
        (b"A", "A"),
        (b" ", "space"),
        ("é".as_bytes(), "é"),
        ("寿".as_bytes(), "寿"),
        (b"\r", "enter"),
        (b"\n", "ctrl-j"),
        (b"\t", "tab"),
        (b"\x7f", "backspace"),
        (b"\x03", "ctrl-c"),
        (b"\x07", "ctrl-g"),
        (b"\x1b[A", "up"),
        (b"\x1bOB", "down"),
        (b"\x1b[1;5C", "ctrl-right"),
        (b"\x1b[1;1:2D", "left"),
        (b"\x1b[H", "home"),
        (b"\x1b[4~", "end"),
        (b"\x1b[5~", "pageup"),
        (b"\x1b[6;5~", "ctrl-pagedown"),
        (b"\x1b[1;1:1F", "end"),
        (b"\x9bA", "up"),
        (b"\x8fA", "up"),
    ];
    for (bytes, name) in all {
        assert_eq!(say(&[bytes], MS), [name], "{bytes:?}");
        let parts: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(say(&parts, 10 * MS), [name], "{bytes:?}, byte by byte");
    }
    for nothing in [&b"\x1b[1;1:3A"[..], b"\x1b[[A", b"\x1b[15~", b"\x1b[5A", b"\xff", b"\xc3("] {
        let said = say(&[nothing], MS);
        assert!(said.is_empty() || said == ["("], "{nothing:?}: {said:?}");
    }
    let mut decoder = Decoder::default();
    let events = decoder.read(b"\x1b[Z", Duration::ZERO);
    assert!(
        matches!(events[..], [Event::Key(key)] if key.code == KeyCode::BackTab && key.modifiers == KeyModifiers::SHIFT)
    );
}

#[test]
fn a_burst_of_typing_is_typing() {
    let said = say(&[b":orders\r"], MS);
    assert_eq!(said, [":", "o", "r", "d", "e", "r", "s", "enter"]);
}

#[test]
fn a_paste_is_one_wherever_it_is_cut_and_its_rest_is_never_typed() {
    let paste = b"\x1b[200~CqdK\r\x1b[A\x1b[201~";
    for at in 2..paste.len() {
        let (one, other) = paste.split_at(at);
        assert_eq!(say(&[one, other], 300 * MS), [r#"paste "CqdK\r\u{1b}[A""#], "{one:?} {other:?}");
    }
    let mut decoder = Decoder::default();
    assert!(decoder.read(b"\x1b[200~abc", Duration::ZERO).is_empty());
    assert!(decoder.read(b"Cqd", 4_000 * MS).is_empty(), "it is still being sent");
    assert!(decoder.expire(9_000 * MS).is_empty(), "a paste without an end is dropped");
    let long = [b"\x1b[200~".to_vec(), vec![b'x'; 1_000_000], b"\x1b[201~j".to_vec()].concat();
    assert_eq!(names(&decoder.read(&long, 20_000 * MS)).len(), 2);
}

#[test]
fn the_mouse_in_both_forms_and_halves_of_it() {
    let down = format!("mouse {:?} 11 4", MouseEventKind::Down(crossterm::event::MouseButton::Left));
    assert_eq!(say(&[b"\x1b[<0;12;5M"], MS), [down.as_str()]);
    assert_eq!(say(&[b"\x1b[M ,%"], MS), [down.as_str()]);
    assert_eq!(say(&[b"\x1b[<65;1;1M"], MS), ["mouse ScrollDown 0 0"]);
    for nothing in [&b"\x1b[<0;12;5m"[..], b"\x1b[<35;12;5M", b"\x1b[<0;0;0M", b"\x1b[32;12;5M", b"\x1b[<0;12M"] {
        assert_eq!(say(&[nothing], MS), [""; 0], "{nothing:?}");
    }
    for report in [&b"\x1b[<0;12;5M"[..], b"\x1b[M ,%"] {
        for at in 2..report.len() {
            let (one, other) = report.split_at(at);
            assert_eq!(say(&[one, other], 300 * MS), [down.as_str()], "{one:?} {other:?}");
        }
        assert_eq!(say(&[&report[..3]], MS), [""; 0], "half of one");
    }
    assert_eq!(say(&[b"\x1b[<0;12", b";5M"], 2_000 * MS).len(), 1, "its rest is no screen 5 and no M");
}

#[test]
fn what_is_owed_is_forgotten_after_a_while() {
    let mut decoder = Decoder::default();
    decoder.read(b"\x1b[?62", Duration::ZERO);
    decoder.expire(WAIT);
    assert_eq!(names(&decoder.read(b";5M", WAIT + OWED)).len(), 3);
}

#[test]
fn any_bytes_in_any_parts_end_in_silence() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let (mut decoder, mut now) = (Decoder::default(), Duration::ZERO);
        for _ in 0..random.usize(1..6) {
            let alphabet = b"\x1b[]P_^XO\\\x07\x9c\x9b\x900;<?~MmRcuAj\xc3\xa9\x032";
            let bytes: Vec<u8> = (0..random.usize(0..12)).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
            decoder.read(&bytes, now);
            now += random.u32(0..900) * MS;
        }
        decoder.expire(now + 6_000 * MS);
        assert_eq!(decoder.wake_at(), None);
        assert_eq!(names(&decoder.read(b"q", now + 20_000 * MS)), ["q"]);
    }
}
