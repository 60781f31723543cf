//! A contract document: its endpoints, read once, and payloads checked against them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Direction, Schema, Violation,
    fields::{self, Carrier, Fields, Kind},
    findings::{Findings, mismatch},
};
use crate::ids::StateKey;

/// What an API promises: for each endpoint, the shape of what is sent and what comes back.
#[derive(Debug)]
pub struct Contract {
    version: u64,
    endpoints: BTreeMap<String, Endpoint>,
    checks: Vec<Check>,
}

/// A state value that must satisfy the contract at all times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The value.
    pub state: StateKey,
    /// The endpoint that it is a payload of.
    pub endpoint: String,
    /// Which payload it is.
    pub direction: Direction,
}

#[derive(Debug, Default)]
struct Endpoint {
    query: Option<Shape>,
    request: Option<Shape>,
    response: Option<Shape>,
    error: Option<Shape>,
    response_items: Option<Fields>,
    response_status: Option<u16>,
}

#[derive(Debug)]
enum Shape {
    Fields(Fields),
    Schema {
        schema: Box<Schema>,
        /// The properties whose values a URL cannot carry as they are.
        kinds: BTreeMap<String, Kind>,
    },
}

impl Contract {
    /// Reads a contract document.
    ///
    /// # Errors
    /// With everything that is wrong with it, sorted by path.
    pub fn parse(document: &Value) -> Result<Self, Vec<Violation>> {
        let mut findings = Findings::at("");
        let contract = parse(document, &mut findings);
        let violations = findings.into_violations();
        if violations.is_empty() { Ok(contract) } else { Err(violations) }
    }

    /// What is wrong with a payload, sorted by path; nothing when it keeps the contract.
    ///
    /// An unknown endpoint is a violation with an empty path; a direction that the endpoint does not define, one
    /// whose path is the direction.
    #[must_use]
    pub fn check(&self, endpoint: &str, direction: Direction, payload: &Value) -> Vec<Violation> {
        let Some(found) = self.endpoints.get(endpoint) else {
            let message = format!("endpoint \"{endpoint}\" not in contract");
            return vec![Violation { path: String::new(), message }];
        };
        let root = direction.as_str();
        let mut findings = Findings::at(root);
        match (found.shape(direction), &found.response_items) {
            // With both, the payload itself says which of the two it means to be.
            (shape, Some(items))
                if direction == Direction::Response && (shape.is_none() || payload.is_array()) =>
            {
                fields::check_items(items, payload, &mut findings);
            }
            (Some(shape), _) => shape.check(direction, payload, &mut findings),
            (None, _) => findings.add(format!("endpoint \"{endpoint}\" has no {direction} definition")),
        }
        findings.into_violations()
    }

    /// What is wrong with the status of a response, if the endpoint promises one.
    #[must_use]
    pub fn check_status(&self, endpoint: &str, status: u16) -> Option<Violation> {
        let expected = self.expected_status(endpoint).filter(|expected| *expected != status)?;
        let message = format!("expected status {expected}, got {status}");
        Some(Violation { path: Direction::Response.as_str().to_owned(), message })
    }

    /// The status that the endpoint promises to answer with.
    #[must_use]
    pub fn expected_status(&self, endpoint: &str) -> Option<u16> {
        self.endpoints.get(endpoint)?.response_status
    }

    /// What the contract leaves out although it is well-formed: endpoints that promise nothing.
    #[must_use]
    pub fn lint(&self) -> Vec<Violation> {
        let mut findings = Findings::at("endpoints");
        for (name, endpoint) in &self.endpoints {
            let defined = [&endpoint.request, &endpoint.response, &endpoint.query];
            if defined.into_iter().all(Option::is_none) && endpoint.response_items.is_none() {
                findings.key(name, |findings| {
                    findings.add("no request, response, response_array or query definition");
                });
            }
        }
        findings.into_violations()
    }

    /// Whether the endpoint defines a payload in this direction.
    #[must_use]
    pub fn defines(&self, endpoint: &str, direction: Direction) -> bool {
        self.endpoints.get(endpoint).is_some_and(|found| {
            found.shape(direction).is_some()
                || (direction == Direction::Response && found.response_items.is_some())
        })
    }

    /// The endpoints by name, in order.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = &str> {
        self.endpoints.keys().map(String::as_str)
    }

    /// The state values that must satisfy this contract.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The version that the document gives itself; 1 when it gives none.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl Endpoint {
    fn shape(&self, direction: Direction) -> Option<&Shape> {
        match direction {
            Direction::Request => self.request.as_ref(),
            Direction::Response => self.response.as_ref(),
            Direction::Query => self.query.as_ref(),
            Direction::Error => self.error.as_ref(),
        }
    }
}

impl Shape {
    fn check(&self, direction: Direction, payload: &Value, findings: &mut Findings) {
        match (self, direction) {
            (Self::Fields(fields), Direction::Query) => {
                fields::check(fields, payload, Carrier::Url, findings);
            }
            (Self::Fields(fields), _) => fields::check(fields, payload, Carrier::Json, findings),
            (Self::Schema { schema, kinds }, Direction::Query) => {
                let read = read_texts(kinds, payload);
                findings.extend(schema.check(direction.as_str(), &read));
            }
            (Self::Schema { schema, .. }, _) => findings.extend(schema.check(direction.as_str(), payload)),
        }
    }
}

fn read_texts(kinds: &BTreeMap<String, Kind>, payload: &Value) -> Value {
    let mut read = payload.clone();
    for (name, kind) in kinds {
        if let Some(value) = read.get_mut(name)
            && let Some(meant) = value.as_str().and_then(|text| kind.read(text))
        {
            *value = meant;
        }
    }
    read
}

fn given<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

fn parse(document: &Value, findings: &mut Findings) -> Contract {
    let mut contract = Contract { version: 1, endpoints: BTreeMap::new(), checks: Vec::new() };
    let Some(map) = document.as_object() else {
        findings.add(mismatch("object", document));
        return contract;
    };
    if map.get("kind").and_then(Value::as_str) != Some("contract") {
        findings.key("kind", |findings| findings.add("expected \"contract\""));
    }
    if let Some(version) = given(map, "version") {
        match version.as_u64() {
            Some(version) => contract.version = version,
            None => findings.key("version", |findings| findings.add("expected a whole number")),
        }
    }
    findings.key("endpoints", |findings| match map.get("endpoints") {
        Some(Value::Object(endpoints)) => {
            if endpoints.is_empty() {
                findings.add("a contract has at least one endpoint");
            }
            for (name, value) in endpoints {
                let endpoint = findings.key(name, |findings| parse_endpoint(value, findings));
                contract.endpoints.insert(name.clone(), endpoint);
            }
        }
        Some(other) => findings.add(mismatch("object", other)),
        None => findings.add("missing required field \"endpoints\""),
    });
    findings.key("checks", |findings| match given(map, "checks") {
        Some(Value::Array(checks)) => {
            for (index, check) in checks.iter().enumerate() {
                let check =
                    findings.index(index, |findings| parse_check(check, &contract.endpoints, findings));
                contract.checks.extend(check);
            }
        }
        Some(other) => findings.add(mismatch("array", other)),
        None => {}
    });
    contract
}

fn parse_endpoint(value: &Value, findings: &mut Findings) -> Endpoint {
    let Some(map) = value.as_object() else {
        findings.add(mismatch("object", value));
        return Endpoint::default();
    };
    let endpoint = Endpoint {
        query: parse_shape(map, "query", "query_schema", findings),
        request: parse_shape(map, "request", "request_schema", findings),
        response: parse_shape(map, "response", "response_schema", findings),
        error: parse_shape(map, "error", "error_schema", findings),
        response_items: given(map, "response_array")
            .map(|value| findings.key("response_array", |findings| fields::parse(value, findings))),
        response_status: given(map, "response_status").and_then(|value| {
            let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
            let status = status.filter(|status| (100..=599).contains(status));
            if status.is_none() {
                findings.key("response_status", |findings| findings.add("expected an HTTP status"));
            }
            status
        }),
    };
    if given(map, "response_array").is_some() && given(map, "response_schema").is_some() {
        findings.add("both response_array and response_schema are defined");
    }
    endpoint
}

fn parse_shape(
    map: &Map<String, Value>,
    fields: &str,
    schema: &str,
    findings: &mut Findings,
) -> Option<Shape> {
    match (given(map, fields), given(map, schema)) {
        (None, None) => None,
        (Some(value), None) => {
            Some(Shape::Fields(findings.key(fields, |findings| fields::parse(value, findings))))
        }
        (None, Some(value)) => {
            findings.key(schema, |findings| match Schema::compile_at(findings.path(), value) {
                Ok(compiled) => Some(Shape::Schema { schema: Box::new(compiled), kinds: kinds(value) }),
                Err(violations) => {
                    findings.extend(violations);
                    None
                }
            })
        }
        (Some(_), Some(_)) => {
            findings.add(format!("both {fields} and {schema} are defined"));
            None
        }
    }
}

fn kinds(schema: &Value) -> BTreeMap<String, Kind> {
    let kind = |property: &Value| match property.get("type")?.as_str()? {
        "number" | "integer" => Some(Kind::Number),
        "boolean" => Some(Kind::Boolean),
        _ => None,
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .filter_map(|(name, property)| Some((name.clone(), kind(property)?)))
        .collect()
}

fn parse_check(
    value: &Value,
    endpoints: &BTreeMap<String, Endpoint>,
    findings: &mut Findings,
) -> Option<Check> {
    let text = |key| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let state = StateKey::new(text("state"));
    if let Err(invalid) = &state {
        findings.key("state", |findings| findings.add(invalid.to_string()));
    }
    let endpoint = text("endpoint");
    if !endpoints.contains_key(endpoint) {
        findings.key("endpoint", |findings| {
            findings.add(format!("endpoint \"{endpoint}\" not in contract"));
        });
    }
    let direction = match text("direction") {
        "" => Ok(Direction::default()),
        word => word.parse(),
    };
    if let Err(invalid) = &direction {
        findings.key("direction", |findings| findings.add(invalid.to_string()));
    }
    Some(Check { state: state.ok()?, endpoint: endpoint.to_owned(), direction: direction.ok()? })
}

#[cfg(test)]
mod tests;
