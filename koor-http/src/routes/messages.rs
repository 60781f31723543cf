//! Messages: sent, listed, read, acknowledged.

use hyper::StatusCode;
use koor_core::{
    Error,
    domain::{
        agents::AgentAddress,
        messages::{MessageDraft, MessageFilter, Step, Thread},
    },
    ids::{EventId, ProjectName},
    use_cases::{MarkMessages, MessageBox, SendMessage},
};
use serde::Deserialize;
use serde_json::json;
use tokio::select;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct SendBody {
    to: Vec<String>,
    body: String,
    subject: String,
    thread: Option<Thread>,
    reply_to: Option<EventId>,
    ack: bool,
    urgent: bool,
    workspace: Option<String>,
}

pub(crate) async fn send(mut call: Call) -> Result<Answer, Failure> {
    let SendBody { to, body, subject, thread, reply_to, ack, urgent, workspace } = call.object().await?;
    let workspace = workspace.filter(|name| !name.is_empty()).map(ProjectName::new).transpose()?;
    let draft = MessageDraft { to, body, subject, thread, reply_to, ack, urgent, workspace };
    let home = call.koor().home_of(&call.caller).await?;
    let command = SendMessage::new(&call.caller, home.as_ref(), draft)?;
    let sent = call.koor().execute(&call.caller, command).await?;
    let mut answer = response::json_with(StatusCode::CREATED, &sent.output)?;
    response::set_cursor(&mut answer, sent.cursor);
    Ok(answer)
}

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let (koor, query) = (call.koor(), call.query());
    let which = match query.text("box")?.as_deref() {
        None | Some("inbox") => MessageBox::Inbox,
        Some("sent") => MessageBox::Sent,
        Some(other) => return Err(Failure::invalid(format!("unknown box {other:?} (use inbox or sent)"))),
    };
    let filter = MessageFilter {
        unread: query.flag("unread")?,
        thread: query.text("thread")?.map(|thread| Thread::parse(&thread)).transpose()?,
        after: query.number("after")?.unwrap_or(0),
    };
    let (limit, wait) = (query.limit("limit")?, query.span("wait")?);
    let agent = query.text("agent")?.map(|agent| AgentAddress::parse(&agent, None)).transpose()?;
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

pub(crate) async fn get(call: Call) -> Result<Answer, Failure> {
    response::json(&call.koor().message(&call.caller, id(&call)?).await?)
}

async fn mark(call: &Call, id: EventId, step: Step) -> Result<Answer, Failure> {
    let command = MarkMessages::new(&call.caller, vec![id], step)?;
    let marked = call.koor().execute(&call.caller, command).await?;
    response::committed(&marked.map(|receipts| receipts.into_iter().next().map(|(_, receipt)| receipt)))
}

pub(crate) async fn read(call: Call) -> Result<Answer, Failure> {
    mark(&call, id(&call)?, Step::Read).await
}

pub(crate) async fn ack(call: Call) -> Result<Answer, Failure> {
    mark(&call, id(&call)?, Step::Acked).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IdsBody {
    ids: Vec<EventId>,
}

pub(crate) async fn read_many(mut call: Call) -> Result<Answer, Failure> {
    let IdsBody { ids } = call.object().await?;
    let command = MarkMessages::new(&call.caller, ids, Step::Read)?;
    let marked = call.koor().execute(&call.caller, command).await?;
    response::committed(&marked.map(|receipts| {
        let with_id = |(id, receipt)| {
            let mut shown = json!(receipt);
            shown["id"] = json!(id);
            shown
        };
        receipts.into_iter().map(with_id).collect::<Vec<_>>()
    }))
}
