//! Names that cannot be wrong.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    error::Invalid,
    schema::{LINE, describe},
};

/// A checked name: a newtype over `Arc<str>` with one constructor, and serde as a plain string. It is shared, because a
/// change hands the name of what it changes to the store, the caches, the event and the answer.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:expr, $($schema:tt)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name that follows the rule above.
            ///
            /// # Errors
            /// When it does not; the text says how.
            pub fn new(name: impl AsRef<str>) -> Result<Self, Invalid> {
                let name = name.as_ref();
                let check: fn(&str) -> Result<(), Invalid> = $check;
                check(name)?;
                Ok(Self(name.into()))
            }

            /// The name as it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($($schema)+)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(name: String) -> Result<Self, Invalid> {
                Self::new(name)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(name: &str) -> Result<Self, Invalid> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The key of a state document: 1 to 512 bytes, slashes allowed, no control characters, no empty, `.` or
    /// `..` segment.
    StateKey, |key| {
        bounded("key", key, 512)?;
        if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(Invalid::new(format!("invalid key {key:?}: it has an empty, '.' or '..' segment")));
        }
        Ok(())
    }, {"type": "string", "minLength": 1, "maxLength": 512, "pattern": KEY}
}
name! {
    /// A project: 1 to 200 bytes, no slash, no control characters.
    ProjectName, |name| segment("project", name), {"type": "string", "minLength": 1, "maxLength": 200, "pattern": SEGMENT}
}
name! {
    /// A spec inside its project: 1 to 200 bytes, no slash, no control characters.
    SpecName, |name| segment("spec name", name), {"type": "string", "minLength": 1, "maxLength": 200, "pattern": SEGMENT}
}
name! {
    /// A rule inside its project: 1 to 200 bytes, no slash, no control characters.
    RuleId, |name| segment("rule_id", name), {"type": "string", "minLength": 1, "maxLength": 200, "pattern": SEGMENT}
}
name! {
    /// A webhook: 1 to 200 bytes, no slash, no control characters.
    WebhookId, |name| segment("webhook id", name), {"type": "string", "minLength": 1, "maxLength": 200, "pattern": SEGMENT}
}
name! {
    /// A template: 1 to 200 bytes, no slash, no control characters.
    TemplateId, |name| segment("template id", name), {"type": "string", "minLength": 1, "maxLength": 200, "pattern": SEGMENT}
}
name! {
    /// The session of an agent's client, as the client names it: 1 to 200 bytes, no control characters.
    SessionName, |name| bounded("session", name, 200), {"type": "string", "minLength": 1, "maxLength": 200, "pattern": LINE}
}
name! {
    /// The name that an agent registered under: 1 to 1024 bytes, no control characters.
    AgentName, |name| bounded("agent name", name, 1024), {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": LINE}
}
name! {
    /// What an event is about: 1 to 256 bytes, dot-separated, no empty segment, no whitespace, no control or glob
    /// characters.
    Topic, |topic| {
        bounded("topic", topic, 256)?;
        if topic.split('.').any(str::is_empty) {
            return Err(Invalid::new(format!("invalid topic {topic:?}: it has an empty segment")));
        }
        match topic.chars().find(|c| c.is_whitespace() || "*?[]\\".contains(*c)) {
            Some(bad) => Err(Invalid::new(format!("invalid topic {topic:?}: {bad:?} is not allowed"))),
            None => Ok(()),
        }
    }, {"type": "string", "maxLength": 256, "pattern": TOPIC}
}

impl Topic {
    /// A topic of the server's own, whose spelling a test checks.
    pub(crate) fn known(topic: &'static str) -> Self {
        Self(topic.into())
    }

    /// Whether only the server itself publishes here: system topics begin with `$`.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with('$')
    }
}

/// No slash, no control characters.
const SEGMENT: &str = r"^[^/\u0000-\u001f\u007f-\u009f]+$";

/// Segments between slashes, none of them made of dots only: simpler than to name `.` and `..`.
const KEY: &str = r"^[^/\u0000-\u001f\u007f-\u009f]*[^./\u0000-\u001f\u007f-\u009f][^/\u0000-\u001f\u007f-\u009f]*(/[^/\u0000-\u001f\u007f-\u009f]*[^./\u0000-\u001f\u007f-\u009f][^/\u0000-\u001f\u007f-\u009f]*)*$";

/// Segments between dots, without blanks and what globs are made of.
const TOPIC: &str =
    r"^[^.\s*?\[\]\\\u0000-\u001f\u007f-\u009f]+(\.[^.\s*?\[\]\\\u0000-\u001f\u007f-\u009f]+)*$";

fn bounded(what: &str, name: &str, most: usize) -> Result<(), Invalid> {
    if name.is_empty() {
        return Err(Invalid::new(format!("{what} is required")));
    }
    if name.len() > most {
        return Err(Invalid::new(format!("{what} is {} bytes long, at most {most} are allowed", name.len())));
    }
    match name.chars().find(|c| c.is_control()) {
        Some(bad) => Err(Invalid::new(format!("invalid {what}: control character {bad:?}"))),
        None => Ok(()),
    }
}

fn segment(what: &str, name: &str) -> Result<(), Invalid> {
    bounded(what, name, 200)?;
    if name.contains('/') {
        return Err(Invalid::new(format!("invalid {what} {name:?}: '/' is not allowed")));
    }
    Ok(())
}

/// The key of a spec: a name inside a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpecKey {
    /// The project that holds it.
    pub project: ProjectName,
    /// Its name there.
    pub name: SpecName,
}

impl fmt::Display for SpecKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.name)
    }
}

/// The key of a versioned document of either noun.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKey {
    /// A state document.
    State(StateKey),
    /// A spec.
    Spec(SpecKey),
}

impl DocumentKey {
    /// The word that clients read before the name: `key` or `spec`.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Self::State(_) => "key",
            Self::Spec(_) => "spec",
        }
    }
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(key) => key.fmt(f),
            Self::Spec(key) => key.fmt(f),
        }
    }
}

impl From<StateKey> for DocumentKey {
    fn from(key: StateKey) -> Self {
        Self::State(key)
    }
}

impl From<SpecKey> for DocumentKey {
    fn from(key: SpecKey) -> Self {
        Self::Spec(key)
    }
}

/// The id of a registered instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(uuid::Uuid);

describe!(InstanceId: {"type": "string", "format": "uuid"});

impl InstanceId {
    /// The id of no instance.
    pub const NIL: Self = Self(uuid::Uuid::nil());

    /// Its sixteen bytes, as a store keeps them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }
}

impl From<uuid::Uuid> for InstanceId {
    fn from(id: uuid::Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for InstanceId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        uuid::Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| Invalid::new(format!("invalid instance id {text:?}: it is not a UUID")))
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_slashes_and_refuses_odd_segments() {
        assert_eq!(StateKey::new("a/b.c/ü d").unwrap().as_str(), "a/b.c/ü d");
        for bad in ["", "/a", "a/", "a//b", "a/./b", "..", "a\nb", "a\u{7f}", &"x".repeat(513)] {
            assert!(StateKey::new(bad).is_err(), "{bad:?}");
        }
        assert!(StateKey::new("x".repeat(512)).is_ok());
    }

    #[test]
    fn a_topic_has_no_holes_and_no_glob_characters() {
        assert!(Topic::new("truck-wash.frontend.done").is_ok());
        for bad in
            ["", ".", "a.", ".a", "a..b", "a b", "a.*", "a?", "[a]", "a\\b", "a\u{0}", &"x".repeat(257)]
        {
            assert!(Topic::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_missing_name_says_what_is_required() {
        assert_eq!(Topic::new("").unwrap_err().to_string(), "topic is required");
        assert_eq!(ProjectName::new("").unwrap_err().to_string(), "project is required");
    }
}
