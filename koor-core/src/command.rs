//! Commands: changes as data, each with the rule that makes it.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    announcement::SystemTopic,
    caller::{Access, Caller},
    clock::Timestamp,
    domain::{
        Actor, RawJson,
        audit::{Action, AuditEntry, Outcome},
        events::Event,
        metrics::Metric,
    },
    error::Error,
    ids::{AuditId, Cursor, Topic},
    ports::{Change, Ends, EventChange, FactSet, View},
    settings::Settings,
};

/// A change: what is asked for, and the rule that does it.
///
/// Whatever is slow (parsing, hashing, compiling) has happened before: `apply` blocks all other writers.
pub trait Command: Send + Sync + 'static {
    /// What the caller gets.
    type Output: Send + 'static;

    /// Who may do this, and how the audit log speaks of it.
    fn operation(&self) -> Operation;

    /// What is counted for the calling instance when this is done.
    fn metric(&self) -> Option<Metric> {
        None
    }

    /// Whether it is only done for a caller that still waits for its answer when its turn comes.
    fn only_while_awaited(&self) -> bool {
        false
    }

    /// Adds the facts it will look at: a hint, which buys speed and never correctness. A fact that is missing is fetched
    /// when it is looked at, and the command runs again.
    fn reads(&self, _wanted: &mut FactSet) {}

    /// Does it. May be run more than once, each time as if it were the first.
    ///
    /// # Errors
    /// A refusal; none of its changes stays.
    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Self::Output>, Error>;
}

/// Who may do something, and how the audit log speaks of it.
#[derive(Debug, Clone)]
pub struct Operation {
    access: Access,
    record: Record,
}

#[derive(Debug, Clone)]
enum Record {
    /// An entry in the audit log.
    Audit { action: Action, resource: String, actor: Option<Actor> },
    /// The event log itself is the record.
    EventLog,
    /// No caller asked for it.
    Housekeeping,
}

impl Operation {
    /// To do `action` to `resource`.
    pub fn to(action: Action, resource: impl fmt::Display, access: Access) -> Self {
        Self { access, record: Record::Audit { action, resource: resource.to_string(), actor: None } }
    }

    /// To publish an event, which is its own record.
    #[must_use]
    pub fn to_publish() -> Self {
        Self { access: Access::Anyone, record: Record::EventLog }
    }

    /// To do what the audit log does not record, such as showing that an agent is alive.
    pub(crate) fn unrecorded() -> Self {
        Self { access: Access::Anyone, record: Record::Housekeeping }
    }

    /// Lets the caller pass, or not.
    pub(crate) fn check(&self, caller: &Caller) -> Result<(), Error> {
        self.access.check(caller)
    }

    /// Names another actor than the caller in the audit log.
    #[must_use]
    pub fn by(mut self, name: impl AsRef<str>) -> Self {
        if let Record::Audit { actor, .. } = &mut self.record {
            *actor = Some(Actor::new(name));
        }
        self
    }
}

/// What a command did: what its caller gets, and what the audit log says of it.
#[derive(Debug)]
pub struct Applied<T> {
    pub(crate) output: T,
    pub(crate) entries: Entries,
}

/// The entries that a command leaves in the audit log.
#[derive(Debug)]
pub(crate) enum Entries {
    /// One, about the resource of its operation, with these particulars.
    One(Value),
    /// One about each of these resources, with its particulars.
    Each(Vec<(String, Value)>),
}

impl<T> Applied<T> {
    /// Applied, with nothing to add.
    pub fn new(output: T) -> Self {
        Self::with(output, json!({}))
    }

    /// Applied, with these particulars: a JSON object.
    pub fn with(output: T, detail: Value) -> Self {
        Self { output, entries: Entries::One(detail) }
    }

    /// Applied to resources that only show while it is applied: each has an entry of its own, with its particulars.
    pub(crate) fn each(output: T, resources: Vec<(String, Value)>) -> Self {
        Self { output, entries: Entries::Each(resources) }
    }

    /// Applied, and nothing has changed that the audit log speaks of.
    pub(crate) fn unrecorded(output: T) -> Self {
        Self::each(output, Vec::new())
    }
}

/// What a caller gets when a command is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the command answers.
    pub output: T,
    /// The place in the event log right after it: who reads on from here misses nothing that came later.
    pub cursor: Cursor,
}

impl<T> Committed<T> {
    /// The same place, with another answer.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Committed<U> {
        Committed { output: f(self.output), cursor: self.cursor }
    }
}

/// What a command decides on and changes: facts, the time, the caller, the settings.
///
/// Facts are looked up and changes are made through methods of one noun each, such as `instance` and `put_instance`. What a
/// command has changed, it sees. It cannot write to the event log or the audit log by itself: the event of a change is
/// published by the core's own commands, and the audit entry is written for every command when it has been applied.
///
/// ```compile_fail
/// # use koor_core::{CommandContext, ports::Change};
/// fn append_an_entry_by_itself(cx: &mut CommandContext<'_>, entry: Change) {
///     cx.push(entry);
/// }
/// ```
///
/// ```compile_fail
/// # use koor_core::{CommandContext, domain::RawJson};
/// fn publish_by_itself(cx: &mut CommandContext<'_>) {
///     cx.publish("t".parse().unwrap(), RawJson::null(), String::new()).unwrap();
/// }
/// ```
pub struct CommandContext<'a> {
    view: &'a mut View,
    /// The time of this change.
    pub now: Timestamp,
    /// On whose behalf it is made.
    pub caller: &'a Caller,
    /// How the core behaves.
    pub settings: &'a Settings,
}

impl<'a> CommandContext<'a> {
    pub(crate) fn new(
        view: &'a mut View,
        now: Timestamp,
        caller: &'a Caller,
        settings: &'a Settings,
    ) -> Self {
        Self { view, now, caller, settings }
    }
}

impl CommandContext<'_> {
    /// The ends of everything that only grows, this command's own changes included.
    #[must_use]
    pub fn ends(&self) -> &Ends {
        self.view.ends()
    }

    /// The facts, for the lookups of each noun.
    pub(crate) fn view(&mut self) -> &mut View {
        self.view
    }

    /// Makes a change.
    pub(crate) fn push(&mut self, change: Change) {
        self.view.push(change);
    }

    /// Publishes a system event of the server's own.
    pub(crate) fn announce(&mut self, topic: SystemTopic, data: &impl Serialize) -> Result<(), Error> {
        let source = topic.source().unwrap_or(self.caller.actor().as_str()).to_owned();
        self.publish(Topic::known(topic.as_str()), RawJson::of(data)?, source);
        Ok(())
    }

    /// Puts an event into the log.
    pub(crate) fn publish(&mut self, topic: Topic, data: RawJson, source: String) -> Event {
        let event = Event { id: self.ends().log.last.next(), topic, data, source, created_at: self.now };
        self.push(Change::Event(EventChange::Append(event.clone())));
        event
    }

    /// Writes the audit entries of an operation that was applied, where it has any.
    pub(crate) fn record_all(&mut self, operation: &Operation, entries: &Entries) {
        match entries {
            Entries::One(detail) => self.record(operation, None, detail, Outcome::Success),
            Entries::Each(resources) => {
                for (resource, detail) in resources {
                    self.record(operation, Some(resource), detail, Outcome::Success);
                }
            }
        }
    }

    /// Writes the audit entry of an operation, where it has one, about its resource or that one.
    pub(crate) fn record(
        &mut self,
        operation: &Operation,
        about: Option<&str>,
        detail: &Value,
        outcome: Outcome,
    ) {
        let (action, resource, actor) = match &operation.record {
            Record::Audit { action, resource, actor } => (action, resource, actor),
            Record::EventLog | Record::Housekeeping => return,
        };
        // Of what did not happen, only the caller is known: a name that the request brings could be anyone's.
        let actor = actor.as_ref().filter(|_| outcome == Outcome::Success);
        let head = self.ends().audit;
        let entry = AuditEntry {
            id: AuditId::after(head.map(|head| head.id)),
            timestamp: self.now,
            actor: actor.unwrap_or(self.caller.actor()).clone(),
            action: action.as_str().to_owned(),
            resource: about.unwrap_or(resource).to_owned(),
            detail: detail.to_string(),
            outcome,
        };
        self.push(Change::AppendAudit(entry.chain(head.map(|head| head.hash))));
    }
}

/// Housekeeping: the one door to a change without an audit entry, for what no caller asked for.
pub(crate) struct Housekeeping<F> {
    pub(crate) reads: FactSet,
    pub(crate) work: F,
}

impl<T, F> Command for Housekeeping<F>
where
    T: Send + 'static,
    F: Fn(&mut CommandContext<'_>) -> Result<T, Error> + Send + Sync + 'static,
{
    type Output = T;

    fn operation(&self) -> Operation {
        Operation::unrecorded()
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.add(&self.reads);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<T>, Error> {
        (self.work)(cx).map(Applied::new)
    }
}
