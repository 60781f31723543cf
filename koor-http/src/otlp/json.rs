//! The messages of OTLP as JSON, as far as they are read. Names are in camel case, numbers of 64 bits may be texts.

use std::fmt;

use koor_core::domain::telemetry::{AttributeValue, Attributes, MAX_ATTRIBUTE, Signal};
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    TelemetryKind,
    collect::{Collector, Telemetry, Unreadable},
    messages::MAX_NAME,
};

/// Reads the body of an export request that is written as JSON.
///
/// # Errors
/// When it is not one.
pub fn read_json(kind: TelemetryKind, body: &[u8]) -> Result<Telemetry, Unreadable> {
    // Within it, what is absent may be null.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Unreadable::new("expected an object"));
    }
    let mut collector = Collector::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let request = Walk { place: Place::Request(kind), into: &mut collector };
    request
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|error| Unreadable::new(error.to_string()))?;
    Ok(collector.finish())
}

/// Names that are known: of members of the messages.
const NAMES: [&str; 18] = [
    "attributes",
    "body",
    "endTimeUnixNano",
    "eventName",
    "key",
    "logRecords",
    "name",
    "observedTimeUnixNano",
    "resource",
    "resourceLogs",
    "resourceSpans",
    "scopeLogs",
    "scopeSpans",
    "spanId",
    "spans",
    "timeUnixNano",
    "traceId",
    "value",
];

/// A name of a member; `""` for one that is not known.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<&'static str, E> {
        Ok(NAMES.binary_search(&name).map_or("", |place| NAMES[place]))
    }
}

/// Where in the body something stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    Request(TelemetryKind),
    /// Within `resourceLogs` or `resourceSpans`.
    Group,
    /// Within `resource`.
    Resource,
    /// Within `scopeLogs` or `scopeSpans`.
    Scope,
}

/// An object on the way from the request to its records.
struct Walk<'c> {
    place: Place,
    into: &'c mut Collector,
}

/// An array of such objects.
struct Each<'c>(Walk<'c>);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { place, into } = self;
        while let Some(name) = members.next_key_seed(Name)? {
            let inner = match (place, name) {
                (Place::Request(TelemetryKind::Logs), "resourceLogs")
                | (Place::Request(TelemetryKind::Traces), "resourceSpans") => Place::Group,
                (Place::Group, "scopeLogs" | "scopeSpans") => Place::Scope,
                (Place::Group, "resource") => {
                    members.next_value_seed(Walk { place: Place::Resource, into })?;
                    continue;
                }
                (Place::Resource, "attributes") => {
                    members.next_value_seed(Pairs(into.resource()))?;
                    continue;
                }
                (Place::Scope, "logRecords" | "spans") => {
                    members.next_value_seed(Records { are_spans: name == "spans", into })?;
                    continue;
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            members.next_value_seed(Each(Walk { place: inner, into }))?;
        }
        if matches!(place, Place::Group) {
            into.end_resource();
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Each<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Walk { place, into } = self.0;
        while items.next_element_seed(Walk { place, into: &mut *into })?.is_some() {}
        Ok(())
    }
}

/// An array of log records or spans.
struct Records<'c> {
    are_spans: bool,
    into: &'c mut Collector,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(signal) = items.next_element_seed(Record { is_span: self.are_spans })? {
            self.into.add(signal);
        }
        Ok(())
    }
}

/// A log record or a span.
struct Record {
    is_span: bool,
}

impl<'de> DeserializeSeed<'de> for Record {
    type Value = Signal;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Signal, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Record {
    type Value = Signal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Signal, A::Error> {
        let mut signal = Signal::default();
        let (mut trace, mut span) = (None, None);
        while let Some(name) = members.next_key_seed(Name)? {
            match name {
                "timeUnixNano" | "endTimeUnixNano" => signal.at = members.next_value_seed(Scalar)?.nanos(),
                "observedTimeUnixNano" => signal.observed = members.next_value_seed(Scalar)?.nanos(),
                "eventName" | "name" => signal.names.extend(members.next_value_seed(Scalar)?.name()),
                "traceId" => trace = members.next_value_seed(Scalar)?.name(),
                "spanId" => span = members.next_value_seed(Scalar)?.name(),
                "body" => {
                    let body = members.next_value_seed(Value)?.map(|value| Found(Some(value)));
                    signal.names.extend(body.and_then(Found::name));
                }
                "attributes" => members.next_value_seed(Pairs(&mut signal.attributes))?,
                _ => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        // A log record may name the span in which it was written, but that is no name of its own.
        if self.is_span
            && let (Some(trace), Some(span)) = (trace, span)
        {
            signal.span = (trace + &span).to_ascii_lowercase();
        }
        Ok(signal)
    }
}

/// An array of attributes.
struct Pairs<'a>(&'a mut Attributes);

impl<'de> DeserializeSeed<'de> for Pairs<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pairs<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of attributes")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Pair(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// An attribute: its key and its value, in either order.
struct Pair<'a>(&'a mut Attributes);

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let (mut key, mut value) = (None, None);
        while let Some(name) = members.next_key_seed(Name)? {
            match name {
                "key" => key = members.next_value_seed(Scalar)?.name(),
                "value" => value = members.next_value_seed(Value)?,
                _ => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        self.0.add(key.as_deref().unwrap_or_default(), || value);
        Ok(())
    }
}

/// A value with the kind that it has as its name: `{"intValue": "7"}`. Lists and the like are left out.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Option<AttributeValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Option<AttributeValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(kind) = members.next_key_seed(ValueKind)? {
            if kind {
                found = members.next_value_seed(Scalar)?.0;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether the name of a kind of values is of one that is read.
struct ValueKind;

impl<'de> DeserializeSeed<'de> for ValueKind {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for ValueKind {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a kind of value")
    }

    fn visit_str<E: de::Error>(self, kind: &str) -> Result<bool, E> {
        Ok(matches!(kind, "stringValue" | "intValue" | "doubleValue"))
    }
}

/// A text or a number. A text that is too long to be read is left out.
struct Scalar;

/// What was found in the place of a text or a number.
#[derive(Debug)]
struct Found(Option<AttributeValue>);

impl Found {
    /// A moment in nanoseconds, zero where there is none.
    fn nanos(self) -> u64 {
        match self.0 {
            Some(AttributeValue::Whole(number)) => u64::try_from(number).unwrap_or(0),
            Some(AttributeValue::Text(text)) => text.parse().unwrap_or(0),
            Some(AttributeValue::Real(_)) | None => 0,
        }
    }

    /// A text that may be a name.
    fn name(self) -> Option<String> {
        match self.0 {
            Some(AttributeValue::Text(text)) => Some(text).filter(|text| text.len() <= MAX_NAME),
            _ => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Scalar {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Found, E> {
        Ok(Found(None))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Found, E> {
        Ok(Found((text.len() <= MAX_ATTRIBUTE).then(|| AttributeValue::Text(text.to_owned()))))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Found, E> {
        Ok(Found(Some(AttributeValue::Whole(number))))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Found, E> {
        let text = || AttributeValue::Text(number.to_string());
        Ok(Found(Some(i64::try_from(number).map_or_else(|_| text(), AttributeValue::Whole))))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Found, E> {
        Ok(Found(Some(AttributeValue::Real(number))))
    }
}
