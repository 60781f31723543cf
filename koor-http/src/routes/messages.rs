//! Messages: sent, listed, read, acknowledged.

use std::time::Duration;

use koor_core::{
    Error,
    domain::{
        agents::AgentAddress,
        messages::{Delivered, Listed, MessageDraft, MessageFilter, Receipt, Step, Thread},
    },
    ids::{EventId, ProjectName},
    page::Limit,
    schema::{Line, Needs, OrEmpty},
    use_cases::{MarkMessages, MessageBox, SendMessage, Sent},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::select;

use crate::{
    error::Failure,
    json_body::Object,
    query_value::{Parameter, query},
    request::Call,
    response::{self, Created, Json, Written},
    shape::whole,
};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "MessageBody", transform = Needs(&["to", "body"]))]
pub(crate) struct SendBody {
    /// Names of agents, project/name, stack:react, capability:review, or * for everyone else.
    #[schemars(length(min = 1, max = 100))]
    to: Vec<String>,
    #[schemars(length(min = 1, max = 65536))]
    body: String,
    #[schemars(with = "Line")]
    subject: String,
    thread: Option<Thread>,
    reply_to: Option<EventId>,
    ack: bool,
    urgent: bool,
    #[schemars(with = "Option<ProjectName>", transform = OrEmpty)]
    workspace: Option<String>,
}

pub(crate) async fn send(call: Call, Object(sent): Object<SendBody>) -> Result<Created<Sent>, Failure> {
    let SendBody { to, body, subject, thread, reply_to, ack, urgent, workspace } = sent;
    let workspace = workspace.filter(|name| !name.is_empty()).map(ProjectName::new).transpose()?;
    let draft = MessageDraft { to, body, subject, thread, reply_to, ack, urgent, workspace };
    let home = call.koor().home_of(&call.caller).await?;
    let command = SendMessage::new(&call.caller, home.as_ref(), draft)?;
    let sent = call.koor().execute(&call.caller, command).await?;
    response::created(&sent)
}

impl Parameter for MessageBox {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(_: &str, text: &str) -> Result<Self, Failure> {
        match text {
            "inbox" => Ok(Self::Inbox),
            "sent" => Ok(Self::Sent),
            other => Err(Failure::invalid(format!("unknown box {other:?} (use inbox or sent)"))),
        }
    }

    fn schema() -> Value {
        json!({"type": "string", "enum": ["inbox", "sent"]})
    }
}

impl Parameter for Thread {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(_: &str, text: &str) -> Result<Self, Failure> {
        Ok(Self::parse(text)?)
    }

    fn schema() -> Value {
        whole::<Line>()
    }
}

impl Parameter for AgentAddress {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(_: &str, text: &str) -> Result<Self, Failure> {
        Ok(Self::parse(text, None)?)
    }

    fn schema() -> Value {
        whole::<Line>()
    }
}

query! {
    struct ListQuery {
        /// Those that came, or those that it sent; inbox unless told.
        which as "box": Option<MessageBox>,
        /// Only those that have not been read.
        unread: bool,
        /// Of this thread.
        thread: Option<Thread>,
        /// After this id.
        after: Option<u64>,
        /// How many at most.
        limit: Option<Limit>,
        /// Wait until there are some, at most so long.
        wait: Option<Duration>,
        /// Of this agent, as project/name; for admins.
        agent: Option<AgentAddress>,
    }
}

pub(crate) async fn list(call: Call, query: ListQuery) -> Result<Json<Vec<Listed>>, Failure> {
    let koor = call.koor();
    let ListQuery { which, unread, thread, after, limit, wait, agent } = query;
    let which = which.unwrap_or(MessageBox::Inbox);
    let filter = MessageFilter { unread, thread, after: after.unwrap_or(0) };
    let limit = limit.unwrap_or_default();
    let mailbox = koor.mailbox(&call.caller, agent).await?;
    let found = select! {
        biased;
        found = koor.messages(&mailbox, which, filter.clone(), limit, wait) => found?,
        () = call.no_use_in_waiting() => koor.messages(&mailbox, which, filter, limit, None).await?,
    };
    response::json(&found)
}

/// The message that a path names; what is no number is the number of none.
fn id(call: &Call) -> Result<EventId, Failure> {
    let written = call.param(0)?;
    let id = written.parse().ok().and_then(EventId::new);
    id.ok_or_else(|| Error::NotFound { what: "message", name: written.into_owned() }.into())
}

pub(crate) async fn get(call: Call) -> Result<Json<Delivered>, Failure> {
    response::json(&call.koor().message(&call.caller, id(&call)?).await?)
}

async fn mark(call: &Call, id: EventId, step: Step) -> Result<Written<Option<Receipt>>, Failure> {
    let command = MarkMessages::new(&call.caller, vec![id], step)?;
    let marked = call.koor().execute(&call.caller, command).await?;
    response::committed(&marked.map(|receipts| receipts.into_iter().next().map(|(_, receipt)| receipt)))
}

pub(crate) async fn read(call: Call) -> Result<Written<Option<Receipt>>, Failure> {
    mark(&call, id(&call)?, Step::Read).await
}

pub(crate) async fn ack(call: Call) -> Result<Written<Option<Receipt>>, Failure> {
    mark(&call, id(&call)?, Step::Acked).await
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["ids"]))]
pub(crate) struct IdsBody {
    #[schemars(length(min = 1, max = 500))]
    ids: Vec<EventId>,
}

/// A receipt and the message that it is for.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NamedReceipt {
    #[serde(flatten)]
    receipt: Receipt,
    id: EventId,
}

pub(crate) async fn read_many(
    call: Call,
    Object(IdsBody { ids }): Object<IdsBody>,
) -> Result<Written<Vec<NamedReceipt>>, Failure> {
    let command = MarkMessages::new(&call.caller, ids, Step::Read)?;
    let marked = call.koor().execute(&call.caller, command).await?;
    response::committed(
        &marked
            .map(|receipts| receipts.into_iter().map(|(id, receipt)| NamedReceipt { receipt, id }).collect()),
    )
}
