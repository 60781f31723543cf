//! When a claim or a lease ends that its holder's calls renew.

use std::time::Duration;

use crate::{activity::FLUSH_EVERY, clock::Timestamp};

/// What is to become of a claim or a lease that is stored to have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its holder was heard of: it ends then.
    Renewed(Timestamp),
    /// It has ended, unless a crash has lost that its holder was heard of.
    Uncertain,
    /// It has ended.
    Ended,
}

/// Judges a claim or a lease that ends at `ends`, by all that is known of its holder.
///
/// A crash loses at most one flush interval of what was heard of a holder. So what ends by knowledge from before the server's
/// start may really end up to that much later.
pub(crate) fn judge(
    ends: Timestamp,
    last_seen: Option<Timestamp>,
    started: Timestamp,
    now: Timestamp,
) -> Verdict {
    let before_start = last_seen.is_none_or(|seen| seen <= started);
    let lost: Duration = if before_start { FLUSH_EVERY } else { Duration::ZERO };
    if ends > now {
        Verdict::Renewed(ends)
    } else if ends.plus(lost) > now {
        Verdict::Uncertain
    } else {
        Verdict::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_may_have_lost_is_granted() {
        let at = |seconds| Timestamp::from_millis(seconds * 1000);
        let flush = i64::try_from(FLUSH_EVERY.as_secs()).unwrap();
        let started = at(1_000);
        // Known only from before the start.
        for seen in [None, Some(at(999))] {
            assert_eq!(judge(at(1_100), seen, started, at(1_099)), Verdict::Renewed(at(1_100)));
            assert_eq!(judge(at(1_100), seen, started, at(1_100)), Verdict::Uncertain);
            assert_eq!(judge(at(1_100), seen, started, at(1_100 + flush)), Verdict::Ended);
        }
        // Heard of since: nothing can have been lost.
        assert_eq!(judge(at(1_100), Some(at(1_001)), started, at(1_100)), Verdict::Ended);
    }
}
