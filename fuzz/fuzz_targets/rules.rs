//! Rules as clients send them, and at work on a file.
#![no_main]

use koor_core::{
    clock::Timestamp,
    domain::rules::{Input, Intake, RuleDraft, RuleEngine},
};
use libfuzzer_sys::fuzz_target;

// The rules on the first line, the file on those that follow.
fuzz_target!(|sent: &str| {
    let (drafts, content) = sent.split_once('\n').unwrap_or((sent, ""));
    let Ok(drafts) = serde_json::from_str::<Vec<RuleDraft>>(drafts) else { return };
    let project = "p".parse().unwrap();
    let Ok(rules) = RuleDraft::check_all(drafts, Intake::Put(&project), Timestamp::EPOCH) else { return };
    let Ok(input) = Input::new(Some("src/a.rs"), content, None) else { return };
    for violation in RuleEngine::default().validate(&rules, &input) {
        assert!(violation.line.is_none_or(|line| (1..=content.split('\n').count()).contains(&line)));
        assert!(rules.iter().any(|rule| rule.rule_id == violation.rule_id));
    }
});
