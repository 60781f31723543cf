//! JSON that is kept as it was sent.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::error::Invalid;

/// One JSON value, byte for byte as somebody wrote it: numbers keep their digits, objects their order. Cheap to clone.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct RawJson(Arc<RawValue>);

impl RawJson {
    /// The value `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Arc::from(RawValue::NULL.to_owned()))
    }

    /// Reads one JSON value.
    ///
    /// # Errors
    /// When the text is not JSON; says where.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let raw: Box<RawValue> =
            serde_json::from_str(text).map_err(|error| Invalid::new(format!("invalid JSON: {error}")))?;
        Ok(Self(raw.into()))
    }

    /// Writes a value of ours as JSON.
    ///
    /// # Errors
    /// When the value has no JSON form, as a map with keys that are not strings.
    pub fn of(value: &impl Serialize) -> Result<Self, Invalid> {
        to_raw_value(value)
            .map(|raw| Self(raw.into()))
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
        to_raw_value(value).map_or_else(|_| Self::null(), |raw| Self(raw.into()))
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
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

#[cfg(test)]
mod tests {
    use super::*;

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
