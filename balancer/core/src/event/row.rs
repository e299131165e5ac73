//! A journal row's body: a run of events in postcard, one after another. Never says where a row stands, or who wrote it.

use crate::event::Recorded;

/// Reads a row's body back.
///
/// # Errors
/// The body holds something that is not an event of this release, or another number of them.
pub fn read(body: &[u8], count: u32) -> Result<Vec<Recorded>, String> {
    // An event takes at least two bytes, so a wrong count cannot make us ask for more memory than the body is worth.
    let mut events = Vec::with_capacity((count as usize).min(body.len()));
    let mut rest = body;
    while !rest.is_empty() {
        let (event, behind) = postcard::take_from_bytes::<Recorded>(rest).map_err(|error| error.to_string())?;
        events.push(event);
        rest = behind;
    }
    if events.len() == count as usize {
        Ok(events)
    } else {
        Err(format!("{} events where {count} were counted", events.len()))
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Epoch, WallTime};

    use super::*;
    use crate::event::Event;

    #[test]
    fn a_row_reads_back_and_a_wrong_count_or_a_cut_one_does_not() {
        let events = [1, 2]
            .map(|epoch| Recorded { at: WallTime(epoch), event: Event::EpochStarted { epoch: Epoch(epoch as u32) } });
        let body = events.iter().fold(Vec::new(), |body, event| postcard::to_extend(event, body).expect("plain data"));
        assert_eq!(read(&body, 2).expect("as written"), events);
        assert!(read(&body, u32::MAX).expect_err("two").contains("2 events where 4294967295"));
        assert!(read(&body[..body.len() - 1], 2).is_err());
    }
}
