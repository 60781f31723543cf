//! Documents that may be contracts, of which no more is taken apart than a contract needs.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    domain::json::{MOST_TREE, fits_together, tree},
    error::Invalid,
};

/// What a contract is made of; whatever else a document has is not looked at.
const PARTS: [&str; 4] = ["kind", "version", "endpoints", "checks"];

/// Whether a document calls itself a contract, well-formed or not.
pub(crate) fn claims_to_be_contract(text: &[u8]) -> bool {
    let kind = members(text, &["kind"]).and_then(|mut members| members.pop());
    kind.is_some_and(|(_, kind)| {
        serde_json::from_str::<String>(kind.get()).is_ok_and(|kind| kind == "contract")
    })
}

/// The parts of a document that [`Contract::parse`](super::Contract::parse) looks at.
///
/// # Errors
/// When it is no JSON, or they would take up too much memory.
pub(crate) fn contract_parts(text: &[u8]) -> Result<Value, Invalid> {
    let Some(members) = members(text, &PARTS) else { return tree(text) };
    fits_together(members.iter().map(|(_, part)| part.get().as_bytes()), MOST_TREE)?;
    let mut parts = Map::new();
    for (name, part) in members {
        parts.insert(name.to_owned(), tree(part.get().as_bytes())?);
    }
    Ok(Value::Object(parts))
}

/// The members of an object that have these names, unread; `None` where the text is no object.
fn members<'t>(text: &'t [u8], names: &'t [&'static str]) -> Option<Vec<(&'static str, &'t RawValue)>> {
    struct Members<'n>(&'n [&'static str]);

    impl<'de> Visitor<'de> for Members<'_> {
        type Value = Vec<(&'static str, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found: Self::Value = Vec::new();
            while let Some(key) = map.next_key::<String>()? {
                let Some(name) = self.0.iter().find(|name| **name == key) else {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                };
                // Of a name that is there twice, the last counts, as to every reader of JSON here.
                found.retain(|(known, _)| known != name);
                found.push((name, map.next_value()?));
            }
            Ok(found)
        }
    }

    serde_json::Deserializer::from_slice(text).deserialize_map(Members(names)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_contract_is_known_by_its_kind() {
        for (text, expected) in [
            (r#"{"kind":"contract"}"#, true),
            (r#" {"x":[{"kind":"x"}], "kind" : "contract", "y":{}} "#, true),
            (r#"{"kind":"x","kind":"contract"}"#, true),
            (r#"{"kind":"contract","kind":"x"}"#, false),
            (r#"{"kind":["contract"]}"#, false),
            (r#"{"x":{"kind":"contract"}}"#, false),
            (r#"["kind","contract"]"#, false),
            ("7", false),
        ] {
            assert_eq!(claims_to_be_contract(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_no_contract_has_is_not_taken_apart() {
        let ballast = format!("[{}0]", "{},".repeat(100_000));
        assert!(tree(ballast.as_bytes()).is_err());
        let text = format!(r#"{{"x":{ballast},"kind":"contract","endpoints":{{}},"y":1}}"#);
        assert_eq!(contract_parts(text.as_bytes()), Ok(json!({"kind": "contract", "endpoints": {}})));
        let text = format!(r#"{{"kind":"contract","endpoints":{ballast}}}"#);
        assert!(contract_parts(text.as_bytes()).is_err());
        assert_eq!(contract_parts(b"[1]"), Ok(json!([1])));
        assert!(contract_parts(b"{\"kind\"").is_err());
    }
}
