//! Messages between agents, and what became of them at each recipient.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    domain::{
        agents::{AgentAddress, ProjectScope},
        line, prose,
    },
    error::Invalid,
    ids::{AgentName, Cursor, EventId, ProjectName},
    schema::Line,
};

/// The most names and groups that a message can be sent to.
const MAX_TO: usize = 100;

/// The most agents that one message can reach: each gets a receipt in the same commit.
pub(crate) const MAX_RECIPIENTS: usize = 1000;

/// What a message belongs to: the first message of the thread, or a name that its sender gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Thread {
    /// The message that the thread began with.
    First(EventId),
    /// A name.
    Named(#[schemars(with = "Line")] String),
}

impl Thread {
    /// Reads a thread as it is written in a query: a number is that of a first message.
    ///
    /// # Errors
    /// When the text is no line.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.parse().ok().and_then(EventId::new) {
            Some(first) => Ok(Self::First(first)),
            None => Ok(Self::Named(line("thread", text)?)),
        }
    }
}

impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(id) => id.fmt(f),
            Self::Named(name) => name.fmt(f),
        }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Its id, which is that of its event.
    pub id: EventId,
    /// The thread that it belongs to.
    pub thread: Thread,
    /// The address of the agent that sent it, or the author where that is no agent.
    pub from: String,
    /// The names and groups that it was sent to, as they were written.
    pub to: Vec<String>,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub body: String,
    /// Whether the sender asks for an acknowledgement.
    pub ack: bool,
    /// Whether it should be shown before others.
    pub urgent: bool,
    /// The message that it answers.
    pub reply_to: Option<EventId>,
    /// When it was sent.
    pub created_at: Timestamp,
}

/// A message as a sender writes it.
#[derive(Debug, Clone, Default)]
pub struct MessageDraft {
    /// The names of agents and groups: `stack:react`, `capability:review`, `*`.
    pub to: Vec<String>,
    /// What it says.
    pub body: String,
    /// What it is about.
    pub subject: String,
    /// The thread that it belongs to.
    pub thread: Option<Thread>,
    /// The message that it answers.
    pub reply_to: Option<EventId>,
    /// Whether the sender asks for an acknowledgement.
    pub ack: bool,
    /// Whether it should be shown before others.
    pub urgent: bool,
    /// The project of names without one, where the sender has none.
    pub workspace: Option<ProjectName>,
}

impl MessageDraft {
    /// The same, if it can be sent.
    pub(crate) fn checked(mut self) -> Result<Self, Invalid> {
        if self.to.is_empty() {
            return Err(Invalid::new("to is required: at least one agent"));
        }
        if self.to.len() > MAX_TO {
            let count = self.to.len();
            return Err(Invalid::new(format!("{count} recipients were given, at most {MAX_TO} are allowed")));
        }
        if self.body.trim().is_empty() {
            return Err(Invalid::new("body is required"));
        }
        self.body = prose("body", self.body)?;
        self.subject = line("subject", self.subject)?;
        if let Some(Thread::Named(name)) = &mut self.thread {
            *name = line("thread", std::mem::take(name))?;
            if name.is_empty() {
                self.thread = None;
            }
        }
        Ok(self)
    }
}

/// One of those that a message is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// Every agent of the project but the sender.
    Everyone(ProjectName),
    /// The agents of the project with that stack.
    Stack(ProjectName, String),
    /// The agents of the project with that capability.
    Capability(ProjectName, String),
    /// That agent.
    Agent(AgentAddress),
}

impl Recipient {
    /// Reads what a sender wrote; `within` is the project of names without one.
    pub(crate) fn parse(text: &str, within: Option<&ProjectName>) -> Result<Self, Invalid> {
        let project = || {
            within.cloned().ok_or_else(|| {
                Invalid::new(format!("{text:?} names no project: send `workspace`, or project/name"))
            })
        };
        if text == "*" {
            return Ok(Self::Everyone(project()?));
        }
        if let Some(stack) = text.strip_prefix("stack:") {
            return Ok(Self::Stack(project()?, stack.to_owned()));
        }
        if let Some(capability) = text.strip_prefix("capability:") {
            return Ok(Self::Capability(project()?, capability.to_owned()));
        }
        AgentAddress::parse(text, within).map(Self::Agent)
    }

    /// The project whose agents it names.
    pub(crate) fn project(&self) -> &ProjectName {
        match self {
            Self::Everyone(project) | Self::Stack(project, _) | Self::Capability(project, _) => project,
            Self::Agent(address) => &address.project,
        }
    }
}

/// What became of a message at one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The recipient.
    pub of: AgentAddress,
    /// When it came into the inbox.
    pub stored_at: Timestamp,
    /// When it was first shown, which is not reading.
    pub surfaced_at: Option<Timestamp>,
    /// When it was read, which is not acknowledging.
    pub read_at: Option<Timestamp>,
    /// When it was acknowledged.
    pub acked_at: Option<Timestamp>,
}

impl Receipt {
    /// The receipt of a message that has just been stored.
    pub(crate) fn stored(of: AgentAddress, now: Timestamp) -> Self {
        Self { of, stored_at: now, surfaced_at: None, read_at: None, acked_at: None }
    }

    /// Notes a step, once. Reading takes in showing, and acknowledging takes in reading.
    pub(crate) fn mark(&mut self, step: Step, now: Timestamp) {
        self.surfaced_at.get_or_insert(now);
        if step != Step::Surfaced {
            self.read_at.get_or_insert(now);
        }
        if step == Step::Acked {
            self.acked_at.get_or_insert(now);
        }
    }
}

impl JsonSchema for Receipt {
    fn schema_name() -> Cow<'static, str> {
        "Receipt".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SavedReceipt::json_schema(generator)
    }
}

impl Serialize for Receipt {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SavedReceipt::from(self.clone()).serialize(serializer)
    }
}

/// A receipt in a backup and in answers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SavedReceipt {
    project: ProjectName,
    name: AgentName,
    stored_at: Timestamp,
    surfaced_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    acked_at: Option<Timestamp>,
}

impl From<Receipt> for SavedReceipt {
    fn from(receipt: Receipt) -> Self {
        let Receipt { of: AgentAddress { project, name }, stored_at, surfaced_at, read_at, acked_at } =
            receipt;
        Self { project, name, stored_at, surfaced_at, read_at, acked_at }
    }
}

impl From<SavedReceipt> for Receipt {
    fn from(saved: SavedReceipt) -> Self {
        let SavedReceipt { project, name, stored_at, surfaced_at, read_at, acked_at } = saved;
        Self { of: AgentAddress { project, name }, stored_at, surfaced_at, read_at, acked_at }
    }
}

/// How far a message has come at a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It was shown.
    Surfaced,
    /// It was read.
    Read,
    /// It was acknowledged.
    Acked,
}

/// A message with all its receipts, by recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "MessageReceipts")]
pub struct Delivered {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// What became of it.
    pub receipts: Vec<Receipt>,
}

impl Delivered {
    /// When the last recipient had read it; `None` while one has not. From then on it is kept for the retention.
    #[must_use]
    pub fn done_at(&self) -> Option<Timestamp> {
        let read: Option<Vec<Timestamp>> = self.receipts.iter().map(|receipt| receipt.read_at).collect();
        read?.into_iter().max()
    }

    /// When all recipients had come that far, for the sender: one answer for all of them.
    fn all(&self, at: impl Fn(&Receipt) -> Option<Timestamp>) -> Option<Timestamp> {
        let times: Option<Vec<Timestamp>> = self.receipts.iter().map(at).collect();
        times?.into_iter().max()
    }

    /// The message as its sender sees it.
    #[must_use]
    pub fn into_sent(self) -> Listed {
        Listed {
            surfaced_at: self.all(|receipt| receipt.surfaced_at),
            read_at: self.all(|receipt| receipt.read_at),
            acked_at: self.all(|receipt| receipt.acked_at),
            message: self.message,
        }
    }
}

/// A message in a box, with what became of it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ListedMessage")]
pub struct Listed {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// When it was shown; of a message that was sent, to all recipients.
    pub surfaced_at: Option<Timestamp>,
    /// When it was read; likewise.
    pub read_at: Option<Timestamp>,
    /// When it was acknowledged; likewise.
    pub acked_at: Option<Timestamp>,
}

/// The inbox of an agent: that of its project, or of an agent that works in every project.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mailbox {
    /// The project; `None` for all of them.
    pub project: Option<ProjectName>,
    /// The agent.
    pub name: AgentName,
}

impl Mailbox {
    /// The mailbox of an agent with that name and scope.
    #[must_use]
    pub fn new(scope: &ProjectScope, name: AgentName) -> Self {
        Self { project: scope.project().cloned(), name }
    }

    /// Whether messages to that address come here.
    #[must_use]
    pub fn takes(&self, address: &AgentAddress) -> bool {
        self.name == address.name && self.project.as_ref().is_none_or(|own| *own == address.project)
    }

    /// How the agent signs: its address, or its name where it has no project.
    #[must_use]
    pub fn signature(&self) -> String {
        match &self.project {
            Some(project) => format!("{project}/{}", self.name),
            None => self.name.to_string(),
        }
    }
}

impl From<AgentAddress> for Mailbox {
    fn from(address: AgentAddress) -> Self {
        Self { project: Some(address.project), name: address.name }
    }
}

/// Which messages of a box are wanted.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// Only those that have not been read.
    pub unread: bool,
    /// Only those of that thread.
    pub thread: Option<Thread>,
    /// Only those with a higher id.
    pub after: u64,
}

impl MessageFilter {
    /// Whether a message is one of those wanted.
    #[must_use]
    pub fn matches(&self, listed: &Listed) -> bool {
        (!self.unread || listed.read_at.is_none())
            && self.thread.as_ref().is_none_or(|thread| *thread == listed.message.thread)
            && listed.message.id.get() > self.after
    }
}

/// A message with its receipts, in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedMessage {
    #[serde(flatten)]
    message: Message,
    receipts: Vec<SavedReceipt>,
}

impl From<Delivered> for SavedMessage {
    fn from(delivered: Delivered) -> Self {
        let receipts = delivered.receipts.into_iter().map(SavedReceipt::from).collect();
        Self { message: delivered.message, receipts }
    }
}

impl SavedMessage {
    /// The id of the message.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.message.id
    }

    /// The message, if it is such as could have been sent.
    ///
    /// # Errors
    /// When it is not.
    pub fn into_delivered(self) -> Result<Delivered, Invalid> {
        let Message { id, body, subject, from, .. } = self.message;
        let wrong = |what: &str| Invalid::new(format!("message {id} {what}"));
        let mut receipts: Vec<Receipt> = self.receipts.into_iter().map(Receipt::from).collect();
        receipts.sort_by(|a, b| a.of.cmp(&b.of));
        if receipts.is_empty() || receipts.windows(2).any(|two| two[0].of == two[1].of) {
            return Err(wrong("has no recipient, or one twice"));
        }
        if receipts.len() > MAX_RECIPIENTS || self.message.to.len() > MAX_TO {
            return Err(wrong("has too many recipients"));
        }
        let (body, subject) = (prose("body", body)?, line("subject", subject)?);
        let message = Message { body, subject, from: prose("from", from)?, ..self.message };
        Ok(Delivered { message, receipts })
    }
}

/// How far an agent has been briefed, in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedBriefed {
    /// The project of the agent, if it has one.
    pub project: Option<ProjectName>,
    /// The agent.
    pub name: AgentName,
    /// How far.
    pub cursor: Cursor,
}

/// The name of an agent that is gone, in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedGoneAgent {
    project: ProjectName,
    name: AgentName,
    gone_at: Timestamp,
}

impl From<GoneAgent> for SavedGoneAgent {
    fn from(gone: GoneAgent) -> Self {
        let GoneAgent { address: AgentAddress { project, name }, gone_at } = gone;
        Self { project, name, gone_at }
    }
}

impl From<SavedGoneAgent> for GoneAgent {
    fn from(saved: SavedGoneAgent) -> Self {
        let SavedGoneAgent { project, name, gone_at } = saved;
        Self { address: AgentAddress { project, name }, gone_at }
    }
}

/// An agent whose instance is gone. Its name stays known for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoneAgent {
    /// Its address.
    pub address: AgentAddress,
    /// When its last instance went.
    pub gone_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_in_those_before_it_and_is_noted_once() {
        let of = AgentAddress { project: "p".parse().unwrap(), name: "a".parse().unwrap() };
        let at = Timestamp::from_millis;
        let mut receipt = Receipt::stored(of, at(1));
        receipt.mark(Step::Surfaced, at(2));
        assert_eq!((receipt.surfaced_at, receipt.read_at, receipt.acked_at), (Some(at(2)), None, None));
        receipt.mark(Step::Read, at(3));
        assert_eq!(
            (receipt.surfaced_at, receipt.read_at, receipt.acked_at),
            (Some(at(2)), Some(at(3)), None)
        );
        receipt.mark(Step::Acked, at(4));
        receipt.mark(Step::Acked, at(5));
        assert_eq!((receipt.read_at, receipt.acked_at), (Some(at(3)), Some(at(4))));
    }

    #[test]
    fn a_recipient_is_an_agent_or_a_group() {
        let own: ProjectName = "p".parse().unwrap();
        let parse = |text: &str| Recipient::parse(text, Some(&own)).unwrap();
        assert_eq!(parse("*"), Recipient::Everyone(own.clone()));
        assert_eq!(parse("stack:react"), Recipient::Stack(own.clone(), "react".into()));
        assert_eq!(parse("capability:a/b"), Recipient::Capability(own.clone(), "a/b".into()));
        assert_eq!(parse("q/x").project().as_str(), "q");
        let refused = Recipient::parse("*", None).unwrap_err().to_string();
        assert_eq!(refused, "\"*\" names no project: send `workspace`, or project/name");
    }

    #[test]
    fn a_thread_is_a_message_or_a_name() {
        assert_eq!(Thread::parse("7").unwrap(), Thread::First(EventId::new(7).unwrap()));
        assert_eq!(Thread::parse("0").unwrap(), Thread::Named("0".into()));
        assert_eq!(serde_json::to_string(&Thread::parse("7").unwrap()).unwrap(), "7");
        assert_eq!(serde_json::from_str::<Thread>("\"login\"").unwrap(), Thread::Named("login".into()));
    }
}
