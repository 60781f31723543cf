//! Instances: agents come, say what they do, and go.

use koor_core::{
    Committed, Error,
    domain::instances::{Instance, InstanceFilter, InstanceStatus},
    ids::{InstanceId, SessionName},
    schema::{Line, Needs, Prose},
    use_cases::{
        ActivateInstance, AnnounceSession, Announced, DeregisterInstance, InstanceDraft, RegisterInstance,
        Registered, RenewToken, SetCapabilities, SetIntent,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Failure,
    json_body::Object,
    query_value::query,
    request::Call,
    response::{self, Json, Written},
    routes::deleted::Deleted,
};

query! {
    struct ListQuery {
        /// With this name.
        name: Option<String>,
        /// In this workspace.
        workspace: Option<String>,
        /// With this stack.
        stack: Option<String>,
        /// With this capability.
        capability: Option<String>,
        /// With this status.
        status: Option<InstanceStatus>,
    }
}

pub(crate) async fn list(call: Call, query: ListQuery) -> Result<Json<Vec<Instance>>, Failure> {
    let ListQuery { name, workspace, stack, capability, status } = query;
    let filter = InstanceFilter { name, workspace, stack, capability, status };
    response::json(&call.koor().instances(filter).await?)
}

pub(crate) async fn stale(call: Call) -> Result<Json<Vec<Instance>>, Failure> {
    let filter = InstanceFilter { status: Some(InstanceStatus::Stale), ..InstanceFilter::default() };
    response::json(&call.koor().instances(filter).await?)
}

/// The instance that a path names; what is no id is the id of none.
pub(super) fn id(call: &Call) -> Result<InstanceId, Failure> {
    let text = call.param(0)?;
    text.parse().map_err(|_| Error::NotFound { what: "instance", name: text.into_owned() }.into())
}

pub(crate) async fn get(call: Call) -> Result<Json<Instance>, Failure> {
    response::json(&call.koor().instance(id(&call)?).await?)
}

/// An instance with the token that is shown this once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Registered")]
pub(crate) struct WithToken {
    #[serde(flatten)]
    instance: Instance,
    token: String,
}

pub(crate) async fn register(
    call: Call,
    Object(draft): Object<InstanceDraft>,
) -> Result<Written<WithToken>, Failure> {
    let command = RegisterInstance::new(call.koor(), &draft)?;
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|Registered { instance, token }| WithToken { instance, token }))
}

/// An instance and its status.
#[derive(Serialize, JsonSchema)]
pub(crate) struct InstanceState {
    id: InstanceId,
    status: InstanceStatus,
}

pub(crate) async fn activate(call: Call) -> Result<Written<InstanceState>, Failure> {
    let done = call.koor().execute(&call.caller, ActivateInstance(id(&call)?)).await?;
    response::committed(&done.map(|instance| InstanceState { id: instance.id, status: instance.status }))
}

pub(crate) async fn heartbeat(call: Call) -> Result<Json<Heartbeat>, Failure> {
    let id = id(&call)?;
    call.koor().heartbeat(&call.caller, id).await?;
    response::json(&Heartbeat { id, status: "ok" })
}

/// That the heartbeat of an instance was noted.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Heartbeat {
    id: InstanceId,
    status: &'static str,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct CapabilitiesBody {
    #[schemars(with = "Vec<Line>", length(max = 200))]
    capabilities: Vec<String>,
}

/// The capabilities of an instance.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Capabilities {
    id: InstanceId,
    capabilities: Vec<String>,
}

pub(crate) async fn capabilities(
    call: Call,
    Object(body): Object<CapabilitiesBody>,
) -> Result<Written<Capabilities>, Failure> {
    let command = SetCapabilities::new(id(&call)?, &body.capabilities)?;
    let done: Committed<Instance> = call.koor().execute(&call.caller, command).await?;
    response::committed(
        &done.map(|instance| Capabilities { id: instance.id, capabilities: instance.capabilities }),
    )
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct IntentBody {
    #[schemars(with = "Prose")]
    intent: String,
}

/// What an instance does.
#[derive(Serialize, JsonSchema)]
pub(crate) struct IntentSet {
    id: InstanceId,
    intent: String,
}

pub(crate) async fn intent(
    call: Call,
    Object(body): Object<IntentBody>,
) -> Result<Written<IntentSet>, Failure> {
    let command = SetIntent::new(id(&call)?, &body.intent)?;
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|instance| IntentSet { id: instance.id, intent: instance.intent }))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["session"]))]
pub(crate) struct SessionBody {
    #[schemars(with = "SessionName")]
    session: String,
}

/// The session of an instance.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SessionSet {
    id: InstanceId,
    session: SessionName,
    /// How many usage records that had come before belong to the instance now.
    attributed: u64,
}

pub(crate) async fn session(
    call: Call,
    Object(body): Object<SessionBody>,
) -> Result<Written<SessionSet>, Failure> {
    let (id, session) = (id(&call)?, SessionName::new(body.session)?);
    let command = AnnounceSession::new(call.koor(), id, session);
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|Announced { session, attributed }| SessionSet { id, session, attributed }))
}

/// The new token of an instance.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NewToken {
    id: InstanceId,
    token: String,
}

pub(crate) async fn token(call: Call) -> Result<Written<NewToken>, Failure> {
    let command = RenewToken::new(call.koor(), id(&call)?)?;
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|renewed| NewToken { id: renewed.instance.id, token: renewed.token }))
}

pub(crate) async fn delete(call: Call) -> Result<Written<Deleted>, Failure> {
    let done = call.koor().execute(&call.caller, DeregisterInstance(id(&call)?)).await?;
    response::committed(&done.map(|id| Deleted::of(&id)))
}

/// What a check for stale instances found.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LivenessCheck {
    checked: bool,
    count: usize,
    newly_stale: Vec<Instance>,
}

pub(crate) async fn check_liveness(call: Call) -> Result<Written<LivenessCheck>, Failure> {
    let done = call.koor().check_liveness(&call.caller).await?;
    response::committed(&done.map(|stale| LivenessCheck {
        checked: true,
        count: stale.len(),
        newly_stale: stale,
    }))
}
