//! What is in a backup.

use std::{collections::HashSet, fmt, io::Read, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// What is in a backup, counted; read to its end, so that one which broke off is none.
#[derive(Debug, Deserialize)]
pub(super) struct Counts {
    #[serde(rename = "format")]
    _format: Format,
    state: Many<OfState>,
    specs: Many<OfSpec>,
    rules: Many<IgnoredAny>,
    templates: Many<IgnoredAny>,
    webhooks: Many<IgnoredAny>,
    instances: Many<IgnoredAny>,
    /// Older backups have none.
    #[serde(default)]
    events: Many<IgnoredAny>,
    #[serde(default)]
    tasks: Many<IgnoredAny>,
    /// Older backups have none.
    #[serde(default)]
    leases: Many<IgnoredAny>,
    /// Older backups have none.
    #[serde(default)]
    messages: Many<IgnoredAny>,
    audit: Many<IgnoredAny>,
    usage: Many<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
enum Format {
    #[serde(rename = "koor-backup")]
    Koor,
}

#[derive(Debug, Deserialize, PartialEq, Eq, Hash)]
struct OfState {
    key: String,
}

#[derive(Debug, Deserialize, PartialEq, Eq, Hash)]
struct OfSpec {
    project: String,
    name: String,
}

impl Counts {
    /// Counts.
    ///
    /// # Errors
    /// When it is no backup, or not a whole one.
    pub(super) fn read(from: impl Read) -> serde_json::Result<Self> {
        serde_json::from_reader(from)
    }

    /// The counts, under the names that a restore gives them.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        [
            ("state", self.state.different.len()),
            ("state_versions", self.state.count),
            ("specs", self.specs.different.len()),
            ("spec_versions", self.specs.count),
            ("rules", self.rules.count),
            ("templates", self.templates.count),
            ("webhooks", self.webhooks.count),
            ("instances", self.instances.count),
            ("events", self.events.count),
            ("tasks", self.tasks.count),
            ("leases", self.leases.count),
            ("messages", self.messages.count),
            ("audit", self.audit.count),
            ("usage", self.usage.count),
        ]
        .into_iter()
        .map(|(name, count)| (name.to_owned(), Value::from(count)))
        .collect()
    }
}

/// Things in an array, of which only a name is held in memory.
#[derive(Debug, Default)]
struct Many<T> {
    count: usize,
    different: HashSet<T>,
}

impl<'de, T: DeserializeOwned + Name> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counting<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned + Name> Visitor<'de> for Counting<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Many<T>, A::Error> {
                let mut many = Many { count: 0, different: HashSet::new() };
                while let Some(one) = seq.next_element::<T>()? {
                    many.count += 1;
                    one.note(&mut many.different);
                }
                Ok(many)
            }
        }

        deserializer.deserialize_seq(Counting(PhantomData))
    }
}

/// Whether a thing is one of several versions under one name.
trait Name: Sized {
    fn note(self, different: &mut HashSet<Self>);
}

impl Name for IgnoredAny {
    fn note(self, _: &mut HashSet<Self>) {}
}

impl Name for OfState {
    fn note(self, different: &mut HashSet<Self>) {
        different.insert(self);
    }
}

impl Name for OfSpec {
    fn note(self, different: &mut HashSet<Self>) {
        different.insert(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"format":"koor-backup","version":1,"state":[{"key":"a","version":1},{"key":"a","version":2},
        {"key":"b"}],"specs":[{"project":"p","name":"c"}],"rules":[{},{}],"templates":[],"webhooks":[],"instances":[{}],
        "audit":[{}],"usage":[]}"#;

    #[test]
    fn versions_and_names_are_counted() {
        let counts = Counts::read(WHOLE.as_bytes()).unwrap().to_json();
        let wanted = r#"{"audit":1,"events":0,"instances":1,"leases":0,"messages":0,"rules":2,"spec_versions":1,"specs":1,"state":2,"state_versions":3,
            "tasks":0,"templates":0,"usage":0,"webhooks":0}"#;
        assert_eq!(Value::Object(counts), serde_json::from_str::<Value>(wanted).unwrap());
    }

    #[test]
    fn what_is_not_whole_is_no_backup() {
        for end in [WHOLE.len() - 1, WHOLE.len() / 2, 0] {
            assert!(Counts::read(&WHOLE.as_bytes()[..end]).is_err(), "{end}");
        }
        assert!(Counts::read(WHOLE.replace("koor-", "other-").as_bytes()).is_err());
        assert!(Counts::read(&b"{}"[..]).is_err());
    }
}
