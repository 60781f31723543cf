//! Reading requests: paths, queries, bodies.

use std::{borrow::Cow, str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Method,
    body::{Body as _, Incoming},
    header::EXPECT,
    http::request::Parts,
};
use koor_core::{
    Caller, Koor,
    clock::Timestamp,
    ids::Version,
    page::{Limit, TimeRange},
    pattern::{Pattern, TopicFilter},
    ports::StoreError,
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    app::App,
    duration,
    error::Failure,
    json_body::{self, Object},
    response::{HEAVY, off_thread},
    router::Params,
    server::Place,
};

/// A request on its way through a route.
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) head: Parts,
    pub(crate) body: Incoming,
    pub(crate) params: Params,
    pub(crate) place: Arc<Place>,
    /// Whether this is counted as a call.
    pub(crate) counted: bool,
    /// The room that the body takes up, until the call is answered.
    pub(crate) claim: Claim,
}

impl Call {
    pub(crate) fn app(&self) -> &App {
        &self.place.app
    }

    pub(crate) fn koor(&self) -> &Koor {
        &self.place.app.koor
    }

    pub(crate) fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    /// Answers when there is no use in waiting for what is not there yet: at once for HEAD, which asks what would be
    /// said and not for news, and when the client sends nothing any more: most likely it has gone, and its connection
    /// must not be held until the time is up.
    pub(crate) async fn no_use_in_waiting(&self) {
        if !self.is_head() {
            self.place.turn.client_has_ended().await;
        }
    }

    pub(crate) fn query(&self) -> Query<'_> {
        Query(self.head.uri.query().unwrap_or_default())
    }

    /// The part of the path that stands for the parameter of that number, decoded.
    pub(crate) fn param(&self, number: usize) -> Result<Cow<'_, str>, Failure> {
        let raw = self.params.get(number, self.head.uri.path());
        decode(raw, false).ok_or_else(|| Failure::invalid("invalid path: it is not UTF-8"))
    }

    /// As [`param`](Self::param), as a checked name.
    pub(crate) fn name<T: FromStr<Err: Into<Failure>>>(&self, number: usize) -> Result<T, Failure> {
        self.param(number)?.parse().map_err(Into::into)
    }

    /// The whole body.
    pub(crate) async fn bytes(&mut self) -> Result<Bytes, Failure> {
        let App { settings, room, .. } = &*self.place.app;
        let (bytes, claim) =
            read_all(&self.head.headers, &mut self.body, settings.max_body, settings.body_timeout, room)
                .await?;
        self.claim = claim;
        Ok(bytes)
    }

    /// The body as a JSON object, whatever its content type says.
    pub(crate) async fn object<T: DeserializeOwned + Send + 'static>(&mut self) -> Result<T, Failure> {
        self.read(json_body::read::<Object<T>>).await.map(|Object(value)| value)
    }

    /// The same, where the body may be missing.
    pub(crate) async fn object_or_default<T: DeserializeOwned + Default + Send + 'static>(
        &mut self,
    ) -> Result<T, Failure> {
        let read = |bytes: &[u8]| {
            if bytes.trim_ascii().is_empty() {
                return Ok(T::default());
            }
            json_body::read::<Object<T>>(bytes).map(|Object(value)| value)
        };
        self.read(read).await
    }

    /// The body as a JSON object or an array of objects; says whether it is an array.
    pub(crate) async fn object_or_objects<T: DeserializeOwned + Send + 'static>(
        &mut self,
    ) -> Result<(Vec<T>, bool), Failure> {
        let read = |bytes: &[u8]| {
            if bytes.trim_ascii_start().starts_with(b"[") {
                let objects = json_body::read::<Vec<Object<T>>>(bytes)?;
                return Ok((objects.into_iter().map(|Object(value)| value).collect(), true));
            }
            json_body::read::<Object<T>>(bytes).map(|Object(value)| (vec![value], false))
        };
        self.read(read).await
    }

    /// The body as a JSON object whose large part is kept as it was sent.
    pub(crate) async fn object_kept<T: DeserializeOwned + Send + 'static>(&mut self) -> Result<T, Failure> {
        self.read(json_body::read_any::<Object<T>>).await.map(|Object(value)| value)
    }

    /// The body as a JSON array of objects, likewise.
    pub(crate) async fn objects<T: DeserializeOwned + Send + 'static>(&mut self) -> Result<Vec<T>, Failure> {
        let objects = self.read(json_body::read::<Vec<Object<T>>>).await?;
        Ok(objects.into_iter().map(|Object(value)| value).collect())
    }

    /// Reads the body; a large one on a thread that nobody waits for.
    async fn read<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(&[u8]) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let bytes = self.bytes().await?;
        if bytes.len() > HEAVY { off_thread(move || read(&bytes)).await } else { read(&bytes) }
    }
}

/// A body as small as this is read wherever there is a connection for it: it fits into what that has for reading anyway.
const SMALL: u64 = 8 << 10;

/// Bodies up to this share room of their own, so that they need not wait for large ones.
const MEDIUM: u64 = 64 << 10;

/// What all bodies between the two may take up in memory together, until they are answered. The others wait for their turn.
const MEDIUM_ROOM: u64 = 16 << 20;

/// The same, for all larger ones.
const LARGE_ROOM: u64 = 64 << 20;

/// Room is counted in these.
const UNIT: u64 = 8 << 10;

/// Room for the bodies of all connections.
#[derive(Debug)]
pub(crate) struct Room {
    medium: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A part of that room; none, for a small body.
pub(crate) type Claim = Option<OwnedSemaphorePermit>;

impl Default for Room {
    fn default() -> Self {
        let room = |bytes: u64| {
            let units = usize::try_from(bytes / UNIT).unwrap_or(Semaphore::MAX_PERMITS);
            Arc::new(Semaphore::new(units))
        };
        Self { medium: room(MEDIUM_ROOM), large: room(LARGE_ROOM) }
    }
}

impl Room {
    /// All of a body's room at once: bodies that grew side by side could each wait for what the others hold. One that
    /// turns out to be large may wait for the large ones while it holds medium room: none of those waits for that.
    async fn claim(&self, bytes: u64, within: Duration) -> Result<Claim, Failure> {
        let (room, most) = match bytes {
            0..=MEDIUM => (&self.medium, MEDIUM_ROOM),
            _ => (&self.large, LARGE_ROOM),
        };
        let units = u32::try_from(bytes.min(most).div_ceil(UNIT)).unwrap_or(u32::MAX);
        match timeout(within, Arc::clone(room).acquire_many_owned(units)).await {
            Ok(claim) => Ok(claim.ok()),
            Err(_) => Err(Failure::Core(StoreError::Busy.into())),
        }
    }
}

/// Reads a body to its end, if it is small enough and in time.
pub(crate) async fn read_all(
    headers: &HeaderMap,
    body: &mut Incoming,
    most: u64,
    within: Duration,
    room: &Room,
) -> Result<(Bytes, Claim), Failure> {
    let told = body.size_hint().lower();
    if told > most {
        drop_body(headers, body).await;
        return Err(Failure::TooLarge(most));
    }
    let (mut claim, mut claimed) = (None, told.max(SMALL));
    if told > SMALL {
        claim = match room.claim(told, within).await {
            Ok(claim) => claim,
            Err(busy) => {
                drop_body(headers, body).await;
                return Err(busy);
            }
        };
    }
    let reading = async {
        // What was told is claimed, or small.
        let mut bytes = Vec::with_capacity(usize::try_from(told).unwrap_or_default());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Failure::BrokenOff)?.into_data() else { continue };
            if bytes.len() as u64 + data.len() as u64 > most {
                return Ok::<_, Failure>(None);
            }
            // Of a body that came without its length: what it may become.
            let length = bytes.len() as u64 + data.len() as u64;
            if length > claimed {
                claimed = if length > MEDIUM { most } else { MEDIUM.min(most) };
                claim = room.claim(claimed, within).await?;
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Some(Bytes::from(bytes)))
    };
    let read = timeout(within, reading).await.map_err(|_| Failure::TooSlow(within))??;
    if read.is_none() {
        drop_body(headers, body).await;
    }
    Ok((read.ok_or(Failure::TooLarge(most))?, claim))
}

/// The most of an unwanted body that is read and dropped.
pub(crate) const LINGER_BYTES: u64 = 64 << 20;

/// The longest time that is spent on it.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// A client that sends nothing for so long is waiting for the answer.
const LINGER_PAUSE: Duration = Duration::from_millis(200);

/// Reads and drops what is left of a body that nobody wants.
///
/// A connection that is closed with unread bytes in it is reset, and takes an answer with it that the client has not
/// read yet, because it is still sending. A client that waits to be asked for its body is not asked.
pub(crate) async fn drop_body(headers: &HeaderMap, body: &mut Incoming) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let until = Instant::now() + LINGER;
    let mut dropped = 0;
    while dropped < LINGER_BYTES && !body.is_end_stream() {
        let next = timeout_at(until.min(Instant::now() + LINGER_PAUSE), body.frame());
        let Ok(Some(Ok(frame))) = next.await else { return };
        dropped += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}

/// Undoes percent-encoding, and `+` for a space where that is asked for. A `%` that encodes nothing stands for itself.
/// `None` where the result is not UTF-8.
pub(crate) fn decode(raw: &str, plus: bool) -> Option<Cow<'_, str>> {
    if !raw.bytes().any(|byte| byte == b'%' || (plus && byte == b'+')) {
        return Some(Cow::Borrowed(raw));
    }
    let bytes = raw.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        let code = code.and_then(|code| Some((digit(code[0])? << 4) | digit(code[1])?));
        at += if code.is_some() { 3 } else { 1 };
        decoded.push(match code {
            Some(code) => code,
            None if plus && byte == b'+' => b' ',
            None => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// What stands after the question mark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl<'a> Query<'a> {
    /// Whether nothing stands there.
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Every value of a parameter, in order.
    pub(crate) fn all(self, name: &'a str) -> impl Iterator<Item = Result<Cow<'a, str>, Failure>> {
        self.0.split('&').filter_map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A name that is no UTF-8 is none that anybody asks for.
            if decode(key, true)? != name {
                return None;
            }
            let value = decode(value, true);
            Some(value.ok_or_else(|| Failure::invalid(format!("invalid {name}: it is not UTF-8"))))
        })
    }

    /// The first value of a parameter.
    pub(crate) fn get(self, name: &'a str) -> Result<Option<Cow<'a, str>>, Failure> {
        if self.0.is_empty() {
            return Ok(None);
        }
        self.all(name).next().transpose()
    }

    /// A text; an empty one counts as none.
    pub(crate) fn text(self, name: &'a str) -> Result<Option<String>, Failure> {
        Ok(self.get(name)?.filter(|text| !text.is_empty()).map(Cow::into_owned))
    }

    /// A text as a checked type; an empty one counts as none.
    pub(crate) fn parse<T: FromStr<Err: Into<Failure>>>(self, name: &'a str) -> Result<Option<T>, Failure> {
        self.get(name)?
            .filter(|text| !text.is_empty())
            .map(|text| text.parse().map_err(Into::into))
            .transpose()
    }

    /// A whole number that is not negative.
    pub(crate) fn number(self, name: &'a str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.get(name)? else { return Ok(None) };
        let digits = text.strip_prefix(' ').unwrap_or(&text);
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        number.map(Some).ok_or_else(|| {
            Failure::invalid(format!(
                "{name} must be a whole number between 0 and {}, got {text:?}",
                u64::MAX
            ))
        })
    }

    /// A version: a whole number from 1 on.
    pub(crate) fn version(self, name: &'a str) -> Result<Option<Version>, Failure> {
        self.number(name)?.map(|number| to_version(name, number)).transpose()
    }

    /// How many entries; `None` where that is not said.
    pub(crate) fn limit_if_any(self, name: &'a str) -> Result<Option<Limit>, Failure> {
        Ok(self.number(name)?.map(|number| Limit::new(name, number)).transpose()?)
    }

    /// How many entries; 50 unless told.
    pub(crate) fn limit(self, name: &'a str) -> Result<Limit, Failure> {
        Ok(self.limit_if_any(name)?.unwrap_or_default())
    }

    /// `from` and `to`.
    pub(crate) fn range(self) -> Result<TimeRange, Failure> {
        Ok(TimeRange {
            from: self.get("from")?.map(|text| Timestamp::parse_from("from", &text)).transpose()?,
            to: self.get("to")?.map(|text| Timestamp::parse_to("to", &text)).transpose()?,
        })
    }

    /// A span of time.
    pub(crate) fn span(self, name: &'a str) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.get(name)? else { return Ok(None) };
        let span = duration::parse(&text);
        span.map(Some).ok_or_else(|| {
            Failure::invalid(format!(
                "invalid {name} {text:?}: use a span such as 30s, 1m30s, or whole seconds"
            ))
        })
    }

    /// Yes or no; no where it is not said.
    pub(crate) fn flag(self, name: &'a str) -> Result<bool, Failure> {
        Ok(self.choice(name)?.unwrap_or(false))
    }

    /// Yes, no, or not said.
    pub(crate) fn choice(self, name: &'a str) -> Result<Option<bool>, Failure> {
        match self.get(name)?.as_deref() {
            None => Ok(None),
            Some("1" | "true" | "") => Ok(Some(true)),
            Some("0" | "false") => Ok(Some(false)),
            Some(other) => Err(Failure::invalid(format!("{name} must be true or false, got {other:?}"))),
        }
    }

    /// The topics that any of the patterns of that name matches.
    pub(crate) fn topics(self, name: &'a str) -> Result<TopicFilter, Failure> {
        let mut patterns = Vec::new();
        for text in self.all(name).filter(|_| !self.0.is_empty()) {
            if patterns.len() == PATTERNS {
                return Err(Failure::invalid(format!("more than {PATTERNS} of {name} were given")));
            }
            patterns.push(Pattern::new(text?)?);
        }
        Ok(TopicFilter::of_client(patterns)?)
    }
}

/// Each is held against every event.
const PATTERNS: usize = 100;

pub(crate) fn to_version(name: &str, number: u64) -> Result<Version, Failure> {
    Version::new(number)
        .ok_or_else(|| Failure::invalid(format!("{name} must be between 1 and {}, got {number}", i64::MAX)))
}

#[cfg(test)]
mod tests {
    use koor_core::ids::Topic;

    use super::*;

    fn said<T>(result: Result<T, Failure>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn percent_codes_are_undone_and_nothing_else() {
        assert_eq!(decode("a%2Fb%20c", false).unwrap(), "a/b c");
        assert_eq!(decode("a+b", false).unwrap(), "a+b");
        assert_eq!(decode("a+b%2B", true).unwrap(), "a b+");
        assert_eq!(decode("100%", false).unwrap(), "100%");
        assert_eq!(decode("%zz%4", false).unwrap(), "%zz%4");
        assert_eq!(decode("%C3%BC", false).unwrap(), "ü");
        assert_eq!(decode("%ff", false), None);
    }

    #[test]
    fn a_number_is_whole_or_refused_by_name() {
        let query = Query("a=5&b=x&c=-1&d=1.5&e=&f=99999999999999999999");
        assert_eq!(query.number("a").unwrap(), Some(5));
        assert_eq!(query.number("z").unwrap(), None);
        for name in ["b", "c", "d", "e", "f"] {
            assert!(
                said(query.number(name)).starts_with(&format!("{name} must be a whole number")),
                "{name}"
            );
        }
        assert_eq!(said(Query("limit=0").limit("limit")), "limit must be between 1 and 10000, got 0");
        assert_eq!(
            said(Query("version=0").version("version")),
            format!("version must be between 1 and {}, got 0", i64::MAX)
        );
    }

    #[test]
    fn patterns_need_no_escapes_and_may_be_many() {
        let topics = Query("pattern=truck-wash.*&pattern=[ab]?c").topics("pattern").unwrap();
        assert!(topics.matches(&Topic::new("truck-wash.done").unwrap()));
        assert!(topics.matches(&Topic::new("axc").unwrap()));
        assert!(!topics.matches(&Topic::new("other").unwrap()));
        assert!(said(Query("pattern=[a").topics("pattern")).contains("pattern"));
        assert!(Query("").topics("pattern").unwrap().patterns().is_empty());
    }

    #[test]
    fn a_time_with_an_unescaped_plus_is_read() {
        let range = Query("from=2026-02-09T15:30:00+01:00&to=2026-02-16").range().unwrap();
        assert_eq!(range.from.unwrap().to_string(), "2026-02-09T14:30:00.000Z");
        assert_eq!(range.to.unwrap().to_string(), "2026-02-16T23:59:59.999Z");
    }

    #[test]
    fn a_flag_is_said_plainly() {
        assert!(Query("history=1").flag("history").unwrap());
        assert!(Query("history").flag("history").unwrap());
        assert!(!Query("history=false").flag("history").unwrap());
        assert!(!Query("").flag("history").unwrap());
        assert_eq!(
            said(Query("history=maybe").flag("history")),
            "history must be true or false, got \"maybe\""
        );
    }
}
