//! JSON Schemas of what clients send and get: each says what the constructor of its type accepts.
//!
//! Most types derive theirs. Here are the schemas of texts that are checked after they were read, and of types that write
//! their JSON themselves.

use schemars::{Schema, transform::Transform};
use serde_json::json;

/// Gives a type a schema that is written by hand and stands where the type is used.
macro_rules! describe {
    ($(#[$doc:meta])* $visibility:vis struct $name:ident: $($schema:tt)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        $visibility struct $name;
        $crate::schema::describe!($name: $($schema)+);
    };
    ($name:ty: $($schema:tt)+) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($($schema)+)
            }
        }
    };
}

pub(crate) use describe;

/// A pattern for texts without control characters.
pub(crate) const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
const FULL_LINE: &str =
    r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
const PROSE: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
const FULL_PROSE: &str =
    r"^[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";

describe! {
    /// A text of one line.
    pub struct Line: {"type": "string", "maxLength": 1024, "pattern": LINE}
}
describe! {
    /// A text of one line that is neither empty nor blank.
    pub struct FullLine: {"type": "string", "maxLength": 1024, "pattern": FULL_LINE}
}
describe! {
    /// A text of several lines.
    pub struct Prose: {"type": "string", "maxLength": 65536, "pattern": PROSE}
}
describe! {
    /// A text of several lines that is neither empty nor blank.
    pub struct FullProse: {"type": "string", "minLength": 1, "maxLength": 65536, "pattern": FULL_PROSE}
}
describe! {
    /// A word.
    pub struct Word: {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": r"^[^\s\u0000-\u001f\u007f-\u009f]+$"}
}
describe! {
    /// A key that a client chose.
    pub struct ChosenKey: {"type": "string", "minLength": 1, "maxLength": 200, "pattern": LINE}
}
describe! {
    /// A task by its project and number, or no task.
    pub struct TaskOrNone: {"type": "string", "pattern": r"^([^/\u0000-\u001f\u007f-\u009f]{1,50}/[1-9][0-9]{0,14})?$"}
}
describe! {
    /// An absolute URL.
    pub struct AbsoluteUrl: {"type": "string", "format": "uri"}
}
describe! {
    /// A URL that a webhook may have.
    pub struct WebUrl: {"type": "string", "format": "uri", "maxLength": 2048, "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\][^\s]*$"}
}

/// An object that must have these members although their type has a default: an empty one is refused later, by a text that
/// says what is required.
#[derive(Debug, Clone, Copy)]
pub struct Needs(pub &'static [&'static str]);

impl Transform for Needs {
    fn transform(&mut self, schema: &mut Schema) {
        schema.insert("required".to_owned(), json!(self.0));
    }
}

/// A choice of words, an empty text counting as none of them.
#[derive(Debug, Clone, Copy)]
pub struct OrEmpty;

impl Transform for OrEmpty {
    fn transform(&mut self, schema: &mut Schema) {
        let choice = schema.clone();
        *schema = schemars::json_schema!({"anyOf": [choice, {"const": ""}]});
    }
}
