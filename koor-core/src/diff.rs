//! What differs between two JSON documents.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the changes of one diff may weigh, values aside. A long key over a long array would otherwise turn ten
/// megabytes of document into terabytes of answer.
const MAX_BYTES: usize = 16 << 20;

/// One place where two documents differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where: keys and indexes joined by dots, as `a.b.0`; empty for the whole document.
    pub path: String,
    /// How they differ there.
    pub kind: ChangeKind,
    /// What stood there before; `None` when nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub old: Option<Value>,
    /// What stands there now; `None` when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub new: Option<Value>,
}

/// How two documents differ in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Only the new one has something there.
    Added,
    /// Only the old one has.
    Removed,
    /// Both have, and not the same.
    Changed,
}

/// Every difference between two documents, sorted by path.
///
/// Objects are compared key by key, arrays index by index; a value that changes its type has changed as a whole.
/// Two documents so far apart that the list would dwarf them differ as a whole too.
#[must_use]
pub fn diff(old: &Value, new: &Value) -> Vec<Change> {
    let mut walk = Walk { path: String::new(), budget: MAX_BYTES, changes: Vec::new() };
    if walk.compare(old, new).is_err() {
        return vec![Change::new(String::new(), Some(old), Some(new))];
    }
    walk.changes.sort_by(|a, b| a.path.cmp(&b.path));
    walk.changes
}

/// The RFC 6902 patch that makes the new document of the old one.
#[must_use]
pub fn json_patch(old: &Value, new: &Value) -> json_patch::Patch {
    let mut walk = Walk { path: String::new(), budget: MAX_BYTES, changes: Vec::new() };
    if walk.compare(old, new).is_ok() {
        return json_patch::diff(old, new);
    }
    let whole =
        json_patch::ReplaceOperation { path: json_patch::jsonptr::PointerBuf::new(), value: new.clone() };
    json_patch::Patch(vec![json_patch::PatchOperation::Replace(whole)])
}

impl Change {
    fn new(path: String, old: Option<&Value>, new: Option<&Value>) -> Self {
        let kind = match (old, new) {
            (None, _) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Removed,
            (Some(_), Some(_)) => ChangeKind::Changed,
        };
        Self { path, kind, old: old.cloned(), new: new.cloned() }
    }
}

/// The list would weigh more than [`MAX_BYTES`].
struct TooMuch;

struct Walk {
    path: String,
    budget: usize,
    changes: Vec<Change>,
}

impl Walk {
    fn compare(&mut self, old: &Value, new: &Value) -> Result<(), TooMuch> {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                for (key, before) in old {
                    self.step(key, Some(before), new.get(key))?;
                }
                for (key, after) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                    self.step(key, None, Some(after))?;
                }
                Ok(())
            }
            (Value::Array(old), Value::Array(new)) => {
                for index in 0..old.len().max(new.len()) {
                    self.step(index, old.get(index), new.get(index))?;
                }
                Ok(())
            }
            (old, new) if old == new => Ok(()),
            (old, new) => self.report(Some(old), Some(new)),
        }
    }

    fn step(
        &mut self,
        segment: impl std::fmt::Display,
        old: Option<&Value>,
        new: Option<&Value>,
    ) -> Result<(), TooMuch> {
        let parent = self.path.len();
        let dot = if parent == 0 { "" } else { "." };
        // Writing to a string cannot fail.
        _ = write!(self.path, "{dot}{segment}");
        match (old, new) {
            (Some(old), Some(new)) => self.compare(old, new)?,
            (old, new) => self.report(old, new)?,
        }
        self.path.truncate(parent);
        Ok(())
    }

    fn report(&mut self, old: Option<&Value>, new: Option<&Value>) -> Result<(), TooMuch> {
        let weight = size_of::<Change>() + self.path.len();
        self.budget = self.budget.checked_sub(weight).ok_or(TooMuch)?;
        self.changes.push(Change::new(self.path.clone(), old, new));
        Ok(())
    }
}

/// Keeps a `null` that is there apart from nothing at all, which serde by itself does not.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a test reads better with the literals in place")]
    fn shown(old: Value, new: Value) -> Value {
        serde_json::to_value(diff(&old, &new)).unwrap()
    }

    #[test]
    fn objects_differ_key_by_key() {
        assert_eq!(
            shown(json!({"a": {"b": 1, "c": 2}, "z": null}), json!({"a": {"b": 1, "c": 3}, "d": [1]})),
            json!([
                {"path": "a.c", "kind": "changed", "old": 2, "new": 3},
                {"path": "d", "kind": "added", "new": [1]},
                {"path": "z", "kind": "removed", "old": null},
            ])
        );
    }

    #[test]
    fn arrays_differ_index_by_index() {
        assert_eq!(
            shown(json!({"a": {"b": [1, {"c": 2}]}}), json!({"a": {"b": [0, {"c": null}, 3]}})),
            json!([
                {"path": "a.b.0", "kind": "changed", "old": 1, "new": 0},
                {"path": "a.b.1.c", "kind": "changed", "old": 2, "new": null},
                {"path": "a.b.2", "kind": "added", "new": 3},
            ])
        );
        assert_eq!(shown(json!([1, 2]), json!([1])), json!([{"path": "1", "kind": "removed", "old": 2}]));
    }

    #[test]
    fn another_type_is_a_change_even_of_the_whole() {
        assert_eq!(
            shown(json!({"a": []}), json!({"a": {}})),
            json!([{"path": "a", "kind": "changed", "old": [], "new": {}}])
        );
        assert_eq!(
            shown(json!("x"), json!([null])),
            json!([{"path": "", "kind": "changed", "old": "x", "new": [null]}])
        );
        assert_eq!(shown(json!(1), json!(1)), json!([]));
    }

    #[test]
    fn a_change_reads_what_it_writes() {
        let changes = diff(&json!({"a": null}), &json!({"b": null}));
        let text = serde_json::to_string(&changes).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Change>>(&text).unwrap(), changes);
    }

    #[test]
    fn documents_whose_list_would_dwarf_them_differ_as_a_whole() {
        let document = |item: u8| json!({ "k".repeat(1 << 20): vec![item; 100] });
        let (old, new) = (document(1), document(2));
        assert_eq!(diff(&old, &new), [Change::new(String::new(), Some(&old), Some(&new))]);
        assert_eq!(
            serde_json::to_value(json_patch(&old, &new)).unwrap(),
            json!([{"op": "replace", "path": "", "value": new}])
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3..3_i64).prop_map(Value::from),
            "[a-c/~.]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c/~.]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_patch_turns_the_old_into_the_new(old in any_json(), new in any_json()) {
            let mut patched = old.clone();
            json_patch::patch(&mut patched, &json_patch(&old, &new)).unwrap();
            prop_assert_eq!(patched, new);
        }

        #[test]
        fn only_equal_documents_have_no_changes(old in any_json(), new in any_json()) {
            prop_assert_eq!(diff(&old, &new).is_empty(), old == new);
        }

        #[test]
        fn the_way_back_mirrors_the_way_there(old in any_json(), new in any_json()) {
            let mut mirrored: Vec<Change> = diff(&new, &old)
                .into_iter()
                .map(|change| Change::new(change.path, change.new.as_ref(), change.old.as_ref()))
                .collect();
            let there = diff(&old, &new);
            mirrored.sort_by(|a, b| a.path.cmp(&b.path));
            prop_assert!(there.is_sorted_by(|a, b| a.path <= b.path));
            prop_assert_eq!(there.len(), mirrored.len());
            for change in there {
                prop_assert!(mirrored.contains(&change));
            }
        }
    }
}
