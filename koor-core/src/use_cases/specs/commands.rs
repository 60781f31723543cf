//! Specs are held against the schema that lies beside them.

use crate::{
    command::CommandContext,
    domain::contracts::Violation,
    error::Error,
    ids::{DocumentKey, Hash, SpecKey, SpecName},
};

/// What a spec looked like beside its schema.
///
/// Compiling a schema and walking a document are slow, so they happen before the transaction; inside it, only whether
/// the schema is still the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaCheck {
    /// The schema that was looked at, and its hash; `None` where there was none.
    pub(crate) against: Option<(SpecKey, Option<Hash>)>,
    /// What was found.
    pub(crate) violations: Vec<Violation>,
}

/// The ending that makes a spec the schema of the one without it.
const SCHEMA: &str = ".schema";

/// The key of the schema for a spec; `None` if it is a schema itself, or its name leaves no room for the ending.
pub(crate) fn schema_key(key: &SpecKey) -> Option<SpecKey> {
    if is_schema(key) {
        return None;
    }
    let name = SpecName::new(format!("{}{SCHEMA}", key.name)).ok()?;
    Some(SpecKey { project: key.project.clone(), name })
}

/// Whether that spec is a schema for another.
pub(crate) fn is_schema(key: &SpecKey) -> bool {
    key.name.as_str().ends_with(SCHEMA)
}

impl SchemaCheck {
    /// Lets the spec pass if nothing was found and nothing has changed.
    pub(crate) fn still_holds(&self, cx: &mut CommandContext<'_>, key: &DocumentKey) -> Result<(), Error> {
        if let Some((schema, seen)) = &self.against {
            let schema = DocumentKey::from(schema.clone());
            let now = cx.revision(&schema)?.filter(|revision| !revision.deleted);
            if now.map(|revision| revision.hash) != *seen {
                return Err(Error::StaleCheck(schema.to_string()));
            }
        }
        if self.violations.is_empty() {
            return Ok(());
        }
        Err(Error::SchemaViolations { what: key.to_string(), violations: self.violations.clone() })
    }
}
