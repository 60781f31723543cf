//! The curated rules that a project can start from: the files of `rules/`, built in.

use serde_json::{Map, Value};

use crate::exit::Failure;

/// The sets by name: `_global` for every project, the others for what the name says.
const SETS: [(&str, &str); 9] = {
    macro_rules! sets {
        ($($name:literal),*) => {
            [$(($name, include_str!(concat!("../../rules/", $name, ".json")))),*]
        };
    }
    sets!["_global", "c", "flutter", "go-api", "goth", "node", "python", "react", "rust"]
};

/// The set of that name: a JSON array of rules, as an import takes it.
pub(crate) fn get(name: &str) -> Option<&'static str> {
    SETS.iter().find(|(known, _)| *known == name).map(|(_, rules)| *rules)
}

/// The set of that name as rules of a project: a JSON array, as an import takes it.
///
/// # Errors
/// When there is no such set.
pub(crate) fn for_project(set: &str, project: &str) -> Result<Vec<u8>, Failure> {
    let rules = get(set).ok_or_else(|| Failure::usage(format_args!("there is no set of rules {set}")))?;
    let moved = |mut rules: Vec<Map<String, Value>>| {
        for rule in &mut rules {
            rule.insert("project".to_owned(), project.into());
        }
        rules
    };
    serde_json::from_str(rules)
        .map(moved)
        .and_then(|rules| serde_json::to_vec(&rules))
        .map_err(|error| Failure::caused_by(&error))
}

/// The name of every set.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SETS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use koor_core::{
        clock::{Clock as _, SystemClock},
        domain::rules::{Input, Intake, Rule, RuleDraft, RuleEngine},
    };
    use serde::Deserialize;

    use super::*;

    /// What a rule does, by examples: `rules/cases/<set>.json`.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Cases {
        /// The file in which the examples stand.
        file: String,
        /// Each breaks the rule exactly once.
        finds: Vec<String>,
        /// None breaks it.
        leaves: Vec<String>,
        /// A file that the rule is not for.
        elsewhere: Option<String>,
    }

    fn rules(set: &str) -> Vec<Rule> {
        let drafts: Vec<RuleDraft> = serde_json::from_str(get(set).unwrap()).unwrap();
        RuleDraft::check_all(drafts, Intake::Import, SystemClock.now()).unwrap()
    }

    fn cases(set: &str) -> BTreeMap<String, Cases> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/cases").join(format!("{set}.json"));
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn every_rule_finds_what_it_is_for_and_leaves_the_rest_alone() {
        let engine = RuleEngine::default();
        let mut wrong = Vec::new();
        for set in names() {
            let mut cases = cases(set);
            for rule in rules(set) {
                let Some(Cases { file, finds, leaves, elsewhere }) = cases.remove(rule.rule_id.as_str())
                else {
                    wrong.push(format!("{}: no cases", rule.rule_id));
                    continue;
                };
                let found = |file: &str, content: &str| {
                    let input = Input::new(Some(file), content, None).unwrap();
                    engine.validate(std::slice::from_ref(&rule), &input)
                };
                if finds.is_empty() || leaves.is_empty() {
                    wrong.push(format!("{}: an example of each kind is needed", rule.rule_id));
                }
                for content in &finds {
                    let violations = found(&file, content);
                    let told = violations.len() == 1 && violations[0].message == rule.message;
                    if !told {
                        wrong.push(format!("{} misses {content:?}: {violations:?}", rule.rule_id));
                    }
                    if elsewhere.as_ref().is_some_and(|file| !found(file, content).is_empty()) {
                        wrong.push(format!("{} fires in {elsewhere:?}", rule.rule_id));
                    }
                }
                for content in leaves {
                    let violations = found(&file, &content);
                    if !violations.is_empty() {
                        wrong.push(format!("{} fires on {content:?}: {violations:?}", rule.rule_id));
                    }
                }
            }
            wrong.extend(cases.into_keys().map(|id| format!("{set}: cases for {id}, which is no rule")));
        }
        assert_eq!(wrong, [""; 0]);
    }

    #[test]
    fn every_rule_is_in_force_everywhere_for_its_stack_and_says_what_to_do() {
        for set in names() {
            for rule in rules(set) {
                assert_eq!(rule.project.as_str(), koor_core::domain::rules::GLOBAL_PROJECT);
                assert_eq!(rule.stack, if set == "_global" { "" } else { set }, "{}", rule.rule_id);
                assert!(!rule.message.is_empty(), "{}", rule.rule_id);
                // All of them live in one project: their names must not meet.
                let named = set == "_global" || rule.rule_id.as_str().starts_with(&format!("{set}-"));
                assert!(named, "{} is not named after its set", rule.rule_id);
            }
        }
    }

    #[test]
    fn every_file_of_rules_is_built_in() {
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")).unwrap();
        let mut found: Vec<String> = files
            .map(|file| file.unwrap().path())
            .filter(|path| path.is_file() && path.extension().is_some_and(|kind| kind == "json"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        found.sort();
        assert_eq!(found, names().collect::<Vec<_>>());
    }
}
