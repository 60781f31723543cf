//! Specs, beyond what every document has.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::{
    app::Koor,
    caller::Caller,
    command::Committed,
    domain::{
        contracts::{Contract, Schema, Violation},
        json::{room, syntax, tree},
        state::{Document, Precondition, Revision},
    },
    error::{Error, Invalid},
    ids::{ProjectName, SpecKey, SpecName},
    ports::SpecProject,
    use_cases::{
        PutDocument, SchemaCheck, Written,
        specs::commands::{is_schema, schema_key},
    },
};

/// How often a change is tried anew whose checks were overtaken.
pub(crate) const TRIES: usize = 5;

impl Koor {
    /// The projects, with how many specs and rules each has.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn projects(&self) -> Result<Vec<SpecProject>, Error> {
        self.read(|tx| tx.projects()).await
    }

    /// The specs of a project, by name; none, for an unknown project.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn specs(&self, project: ProjectName) -> Result<Vec<(SpecName, Revision)>, Error> {
        self.read(move |tx| tx.specs(&project)).await
    }

    /// Stores a spec, which must be what the schema beside it asks for.
    ///
    /// # Errors
    /// When it is not, or not JSON; or as for every command.
    pub async fn put_spec(
        &self,
        caller: &Caller,
        key: &SpecKey,
        value: Bytes,
        condition: Precondition,
    ) -> Result<Committed<Written>, Error> {
        self.put_checked(caller, key, value, condition, None).await
    }

    /// As [`put_spec`](Self::put_spec), for what must be a well-formed contract, too.
    ///
    /// # Errors
    /// As for `put_spec`, and when it is not.
    pub async fn put_contract(
        &self,
        caller: &Caller,
        key: &SpecKey,
        value: Bytes,
        condition: Precondition,
    ) -> Result<Committed<Written>, Error> {
        let check: Check = |value| Contract::parse(value).err().unwrap_or_default();
        self.put_checked(caller, key, value, condition, Some(check)).await
    }

    async fn put_checked(
        &self,
        caller: &Caller,
        key: &SpecKey,
        value: Bytes,
        condition: Precondition,
        check: Option<Check>,
    ) -> Result<Committed<Written>, Error> {
        let mut tried = 0;
        loop {
            let beside = self.schema_beside(key).await?;
            let (key, value) = (key.clone(), value.clone());
            // Parsing and hashing megabytes, and compiling a schema: not on a thread that others wait for.
            let stored = beside.as_ref().and_then(|(_, schema)| schema.as_ref());
            let taken_apart = check.is_some() || stored.is_some() || is_schema(&key);
            let space =
                if taken_apart { room(&value) + stored.map_or(0, |schema| room(&schema.value)) } else { 0 };
            let put = self.run_limited(space, move || Ok(checked(key, value, beside, check)?)).await?;
            match self.execute(caller, put.only_if(condition.clone())).await {
                Err(Error::StaleCheck(_)) if tried < TRIES => tried += 1,
                answer => return answer,
            }
        }
    }

    /// Holds a spec against the schema beside it; one that is a schema itself must be a good one.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn check_spec(&self, key: &SpecKey, value: &Value) -> Result<SchemaCheck, Error> {
        Ok(held(key, value, self.schema_beside(key).await?))
    }

    async fn schema_beside(&self, key: &SpecKey) -> Result<Beside, Error> {
        let Some(schema_key) = schema_key(key).filter(|_| !is_schema(key)) else { return Ok(None) };
        let schema = self.newest(&schema_key.clone().into()).await?;
        Ok(Some((schema_key, schema)))
    }
}

/// The schema beside a spec: its key, if it can have one, and what is stored under it.
type Beside = Option<(SpecKey, Option<Arc<Document>>)>;

/// What else is wrong with a spec.
type Check = fn(&Value) -> Vec<Violation>;

/// The command that stores a spec, with all that is slow about it done.
fn checked(key: SpecKey, value: Bytes, beside: Beside, check: Option<Check>) -> Result<PutDocument, Invalid> {
    if value.is_empty() {
        return Err(Invalid::new("empty body"));
    }
    let invalid = |error: Invalid| Invalid::new(format!("invalid JSON body: {error}"));
    if let Some((schema, None)) = &beside
        && check.is_none()
    {
        // It is passed on unread, so it need not be parsed, however many values it has.
        syntax(&value).map_err(invalid)?;
        let schema = SchemaCheck { against: Some((schema.clone(), None)), violations: Vec::new() };
        return PutDocument::spec(key, value, schema);
    }
    let parsed = tree(&value).map_err(invalid)?;
    let mut schema = held(&key, &parsed, beside);
    schema.violations.extend(check.map_or_else(Vec::new, |check| check(&parsed)));
    PutDocument::spec(key, value, schema)
}

/// Holds a spec against the schema beside it, or as one.
fn held(key: &SpecKey, value: &Value, beside: Beside) -> SchemaCheck {
    if is_schema(key) {
        let violations = Schema::compile(value).err().unwrap_or_default();
        return SchemaCheck { against: None, violations };
    }
    let Some((schema_key, schema)) = beside else {
        return SchemaCheck { against: None, violations: Vec::new() };
    };
    let violations = schema.as_ref().map_or_else(Vec::new, |schema| {
        match tree(&schema.value) {
            Ok(schema) => against(&schema, value),
            // Stored before it was a schema by name; it binds no document.
            Err(_) => Vec::new(),
        }
    });
    let seen = schema.map(|schema| schema.revision.hash);
    SchemaCheck { against: Some((schema_key, seen)), violations }
}

/// What a value violates of a schema.
pub(crate) fn against(schema: &Value, value: &Value) -> Vec<Violation> {
    match Schema::compile(schema) {
        Ok(schema) => schema.check("", value),
        Err(violations) => violations,
    }
}
