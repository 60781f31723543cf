//! Instances: the agents that work together, and whether they are still there.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    domain::{line, prose, string_enum},
    error::Invalid,
    ids::InstanceId,
};

/// The most capabilities that can be given, those included that are empty or there twice.
const CAPABILITIES: usize = 200;

/// A registered agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// What it calls itself.
    pub name: String,
    /// The directory or project it works in.
    #[serde(default)]
    pub workspace: String,
    /// What it is doing.
    #[serde(default)]
    pub intent: String,
    /// The technology it works with.
    #[serde(default)]
    pub stack: String,
    /// What it can be asked for.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Where it stands.
    pub status: InstanceStatus,
    /// When it registered.
    pub registered_at: Timestamp,
    /// When it was last heard of.
    pub last_seen: Timestamp,
}

string_enum! {
    /// Where an instance stands.
    InstanceStatus, "status", {
        /// Registered, and not activated yet.
        Pending = "pending",
        /// At work.
        Active = "active",
        /// Silent for too long.
        Stale = "stale",
    }, "pending, active, or stale"
}

impl Instance {
    /// The same, if its texts are such as a new instance can have.
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        if self.name.trim().is_empty() {
            return Err(Invalid::new(format!("instance {} has no name", self.id)));
        }
        Ok(Self {
            name: line("name", self.name)?,
            workspace: line("workspace", self.workspace)?,
            intent: prose("intent", self.intent)?,
            stack: line("stack", self.stack)?,
            capabilities: checked_capabilities(&self.capabilities)?,
            ..self
        })
    }

    /// Whether it has been silent for so long that it counts as gone. Only an active instance can be.
    #[must_use]
    pub fn has_gone_silent(&self, now: Timestamp, after: Duration) -> bool {
        self.status == InstanceStatus::Active && now.since(self.last_seen) > after
    }
}

/// A filter of instances: exact matches, and all given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceFilter {
    /// By name.
    pub name: Option<String>,
    /// By workspace.
    pub workspace: Option<String>,
    /// By stack.
    pub stack: Option<String>,
    /// By one of its capabilities.
    pub capability: Option<String>,
    /// By status.
    pub status: Option<InstanceStatus>,
}

impl InstanceFilter {
    /// Whether the instance is one of those looked for.
    #[must_use]
    pub fn matches(&self, instance: &Instance) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        is(&self.name, &instance.name)
            && is(&self.workspace, &instance.workspace)
            && is(&self.stack, &instance.stack)
            && self.capability.as_ref().is_none_or(|wanted| instance.capabilities.contains(wanted))
            && self.status.is_none_or(|wanted| wanted == instance.status)
    }
}

/// Trims capabilities and drops empty and repeated ones; the order stays.
#[must_use]
pub fn tidy_capabilities(given: &[String]) -> Vec<String> {
    let mut tidy: Vec<String> = Vec::with_capacity(given.len());
    for capability in given.iter().map(|capability| capability.trim()) {
        if !capability.is_empty() && !tidy.iter().any(|known| known == capability) {
            tidy.push(capability.to_owned());
        }
    }
    tidy
}

/// Capabilities as an instance can have them.
pub(crate) fn checked_capabilities(given: &[String]) -> Result<Vec<String>, Invalid> {
    // Before they are compared with each other, which takes long for many.
    if given.len() > CAPABILITIES {
        return Err(Invalid::new(format!(
            "{} capabilities were given, at most {CAPABILITIES} are allowed",
            given.len()
        )));
    }
    tidy_capabilities(given).into_iter().map(|capability| line("capability", capability)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_trimmed_and_each_is_there_once() {
        let given = [" review", "", "test ", "review", "  "].map(str::to_owned);
        assert_eq!(tidy_capabilities(&given), ["review", "test"]);
    }

    #[test]
    fn only_an_active_instance_goes_silent() {
        let mut instance = Instance {
            id: InstanceId::from_bytes([1; 16]),
            name: "a".into(),
            workspace: String::new(),
            intent: String::new(),
            stack: String::new(),
            capabilities: vec![],
            status: InstanceStatus::Active,
            registered_at: Timestamp::from_millis(0),
            last_seen: Timestamp::from_millis(0),
        };
        let after = Duration::from_mins(5);
        assert!(!instance.has_gone_silent(Timestamp::from_millis(300_000), after));
        assert!(instance.has_gone_silent(Timestamp::from_millis(300_001), after));
        instance.status = InstanceStatus::Pending;
        assert!(!instance.has_gone_silent(Timestamp::from_millis(900_000), after));
    }
}
