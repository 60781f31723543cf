//! The messages of OTLP as Protocol Buffers, as far as they are read.

use std::fmt::Write as _;

use koor_core::domain::telemetry::{AttributeValue, Attributes, MAX_ATTRIBUTE, Signal};

use super::{
    TelemetryKind,
    collect::{Collector, Telemetry, Unreadable},
    protobuf::{Fields, Value},
};

/// The longest name of an event that is known, and more.
pub(super) const MAX_NAME: usize = 128;

/// Reads the body of an export request that is written as Protocol Buffers.
///
/// # Errors
/// When it is not one.
pub fn read_protobuf(kind: TelemetryKind, body: &[u8]) -> Result<Telemetry, Unreadable> {
    let mut collector = Collector::default();
    each(body, 1, |resource| match kind {
        TelemetryKind::Metrics => check(resource),
        TelemetryKind::Logs => read_resource(resource, &mut collector, read_log_record),
        TelemetryKind::Traces => read_resource(resource, &mut collector, read_span),
    })?;
    Ok(collector.finish())
}

/// Reads each message that a field holds; all other fields are left out.
fn each<'a>(
    message: &'a [u8],
    field: u64,
    mut read: impl FnMut(&'a [u8]) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    for found in Fields::of(message) {
        let (number, value) = found?;
        if number == field {
            read(value.bytes()?)?;
        }
    }
    Ok(())
}

/// Whether a message has fields at all.
fn check(message: &[u8]) -> Result<(), Unreadable> {
    Fields::of(message).try_for_each(|field| field.map(drop))
}

fn read_resource(
    message: &[u8],
    collector: &mut Collector,
    read: fn(&[u8]) -> Result<Signal, Unreadable>,
) -> Result<(), Unreadable> {
    each(message, 1, |resource| each(resource, 1, |pair| read_attribute(pair, collector.resource())))?;
    each(message, 2, |scope| {
        each(scope, 2, |record| {
            collector.add(read(record)?);
            Ok(())
        })
    })?;
    collector.end_resource();
    Ok(())
}

fn read_log_record(message: &[u8]) -> Result<Signal, Unreadable> {
    let (mut signal, mut name, mut body) = (Signal::default(), None, None);
    for field in Fields::of(message) {
        match field? {
            (1, value) => signal.at = value.fixed64()?,
            (5, value) => body = text_of(value.bytes()?)?,
            (6, value) => read_attribute(value.bytes()?, &mut signal.attributes)?,
            (11, value) => signal.observed = value.fixed64()?,
            (12, value) => name = Some(value.text()?),
            _ => {}
        }
    }
    let names = [name, body].into_iter().flatten();
    signal.names = names.filter(|name| name.len() <= MAX_NAME).map(str::to_owned).collect();
    Ok(signal)
}

fn read_span(message: &[u8]) -> Result<Signal, Unreadable> {
    let (mut signal, mut trace, mut span) = (Signal::default(), &[][..], &[][..]);
    for field in Fields::of(message) {
        match field? {
            (1, value) => trace = value.bytes()?,
            (2, value) => span = value.bytes()?,
            (5, value) => signal
                .names
                .extend(Some(value.text()?).filter(|name| name.len() <= MAX_NAME).map(str::to_owned)),
            (8, value) => signal.at = value.fixed64()?,
            (9, value) => read_attribute(value.bytes()?, &mut signal.attributes)?,
            _ => {}
        }
    }
    for byte in trace.iter().take(16).chain(span.iter().take(8)) {
        // Writing to a String cannot fail.
        let _ = write!(signal.span, "{byte:02x}");
    }
    Ok(signal)
}

fn read_attribute(message: &[u8], attributes: &mut Attributes) -> Result<(), Unreadable> {
    let (mut key, mut value) = ("", &[][..]);
    for field in Fields::of(message) {
        match field? {
            (1, text) => key = text.text()?,
            (2, message) => value = message.bytes()?,
            _ => {}
        }
    }
    let mut read = Ok(None);
    attributes.add(key, || {
        read = read_value(value);
        read.clone().ok().flatten()
    });
    read.map(drop)
}

/// The text of a value, if it is one.
fn text_of(message: &[u8]) -> Result<Option<&str>, Unreadable> {
    let mut text = None;
    for field in Fields::of(message) {
        if let (1, value) = field? {
            text = Some(value.text()?);
        }
    }
    Ok(text)
}

fn read_value(message: &[u8]) -> Result<Option<AttributeValue>, Unreadable> {
    let mut found = None;
    for field in Fields::of(message) {
        found = match field? {
            (1, value) => {
                let text = value.text()?;
                (text.len() <= MAX_ATTRIBUTE).then(|| AttributeValue::Text(text.to_owned()))
            }
            (3, value) => Some(AttributeValue::Whole(value.varint()?.cast_signed())),
            (4, Value::Fixed64(bits)) => Some(AttributeValue::Real(f64::from_bits(bits))),
            _ => None,
        };
    }
    Ok(found)
}
