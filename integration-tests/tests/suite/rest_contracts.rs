//! Contracts: held against payloads, and against a live service.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Service, Shared, Site, Start};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

fn contract() -> Value {
    json!({"kind": "contract", "version": 1, "endpoints": {
        "POST /api/trucks": {
            "request": {
                "plate": {"type": "string", "required": true},
                "state": {"type": "string", "enum": ["clean", "dirty"]},
                "note": {"type": "string", "nullable": true},
                "tags": {"type": "array", "items": {"type": "string"}},
                "owner": {"type": "object", "fields": {"city": {"type": "string", "required": true}}},
            },
            "response": {"id": {"type": "number", "required": true}},
            "error": {"error": {"type": "string", "required": true}},
            "response_status": 201,
        },
        "GET /api/trucks": {
            "query": {"page": {"type": "number", "required": true}},
            "response_array": {"id": {"type": "number", "required": true}},
        },
        "GET /api/trucks/{id}": {"response_schema": {"type": "object", "required": ["id"]}},
    }})
}

fn violations(site: &Site, body: &Value) -> Vec<(String, String)> {
    let answer = site.post("/api/contracts/wash/trucks/validate", body).ok();
    let found = answer["violations"].as_array().unwrap();
    assert_eq!(answer["valid"], found.is_empty());
    let text = |violation: &Value, field: &str| violation[field].as_str().unwrap().to_owned();
    found.iter().map(|violation| (text(violation, "path"), text(violation, "message"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, message)| ((*path).to_owned(), (*message).to_owned())).collect()
}

#[test]
fn a_payload_is_held_against_its_endpoint_with_every_message_of_the_contract() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/specs/wash/trucks", &contract()).ok();
    let check =
        |payload: Value| violations(&site, &json!({"endpoint": "POST /api/trucks", "payload": payload}));
    assert_eq!(check(json!({"plate": "A1", "state": "clean", "note": null, "tags": ["x"]})), pairs(&[]));
    let bad =
        json!({"plate": null, "state": "wet", "note": 7, "tags": ["x", 1, null], "owner": {}, "wheels": 4});
    assert_eq!(
        check(bad),
        pairs(&[
            ("request.note", "expected string, got number"),
            ("request.owner.city", "missing required field \"city\""),
            ("request.plate", "field \"plate\" is null but not nullable"),
            ("request.state", "value \"wet\" not in allowed enum: [clean, dirty]"),
            ("request.tags[1]", "expected string, got number"),
            ("request.tags[2]", "array element is null but not nullable"),
            (
                "request.wheels",
                "unexpected field \"wheels\" (contract defines: note, owner, plate, state, tags)"
            ),
        ])
    );
    assert_eq!(check(json!({})), pairs(&[("request.plate", "missing required field \"plate\"")]));
    assert_eq!(check(json!([1])).len(), 1);
    assert_eq!(check(json!("text")).len(), 1);
}

#[test]
fn each_direction_has_its_own_definition() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/specs/wash/trucks", &contract()).ok();
    let check = |endpoint: &str, direction: &str, payload: Value| {
        violations(&site, &json!({"endpoint": endpoint, "direction": direction, "payload": payload}))
    };
    assert_eq!(check("POST /api/trucks", "response", json!({"id": 1})), pairs(&[]));
    let array = check("GET /api/trucks", "response", json!([{"id": "x"}, {"id": 2}]));
    assert_eq!(array, pairs(&[("response[0].id", "expected number, got string")]));
    assert_eq!(check("GET /api/trucks", "query", json!({})).len(), 1);
    assert_eq!(check("POST /api/trucks", "error", json!({"error": 1})).len(), 1);
    assert_eq!(check("GET /api/trucks/{id}", "response", json!({"id": 1})), pairs(&[]));
    assert_eq!(check("GET /api/trucks/{id}", "response", json!({})).len(), 1);
    let messages =
        |found: Vec<(String, String)>| found.into_iter().map(|(_, message)| message).collect::<Vec<_>>();
    assert_eq!(messages(check("PUT /x", "request", json!({}))), ["endpoint \"PUT /x\" not in contract"]);
    assert_eq!(
        messages(check("GET /api/trucks", "request", json!({}))),
        ["endpoint \"GET /api/trucks\" has no request definition"]
    );
    assert_eq!(
        messages(check("POST /api/trucks", "sideways", json!({}))),
        ["unknown direction \"sideways\" (use request, response, query, or error)"]
    );
}

#[test]
fn what_is_no_contract_can_not_be_held_against_anything() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/specs/bad/plain", &json!({"kind": "note"})).ok();
    site.put("/api/specs/bad/c", &contract()).ok();
    for call in ["validate", "test"] {
        let body = json!({"endpoint": "GET /", "base_url": "http://127.0.0.1:9", "payload": {}});
        let path = |name: &str| format!("/api/contracts/bad/{name}/{call}");
        site.post(&path("none"), &body).refused(404, "contract not found: bad/none");
        site.post(&path("plain"), &body).says(400, "stored spec is not a valid contract: ");
        site.post(&path("c"), &json!({"payload": {}})).refused(400, "endpoint is required");
    }
}

#[test]
fn contracts_are_listed_and_put_only_when_well_formed() {
    let server = SERVER.server();
    let site = server.site();
    let put = site.put("/api/contracts/list/trucks", &contract());
    let expected =
        json!({"project": "list", "name": "trucks", "version": 1, "hash": "<hash>", "updated_at": "<time>"});
    assert_eq!((put.steady(), put.cursor() > 0), (expected, true));
    site.put("/api/specs/list/note", &json!({"kind": "note"})).ok();
    let listed = site.get("/api/contracts/list").steady();
    let entry = json!({"name": "trucks", "version": 1, "endpoints": 3, "updated_at": "<time>"});
    assert_eq!(listed, json!({"project": "list", "contracts": [entry]}));
    assert_eq!(site.get("/api/contracts/none").ok(), json!({"project": "none", "contracts": []}));
    for bad in [
        json!({"kind": "note", "endpoints": {}}),
        json!({"kind": "contract"}),
        json!({"kind": "contract", "endpoints": {"GET /": {"request": {"a": {"type": "text"}}}}}),
        json!({"kind": "contract", "endpoints": {"GET /": {"response_schema": {"type": "lorry"}}}}),
    ] {
        let refused = site.put("/api/contracts/list/trucks", &bad).gives(422);
        let first = &refused["violations"][0];
        assert!(first["path"].is_string() && first["message"].is_string(), "{refused}");
    }
    site.send("PUT", "/api/contracts/list/trucks", "{").says(400, "invalid JSON body: ");
    assert_eq!(site.put("/api/contracts/list/trucks?if_version=7", &contract()).status, 412);
    assert_eq!(site.get("/api/specs/list/trucks").ok(), contract());
}

#[test]
fn a_live_service_is_called_and_held_against_its_contract() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/specs/live/trucks", &contract()).ok();
    let service = Service::new(|call| match call.line.as_str() {
        "POST /v1/api/trucks" if call.body.contains("\"good\"") => (201, "{\"id\": 1}".to_owned()),
        "POST /v1/api/trucks" => (200, "{\"id\": \"x\"}".to_owned()),
        "GET /v1/api/trucks?page=2" => (200, "[{\"id\": 1}, {}]".to_owned()),
        "GET /v1/api/trucks/7" => (302, "{\"id\": 7}".to_owned()),
        _ => (200, "no json".to_owned()),
    });
    let base = format!("{}/v1", service.url());
    let test = |endpoint: &str, data: Value| {
        let body = json!({"endpoint": endpoint, "base_url": base, "test_data": data});
        site.post("/api/contracts/live/trucks/test", &body).ok()
    };
    let good = test("POST /api/trucks", json!({"plate": "good"}));
    assert_eq!(
        good,
        json!({
            "valid": true, "endpoint": "POST /api/trucks", "status_code": 201, "request_violations": [],
            "response_violations": [], "error": "",
        })
    );
    let call = service.call();
    assert_eq!(
        (call.line.as_str(), call.header("content-type")),
        ("POST /v1/api/trucks", Some("application/json"))
    );
    assert_eq!(serde_json::from_str::<Value>(&call.body).unwrap(), json!({"plate": "good"}));
    let bad = test("POST /api/trucks", json!({"plate": 1}));
    assert_eq!((&bad["valid"], &bad["status_code"]), (&json!(false), &json!(200)));
    assert_eq!(
        bad["request_violations"],
        json!([{"path": "request.plate", "message": "expected string, got number"}])
    );
    let found: Vec<_> =
        bad["response_violations"].as_array().unwrap().iter().map(|v| v["message"].clone()).collect();
    assert!(found.contains(&json!("expected status 201, got 200")), "{bad}");
    assert!(found.contains(&json!("expected number, got string")), "{bad}");
    let list = test("GET /api/trucks", json!({"page": 2}));
    assert_eq!(
        list["response_violations"],
        json!([{"path": "response[1].id", "message": "missing required field \"id\""}])
    );
    // A redirect is an answer like any other: it is not followed.
    let redirect = test("GET /api/trucks/{id}", json!({"id": 7}));
    assert_eq!(redirect["status_code"], 302);
    let unreachable = json!({"endpoint": "GET /api/trucks", "base_url": "http://127.0.0.1:1"});
    let failed = site.post("/api/contracts/live/trucks/test", &unreachable).ok();
    assert_eq!((&failed["valid"], &failed["status_code"]), (&json!(false), &json!(0)));
    assert!(failed["error"].as_str().is_some_and(|text| !text.is_empty()), "{failed}");
    let bad =
        [("ftp://x", "invalid base_url"), ("", "base_url is required"), ("nonsense", "invalid base_url")];
    for (url, said) in bad {
        let body = json!({"endpoint": "GET /api/trucks", "base_url": url});
        site.post("/api/contracts/live/trucks/test", &body).says(400, said);
    }
}

#[test]
fn a_contract_test_calls_no_address_that_is_not_allowed() {
    let service = Service::new(|_| (200, "{}".to_owned()));
    let target = |site: &Site, url: &str| {
        site.put("/api/specs/p/c", &contract()).ok();
        let body = json!({"endpoint": "GET /api/trucks", "base_url": url});
        site.post("/api/contracts/p/c/test", &body).ok()["error"].as_str().unwrap().to_owned()
    };
    let open = SERVER.server();
    for url in ["http://169.254.169.254", "http://[fe80::1]"] {
        assert!(target(&open.site(), url).contains("address not allowed"), "{url}");
    }
    let guarded = Start::default().args(["--auth-token", "t"]).start().unwrap();
    let said = target(&guarded.site().token("t"), &service.url());
    assert!(said.contains("address not allowed"), "{said}");
    assert!(!service.was_called());
}

#[test]
fn an_answer_that_is_too_long_or_no_json_is_not_taken() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/specs/long/c", &contract()).ok();
    let service = Service::new(|call| {
        let long = call.line.contains("page=1");
        (200, if long { "1".repeat((10 << 20) + 1) } else { "no json".to_owned() })
    });
    let test = |page: u64| {
        let body =
            json!({"endpoint": "GET /api/trucks", "base_url": service.url(), "test_data": {"page": page}});
        site.post("/api/contracts/long/c/test", &body).ok()
    };
    let long = test(1);
    assert_eq!(
        (&long["valid"], &long["error"]),
        (&json!(false), &json!("the answer is over 10485760 bytes long"))
    );
    let plain = test(2);
    assert_eq!(
        (&plain["valid"], &plain["status_code"], &plain["error"]),
        (&json!(false), &json!(200), &json!(""))
    );
    assert!(plain["response_violations"][0]["message"].as_str().unwrap().starts_with("not JSON"), "{plain}");
}

#[test]
fn json_schemas_hold_in_every_direction_and_refer_to_nothing_outside() {
    let server = SERVER.server();
    let site = server.site();
    let schema =
        json!({"$ref": "#/$defs/named", "$defs": {"named": {"type": "object", "required": ["name"]}}});
    let endpoint = |schema: &Value| {
        json!({"kind": "contract", "version": 1, "endpoints": {"POST /x": {
            "query_schema": schema, "request_schema": schema, "response_schema": schema, "error_schema": schema,
        }}})
    };
    site.put("/api/contracts/schemas/c", &endpoint(&schema)).ok();
    let check = |direction: &str, payload: Value| {
        let body = json!({"endpoint": "POST /x", "direction": direction, "payload": payload});
        site.post("/api/contracts/schemas/c/validate", &body).ok()
    };
    for direction in ["query", "request", "response", "error"] {
        let good = check(direction, json!({"name": "n"}));
        assert_eq!(good, json!({"valid": true, "violations": []}), "{direction}");
        let bad = check(direction, json!({}));
        assert_eq!(
            (&bad["valid"], bad["violations"].as_array().map(Vec::len)),
            (&json!(false), Some(1)),
            "{bad}"
        );
    }
    let service = Service::new(|_| (200, "{}".to_owned()));
    for outside in [service.url(), "file:///etc/passwd".to_owned(), "other.json".to_owned()] {
        let refused = site.put("/api/contracts/schemas/c", &endpoint(&json!({"$ref": outside}))).gives(422);
        assert_eq!(refused["violations"].as_array().map(Vec::len), Some(4), "{refused}");
    }
    assert!(!service.was_called());
    assert_eq!(site.get("/api/specs/schemas/c").number("x-koor-version"), 1);
}

#[test]
fn a_field_without_a_type_is_anything_and_what_is_not_required_may_be_absent() {
    let server = SERVER.server();
    let site = server.site();
    let contract = json!({"kind": "contract", "version": 1, "endpoints": {"POST /x": {
        "request": {"any": {"nullable": true}, "must": {"required": true}, "flag": {"type": "boolean"}},
    }}});
    site.put("/api/specs/wash/trucks-any", &contract).ok();
    let valid = |payload: Value| {
        let body = json!({"endpoint": "POST /x", "payload": payload});
        site.post("/api/contracts/wash/trucks-any/validate", &body).ok()["valid"] == true
    };
    for any in [json!(1), json!("x"), json!([1]), json!({"a": {}}), json!(true), Value::Null] {
        assert!(valid(json!({"any": any, "must": 0})), "{any}");
    }
    assert!(valid(json!({"must": [], "flag": false})));
    assert!(!valid(json!({"must": 1, "flag": 0})));
    assert!(!valid(json!({"any": 1})));
}
