//! JSON that a client sends.

use std::{fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

use koor_core::domain::json::{MOST_TREE, fits};

use crate::error::Failure;

/// A value that was sent as an object. Left to itself, a struct would take an array of its fields, too.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Object)
    }
}

impl<T: DeserializeOwned> Object<T> {
    /// Reads a body as JSON whose values are all taken apart.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        read(bytes)
    }
}

/// An object, or nothing at all.
pub(crate) struct OrDefault<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> OrDefault<T> {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(T::default()));
        }
        read(bytes).map(|Object(value)| Self(value))
    }
}

/// An object whose large part is kept as it was sent.
pub(crate) struct Kept<T>(pub(crate) T);

impl<T: DeserializeOwned> Kept<T> {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        read_any(bytes).map(|Object(value)| Self(value))
    }
}

/// An array of objects.
pub(crate) struct Objects<T>(pub(crate) Vec<T>);

impl<T: DeserializeOwned> Objects<T> {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let objects: Vec<Object<T>> = read(bytes)?;
        Ok(Self(objects.into_iter().map(|Object(value)| value).collect()))
    }
}

/// An object, or an array of them.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub(crate) enum OneOrMany<T> {
    /// An object.
    One(T),
    /// An array.
    Many(#[schemars(length(min = 1, max = 500))] Vec<T>),
}

impl<T: DeserializeOwned> OneOrMany<T> {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Objects::read(bytes).map(|Objects(items)| Self::Many(items));
        }
        read(bytes).map(|Object(value)| Self::One(value))
    }
}

/// How deep a body may nest: as deep as those who read it back will follow.
const DEEPEST: usize = 127;

/// Reads a body as JSON whose values are all taken apart.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    check_depth(bytes)?;
    fits(bytes, MOST_TREE).map_err(|error| invalid(&error))?;
    parse(bytes)
}

/// Reads a body as JSON of which the large part is kept unread, whatever is in there.
fn read_any<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    check_depth(bytes)?;
    parse(bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // Other languages write an absent list or text as `null`: to them, that is the same.
    match without_nulls(bytes).filter(|_| error.is_data()) {
        Some(rest) => serde_json::from_slice(&rest).map_err(|error| invalid(&error)),
        None => Err(invalid(&error)),
    }
}

fn invalid(error: &dyn std::fmt::Display) -> Failure {
    Failure::invalid(format!("invalid JSON body: {error}"))
}

/// An object with spaces in the place of its members that are `null`, so that whatever else is wrong stays where it is;
/// `None` where there are none.
fn without_nulls(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.to_vec();
    let mut blank = |range: std::ops::Range<usize>| {
        for byte in rest.get_mut(range).into_iter().flatten().filter(|byte| !byte.is_ascii_whitespace()) {
            *byte = b' ';
        }
    };
    let (mut any, mut kept) = (false, false);
    // A member, with the comma in front of it.
    let mut start = bytes.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if bytes[start] != b'{' {
        return None;
    }
    start += 1;
    for end in ends_of_members(bytes) {
        let member = bytes.get(start..end)?;
        let colon = member.iter().rposition(|byte| *byte == b':').unwrap_or(0);
        if member[colon..]
            .trim_ascii_start()
            .strip_prefix(b":")
            .is_some_and(|value| value.trim_ascii() == b"null")
        {
            any = true;
            blank(start..end);
        } else if !kept {
            kept = true;
            if member.starts_with(b",") {
                blank(start..start + 1);
            }
        }
        start = end;
    }
    any.then_some(rest)
}

/// Where the members of an object end, one after the other.
fn ends_of_members(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    bytes.iter().enumerate().filter_map(move |(at, byte)| {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return None;
        }
        let before = depth;
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (before == 1 && (*byte == b',' || depth == 0)).then_some(at)
    })
}

/// Refuses what nests too deep, which a reader that keeps values unread would let through.
fn check_depth(bytes: &[u8]) -> Result<(), Failure> {
    let (mut depth, mut line, mut start) = (0_usize, 1_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            (line, start) = (line + 1, at + 1);
        }
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
            let column = at + 1 - start;
            return Err(invalid(&format_args!("nested too deep at line {line} column {column}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use koor_core::domain::RawJson;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sent {
        name: String,
        list: Vec<String>,
        data: Option<RawJson>,
    }

    #[test]
    fn what_would_fill_the_memory_is_refused_where_it_is_taken_apart() {
        let many = format!(
            r#"{{"list":[{}],"data":[{}]}}"#,
            r#""","#.repeat(9) + r#""""#,
            "{},".repeat(99_999) + "{}"
        );
        let said = read::<Sent>(many.as_bytes()).unwrap_err().to_string();
        assert!(said.starts_with("invalid JSON body: the JSON has too many values: "), "{said}");
        assert_eq!(read_any::<Sent>(many.as_bytes()).unwrap().list.len(), 10);
    }

    #[test]
    fn null_is_as_good_as_nothing() {
        let sent: Sent = read(br#"{"name":"a","list":null,"data":{"x":null}}"#).unwrap();
        let data = Some(RawJson::parse(r#"{"x":null}"#).unwrap());
        assert_eq!(sent, Sent { name: "a".into(), list: vec![], data });
    }

    #[test]
    fn nulls_leave_spaces_behind() {
        for (body, expected) in [
            (r#"{"a":null}"#, "{        }"),
            (r#"{"a":null,"b":1}"#, r#"{         "b":1}"#),
            (r#"{"b":1,"a":null}"#, r#"{"b":1         }"#),
            (
                r#" {"a" : null , "b":[1,null],"c":null,"d":{"e":null}} "#,
                r#" {             "b":[1,null]         ,"d":{"e":null}} "#,
            ),
        ] {
            let left = without_nulls(body.as_bytes()).map(|rest| String::from_utf8(rest).unwrap());
            assert_eq!(left.as_deref(), Some(expected), "{body}");
        }
        for body in
            ["", "null", "[null]", r#"{"a":1}"#, r#"{"a":":null"}"#, r#"{"a\"":"\":null"}"#, "{", "{,,}"]
        {
            assert_eq!(without_nulls(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn an_array_is_no_object() {
        let said = read::<Object<Sent>>(br#"["a"]"#).err().unwrap().to_string();
        assert_eq!(said, "invalid JSON body: invalid type: sequence, expected an object at line 1 column 0");
        let Object(sent) = read::<Object<Sent>>(br#"{"name":"a","data":[1, 2],"list":null}"#).unwrap();
        let data = Some(RawJson::parse("[1, 2]").unwrap());
        assert_eq!(sent, Sent { name: "a".into(), list: vec![], data });
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (body, expected) in [
            ("", "invalid JSON body: EOF while parsing a value at line 1 column 0"),
            ("{\n  x", "invalid JSON body: key must be a string at line 2 column 3"),
            (
                r#"{"name":1,"list":null}"#,
                "invalid JSON body: invalid type: integer `1`, expected a string at line 1 column 9",
            ),
            // What is null is no mistake: the mistake is told, and where it stands.
            (
                "{\"list\":null,\n \"name\": 1}",
                "invalid JSON body: invalid type: integer `1`, expected a string at line 2 column 10",
            ),
            (
                r#"{"list":null,"name":"a","x":null"#,
                "invalid JSON body: EOF while parsing an object at line 1 column 32",
            ),
        ] {
            assert_eq!(read::<Sent>(body.as_bytes()).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_deep_body_is_refused_even_where_it_would_be_kept_unread() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read::<Value>(nested(127).as_bytes()).is_ok());
        for depth in [128, 10_000, 1_000_000] {
            let body = format!("{{\"data\":\n{}}}", nested(depth));
            let said = read::<Sent>(body.as_bytes()).unwrap_err().to_string();
            assert_eq!(said, "invalid JSON body: nested too deep at line 2 column 127");
        }
        let brackets = json!({"name": "[".repeat(1000) + "\\\"["}).to_string();
        assert!(read::<Sent>(brackets.as_bytes()).is_ok());
    }
}
