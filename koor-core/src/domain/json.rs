//! JSON that is kept as it was sent, and how much of it may be taken apart.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{error::Invalid, schema::describe};

/// One JSON value, byte for byte as it was written: numbers keep their digits, objects their order. Cheap to clone.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct RawJson(
    /// As it was read: an `Arc` of its own text would copy megabytes.
    Arc<Box<RawValue>>,
);

describe!(RawJson: {});

impl RawJson {
    /// The value `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Arc::new(RawValue::NULL.to_owned()))
    }

    /// Reads one JSON value.
    ///
    /// # Errors
    /// When the text is not JSON; says where.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let raw: Box<RawValue> =
            serde_json::from_str(text).map_err(|error| Invalid::new(format!("invalid JSON: {error}")))?;
        Ok(Self(Arc::new(raw)))
    }

    /// Writes a value of ours as JSON.
    ///
    /// # Errors
    /// When the value has no JSON form, as a map with keys that are not strings.
    pub fn of(value: &impl Serialize) -> Result<Self, Invalid> {
        to_raw_value(value)
            .map(|raw| Self(Arc::new(raw)))
            .map_err(|error| Invalid::new(format!("cannot be written as JSON: {error}")))
    }

    /// Reads the value as a type.
    ///
    /// # Errors
    /// When it is not of that type, or nested deeper than 127 levels.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Invalid> {
        serde_json::from_str(self.as_str()).map_err(|error| Invalid::new(error.to_string()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl From<&Value> for RawJson {
    fn from(value: &Value) -> Self {
        // A `Value` always has a JSON form; were it not so, `null` is the honest absence.
        to_raw_value(value).map_or_else(|_| Self::null(), |raw| Self(Arc::new(raw)))
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(Arc::new(raw)))
    }
}

impl Default for RawJson {
    fn default() -> Self {
        Self::null()
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RawJson {}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the values of one text may take up in memory. An object of one short member takes six bytes as text and a
/// hundred times that as a value: ten megabytes of them would be a gigabyte.
pub const MOST_TREE: usize = 48 << 20;

/// Reads a text as a value that can be looked into.
///
/// # Errors
/// When it is no JSON, nests deeper than 127 levels, or would take up more than [`MOST_TREE`].
pub(crate) fn tree(text: &[u8]) -> Result<Value, Invalid> {
    fits(text, MOST_TREE)?;
    serde_json::from_slice(text).map_err(|error| Invalid::new(error.to_string()))
}

/// Whether a text is JSON that [`tree`] could read, but for its size; it is not taken apart.
///
/// # Errors
/// When it is no JSON, or nests deeper than 127 levels.
pub(crate) fn syntax(text: &[u8]) -> Result<(), Invalid> {
    /// As deep as those who read it back will follow.
    const DEEPEST: usize = 127;
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(Invalid::new("it is nested too deep"));
        }
    }
    serde_json::from_slice::<IgnoredAny>(text).map(drop).map_err(|error| Invalid::new(error.to_string()))
}

/// Holds a text against what its values may take up in memory, before any of them is there.
///
/// # Errors
/// When it is over that.
pub fn fits(text: &[u8], most: usize) -> Result<(), Invalid> {
    fits_together([text], most)
}

/// The same for several texts.
///
/// # Errors
/// When they are over that together.
pub(crate) fn fits_together<'t>(
    texts: impl IntoIterator<Item = &'t [u8]>,
    most: usize,
) -> Result<(), Invalid> {
    if texts.into_iter().map(weight).sum::<usize>() <= most {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "the JSON has too many values: taken apart, they would fill more than {} MiB of memory",
        most >> 20
    )))
}

/// What the tree of values may take up of a text of this size, without looking at it.
#[must_use]
pub fn room(text: &[u8]) -> usize {
    room_for(text.len())
}

/// The same, by the size of the text in bytes.
#[must_use]
pub(crate) fn room_for(bytes: usize) -> usize {
    /// What a byte weighs at most, in `{},{},`.
    const DENSEST: usize = 256;
    bytes.saturating_mul(DENSEST).min(MOST_TREE)
}

/// What the values of a text take up, roughly, and rather too much than too little.
fn weight(text: &[u8]) -> usize {
    /// A node of the tree that an object is.
    const OBJECT: usize = 680;
    /// An array, whose first room is for four.
    const ARRAY: usize = 160;
    /// A value among others: arrays that grow have twice the room that they need.
    const VALUE: usize = 64;
    let (mut weight, mut in_string, mut escaped) = (text.len(), false, false);
    for byte in text {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        weight += match byte {
            b'"' => {
                in_string = true;
                0
            }
            b'{' => OBJECT,
            b'[' => ARRAY,
            b',' | b':' => VALUE,
            _ => 0,
        };
    }
    weight
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn many_small_values_are_refused_before_they_are_there() {
        let objects = |count: usize| format!("[{}]", vec![r#"{"":0}"#; count].join(","));
        assert_eq!(tree(objects(3).as_bytes()), Ok(json!([{"": 0}, {"": 0}, {"": 0}])));
        assert!(tree(objects(60_000).as_bytes()).is_ok());
        let refused = tree(objects(100_000).as_bytes()).unwrap_err().to_string();
        assert_eq!(
            refused,
            "the JSON has too many values: taken apart, they would fill more than 48 MiB of memory"
        );
        for text in [objects(100), "[".repeat(100) + &"]".repeat(100), "[[],".repeat(50), "{\"\":".repeat(50)]
        {
            assert!(weight(text.as_bytes()) <= room(text.as_bytes()), "{text}");
        }
        // What looks like values inside a text is one value.
        let text = json!(r#"{"\"a": [1,2]}"#.repeat(500_000)).to_string();
        assert!(tree(text.as_bytes()).is_ok());
    }

    #[test]
    fn what_nobody_looks_into_may_have_any_number_of_values() {
        assert_eq!(syntax(format!("[{}]", vec!["{}"; 100_000].join(",")).as_bytes()), Ok(()));
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in [1, 127, 128, 1_000_000] {
            let text = nested(depth);
            assert_eq!(syntax(text.as_bytes()).is_ok(), depth < 128, "{depth}");
            assert_eq!(tree(text.as_bytes()).is_ok(), depth < 128, "{depth}");
        }
        assert!(syntax(b"[1,]").is_err());
    }

    #[test]
    fn a_value_is_kept_as_it_was_sent() {
        let sent = r#"{"b": 1.0, "a": 123456789012345678901234567890}"#;
        assert_eq!(RawJson::parse(sent).unwrap().as_str(), sent);
        assert_eq!(serde_json::to_string(&RawJson::parse(sent).unwrap()).unwrap(), sent);
    }

    #[test]
    fn what_is_not_json_says_where() {
        let error = RawJson::parse("{\"a\":}").unwrap_err().to_string();
        assert_eq!(error, "invalid JSON: expected value at line 1 column 6");
    }
}
