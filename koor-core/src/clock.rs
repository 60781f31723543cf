//! Time and randomness as arguments: nothing else in the core asks the machine for either.

use std::{fmt, str::FromStr, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::{
    Date, OffsetDateTime, PrimitiveDateTime, Time,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

use crate::{ids::InstanceId, invalid::Invalid, schema::describe};

const SHOWN: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const HOUR: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]");
const NAIVE: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// The last millisecond that four digits of a year can show.
const LAST_MILLI: i64 = 253_402_300_799_999;

/// A moment in UTC, to the millisecond, between the years 1970 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// When time begins here.
    pub const EPOCH: Self = Self(0);

    /// The last moment there is here.
    pub const LAST: Self = Self(LAST_MILLI);

    /// The moment that many milliseconds after 1970 began; the nearest one where that is out of range.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, LAST_MILLI))
    }

    /// Milliseconds since 1970 began.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The hour this moment lies in, as `2026-02-16T14`.
    #[must_use]
    pub fn hour(self) -> String {
        self.format(HOUR)
    }

    /// The day this moment lies in, as `2026-02-16`.
    #[must_use]
    pub fn day(self) -> String {
        self.format(DAY)
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment moved on by a span, as far as moments go.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(span))
    }

    /// This moment moved back by a span, as far as moments go.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_sub(span))
    }

    /// The start of what a client wrote as a time filter: RFC 3339, a date, or a date and time taken as UTC.
    ///
    /// # Errors
    /// When the text is none of the three; `name` is the filter's name in that message.
    pub fn parse_from(name: &str, text: &str) -> Result<Self, Invalid> {
        Self::parse_filter(name, text, Time::MIDNIGHT)
    }

    /// The end of what a client wrote as a time filter: as [`parse_from`](Self::parse_from), and a date reaches
    /// to its last millisecond, so that both ends are inclusive.
    ///
    /// # Errors
    /// As for `parse_from`.
    pub fn parse_to(name: &str, text: &str) -> Result<Self, Invalid> {
        Self::parse_filter(name, text, Time::MAX)
    }

    fn parse_filter(name: &str, text: &str, time_of_day: Time) -> Result<Self, Invalid> {
        // A `+` that a client left unescaped in a query reached us as a space.
        let text = text.replace(' ', "+");
        OffsetDateTime::parse(&text, &Rfc3339)
            .or_else(|_| PrimitiveDateTime::parse(&text, NAIVE).map(PrimitiveDateTime::assume_utc))
            .or_else(|_| Date::parse(&text, DAY).map(|day| day.with_time(time_of_day).assume_utc()))
            .map(Self::from)
            .map_err(|_| {
                Invalid::new(format!(
                    "invalid {name} {text:?}: use RFC 3339, 2026-02-16 or 2026-02-16T14:00:00"
                ))
            })
    }

    fn format(self, description: &[BorrowedFormatItem<'_>]) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|moment| moment.format(description).ok())
            // Can't happen: the constructor keeps the value inside what can be shown.
            .unwrap_or_default()
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Self {
        let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        Self::from_millis(i64::try_from(millis).unwrap_or(if millis < 0 { 0 } else { LAST_MILLI }))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format(SHOWN))
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse_from("time", text)
    }
}

describe!(Timestamp: {"type": "string", "format": "date-time"});

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where the core learns what time it is, and waits for it to pass.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The time now. May step back: nothing in the core takes two answers to be in order.
    fn now(&self) -> Timestamp;

    /// Answers when that much time has passed, whatever becomes of the time of day.
    async fn sleep(&self, span: Duration);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        OffsetDateTime::now_utc().into()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that lets time pass")]
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// The source of ids and secrets that cannot be guessed.
pub trait IdSource: Send + Sync + 'static {
    /// An id that no instance has had.
    fn instance_id(&self) -> InstanceId;

    /// A fresh secret of 256 bits, as lower-case hex.
    ///
    /// # Errors
    /// When the machine has no randomness to give; there is no secret then, rather than a weak one.
    fn secret(&self) -> Result<String, NoRandomness>;

    /// A number by which pauses are spread, so that what failed together is not tried again together.
    fn jitter(&self) -> u8;
}

/// The machine gave no randomness for a secret.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw a secret")]
pub struct NoRandomness {
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The machine's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "the one place that makes random ids")]
    fn instance_id(&self) -> InstanceId {
        InstanceId::from(uuid::Uuid::new_v4())
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that draws secrets")]
    fn secret(&self) -> Result<String, NoRandomness> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|source| NoRandomness { source: source.into() })?;
        Ok(hex::encode(bytes))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that draws random numbers")]
    fn jitter(&self) -> u8 {
        let mut byte = [0];
        // Without randomness, pauses are not spread: no harm in that.
        let _ = getrandom::fill(&mut byte);
        byte[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc_with_milliseconds() {
        let moment: Timestamp = "2026-02-09T15:30:00.1239+01:00".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-02-09T14:30:00.123Z");
        assert_eq!(moment.hour(), "2026-02-09T14");
    }

    #[test]
    fn the_end_of_a_day_belongs_to_it() {
        let to = Timestamp::parse_to("to", "2026-02-16").unwrap();
        assert_eq!(to.to_string(), "2026-02-16T23:59:59.999Z");
        let from = Timestamp::parse_from("from", "2026-02-16").unwrap();
        assert_eq!(from.to_string(), "2026-02-16T00:00:00.000Z");
    }

    #[test]
    fn a_time_without_a_zone_is_utc() {
        let moment = Timestamp::parse_from("from", "2026-02-16T14:00:00").unwrap();
        assert_eq!(moment.to_string(), "2026-02-16T14:00:00.000Z");
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in ["", "yesterday", "2026-13-01", "2026-02-30", "1771250400"] {
            let error = Timestamp::parse_from("from", text).unwrap_err().to_string();
            assert!(error.starts_with("invalid from "), "{error}");
        }
    }
}
