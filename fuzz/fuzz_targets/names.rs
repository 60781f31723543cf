//! Keys, topics and names: what is taken is what was sent, and within the bounds.
#![no_main]

use koor_core::ids::{
    DocumentKey, Hash, InstanceId, ProjectName, RuleId, SpecKey, SpecName, StateKey, TemplateId, Topic,
    WebhookId,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = StateKey::new(text) {
        assert_eq!(key.as_str(), text);
        assert!((1..=512).contains(&text.len()) && !text.chars().any(char::is_control));
        assert!(!text.split('/').any(|part| matches!(part, "" | "." | "..")));
        assert_eq!(DocumentKey::from(key).to_string(), text);
    }
    if let Ok(topic) = Topic::new(text) {
        assert_eq!(topic.as_str(), text);
        assert!(
            (1..=256).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        );
        assert!(!text.split('.').any(str::is_empty) && !text.contains(['*', '?', '[', ']', '\\']));
    }
    let names = [
        ProjectName::new(text).is_ok(),
        SpecName::new(text).is_ok(),
        RuleId::new(text).is_ok(),
        TemplateId::new(text).is_ok(),
        WebhookId::new(text).is_ok(),
    ];
    if names.contains(&true) {
        assert!(
            (1..=200).contains(&text.len()) && !text.contains('/') && !text.chars().any(char::is_control)
        );
    }
    if let Some((project, name)) = text.split_once('/')
        && let (Ok(project), Ok(name)) = (ProjectName::new(project), SpecName::new(name))
    {
        assert_eq!(SpecKey { project, name }.to_string(), text);
    }
    if let Ok(id) = text.parse::<InstanceId>() {
        assert_eq!(id.to_string().parse::<InstanceId>().unwrap(), id);
    }
    if let Ok(hash) = text.parse::<Hash>() {
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
    }
});
