//! Webhooks: receivers that are told of events, at least once and in order.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    clock::Timestamp,
    error::Invalid,
    ids::{Cursor, EventId, WebhookId},
    pattern::Pattern,
    signature,
};

/// After so many failures in a row a webhook is switched off.
pub const FAILURES_ALLOWED: u32 = 10;

/// The most patterns a webhook can have.
pub(crate) const MAX_PATTERNS: usize = 100;

/// The longest pause between two attempts, before it is spread.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How many attempts of a webhook are remembered.
pub const DELIVERIES_KEPT: usize = 50;

/// A receiver and how far it has been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where it is called: http or https.
    pub url: String,
    /// The topics it wants.
    pub patterns: Vec<Pattern>,
    /// What its calls are signed with.
    pub secret: Option<Secret>,
    /// Whether it is called at all.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last took an event.
    pub last_fired: Option<Timestamp>,
    /// How many attempts in a row have failed.
    pub fail_count: u32,
    /// Everything up to here has been delivered, or was none of its business.
    pub cursor: Cursor,
    /// Before this moment it is left alone.
    pub retry_at: Option<Timestamp>,
    /// What the last failure was; empty when there was none since the last success.
    pub last_error: String,
}

impl Webhook {
    /// Until when it is to be left alone, if it is. A pause that is longer than any we make was made by a clock that
    /// has stepped back since: it is over.
    #[must_use]
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.retry_at.filter(|until| *until > now && until.since(now) <= 2 * LONGEST_PAUSE)
    }
}

/// A secret that no log, no error and no answer shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret that can sign: a `whsec_` one must be base64 after its prefix.
    ///
    /// # Errors
    /// When it can't.
    pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        signature::check_secret(&text)?;
        Ok(Self(text))
    }

    /// The secret itself, for signing and for the store.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Takes an address that a webhook may have.
///
/// # Errors
/// When it is not an absolute http or https URL.
pub fn check_url(url: &str) -> Result<String, Invalid> {
    let parsed = Url::parse(url).map_err(|error| Invalid::new(format!("invalid url {url:?}: {error}")))?;
    if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
        return Err(Invalid::new(format!("invalid url {url:?}: it must begin with http:// or https://")));
    }
    if url.len() > 2048 {
        return Err(Invalid::new("invalid url: it is over 2048 bytes long"));
    }
    Ok(url.to_owned())
}

/// The scheme, host and port of a URL that [`check_url`] accepted: all of it that may be shown to agents, since path,
/// query and credentials often carry a secret.
#[must_use]
pub fn origin(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// One attempt to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// The event.
    pub event_id: EventId,
    /// 1 for the first try.
    pub attempt: u32,
    /// The HTTP status of the answer; zero when there was none.
    pub status: u16,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
    /// When it began.
    pub at: Timestamp,
}

/// What follows from a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// It will be tried again, after this pause.
    Retry(Duration),
    /// It failed too often: the webhook is switched off.
    SwitchOff,
}

impl RetryDecision {
    /// What follows when an attempt failed, after `failures` in a row with this one; `jitter` (0 to 255) spreads
    /// the pause, so that receivers that failed together are not called together.
    #[must_use]
    pub fn of_failure(failures: u32, jitter: u8) -> Self {
        const FIRST: Duration = Duration::from_secs(1);
        if failures >= FAILURES_ALLOWED {
            return Self::SwitchOff;
        }
        let pause = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
        // Up to a quarter longer, never shorter: the growth stays a promise.
        Self::Retry(pause + pause * u32::from(jitter) / 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_url_has_no_part_that_can_carry_a_secret() {
        let origin = |url: &str| origin(&check_url(url).unwrap());
        assert_eq!(origin("https://hooks.example/services/T0/B0/secret"), "https://hooks.example");
        assert_eq!(origin("https://user:secret@hooks.example:443/"), "https://hooks.example");
        assert_eq!(origin("http://hooks.example:8080?token=secret#secret"), "http://hooks.example:8080");
        assert_eq!(origin("http://[::1]:9/secret"), "http://[::1]:9");
    }

    #[test]
    fn pauses_double_up_to_five_minutes_and_then_it_is_switched_off() {
        let pauses: Vec<_> = (1..=10).map(|failures| RetryDecision::of_failure(failures, 0)).collect();
        let seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256];
        let mut expected: Vec<_> = seconds.map(|s| RetryDecision::Retry(Duration::from_secs(s))).into();
        expected.push(RetryDecision::SwitchOff);
        assert_eq!(pauses, expected);
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("abc").unwrap()), "[secret]");
    }

    #[test]
    fn only_http_urls_are_taken() {
        assert!(check_url("http://localhost:9/x?y=1").is_ok());
        for bad in ["", "localhost:9", "ftp://x/", "file:///etc/passwd", "http://", "javascript:alert(1)"] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
