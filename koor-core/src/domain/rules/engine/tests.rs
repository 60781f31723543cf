use serde_json::{Value, json};

use super::*;
use crate::{
    domain::rules::{Intake, RuleDraft},
    ids::ProjectName,
};

fn rule(json: Value) -> Rule {
    let draft: RuleDraft = serde_json::from_value(json).unwrap();
    let project = ProjectName::new("p").unwrap();
    draft.check(Intake::Put(&project), "2026-02-09".parse().unwrap()).unwrap()
}

fn run(rule_json: Value, content: &str) -> Value {
    let input = Input::new(None, content, None).unwrap();
    let mut violations = RuleEngine::default().validate(&[rule(rule_json)], &input);
    for violation in &mut violations {
        assert_eq!((violation.rule_id.as_str(), violation.severity), ("r", Severity::Error));
    }
    violations
        .into_iter()
        .map(|violation| json!([violation.message, violation.line, violation.matched]))
        .collect()
}

fn custom(name: &str, content: &str) -> Vec<(usize, Option<String>)> {
    let rule = rule(json!({"rule_id": "r", "match_type": "custom", "pattern": name}));
    let input = Input::new(None, content, None).unwrap();
    RuleEngine::default()
        .validate(&[rule], &input)
        .into_iter()
        .map(|violation| (violation.line.unwrap(), violation.matched))
        .collect()
}

#[test]
fn a_regex_fires_once_on_each_line_that_matches() {
    assert_eq!(
        run(json!({"rule_id": "r", "pattern": "x+$"}), "axx x\r\nb\n\nxx\ry\nx"),
        json!([["pattern 'x+$' matched", 1, "x"], ["pattern 'x+$' matched", 5, "x"]])
    );
}

#[test]
fn the_newline_at_the_end_begins_no_line() {
    assert_eq!(run(json!({"rule_id": "r", "pattern": "^$", "message": "m"}), "\na\n"), json!([["m", 1, ""]]));
    assert_eq!(run(json!({"rule_id": "r", "pattern": "^$"}), ""), json!([]));
}

#[test]
fn a_missing_pattern_may_be_anywhere_and_anchors_at_lines() {
    let wanted = |pattern| json!({"rule_id": "r", "match_type": "missing", "pattern": pattern});
    assert_eq!(run(wanted("^use strict$"), "// a\r\nuse strict\r\n"), json!([]));
    assert_eq!(run(wanted(r"a\r?\nb"), "a\nb"), json!([]));
    assert_eq!(run(wanted(r"\A(?!#)"), "a"), json!([]));
    assert_eq!(
        run(wanted("Copyright"), "none"),
        json!([["required pattern 'Copyright' not found", null, null]])
    );
}

#[test]
fn look_around_and_back_references_work() {
    assert_eq!(
        run(json!({"rule_id": "r", "pattern": r"(\w)\1(?!z)", "message": "m"}), "aaz\nbb\nab"),
        json!([["m", 2, "bb"]])
    );
}

#[test]
fn a_pattern_that_backtracks_for_ever_says_so_once_and_ends() {
    let content = format!("{}\n", "a".repeat(60)).repeat(2_000);
    let given_up = "reached the backtracking limit: the rule was not applied any further";
    let pattern = r"^(a+)+(?<!a)b(?=c)|(a|aa)+\1(?!a)x";
    assert_eq!(
        run(json!({"rule_id": "r", "pattern": pattern}), &content),
        json!([[format!("pattern '{pattern}' {given_up}"), 1, null]])
    );
    assert_eq!(
        run(json!({"rule_id": "r", "match_type": "missing", "pattern": pattern}), &content),
        json!([[format!("pattern '{pattern}' {given_up}"), null, null]])
    );
}

#[test]
fn a_long_match_is_shortened_between_characters() {
    let shown = run(json!({"rule_id": "r", "pattern": "ü+", "message": "m"}), &"ü".repeat(201));
    assert_eq!(shown, json!([["m", 1, format!("{}…", "ü".repeat(200))]]));
}

#[test]
fn violations_end_at_a_bound_that_is_told() {
    let rules =
        [rule(json!({"rule_id": "r", "pattern": "^"})), rule(json!({"rule_id": "s", "pattern": "^"}))];
    let content = "\n".repeat(MAX_VIOLATIONS + 5);
    let violations = RuleEngine::default().validate(&rules, &Input::new(None, &content, None).unwrap());
    assert_eq!(violations.len(), MAX_VIOLATIONS + 1);
    assert_eq!(
        serde_json::to_value(violations.last()).unwrap(),
        json!({"rule_id": "r", "severity": "error", "message": "only the first 10000 violations are listed"})
    );
}

#[test]
fn rules_that_take_too_long_together_end_with_a_word_that_says_so() {
    let rules = ["a", "b", "c"].map(|id| rule(json!({"rule_id": id, "pattern": "(?=x)x", "message": "m"})));
    let content = "x\n".repeat(600);
    let asked = std::cell::Cell::new(0);
    let run = |most: u32| -> Vec<Value> {
        asked.set(0);
        let still = || {
            asked.set(asked.get() + 1);
            asked.get() <= most
        };
        let found =
            RuleEngine::default().validate_while(&rules, &Input::new(None, &content, None).unwrap(), &still);
        let last = found.last().unwrap();
        vec![json!(found.len()), json!(last.rule_id), json!(last.line), json!(last.message != "m")]
    };
    // It is asked before each rule, and on each 256th line.
    assert_eq!(run(100), [json!(1800), json!("c"), json!(600), json!(false)]);
    assert_eq!(run(0), [json!(1), json!("a"), Value::Null, json!(true)]);
    assert_eq!(run(3), [json!(601), json!("b"), Value::Null, json!(true)]);
    assert_eq!(run(4), [json!(600 + 255 + 1), json!("b"), json!(256), json!(true)]);
}

#[test]
fn only_accepted_rules_for_this_stack_and_file_fire() {
    let rules = [
        rule(json!({"rule_id": "all", "pattern": "x"})),
        rule(json!({"rule_id": "rejected", "pattern": "x", "status": "rejected"})),
        rule(json!({"rule_id": "proposed", "pattern": "x", "status": "proposed"})),
        rule(json!({"rule_id": "go", "pattern": "x", "stack": "go"})),
        rule(json!({"rule_id": "ts", "pattern": "x", "applies_to": ["*.ts", "src/*"]})),
        rule(json!({"rule_id": "main", "pattern": "x", "applies_to": ["main.?s"]})),
    ];
    let fired = |filename, stack| -> Vec<String> {
        RuleEngine::default()
            .validate(&rules, &Input::new(filename, "x", stack).unwrap())
            .into_iter()
            .map(|violation| violation.rule_id.to_string())
            .collect()
    };
    assert_eq!(fired(None, None), ["all", "go", "ts", "main"]);
    assert_eq!(fired(Some(""), Some("")), ["all", "go", "ts", "main"]);
    assert_eq!(fired(None, Some("rust")), ["all", "ts", "main"]);
    assert_eq!(fired(Some("a/main.js"), Some("go")), ["all", "go", "main"]);
    assert_eq!(fired(Some("src/a.rs"), None), ["all", "go", "ts"]);
    assert_eq!(fired(Some(r"C:\a\main.ts"), Some("rust")), ["all", "ts", "main"]);
}

#[test]
fn a_stored_rule_that_no_longer_compiles_is_told_and_spoils_no_other() {
    let mut old = rule(json!({"rule_id": "r", "pattern": "x"}));
    old.pattern = "(".into();
    let violations = RuleEngine::default().validate(&[old], &Input::new(None, "x", None).unwrap());
    assert_eq!(violations.len(), 1);
    assert!(violations[0].message.starts_with("invalid pattern, the rule was not applied: "));
}

#[test]
fn a_file_name_beyond_all_paths_is_refused() {
    assert!(Input::new(Some(&"x".repeat(4097)), "", None).is_err());
}

#[test]
fn the_built_in_checks_find_what_they_are_named_for() {
    assert_eq!(custom("no-console-log", "a\nconsole.log(1)"), [(2, Some("console.log(".into()))]);
    assert_eq!(
        custom("no-trailing-whitespace", "a\r\nb \r\n\t\n"),
        [(2, Some(" ".into())), (3, Some("\t".into()))]
    );
    assert_eq!(custom("no-tabs", "\ta\n b"), [(1, Some("\t".into()))]);
    assert_eq!(custom("max-line-length:2", "üü\nabc\r\nab\r\n"), [(2, None)]);
    assert_eq!(
        custom("no-merge-markers", "<<<<<<< HEAD\n=======\n>>>>>>> x\n========\n<<<<<<<x\n ======="),
        [(1, Some("<<<<<<< ".into())), (2, Some("=======".into())), (3, Some(">>>>>>> ".into()))]
    );
    assert_eq!(custom("no-[a-z]+", "no-such-check\nno"), [(1, Some("no-such".into()))]);
}

#[test]
fn secrets_are_found_and_not_repeated() {
    // Put together here, so that no scanner takes this file itself for a leak.
    let letters = "0123456789abcdefghijABCDEFGHIJ0123456789";
    let found = [
        format!("AKIA{}", "A".repeat(16)),
        format!("-----BEGIN RSA {} KEY-----", "PRIVATE"),
        format!("ghp_{letters}"),
        format!("github_pat_{letters}"),
        format!("xoxb-{letters}"),
        format!("sk-{letters}"),
        format!("password = \"{}\"", &letters[..8]),
        format!("\"api_key\": '{letters}'"),
        format!("AUTH_TOKEN := \"{letters}\""),
    ];
    let masked: Vec<_> =
        custom("no-secrets", &found.join("\n")).into_iter().map(|(_, text)| text.unwrap()).collect();
    assert_eq!(
        masked,
        [
            "AKIA****", "----****", "ghp_****", "gith****", "xoxb****", "sk-0****", "pass****", "api_****",
            "AUTH****"
        ]
    );
    let innocent =
        "password = \"${PASSWORD}\"\npassword: \"short\"\nAKIAshort\nsk-short\nlet secret = read();";
    assert_eq!(custom("no-secrets", innocent), []);
}
