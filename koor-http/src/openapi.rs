//! The `OpenAPI` document, built from the table of routes.

use std::sync::LazyLock;

use bytes::Bytes;
use koor_core::ids::{InstanceId, ProjectName, StateKey};
use serde_json::{Map, Value, json};

use crate::{
    failure_body::{Conflict, Error, Expired, SchemaViolations, Status},
    routes::health::Degraded,
    shape::{Intake, Param, Place, Reply, Schemas, Shape},
    table::{Access, ROUTES, Route},
};

/// The document, as text; `guarded` says whether callers must show a token.
pub(crate) fn text(guarded: bool) -> Bytes {
    static OPEN: LazyLock<Bytes> = LazyLock::new(|| document(false).to_string().into());
    static GUARDED: LazyLock<Bytes> = LazyLock::new(|| document(true).to_string().into());
    if guarded { GUARDED.clone() } else { OPEN.clone() }
}

/// What can be done with what a call has made: the calls that make it, those that it can go on with, and where they find
/// the parameters of their paths.
struct Made {
    by: &'static [&'static str],
    then: &'static [&'static str],
    found: &'static [(&'static str, &'static str)],
}

const PROJECT_AND_NAME: &[(&str, &str)] =
    &[("project", "$request.path.project"), ("name", "$request.path.name")];
const ID: &[(&str, &str)] = &[("id", "$response.body#/id")];

const MADE: [Made; 7] = [
    Made {
        by: &["putState", "rollbackState"],
        then: &["getState", "putState", "deleteState"],
        found: &[("key", "$response.body#/key")],
    },
    Made {
        by: &["putSpec", "rollbackSpec"],
        then: &["getSpec", "putSpec", "deleteSpec", "listSpecs"],
        found: PROJECT_AND_NAME,
    },
    Made {
        by: &["putContract"],
        then: &["getSpec", "validatePayload", "listContracts", "deleteSpec"],
        found: PROJECT_AND_NAME,
    },
    Made {
        by: &["registerInstance"],
        then: &[
            "getInstance",
            "activateInstance",
            "heartbeat",
            "setIntent",
            "setCapabilities",
            "renewToken",
            "agentMetricsOf",
            "deregisterInstance",
        ],
        found: ID,
    },
    Made {
        by: &["createTemplate", "captureTemplate", "replaceTemplate"],
        then: &["getTemplate", "replaceTemplate", "applyTemplate", "deleteTemplate"],
        found: ID,
    },
    Made {
        by: &["createWebhook", "enableWebhook"],
        then: &["getWebhook", "testWebhook", "webhookDeliveries", "enableWebhook", "deleteWebhook"],
        found: ID,
    },
    Made {
        by: &["proposeRule"],
        then: &["acceptRule", "rejectRule", "deleteRule"],
        found: &[("project", "$response.body#/project"), ("rule_id", "$response.body#/rule_id")],
    },
];

/// The calls that can follow one that went well; each gets the parameters that its path has.
fn links(route: &Route) -> Value {
    let mut links = Map::new();
    for made in MADE.iter().filter(|made| made.by.contains(&route.id)) {
        for then in ROUTES.iter().filter(|other| made.then.contains(&other.id)) {
            let found: Map<String, Value> = (made.found.iter())
                .filter(|(name, _)| parameter_names(then).any(|wanted| wanted == *name))
                .map(|(name, place)| ((*name).to_owned(), json!(place)))
                .collect();
            links.insert(then.id.to_owned(), json!({"operationId": then.id, "parameters": found}));
        }
    }
    links.into()
}

fn document(guarded: bool) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Schemas::new());
    for route in ROUTES {
        let path = paths.entry(plain(route.path)).or_insert_with(|| json!({}));
        path[route.method().as_str().to_ascii_lowercase()] = operation(route, guarded, &mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Koor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "State, specs, events, instances and rules for AI coding agents that work together.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.into_named(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    })
}

/// A path as `OpenAPI` writes it: it has no parameters of several segments, but their slashes may be escaped.
fn plain(path: &str) -> String {
    path.replace("*}", "}")
}

fn operation(route: &Route, guarded: bool, schemas: &mut Schemas) -> Value {
    let shape = (route.handler.shape)(schemas);
    let mut parameters: Vec<Value> = path_parameters(route, schemas).collect();
    parameters.extend(shape.params.iter().map(parameter));
    if route.token_in_query {
        parameters.push(json!({
            "name": "access_token", "in": "query", "required": false,
            "description": "The token, where headers can't be set.", "schema": {"type": "string"},
        }));
    }
    let tag = match route.path.strip_prefix("/v1/") {
        Some(_) => "telemetry",
        None => route.path.split('/').nth(2).unwrap_or("server"),
    };
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "tags": [tag],
        "parameters": parameters,
        "responses": responses(route, &shape, schemas),
        "security": if guarded && route.access != Access::Open { json!([{"bearer": []}]) } else { json!([]) },
    });
    let who = match route.access {
        Access::Admin => "Needs the admin role.",
        Access::Own => "Needs the admin role, or to be the instance itself.",
        Access::Open | Access::Anyone => "",
    };
    operation["description"] = json!(who);
    let json_body =
        |schema, required| json!({"required": required, "content": {"application/json": {"schema": schema}}});
    match &shape.intake {
        Intake::Nothing => {}
        Intake::Json(schema) => operation["requestBody"] = json_body(schema, true),
        Intake::OptionalJson(schema) => operation["requestBody"] = json_body(schema, false),
        Intake::Telemetry => {
            operation["requestBody"] = json!({
                "required": true,
                "content": {
                    "application/json": {"schema": {"type": "object"}},
                    "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}},
                },
            });
        }
        Intake::Bytes => {
            operation["requestBody"] = json!({
                "required": true,
                "content": {
                    "application/json": {"schema": {}},
                    "text/plain": {"schema": {"type": "string", "minLength": 1}},
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}},
                },
            });
        }
    }
    operation
}

fn path_parameters(route: &Route, schemas: &mut Schemas) -> impl Iterator<Item = Value> + use<> {
    let is_instance = route.path.starts_with("/api/instances/");
    // Counters are kept under any id, also of instances that are gone: an unknown one has none.
    let is_any = route.path.starts_with("/api/metrics/");
    let parameters: Vec<Value> = parameter_names(route)
        .map(|name| {
            let schema = match name {
                "key" => json!(schemas.taken::<StateKey>()),
                "id" if is_instance => json!(schemas.taken::<InstanceId>()),
                "id" if is_any => json!({"type": "string", "minLength": 1}),
                // What all names in a path have in common.
                _ => json!(schemas.taken::<ProjectName>()),
            };
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    parameters.into_iter()
}

/// The names of the parameters in a path.
fn parameter_names(route: &Route) -> impl Iterator<Item = &'static str> {
    route.path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.trim_end_matches('*'))
    })
}

fn parameter(param: &Param) -> Value {
    let mut shown = json!({
        "name": param.name,
        "in": match param.place {
            Place::Query => "query",
            Place::Header => "header",
        },
        "required": param.required, "description": param.summary, "schema": param.schema,
    });
    if param.many {
        shown["style"] = json!("form");
        shown["explode"] = json!(true);
    }
    shown
}

/// Every status that a route can answer with, but for success.
fn statuses(route: &Route, shape: &Shape) -> Vec<u16> {
    let mut statuses = vec![400, 403, 414, 431, 500, 503];
    if route.access != Access::Open {
        statuses.push(401);
    }
    if !matches!(shape.intake, Intake::Nothing) {
        statuses.extend([408, 413]);
    }
    statuses.extend(route.also);
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

/// Every status that some route can answer with, success included.
#[cfg(test)]
pub(crate) fn every_status() -> std::collections::BTreeSet<u16> {
    let mut schemas = Schemas::new();
    let mut all = std::collections::BTreeSet::from([101, 200, 201]);
    for route in ROUTES {
        all.extend(statuses(route, &(route.handler.shape)(&mut schemas)));
    }
    all
}

fn responses(route: &Route, shape: &Shape, schemas: &mut Schemas) -> Value {
    let mut headers =
        json!({"X-Request-Id": {"description": "The request's id.", "schema": {"type": "string"}}});
    if shape.writes {
        headers["X-Koor-Cursor"] = json!({
            "description": "The place of the change in the event log.", "schema": {"type": "integer", "minimum": 0},
        });
    }
    let (done, content) = match &shape.reply {
        Reply::Created(schema) => ("201", json!({"application/json": {"schema": schema}})),
        Reply::Json(schema) => ("200", json!({"application/json": {"schema": schema}})),
        Reply::Document => {
            headers["ETag"] = json!({"description": "The hash, in quotes.", "schema": {"type": "string"}});
            headers["X-Koor-Version"] =
                json!({"description": "The version.", "schema": {"type": "integer", "minimum": 1}});
            ("200", json!({"*/*": {"schema": {}}}))
        }
        Reply::Telemetry(schema) => (
            "200",
            json!({
                "application/json": {"schema": schema},
                "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}},
            }),
        ),
        Reply::Text => ("200", json!({"text/plain": {"schema": {"type": "string"}}})),
        Reply::Stream(schema) => ("200", json!({"text/event-stream": {"schema": schema}})),
        Reply::Socket => ("101", json!({})),
    };
    let mut all = json!({
        done: {"description": "Done.", "headers": headers, "content": content},
    });
    let links = links(route);
    if links != json!({}) {
        all[done]["links"] = links;
    }
    for status in statuses(route, shape) {
        let mut error = schemas.given::<Error>();
        let what = match status {
            // What was there already is answered like what is new.
            201 => {
                all["201"] = all[done].clone();
                continue;
            }
            304 => {
                all["304"] = json!({"description": "Nothing new."});
                continue;
            }
            400 => "The request is wrong.",
            401 => "No token, or not the right one.",
            403 => "Not for this caller, origin or host.",
            404 => "Nothing there.",
            408 => "The body did not come in time.",
            409 => "There already.",
            410 => {
                error = schemas.given::<Expired>();
                "The cursor has expired."
            }
            412 => {
                error = schemas.given::<Conflict>();
                "The condition does not hold."
            }
            413 => "The body is too large.",
            415 => "Neither JSON nor Protocol Buffers, or packed in an unknown way.",
            414 => "The path and the query are too long.",
            422 => {
                error = schemas.given::<SchemaViolations>();
                "Not what a schema asks for."
            }
            426 => "Only for WebSockets.",
            431 => "The headers are too long, or too many.",
            503 if route.path == "/health" => {
                error = schemas.given::<Degraded>();
                "The store cannot write."
            }
            503 => "The store is busy, or cannot write.",
            _ => "A fault of the server.",
        };
        let content = match shape.reply {
            Reply::Telemetry(_) => json!({
                "application/json": {"schema": schemas.given::<Status>()},
                "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}},
            }),
            _ => json!({"application/json": {"schema": error}}),
        };
        all[status.to_string()] = json!({"description": what, "content": content});
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_in_the_document_and_nothing_else() {
        let document = document(false);
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                described.insert(format!("{} {path}", method.to_ascii_uppercase()));
            }
        }
        let there: BTreeSet<_> =
            ROUTES.iter().map(|route| format!("{} {}", route.method(), plain(route.path))).collect();
        assert_eq!(described, there);
        assert_eq!(there.len(), ROUTES.len(), "no route is there twice");
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let names: BTreeSet<_> = ROUTES.iter().map(|route| route.id).collect();
        assert_eq!(names.len(), ROUTES.len());
    }

    #[test]
    fn every_schema_that_is_named_is_there_and_every_one_that_is_there_is_named() {
        fn collect(value: &Value, into: &mut BTreeSet<String>) {
            match value {
                Value::Object(members) => {
                    for (name, value) in members {
                        match value.as_str().and_then(|text| text.strip_prefix("#/components/schemas/")) {
                            Some(schema) if name == "$ref" => _ = into.insert(schema.to_owned()),
                            _ => collect(value, into),
                        }
                    }
                }
                Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
                _ => {}
            }
        }
        let document = document(true);
        let mut named = BTreeSet::new();
        collect(&document, &mut named);
        let there: BTreeSet<_> =
            document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(named, there);
    }

    #[test]
    fn every_link_leads_to_a_route_and_gives_it_all_that_its_path_needs() {
        let known: BTreeSet<_> = ROUTES.iter().map(|route| route.id).collect();
        for made in MADE {
            for id in made.by.iter().chain(made.then) {
                assert!(known.contains(id), "{id}");
            }
        }
        let mut seen = 0;
        for route in ROUTES {
            for (id, link) in links(route).as_object().unwrap() {
                let then = ROUTES.iter().find(|other| other.id == id).unwrap();
                let needed: BTreeSet<_> = parameter_names(then).map(str::to_owned).collect();
                let given: BTreeSet<_> = link["parameters"].as_object().unwrap().keys().cloned().collect();
                assert_eq!(given, needed, "{} to {id}", route.id);
                seen += 1;
            }
        }
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn only_health_is_open_where_a_token_is_asked_for() {
        let document = document(true);
        assert_eq!(document["paths"]["/health"]["get"]["security"], json!([]));
        assert_eq!(document["paths"]["/api/state"]["get"]["security"], json!([{"bearer": []}]));
    }
}
