use std::thread;

use serde_json::{Map, json};

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "a test reads better with the literals in place")]
fn check(schema: Value, value: Value) -> Vec<(String, String)> {
    let schema = Schema::compile(&schema).unwrap();
    schema.check("request", &value).into_iter().map(|found| (found.path, found.message)).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "a test reads better with the literals in place")]
fn refused(schema: Value) -> (String, String) {
    let mut violations = Schema::compile(&schema).unwrap_err();
    assert_eq!(violations.len(), 1);
    let violation = violations.remove(0);
    (violation.path, violation.message)
}

fn own(path: &str, message: &str) -> (String, String) {
    (path.to_owned(), message.to_owned())
}

#[test]
fn violations_carry_paths_of_our_style_and_are_sorted() {
    let schema = json!({
        "type": "object", "required": ["z"],
        "properties": {"b": {"items": {"type": "string"}}, "a": {"type": "integer"}},
    });
    assert_eq!(
        check(schema, json!({"a": "x", "b": ["y", 1]})),
        [
            own("request", r#""z" is a required property"#),
            own("request.a", r#""x" is not of type "integer""#),
            own("request.b[1]", r#"1 is not of type "string""#),
        ]
    );
}

#[test]
fn a_long_value_is_not_repeated() {
    assert_eq!(
        check(json!({"type": "integer"}), json!("x".repeat(1000))),
        [own("request", r#"value is not of type "integer""#)]
    );
    let (_, message) = &check(json!({"enum": ["x".repeat(1000)]}), json!(1))[0];
    assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS + 1);
}

#[test]
fn the_draft_is_the_one_that_the_schema_names() {
    let schema = |draft| json!({"$schema": draft, "items": [{"type": "string"}]});
    for draft in ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema"] {
        assert_eq!(check(schema(draft), json!([1])), [own("request[0]", r#"1 is not of type "string""#)]);
    }
    // In 2020-12 a list of schemas is no longer valid there.
    assert!(Schema::compile(&schema("https://json-schema.org/draft/2020-12/schema")).is_err());
    assert!(Schema::compile(&json!({"items": [{"type": "string"}]})).is_err());
    assert!(Schema::compile(&schema("https://example.com/mine")).is_err());
}

#[test]
fn a_schema_that_is_none_says_where() {
    assert_eq!(
        refused(json!({"properties": {"a": {"minLength": "x"}}})),
        own("properties.a.minLength", r#""x" is not of type "integer""#)
    );
    assert_eq!(refused(json!({"pattern": "("})).0, "pattern");
    assert_eq!(refused(json!([1])).0, "");
}

#[test]
fn nothing_outside_is_ever_fetched() {
    for reference in ["https://example.com/x", "file:///etc/passwd", "other.json", "http://127.0.0.1:1/#/a"] {
        let said =
            format!("reference {reference:?} leads outside: only references into this schema are followed");
        assert_eq!(refused(json!({"properties": {"a": {"$ref": reference}}})), own("", &said));
    }
}

#[test]
fn a_schema_that_only_refers_to_itself_is_refused() {
    let said = own("", "the schema refers to itself without going deeper into the value");
    assert_eq!(refused(json!({"$ref": "#"})), said);
    assert_eq!(refused(json!({"anyOf": [{"$ref": "#"}, {"type": "string"}]})), said);
}

#[test]
fn a_tree_may_be_as_deep_as_json_goes() {
    let schema = json!({
        "type": "object", "properties": {"child": {"oneOf": [{"type": "null"}, {"$ref": "#"}]}}, "required": ["name"],
        "unevaluatedProperties": {"type": "string"},
    });
    let mut tree = json!({"name": "leaf", "child": null});
    for _ in 0..100 {
        tree = json!({"name": "node", "child": tree});
    }
    assert_eq!(check(schema, tree), []);
}

#[test]
fn a_value_that_would_take_for_ever_is_refused() {
    let schema = json!({
        "properties": {"x": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}, "type": ["object", "string"],
    });
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!({ "x": inner }));
    assert_eq!(
        check(schema.clone(), nested(60)),
        [own("request", "too large and too deeply nested to be checked against this schema")]
    );
    assert_eq!(check(schema, nested(3)).len(), 1);
}

#[test]
fn a_pattern_that_backtracks_for_ever_is_a_violation() {
    let violations = check(json!({"pattern": "^(a+)+(?=b)$"}), json!(format!("{}c", "a".repeat(60))));
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].0, "request");
}

#[test]
fn violations_end_at_a_bound_that_is_told() {
    let violations = check(json!({"items": {"type": "string"}}), json!(vec![1; 500]));
    assert_eq!(violations.len(), 101);
    assert_eq!(violations[100], own("request", "only the first 100 violations are listed"));
}

/// The stack of a thread is two mebibytes; what is allowed must fit, in a build that optimises nothing.
#[test]
fn the_longest_chain_allowed_fits_on_the_stack() {
    let chain = |length: usize, link: fn(Value) -> Value| {
        let mut definitions = Map::new();
        for number in 1..length {
            let next = json!({"$ref": format!("#/$defs/{}", number + 1)});
            definitions.insert(number.to_string(), link(next));
        }
        definitions.insert(length.to_string(), json!({"type": "string"}));
        json!({"$defs": definitions, "$ref": "#/$defs/1"})
    };
    let links: [fn(Value) -> Value; 4] = [
        |next| next,
        |next| json!({"anyOf": [next, {"type": "null"}]}),
        |next| json!({"not": {"if": next, "then": false}}),
        |next| json!({"dependentSchemas": {"a": {"if": true, "then": next}}}),
    ];
    for link in links {
        let compiled =
            [999, 499, 332, 249].into_iter().find_map(|length| Schema::compile(&chain(length, link)).ok());
        let schema = compiled.unwrap();
        let run = move || schema.check("request", &json!({"a": 1}));
        thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
    }
}
