//! Spans of time, as Go writes them.

use std::time::Duration;

/// The units, longest first, with their nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("h", 3_600_000_000_000),
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("s", 1_000_000_000),
];

/// Reads `30s`, `1m30s`, `1.5h`, `500ms`, or bare whole seconds; `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let whole: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            let digits = after.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
            (fraction, rest) = after.split_at(digits);
        }
        let (unit, nanos) = UNITS.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        let mut part = nanos;
        let mut span = Duration::from_nanos(whole.checked_mul(nanos)?);
        for digit in fraction.bytes() {
            part /= 10;
            span += Duration::from_nanos(part * u64::from(digit - b'0'));
        }
        total = total.checked_add(span)?;
    }
    (!text.is_empty()).then_some(total)
}

/// Shows whole seconds: `0s`, `59s`, `1m0s`, `3h24m10s`.
pub(crate) fn show(span: Duration) -> String {
    let seconds = span.as_secs();
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (h, m) {
        (0, 0) => format!("{s}s"),
        (0, _) => format!("{m}m{s}s"),
        _ => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_go_writes_them() {
        for (text, millis) in [
            ("30", 30_000),
            ("0", 0),
            ("0s", 0),
            ("30s", 30_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1.5m", 90_000),
            ("2h", 7_200_000),
            ("1h2m3s4ms", 3_723_004),
            ("1500us", 1),
        ] {
            assert_eq!(parse(text).map(|span| span.as_millis()), Some(millis), "{text}");
        }
        for bad in ["", "s", "-1s", "1", "1x", "1.s", ".5s", "1s ", "1 s", "99999999999999999999", "30S"] {
            assert_eq!(parse(bad).is_some(), bad == "1", "{bad:?}");
        }
    }

    #[test]
    fn uptime_is_shown_as_go_shows_it() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m0s"), (12_250, "3h24m10s"), (3600, "1h0m0s")]
        {
            assert_eq!(show(Duration::from_secs(seconds)), text);
        }
    }
}
