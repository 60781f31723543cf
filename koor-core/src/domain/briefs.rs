//! The brief: what an agent has to know now, also as text that fits into a budget.

mod text;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    domain::{
        agents::ProjectScope,
        budgets::BudgetView,
        events::Event,
        leases::{Lease, WaitingFor},
        messages::Listed,
    },
    ids::{Cursor, InstanceId, ProjectName, Topic},
};

pub use text::BriefText;

/// The project whose rules hold in every project.
const EVERY_PROJECT: &str = "_global";

/// The most topics that a brief lists.
const MAX_TOPICS: usize = 20;

/// What an agent has to know now.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Brief {
    /// The place in the event log up to which this is true.
    pub cursor: Cursor,
    /// The agent's address, or its name where it has no project.
    pub agent: String,
    /// Its unread messages, urgent ones first: as many as fit into a page.
    pub messages: Vec<Listed>,
    /// Its claims of tasks.
    pub claims: Vec<serde_json::Value>,
    /// Tasks that it can claim.
    pub ready: ReadyTasks,
    /// Tasks that wait for a review.
    pub review: Vec<serde_json::Value>,
    /// Its leases.
    pub leases: Vec<Lease>,
    /// Which agents wait for paths that it holds.
    pub waiting: Vec<WaitingFor>,
    /// What others have changed in its project.
    pub changes: Vec<TopicCount>,
    /// How many changes there were of the project's rules and of those of all projects.
    pub rules_changed: u64,
    /// How many violations were found in this agent's work.
    pub violations: u64,
    /// How much the project may still spend; null without a budget.
    pub budget: Option<BudgetView>,
    /// How many messages are unread, also those that do not fit.
    #[serde(skip)]
    pub unread: u64,
}

/// Tasks that an agent can claim.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct ReadyTasks {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub next: Vec<serde_json::Value>,
}

/// How many events there were of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TopicCount {
    /// The topic.
    pub topic: Topic,
    /// How many.
    pub count: u64,
}

impl Brief {
    /// Whether there is nothing that the agent should look at. What it holds is no news, and while it has a task in hand,
    /// others that it could claim are none.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.messages.is_empty()
            && (self.ready.count == 0 || !self.claims.is_empty())
            && self.review.is_empty()
            && self.waiting.is_empty()
            && self.changes.is_empty()
            && self.rules_changed == 0
            && self.violations == 0
    }
}

impl Brief {
    /// Why no new work should begin, if the project's budget says so.
    #[must_use]
    pub fn stop_reason(&self) -> Option<String> {
        self.budget.as_ref()?.stop_reason()
    }
}

/// Counts what events mean to one agent.
#[derive(Debug)]
pub(crate) struct Tally<'a> {
    scope: &'a ProjectScope,
    instance: InstanceId,
    name: &'a str,
    topics: Vec<TopicCount>,
    rules_changed: u64,
    violations: u64,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(scope: &'a ProjectScope, instance: InstanceId, name: &'a str) -> Self {
        Self { scope, instance, name, topics: Vec::new(), rules_changed: 0, violations: 0 }
    }

    pub(crate) fn add(&mut self, event: &Event) {
        let data: serde_json::Value = serde_json::from_str(event.data.as_str()).unwrap_or_default();
        let field = |name: &str| data.get(name).and_then(serde_json::Value::as_str);
        let id = self.instance.to_string();
        match event.topic.as_str() {
            "$rules.changed" | "$rule.accepted" | "$rule.deleted" => {
                let concerns = |project: &str| {
                    project == EVERY_PROJECT
                        || ProjectName::new(project).is_ok_and(|project| self.scope.includes(&project))
                };
                self.rules_changed += u64::from(field("project").is_some_and(concerns));
                return;
            }
            "compliance.violation" => {
                self.violations += u64::from(field("instance_id") == Some(&*id));
                return;
            }
            // The brief lists the messages themselves.
            "$message.sent" | "$message.acked" => return,
            _ => {}
        }
        if event.source == id || event.source == self.name || !self.is_of_project(event, &field) {
            return;
        }
        match self.topics.iter_mut().find(|known| known.topic == event.topic) {
            Some(known) => known.count += 1,
            None => self.topics.push(TopicCount { topic: event.topic.clone(), count: 1 }),
        }
    }

    /// Whether an event can be news for the agent: one of its project by others, a message, or a task that can be claimed. Which
    /// of these are for this agent is looked up.
    pub(crate) fn may_be_news(mut self, event: &Event) -> bool {
        if matches!(event.topic.as_str(), "$message.sent" | "$task.ready") {
            return true;
        }
        self.add(event);
        !self.topics.is_empty() || self.rules_changed > 0 || self.violations > 0
    }

    /// Whether an event is about the agent's project: it says so, or its topic or key begins with the project's name.
    fn is_of_project<'v>(&self, event: &Event, field: &impl Fn(&str) -> Option<&'v str>) -> bool {
        let project = match self.scope {
            ProjectScope::Every => return true,
            ProjectScope::None => return false,
            ProjectScope::One(project) => project.as_str(),
        };
        let begins = |text: &str, end: char| {
            let first = text.split(end).next().unwrap_or_default();
            first.len() < text.len() && first.eq_ignore_ascii_case(project)
        };
        let workspace = field("workspace").filter(|workspace| !workspace.is_empty());
        field("project") == Some(project)
            || field("key").is_some_and(|key| begins(key, '/'))
            || workspace.is_some_and(|one| ProjectScope::of_workspace(one) == *self.scope)
            || begins(event.topic.as_str(), '.')
    }

    /// The topics, most frequent first, and how many changes of rules and violations there were.
    pub(crate) fn finish(mut self) -> (Vec<TopicCount>, u64, u64) {
        self.topics.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.topic.cmp(&b.topic)));
        self.topics.truncate(MAX_TOPICS);
        (self.topics, self.rules_changed, self.violations)
    }
}
