//! The audit log: who did what, in a chain that shows every later touch.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    clock::Timestamp,
    domain::{Actor, line, prose, string_enum},
    error::Invalid,
    ids::{AuditId, Hash},
    page::TimeRange,
};

/// What is done, as `noun.verb`.
macro_rules! actions {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// What can be done: one word for each kind of change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is documented by the text it is written as")]
        pub enum Action { $($variant),+ }

        impl Action {
            /// As the audit log writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

actions! {
    StatePut = "state.put", StateRollback = "state.rollback", StateDelete = "state.delete",
    SpecPut = "spec.put", SpecRollback = "spec.rollback", SpecDelete = "spec.delete",
    InstanceRegister = "instance.register", InstanceActivate = "instance.activate",
    InstanceDeregister = "instance.deregister", InstanceCapabilities = "instance.capabilities",
    InstanceIntent = "instance.intent", InstanceToken = "instance.token", InstanceSession = "instance.session",
    RulePropose = "rule.propose", RuleAccept = "rule.accept", RuleReject = "rule.reject",
    RuleDelete = "rule.delete", RulesPut = "rules.put", RulesImport = "rules.import",
    WebhookCreate = "webhook.create", WebhookDelete = "webhook.delete", WebhookEnable = "webhook.enable",
    WebhookTest = "webhook.test",
    TemplateCreate = "template.create", TemplateUpdate = "template.update",
    TemplateDelete = "template.delete", TemplateApply = "template.apply",
    ComplianceRun = "compliance.run", LivenessCheck = "liveness.check",
    LlmUsage = "llm.usage", BudgetSet = "budget.set", BudgetDelete = "budget.delete", MetricsReset = "metrics.reset",
    TaskCreate = "task.create", TaskUpdate = "task.update", TaskClaim = "task.claim", TaskRelease = "task.release", TaskDone = "task.done", TaskFail = "task.fail", TaskApprove = "task.approve", TaskReject = "task.reject", TaskCancel = "task.cancel", TaskReopen = "task.reopen", TaskNote = "task.note", TaskExpire = "task.expire",
    LeaseTake = "lease.take", LeaseRelease = "lease.release", LeaseBreak = "lease.break",
    LeaseExpire = "lease.expire", MessageSend = "message.send", MessageAck = "message.ack",
    BackupCreate = "backup.create", BackupRestore = "backup.restore", BackupImport = "backup.import",
}

string_enum! {
    /// How it went.
    Outcome, "outcome", {
        /// It was done.
        Success = "success",
        /// The caller's role does not reach that far.
        Denied = "denied",
        /// It was refused for what is stored: a condition, a conflict, a schema.
        Error = "error",
    }, "success, denied, or error"
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// Its place in the chain.
    pub id: AuditId,
    /// When.
    pub timestamp: Timestamp,
    /// Who.
    pub actor: Actor,
    /// Did what, as `noun.verb`.
    pub action: String,
    /// To what.
    pub resource: String,
    /// With which particulars: a JSON object, as text.
    pub detail: String,
    /// And how it went.
    pub outcome: Outcome,
}

/// An entry with the hash that chains it to all before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainedEntry {
    /// The entry.
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// The hash over this entry and the hash of the one before.
    pub hash: Hash,
}

impl ChainedEntry {
    /// The same, if its texts are such as a command can leave. They are not changed: the hash is over them.
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        let AuditEntry { actor, action, resource, .. } = &self.entry;
        line("actor", actor.as_str())?;
        line("action", action)?;
        prose("resource", resource)?;
        Ok(self)
    }
}

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// The last entry.
    pub id: AuditId,
    /// Its hash.
    pub hash: Hash,
}

impl ChainedEntry {
    /// This entry, as the end of the chain.
    #[must_use]
    pub fn head(&self) -> AuditHead {
        AuditHead { id: self.entry.id, hash: self.hash }
    }
}

impl AuditEntry {
    /// Chains this entry to the one before it: none, for the first.
    ///
    /// Every field goes in with its length before it, so that no two entries give the same bytes.
    #[must_use]
    pub fn chain(self, before: Option<Hash>) -> ChainedEntry {
        let mut hasher = Sha256::new();
        hasher.update(before.as_ref().map_or(&[0; 32], Hash::as_bytes));
        hasher.update(self.id.get().to_be_bytes());
        hasher.update(self.timestamp.millis().to_be_bytes());
        let fields = [self.actor.as_str(), &self.action, &self.resource, &self.detail, self.outcome.as_str()];
        for field in fields {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        ChainedEntry { entry: self, hash: Hash::from_bytes(hasher.finalize().into()) }
    }
}

/// What a walk over the chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChainReport {
    /// Whether every link holds.
    pub valid: bool,
    /// How many entries were walked over.
    pub entries: u64,
    /// The hash at the end of the chain; `""` when there are no entries, or the chain breaks.
    pub head: String,
    /// The first entry at which the chain breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<AuditId>,
}

/// Walks over a chain, entry by entry in the order of ids.
#[derive(Debug, Default)]
pub struct ChainWalk {
    last: Option<AuditHead>,
    entries: u64,
    broken_at: Option<AuditId>,
}

impl ChainWalk {
    /// Takes the next entry; after a break, nothing more is learned.
    pub fn step(&mut self, chained: &ChainedEntry) {
        if self.broken_at.is_some() {
            return;
        }
        let id = chained.entry.id;
        let due = AuditId::after(self.last.map(|head| head.id));
        let hash = chained.entry.clone().chain(self.last.map(|head| head.hash)).hash;
        self.entries += 1;
        if id != due {
            // The entry that should be here is the one that is missing.
            self.broken_at = Some(due);
        } else if hash == chained.hash {
            self.last = Some(AuditHead { id, hash });
        } else {
            self.broken_at = Some(id);
        }
    }

    /// What was found.
    #[must_use]
    pub fn report(self) -> ChainReport {
        let valid = self.broken_at.is_none();
        let head = self.last.filter(|_| valid).map_or_else(String::new, |head| head.hash.to_string());
        ChainReport { valid, entries: self.entries, head, broken_at: self.broken_at }
    }
}

/// A filter of entries; all given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Who.
    pub actor: Option<String>,
    /// Did what.
    pub action: Option<String>,
    /// To what.
    pub resource: Option<String>,
    /// And how it went.
    pub outcome: Option<Outcome>,
    /// When.
    pub range: TimeRange,
    /// Only entries after this one, oldest first; without it, newest first.
    pub after: Option<u64>,
}

impl AuditFilter {
    /// Whether the entry is one of those looked for.
    #[must_use]
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        is(&self.actor, entry.actor.as_str())
            && is(&self.action, &entry.action)
            && is(&self.resource, &entry.resource)
            && self.outcome.is_none_or(|wanted| wanted == entry.outcome)
            && self.range.contains(entry.timestamp)
            && self.after.is_none_or(|after| entry.id.get() > after)
    }
}

/// The log in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AuditSummary {
    /// How many entries there are.
    pub total_entries: u64,
    /// How many of each action.
    pub action_counts: BTreeMap<String, u64>,
    /// How many of each outcome.
    pub outcome_counts: BTreeMap<String, u64>,
    /// How many different actors.
    pub unique_actors: u64,
    /// How many different resources.
    pub unique_resources: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> Vec<ChainedEntry> {
        let mut chain: Vec<ChainedEntry> = Vec::new();
        for id in 1..=length {
            let entry = AuditEntry {
                id: AuditId::new(id).unwrap(),
                timestamp: Timestamp::from_millis(1_000),
                actor: Actor::new("a"),
                action: Action::StatePut.as_str().into(),
                resource: format!("k{id}"),
                detail: "{}".into(),
                outcome: Outcome::Success,
            };
            let before = chain.last().map(|last| last.hash);
            chain.push(entry.chain(before));
        }
        chain
    }

    fn walk(chain: &[ChainedEntry]) -> ChainReport {
        let mut walk = ChainWalk::default();
        for entry in chain {
            walk.step(entry);
        }
        walk.report()
    }

    #[test]
    fn an_untouched_chain_is_valid() {
        let chain = chain(4);
        let head = chain[3].hash.to_string();
        assert_eq!(walk(&chain), ChainReport { valid: true, entries: 4, head, broken_at: None });
        assert_eq!(walk(&[]), ChainReport { valid: true, entries: 0, head: String::new(), broken_at: None });
    }

    #[test]
    fn a_changed_field_breaks_the_chain_where_it_is() {
        let mut chain = chain(4);
        chain[1].entry.resource = "k3".into();
        assert_eq!(walk(&chain).broken_at, AuditId::new(2));
    }

    #[test]
    fn a_missing_entry_breaks_the_chain_where_it_was() {
        let mut chain = chain(4);
        chain.remove(2);
        assert_eq!(walk(&chain).broken_at, AuditId::new(3));
    }

    #[test]
    fn a_text_moved_between_fields_changes_the_hash() {
        let mut moved = chain(1).remove(0).entry;
        moved.actor = Actor::new("as");
        moved.action = "tate.put".into();
        assert_ne!(moved.chain(None).hash, chain(1)[0].hash);
    }
}
