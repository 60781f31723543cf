//! Instances: agents come, say what they do, and go.

use koor_core::{
    Committed, Error,
    domain::instances::{Instance, InstanceFilter, InstanceStatus},
    ids::InstanceId,
    use_cases::{
        ActivateInstance, DeregisterInstance, InstanceDraft, RegisterInstance, Registered, RenewToken,
        SetCapabilities, SetIntent,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let filter = InstanceFilter {
        name: query.text("name")?,
        workspace: query.text("workspace")?,
        stack: query.text("stack")?,
        capability: query.text("capability")?,
        status: query.parse("status")?,
    };
    response::json(&call.koor().instances(filter).await?)
}

pub(crate) async fn stale(call: Call) -> Result<Answer, Failure> {
    let filter = InstanceFilter { status: Some(InstanceStatus::Stale), ..InstanceFilter::default() };
    response::json(&call.koor().instances(filter).await?)
}

/// The instance that a path names; what is no id is the id of none.
pub(super) fn id(call: &Call) -> Result<InstanceId, Failure> {
    let text = call.param(0)?;
    text.parse().map_err(|_| Error::NotFound { what: "instance", name: text.into_owned() }.into())
}

pub(crate) async fn get(call: Call) -> Result<Answer, Failure> {
    response::json(&call.koor().instance(id(&call)?).await?)
}

/// An instance with the token that is shown this once.
#[derive(Serialize)]
struct WithToken {
    #[serde(flatten)]
    instance: Instance,
    token: String,
}

pub(crate) async fn register(mut call: Call) -> Result<Answer, Failure> {
    let draft: InstanceDraft = call.object().await?;
    let command = RegisterInstance::new(call.koor(), &draft)?;
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|Registered { instance, token }| WithToken { instance, token }))
}

pub(crate) async fn activate(call: Call) -> Result<Answer, Failure> {
    let done = call.koor().execute(&call.caller, ActivateInstance(id(&call)?)).await?;
    response::committed(&done.map(|instance| json!({"id": instance.id, "status": instance.status})))
}

pub(crate) async fn heartbeat(call: Call) -> Result<Answer, Failure> {
    let id = id(&call)?;
    call.koor().heartbeat(&call.caller, id).await?;
    response::json(&json!({"id": id, "status": "ok"}))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CapabilitiesBody {
    capabilities: Vec<String>,
}

pub(crate) async fn capabilities(mut call: Call) -> Result<Answer, Failure> {
    let body: CapabilitiesBody = call.object().await?;
    let command = SetCapabilities::new(id(&call)?, &body.capabilities)?;
    let done: Committed<Instance> = call.koor().execute(&call.caller, command).await?;
    response::committed(
        &done.map(|instance| json!({"id": instance.id, "capabilities": instance.capabilities})),
    )
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IntentBody {
    intent: String,
}

pub(crate) async fn intent(mut call: Call) -> Result<Answer, Failure> {
    let body: IntentBody = call.object().await?;
    let command = SetIntent::new(id(&call)?, &body.intent)?;
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|instance| json!({"id": instance.id, "intent": instance.intent})))
}

pub(crate) async fn token(call: Call) -> Result<Answer, Failure> {
    let command = RenewToken::new(call.koor(), id(&call)?)?;
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|renewed| json!({"id": renewed.instance.id, "token": renewed.token})))
}

pub(crate) async fn delete(call: Call) -> Result<Answer, Failure> {
    let done = call.koor().execute(&call.caller, DeregisterInstance(id(&call)?)).await?;
    response::committed(&done.map(|id| json!({"deleted": id})))
}

pub(crate) async fn check_liveness(call: Call) -> Result<Answer, Failure> {
    let done = call.koor().check_liveness(&call.caller).await?;
    response::committed(
        &done.map(|stale| json!({"checked": true, "count": stale.len(), "newly_stale": stale})),
    )
}
