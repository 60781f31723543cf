use serde_json::json;

use super::*;

fn contract(endpoint: &Value) -> Contract {
    Contract::parse(&json!({"kind": "contract", "version": 1, "endpoints": {"POST /x": endpoint}})).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "a test reads better with the literals in place")]
fn check(endpoint: Value, direction: Direction, payload: Value) -> Value {
    shown(contract(&endpoint).check("POST /x", direction, &payload))
}

fn shown(violations: Vec<Violation>) -> Value {
    violations.into_iter().map(|violation| json!([violation.path, violation.message])).collect()
}

fn refused(document: &Value) -> Value {
    shown(Contract::parse(document).unwrap_err())
}

#[test]
fn a_payload_is_checked_field_by_field_and_the_list_is_sorted() {
    let endpoint = json!({"request": {
        "name": {"type": "string", "required": true},
        "age": {"type": "number"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "note": {"type": "string"},
        "maybe": {"type": "string", "nullable": true},
        "tags": {"type": "array", "items": {"type": "string"}},
        "address": {"type": "object", "required": true, "fields": {"city": {"type": "string", "required": true}}},
        "anything": {},
    }});
    let good = json!({"name": "n", "maybe": null, "tags": [], "address": {"city": "c"}, "anything": [1]});
    assert_eq!(check(endpoint.clone(), Direction::Request, good), json!([]));
    let bad = json!({
        "age": "7", "kind": "x", "note": null, "tags": ["t", null, 3], "address": {"city": 5, "zip": 1}, "zz": 0,
    });
    assert_eq!(
        check(endpoint, Direction::Request, bad),
        json!([
            ["request.address.city", "expected string, got number"],
            ["request.address.zip", "unexpected field \"zip\" (contract defines: city)"],
            ["request.age", "expected number, got string"],
            ["request.kind", "value \"x\" not in allowed enum: [a, b]"],
            ["request.name", "missing required field \"name\""],
            ["request.note", "field \"note\" is null but not nullable"],
            ["request.tags[1]", "array element is null but not nullable"],
            ["request.tags[2]", "expected string, got number"],
            [
                "request.zz",
                "unexpected field \"zz\" (contract defines: address, age, anything, kind, maybe, name, note, tags)"
            ],
        ])
    );
}

#[test]
fn a_payload_of_another_type_is_one_violation() {
    for (payload, got) in
        [(json!([]), "array"), (json!(null), "null"), (json!("x"), "string"), (json!(1), "number")]
    {
        assert_eq!(
            check(json!({"request": {"a": {}}}), Direction::Request, payload),
            json!([["request", format!("expected object, got {got}")]])
        );
    }
}

#[test]
fn a_response_array_is_checked_item_by_item() {
    let endpoint = json!({"response_array": {"id": {"type": "string", "required": true}}});
    let payload = json!([{"id": 1}, null, "x", {"id": "good"}, {}]);
    assert_eq!(
        check(endpoint.clone(), Direction::Response, payload),
        json!([
            ["response[0].id", "expected string, got number"],
            ["response[1]", "array element is null but not nullable"],
            ["response[2]", "expected object, got string"],
            ["response[4].id", "missing required field \"id\""],
        ])
    );
    assert_eq!(
        check(endpoint, Direction::Response, json!({})),
        json!([["response", "expected array, got object"]])
    );
}

#[test]
fn with_both_kinds_of_response_the_payload_chooses() {
    let endpoint = json!({"response": {"error": {}}, "response_array": {"id": {}}});
    assert_eq!(check(endpoint.clone(), Direction::Response, json!({"error": 1})), json!([]));
    assert_eq!(check(endpoint, Direction::Response, json!([{"id": 1}])), json!([]));
}

#[test]
fn a_url_carries_numbers_and_booleans_as_texts() {
    let fields = json!({
        "page": {"type": "number", "enum": [1, 2]}, "all": {"type": "boolean"}, "q": {"type": "string"},
    });
    let schema = json!({"properties": {"page": {"type": "integer"}, "all": {"type": "boolean"}}});
    for endpoint in [json!({"query": fields}), json!({"query_schema": schema})] {
        let good = json!({"page": "2", "all": "true", "q": "5"});
        assert_eq!(check(endpoint.clone(), Direction::Query, good), json!([]));
        let bad = json!({"page": "two", "all": "yes"});
        let paths: Vec<String> = contract(&endpoint)
            .check("POST /x", Direction::Query, &bad)
            .into_iter()
            .map(|found| found.path)
            .collect();
        assert_eq!(paths, ["query.all", "query.page"]);
    }
    let strict = json!({"request": {"page": {"type": "number"}}});
    assert_eq!(
        check(strict, Direction::Request, json!({"page": "2"})),
        json!([["request.page", "expected number, got string"]])
    );
}

#[test]
fn an_enum_takes_any_json_and_one_is_one() {
    let endpoint = json!({"error": {"n": {"enum": [1, null, "x", true]}}});
    assert_eq!(check(endpoint.clone(), Direction::Error, json!({"n": 1.0})), json!([]));
    assert_eq!(
        check(endpoint, Direction::Error, json!({"n": 2})),
        json!([["error.n", "value 2 not in allowed enum: [1, null, x, true]"]])
    );
}

#[test]
fn a_json_schema_does_the_work_of_a_field_map() {
    let endpoint = json!({"request_schema": {"properties": {"a": {"items": {"type": "string"}}}}});
    assert_eq!(
        check(endpoint, Direction::Request, json!({"a": [1]})),
        json!([["request.a[0]", "1 is not of type \"string\""]])
    );
}

#[test]
fn what_is_not_defined_is_told() {
    let contract = contract(&json!({"request": {}}));
    assert_eq!(
        shown(contract.check("GET /y", Direction::Request, &json!({}))),
        json!([["", "endpoint \"GET /y\" not in contract"]])
    );
    assert_eq!(
        shown(contract.check("POST /x", Direction::Error, &json!({}))),
        json!([["error", "endpoint \"POST /x\" has no error definition"]])
    );
    assert!(
        contract.defines("POST /x", Direction::Request) && !contract.defines("POST /x", Direction::Response)
    );
}

#[test]
fn a_status_is_checked_where_one_is_promised() {
    let promising = contract(&json!({"response_status": 201}));
    assert_eq!(promising.expected_status("POST /x"), Some(201));
    assert_eq!(promising.check_status("POST /x", 201), None);
    let violation = promising.check_status("POST /x", 200);
    assert_eq!(shown(violation.into_iter().collect()), json!([["response", "expected status 201, got 200"]]));
    assert_eq!(contract(&json!({})).check_status("POST /x", 500), None);
}

#[test]
fn everything_wrong_with_a_contract_is_told_at_once() {
    assert_eq!(
        refused(&json!({
            "kind": "contracts", "version": "one", "checks": [{"endpoint": "nope", "direction": "up"}],
            "endpoints": {"POST /x": {
                "request": {"a": {"type": "strnig", "required": "yes", "enum": 1, "items": {"fields": []}}},
                "query": {"a": []}, "query_schema": {}, "response_status": 99, "response_array": {},
                "response_schema": {"type": "strnig"}, "error_schema": {"properties": {"a": {"$ref": "#/b"}}},
            }, "GET /y": 5},
        })),
        json!([
            ["checks[0].direction", "unknown direction \"up\" (use request, response, query, or error)"],
            ["checks[0].endpoint", "endpoint \"nope\" not in contract"],
            ["checks[0].state", "key is required"],
            ["endpoints.GET /y", "expected object, got number"],
            ["endpoints.POST /x", "both query and query_schema are defined"],
            ["endpoints.POST /x", "both response_array and response_schema are defined"],
            ["endpoints.POST /x.error_schema", "reference \"#/b\" leads nowhere"],
            ["endpoints.POST /x.request.a.enum", "expected array, got number"],
            ["endpoints.POST /x.request.a.items.fields", "expected object, got array"],
            ["endpoints.POST /x.request.a.required", "expected boolean, got string"],
            [
                "endpoints.POST /x.request.a.type",
                "unknown type \"strnig\" (use string, number, boolean, object, or array)"
            ],
            ["endpoints.POST /x.response_schema.type", SCHEMA_TYPE],
            ["endpoints.POST /x.response_status", "expected an HTTP status"],
            ["kind", "expected \"contract\""],
            ["version", "expected a whole number"],
        ])
    );
    assert_eq!(
        refused(&json!({})),
        json!([["endpoints", "missing required field \"endpoints\""], ["kind", "expected \"contract\""]])
    );
    assert_eq!(refused(&json!([])), json!([["", "expected object, got array"]]));
}

/// The validator's own words.
const SCHEMA_TYPE: &str = "\"strnig\" is not valid under any of the schemas listed in the 'anyOf' keyword";

#[test]
fn endpoints_that_promise_nothing_are_linted() {
    let contract = Contract::parse(&json!({"kind": "contract", "endpoints": {
        "a": {}, "b": {"error": {}}, "c": {"query": {}}, "d": {"response_array": {}}, "e": {"request_schema": {}},
    }}))
    .unwrap();
    let nothing = "no request, response, response_array or query definition";
    assert_eq!(shown(contract.lint()), json!([["endpoints.a", nothing], ["endpoints.b", nothing]]));
    assert_eq!(contract.endpoints().collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    assert_eq!(contract.version(), 1);
}

#[test]
fn checks_name_state_values() {
    let contract = Contract::parse(&json!({"kind": "contract", "endpoints": {"a": {}}, "checks": [
        {"state": "x/y", "endpoint": "a"}, {"state": "z", "endpoint": "a", "direction": "response"},
    ]}))
    .unwrap();
    let check =
        |state, direction| Check { state: StateKey::new(state).unwrap(), endpoint: "a".into(), direction };
    assert_eq!(contract.checks(), [check("x/y", Direction::Request), check("z", Direction::Response)]);
}

#[test]
fn a_direction_is_one_of_four_words() {
    for direction in [Direction::Request, Direction::Response, Direction::Query, Direction::Error] {
        assert_eq!(direction.as_str().parse(), Ok(direction));
    }
    assert_eq!(
        "up".parse::<Direction>().unwrap_err().to_string(),
        "unknown direction \"up\" (use request, response, query, or error)"
    );
}

#[test]
fn violations_end_at_a_bound_however_long_the_names_are() {
    let payload: Map<String, Value> = (0..500).map(|number| (format!("{number:03}"), Value::Null)).collect();
    let violations = contract(&json!({"request": {}})).check("POST /x", Direction::Request, &payload.into());
    assert_eq!(violations.len(), 101);
    assert_eq!(
        shown(violations[100..].to_vec()),
        json!([["request", "only the first 100 violations are listed"]])
    );

    let long = "k".repeat(1 << 19);
    let payload = json!({"a": (0..50).map(|_| json!({ &long: 1 })).collect::<Vec<_>>()});
    let endpoint = json!({"request": {"a": {"items": {"fields": {}}}}});
    assert_eq!(contract(&endpoint).check("POST /x", Direction::Request, &payload).len(), 2);
}
