//! Patterns as the server and the dashboard must both read them: `patterns.json` is tested from JavaScript, too.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use koor_core::pattern::Pattern;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    malformed: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    pattern: String,
    matches: Vec<String>,
    others: Vec<String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("patterns.json")).unwrap()
}

/// As topics are matched: system topics only by patterns that ask for them.
fn matches(pattern: &Pattern, topic: &str) -> bool {
    pattern.matches(topic) && (pattern.matches_system() || !topic.starts_with('$'))
}

#[test]
fn malformed_patterns_are_refused() {
    for pattern in vectors().malformed {
        assert!(Pattern::new(&pattern).is_err(), "{pattern:?}");
    }
    assert!(Pattern::new("x".repeat(1025)).is_err() && Pattern::new("x".repeat(1024)).is_ok());
}

#[test]
fn patterns_match_what_the_vectors_say() {
    for Case { pattern, matches: wanted, others } in vectors().cases {
        let glob = Pattern::new(&pattern).unwrap();
        for topic in wanted {
            assert!(matches(&glob, &topic), "{pattern:?} does not match {topic:?}");
        }
        for topic in others {
            assert!(!matches(&glob, &topic), "{pattern:?} matches {topic:?}");
        }
    }
}
