//! Messages are sent, shown, read and acknowledged.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    announcement::SystemTopic,
    caller::{Access, Caller},
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        agents::{AgentAddress, ProjectScope},
        audit::Action,
        instances::Instance,
        messages::{Delivered, GoneAgent, Mailbox, Message, MessageDraft, Receipt, Recipient, Step, Thread},
    },
    error::{Error, Invalid},
    ids::{AgentName, EventId, InstanceId, ProjectName},
    ports::{Change, FactSet, MessageChange},
    use_cases::{identity::want_caller, messages::recipients::resolve},
};

/// Sends a message.
#[derive(Debug)]
pub struct SendMessage {
    draft: MessageDraft,
    /// The caller's, to be fetched.
    instance: Option<InstanceId>,
    /// What is to be fetched of agents: of these projects, the caller's not among them.
    projects: Vec<ProjectName>,
}

/// A message that was sent, and to which agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sent {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// The addresses that its names and groups stood for.
    pub recipients: Vec<AgentAddress>,
}

impl SendMessage {
    /// To send that. `home` is the project of the caller, for names without one.
    ///
    /// # Errors
    /// When it has no recipient or no body, or a text is no good.
    pub fn new(caller: &Caller, home: Option<&ProjectName>, draft: MessageDraft) -> Result<Self, Invalid> {
        let draft = draft.checked()?;
        let within = draft.workspace.as_ref().or(home);
        let to = draft.to.iter().map(|to| Recipient::parse(to, within));
        let projects = to.map(|to| to.map(|to| to.project().clone())).collect::<Result<_, _>>()?;
        Ok(Self { draft, instance: caller.as_instance().map(|instance| instance.id), projects })
    }
}

impl Command for SendMessage {
    type Output = Sent;

    fn operation(&self) -> Operation {
        Operation::to(Action::MessageSend, self.draft.to.join(","), Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        want_caller(wanted, self.instance);
        wanted.all_instances.insert(());
        wanted.gone_agents.extend(self.projects.iter().cloned());
        wanted.messages.extend(self.draft.reply_to);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Sent>, Error> {
        let agent = cx.calling_agent_if_any()?;
        let sender = agent.map(|agent| Mailbox::new(&agent.scope, agent.name));
        let home = sender.as_ref().and_then(|sender| sender.project.as_ref());
        let within = self.draft.workspace.as_ref().or(home);
        let to = self.draft.to.iter().map(|to| Recipient::parse(to, within));
        let recipients = resolve(cx, &to.collect::<Result<Vec<_>, _>>()?, sender.as_ref())?;
        let answered = match self.draft.reply_to {
            None => None,
            Some(id) => Some(cx.message_there(id)?.message),
        };
        // The id of its event, which is announced below.
        let id = cx.ends().log.last.next();
        let first = || answered.map_or(Thread::First(id), |answered| answered.thread);
        let MessageDraft { to, body, subject, thread, reply_to, ack, urgent, .. } = self.draft.clone();
        let from = match &sender {
            Some(sender) => sender.signature(),
            None => cx.caller.author().to_owned(),
        };
        let thread = thread.unwrap_or_else(first);
        let message =
            Message { id, thread, from, to, subject, body, ack, urgent, reply_to, created_at: cx.now };
        let data = json!({
            "id": id, "thread": message.thread, "from": message.from, "recipients": recipients,
            "subject": message.subject, "ack": ack, "urgent": urgent, "reply_to": reply_to,
        });
        cx.announce(SystemTopic::MessageSent, &data)?;
        let receipts = recipients.iter().map(|of| Receipt::stored(of.clone(), cx.now)).collect();
        cx.append_message(Delivered { message: message.clone(), receipts });
        let detail = json!({"id": id, "recipients": recipients});
        Ok(Applied::with(Sent { message, recipients }, detail))
    }
}

/// Notes that messages were shown to the calling agent, or that it has read or acknowledged them.
#[derive(Debug)]
pub struct MarkMessages {
    ids: Vec<EventId>,
    step: Step,
    instance: Option<InstanceId>,
}

/// The most messages that are marked at once: each is looked up with its receipts.
const MAX_MARKED: usize = 500;

impl MarkMessages {
    /// To note that of these messages.
    ///
    /// # Errors
    /// When there are none, or too many.
    pub fn new(caller: &Caller, mut ids: Vec<EventId>, step: Step) -> Result<Self, Invalid> {
        if ids.is_empty() {
            return Err(Invalid::new("ids is required: at least one message"));
        }
        if ids.len() > MAX_MARKED {
            let count = ids.len();
            return Err(Invalid::new(format!("{count} ids were given, at most {MAX_MARKED} are allowed")));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(Self { ids, step, instance: caller.as_instance().map(|instance| instance.id) })
    }
}

impl Command for MarkMessages {
    /// The receipts, by message.
    type Output = Vec<(EventId, Receipt)>;

    fn operation(&self) -> Operation {
        match (self.step, self.ids.as_slice()) {
            (Step::Acked, [id]) => Operation::to(Action::MessageAck, id, Access::Anyone),
            (Step::Acked, _) => Operation::to(Action::MessageAck, "", Access::Anyone),
            (Step::Surfaced | Step::Read, _) => Operation::unrecorded(),
        }
    }

    fn reads(&self, wanted: &mut FactSet) {
        want_caller(wanted, self.instance);
        wanted.messages.extend(self.ids.iter().copied());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Self::Output>, Error> {
        let agent = cx.calling_agent_anywhere()?;
        let own = Mailbox::new(&agent.scope, agent.name);
        let mut marked = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            let mut delivered = cx.message_there(*id)?;
            let at = delivered.receipts.iter().position(|receipt| own.takes(&receipt.of));
            let at = at.ok_or_else(|| Error::not_found("message", id))?;
            let before = delivered.receipts[at].clone();
            delivered.receipts[at].mark(self.step, cx.now);
            let receipt = delivered.receipts[at].clone();
            if receipt != before {
                cx.set_receipt(*id, receipt.clone(), delivered.done_at());
            }
            if self.step == Step::Acked && before.acked_at.is_none() {
                let data = json!({
                    "id": id, "thread": delivered.message.thread, "from": delivered.message.from,
                    "project": receipt.of.project, "name": receipt.of.name,
                });
                cx.announce(SystemTopic::MessageAcked, &data)?;
            }
            marked.push((*id, receipt));
        }
        Ok(Applied::new(marked))
    }
}

/// Keeps the name of an agent whose instance goes.
pub(crate) fn keep_name(cx: &mut CommandContext<'_>, instance: &Instance) {
    let scope = ProjectScope::of_workspace(&instance.workspace);
    if let (Some(project), Ok(name)) = (scope.project(), AgentName::new(&instance.name)) {
        let address = AgentAddress { project: project.clone(), name };
        cx.push(Change::Message(MessageChange::PutGone(GoneAgent { address, gone_at: cx.now })));
    }
}

impl CommandContext<'_> {
    /// A message with its receipts.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub fn message(&mut self, id: EventId) -> Result<Option<Delivered>, Error> {
        Ok(self.view().messages(&id)?)
    }

    fn message_there(&mut self, id: EventId) -> Result<Delivered, Error> {
        self.message(id)?.ok_or_else(|| Error::not_found("message", id))
    }

    /// Keeps a new message with its receipts.
    pub fn append_message(&mut self, delivered: Delivered) {
        self.push(Change::Message(MessageChange::Append(delivered)));
    }

    /// Replaces a receipt of a message that is there.
    pub fn set_receipt(&mut self, id: EventId, receipt: Receipt, done_at: Option<crate::clock::Timestamp>) {
        self.push(Change::Message(MessageChange::SetReceipt { id, receipt, done_at }));
    }

    /// Forgets a message and its receipts.
    pub fn remove_message(&mut self, id: EventId) {
        self.push(Change::Message(MessageChange::Remove(id)));
    }
}
