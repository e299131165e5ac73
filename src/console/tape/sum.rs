//! A checksum on every line, so that a flipped bit is seen and never played.
//!
//! ```text
//! {"t":5000,"key":"K","crc":"1c291ca3"}        CRC-32 (IEEE 802.3) of all bytes before `,"crc":`
//! ```
//! A field and not a frame around the line: the file stays JSON lines. Never mends anything.

/// What stands between a line and its sum.
const MARK: &[u8] = b",\"crc\":\"";
/// The mark, eight digits, and the end of the object.
const LENGTH: usize = MARK.len() + 8 + 2;

/// What a line's sum says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    /// It is as it was written.
    Whole,
    /// It is not.
    Broken,
    /// It has none.
    None,
}

/// Puts the sum into an object, and a newline behind it.
pub(super) fn seal(line: &mut Vec<u8>) {
    if line.pop() == Some(b'}') {
        let sum = crc(line);
        line.extend_from_slice(MARK);
        line.extend_from_slice(format!("{sum:08x}\"}}").as_bytes());
    }
    line.push(b'\n');
}

/// Compares a line, with or without its newline, with its sum.
pub(super) fn check(line: &[u8]) -> Seal {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let Some(at) = line.len().checked_sub(LENGTH) else { return Seal::None };
    let (body, tail) = line.split_at(at);
    let Some(digits) = tail.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(b"\"}")) else { return Seal::None };
    if format!("{:08x}", crc(body)).as_bytes() == digits { Seal::Whole } else { Seal::Broken }
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let (mut value, mut bit) = (at as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
}

const TABLE: [u32; 256] = table();

fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| (sum >> 8) ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)];
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_usual_one() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn every_flipped_bit_is_seen_and_the_line_stays_json() {
        let mut line = b"{\"t\":5000,\"key\":\"K\"}".to_vec();
        seal(&mut line);
        assert_eq!(check(&line), Seal::Whole);
        assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
        for bit in 0..(line.len() - 1) * 8 {
            let mut flipped = line.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(check(&flipped), Seal::Whole, "bit {bit}");
        }
    }
}
