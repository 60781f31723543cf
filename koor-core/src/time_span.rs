//! Spans of time, with one grammar for flags, variables, files, queries and bodies.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de};

use crate::{invalid::Invalid, schema::describe};

/// The units with their nanoseconds. `ms` comes before `m`: the first unit that fits is taken.
const UNITS: [(&str, u64); 8] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("s", 1_000_000_000),
];

/// A span of time. It is read from `30s`, `1m30s`, `1m 5s`, `1.5h`, `2d`, `500ms`, or a bare number of whole seconds,
/// and is shown in whole seconds as `59s`, `1m0s`, `3h24m10s`.
///
/// In JSON, it is such a text or a whole number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(Duration);

describe!(TimeSpan: {
    "description": "Whole seconds, or a span such as 30s or 1h30m.",
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": 300},
        {"type": "string", "pattern": "^(([1-9]?[0-9]|[12][0-9]{2}|300)s?|[1-9][0-9]{0,4}ms|[1-4]m([1-5]?[0-9]s)?|5m)$"},
    ],
});

impl TimeSpan {
    /// The span as the standard library has it.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for TimeSpan {
    fn from(span: Duration) -> Self {
        Self(span)
    }
}

impl FromStr for TimeSpan {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text.trim()).map(Self).ok_or_else(|| {
            Invalid::new(format!(
                "invalid time span {text:?}: write 30s, 5m, 1h30m, or a whole number of seconds"
            ))
        })
    }
}

fn parse(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (whole, after) = digits(rest)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after)?,
            None => ("", after),
        };
        let after = after.trim_start();
        let (unit, nanos) = UNITS.into_iter().find(|(unit, _)| after.starts_with(unit))?;
        let mut part = nanos;
        let mut span = Duration::from_nanos(nanos).checked_mul(whole.parse().ok()?)?;
        for digit in fraction.bytes() {
            part /= 10;
            span += Duration::from_nanos(part * u64::from(digit - b'0'));
        }
        total = total.checked_add(span)?;
        rest = after[unit.len()..].trim_start();
    }
    (!text.is_empty()).then_some(total)
}

/// The digits at the beginning, at least one, and what follows them.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        match (h, m) {
            (0, 0) => write!(f, "{s}s"),
            (0, _) => write!(f, "{m}m{s}s"),
            _ => write!(f, "{h}h{m}m{s}s"),
        }
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = TimeSpan;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time span such as \"30s\", or a whole number of seconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TimeSpan, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<TimeSpan, E> {
                Ok(TimeSpan(Duration::from_secs(seconds)))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_span_is_read() {
        for (text, millis) in [
            ("30", 30_000),
            ("90", 90_000),
            ("0", 0),
            ("0s", 0),
            ("30s", 30_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1m 5s", 65_000),
            (" 1 m 5 s ", 65_000),
            ("1.5m", 90_000),
            ("2h", 7_200_000),
            ("2d", 172_800_000),
            ("1h2m3s4ms", 3_723_004),
            ("1500us", 1),
            ("1500µs", 1),
        ] {
            let span: TimeSpan = text.parse().unwrap();
            assert_eq!(span.get().as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused_with_an_example() {
        for bad in [
            "",
            " ",
            "s",
            "-1s",
            "1x",
            "1.s",
            ".5s",
            "1 5s",
            "5m3",
            "30S",
            "5 minutes",
            "1.5",
            "5,5m",
            "99999999999999999999",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            let refused = bad.parse::<TimeSpan>().unwrap_err().to_string();
            let expected =
                format!("invalid time span {bad:?}: write 30s, 5m, 1h30m, or a whole number of seconds");
            assert_eq!(refused, expected);
        }
    }

    #[test]
    fn json_has_a_text_or_whole_seconds() {
        for (json, seconds) in [(r#""1m 5s""#, 65), (r#""90""#, 90), ("90", 90)] {
            let span: TimeSpan = serde_json::from_str(json).unwrap();
            assert_eq!(span.get().as_secs(), seconds, "{json}");
        }
        for bad in ["-1", "1.5", "true", "null", r#""soon""#] {
            assert!(serde_json::from_str::<TimeSpan>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_span_is_shown_as_go_shows_it() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m0s"), (12_250, "3h24m10s"), (3600, "1h0m0s")]
        {
            assert_eq!(TimeSpan::from(Duration::from_secs(seconds)).to_string(), text);
        }
    }
}
