//! Harm in what is stored and then worked with: patterns, globs, schemas, and too many of them.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::{all_of, attacked, long_or, status, together};
use crate::random::number;

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn patterns_that_backtrack_for_ever() {
    attacked("20 checks at once with patterns that backtrack for ever", |server| {
        let rule =
            |n: usize| json!({"project": "p", "rule_id": format!("r{n}"), "pattern": "(?=(a+)+$)(a|aa)+$"});
        let rules: Vec<_> = (0..20).map(rule).collect();
        let file =
            json!({"content": format!("{}!\n", "a".repeat(30)).repeat(2000), "rules": rules}).to_string();
        all_of(&together(20, |_| status(server, "POST", "/api/validate/p", &file)), &[0, 200, 503])
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn patterns_that_compile_to_megabytes() {
    attacked("thousands of patterns that compile to megabytes", |server| {
        let rules = |pattern: &str, count: usize| -> String {
            let rule =
                |n| json!({"project": "p", "rule_id": format!("r{n}"), "pattern": format!("{pattern}{n}")});
            Value::Array((0..count).map(rule).collect()).to_string()
        };
        // Those are too much for one request…
        let refused =
            together(4, |_| status(server, "PUT", "/api/validate/p/rules", &rules(r"(?i)\w{60}x", 1000)));
        all_of(&refused, &[0, 400, 503]);
        // …and those are not, but for a check of one file.
        let stored = status(server, "PUT", "/api/validate/p/rules", &rules(r"\w{8}x", 400));
        assert_eq!(stored, 200);
        let file = json!({"content": "abc def\n".repeat(100)}).to_string();
        let checks = long_or(8, 3);
        all_of(&together(checks, |_| status(server, "POST", "/api/validate/p", &file)), &[0, 200, 503])
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn globs_that_branch_at_every_letter() {
    attacked("globs that branch at every letter", |server| {
        let globs: Vec<_> = (0..100).map(|n| "*a".repeat(500) + &n.to_string()).collect();
        let rules = |count: usize| {
            let rule =
                |n| json!({"project": "p", "rule_id": format!("r{n}"), "pattern": "x", "applies_to": globs});
            Value::Array((0..count).map(rule).collect())
        };
        let file = |count| {
            let name = "a".repeat(4000) + "b";
            json!({"filename": name, "content": "x", "rules": rules(count)}).to_string()
        };
        let (few, many) = (file(5), file(90));
        let few = together(10, |_| status(server, "POST", "/api/validate/p", &few));
        all_of(&few, &[0, 200, 503]);
        let many = together(4, |_| status(server, "POST", "/api/validate/p", &many));
        all_of(&many, &[0, 400, 503]);
        // A subscriber's patterns are held against every event.
        let patterns = |count| vec![format!("pattern={}b", "*a".repeat(200)); count].join("&");
        let wait = |count| format!("/api/events/wait?since=0&timeout=1s&{}", patterns(count));
        assert_eq!(
            status(server, "GET", &wait(90), ""),
            400,
            "more than the patterns of one subscriber may be"
        );
        let wait = wait(40);
        let topic = json!({"topic": "a".repeat(256)}).to_string();
        let events = together(4, |n| {
            if n == 0 {
                status(server, "GET", &wait, "")
            } else {
                status(server, "POST", "/api/events/publish", &topic)
            }
        });
        all_of(&events, &[200])
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn schemas_that_branch_or_lead_elsewhere() {
    attacked("schemas that double with each level, and that lead to other machines", |server| {
        let outside = TcpListener::bind("127.0.0.1:0").unwrap();
        outside.set_nonblocking(true).unwrap();
        let elsewhere = format!("http://{}/schema.json", outside.local_addr().unwrap());
        let mut doubling = json!({"$ref": "#/$defs/0", "$defs": {"30": {}}});
        for n in 0..30 {
            let next = json!({"$ref": format!("#/$defs/{}", n + 1)});
            doubling["$defs"][n.to_string()] = json!({"allOf": [next, next]});
        }
        let branching = json!({"properties": {"x": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
        let patterns: serde_json::Map<String, Value> =
            (0..2000).map(|n| (format!(r"^\w{{60}}{n}$"), json!({}))).collect();
        // What is bounded where it is used may be stored; what could not be is not.
        let schemas = [
            (doubling, 422),
            (json!({"$ref": elsewhere}), 422),
            (json!({"$schema": elsewhere}), 422),
            (json!({"$id": elsewhere, "properties": {"a": {"$ref": "other.json"}}}), 422),
            (json!({"$ref": "file:///etc/passwd"}), 422),
            (json!({"$ref": "#"}), 422),
            (json!({"patternProperties": patterns}), 200),
            (json!({"pattern": "(a+)+(?=b)$"}), 200),
            (branching, 200),
        ];
        let mut deep = json!(1);
        for _ in 0..60 {
            deep = json!({"x": deep});
        }
        let statuses = together(2 * schemas.len(), |n| {
            let name = n % schemas.len();
            let (schema, expected) = &schemas[name];
            let put = status(server, "PUT", &format!("/api/specs/p/s{name}.schema"), &schema.to_string());
            let contract = json!({"kind": "contract", "version": 1,
                "endpoints": {"POST /x": {"request_schema": schema}}});
            let path = format!("/api/contracts/p/c{name}");
            let also = status(server, "PUT", &path, &contract.to_string());
            assert_eq!([put, also], [*expected; 2], "{name}: {:.200}", schema.to_string());
            let values = [deep.clone(), json!("a".repeat(5000))];
            let checks = values.map(|value| {
                let payload = json!({"endpoint": "POST /x", "payload": value}).to_string();
                status(server, "PUT", &format!("/api/specs/p/s{name}"), &value.to_string());
                status(server, "POST", &format!("{path}/validate"), &payload)
            });
            [put, also, checks[0], checks[1]]
        })
        .concat();
        assert!(outside.accept().is_err(), "the server went and asked");
        all_of(&statuses, &[0, 200, 404, 422, 503])
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn as_many_rules_as_there_can_be() {
    // A million of them: TRUST_RULES=200. Most of the time goes into compiling each.
    let projects = usize::try_from(number("TRUST_RULES", long_or(4, 2))).unwrap();
    attacked("as many rules as a project can have, in several", |server| {
        let rules = |project: usize, first: usize, count: usize| {
            let rule = |n| {
                json!({"project": format!("p{project}"), "rule_id": format!("r{n}"),
                    "pattern": format!("word-{n}"), "message": "This word must not be used here."})
            };
            Value::Array((first..first + count).map(rule).collect()).to_string()
        };
        for project in 0..projects {
            assert_eq!(
                status(server, "POST", "/api/rules/import", &rules(project, 0, 5000)),
                200,
                "{project}"
            );
        }
        // No request may bring more, and no project may have more, however they come.
        assert_eq!(status(server, "POST", "/api/rules/import", &rules(0, 0, 5001)), 400);
        let one_more = server.site().send("POST", "/api/rules/import", rules(0, 5000, 1));
        one_more.says(400, "project p0 would have 5001 rules, at most 5000 are allowed");
        let one = json!({"project": "p0", "rule_id": "more", "pattern": "x"});
        server.site().post("/api/rules/propose", &one).says(400, "at most 5000 are allowed");
        let file = json!({"content": "nothing\n".repeat(100)}).to_string();
        let checks =
            together(8, |n| status(server, "POST", &format!("/api/validate/p{}", n % projects), &file));
        format!(
            "{} rules stored; checks against 5000 of them: {}",
            projects * 5000,
            all_of(&checks, &[0, 200, 503])
        )
    });
}
