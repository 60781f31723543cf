//! Agents come, say what they do, fall silent and go.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    announcement::SystemTopic,
    app::Koor,
    caller::Access,
    clock::Timestamp,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        instances::{Instance, InstanceStatus, checked_capabilities},
        line, prose,
    },
    error::{Error, Invalid},
    ids::{Hash, InstanceId},
    ports::{Change, FactSet, InstanceChange},
    schema::{FullLine, Line, Needs, Prose},
    use_cases::{
        leases::{release_leases_of_instance, want_leases_of_instance},
        messages::keep_name,
        tasks::release_all,
    },
};

/// An agent as it introduces itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["name"]))]
pub struct InstanceDraft {
    /// Its name: required.
    #[schemars(with = "FullLine")]
    pub name: String,
    /// The project or directory that it works in.
    #[schemars(with = "Line")]
    pub workspace: String,
    /// What it is about to do.
    #[schemars(with = "Prose")]
    pub intent: String,
    /// The technology that it works with.
    #[schemars(with = "Line")]
    pub stack: String,
    /// What it can be asked for.
    #[schemars(with = "Vec<Line>", length(max = 200))]
    pub capabilities: Vec<String>,
}

impl InstanceDraft {
    /// An agent of that name in that workspace, and nothing else about it.
    #[must_use]
    pub fn new(name: &str, workspace: &str) -> Self {
        Self { name: name.into(), workspace: workspace.into(), ..Self::default() }
    }
}

/// Registers an agent.
#[derive(Debug)]
pub struct RegisterInstance {
    id: InstanceId,
    token: String,
    name: String,
    workspace: String,
    intent: String,
    stack: String,
    capabilities: Vec<String>,
}

/// A new instance with its token, which is never shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The instance.
    pub instance: Instance,
    /// Its token.
    pub token: String,
}

impl RegisterInstance {
    /// To register such an agent.
    ///
    /// # Errors
    /// When it has no name, another text is not allowed, or there is no randomness for a token.
    pub fn new(koor: &Koor, draft: &InstanceDraft) -> Result<Self, Error> {
        let InstanceDraft { name, workspace, intent, stack, capabilities } = draft;
        let name = name.trim();
        if name.is_empty() {
            return Err(Invalid::new("name is required").into());
        }
        Ok(Self {
            id: koor.inner.ids.instance_id(),
            token: koor.inner.ids.secret()?,
            name: line("name", name)?,
            workspace: line("workspace", workspace.as_str())?,
            intent: prose("intent", intent.as_str())?,
            stack: line("stack", stack.as_str())?,
            capabilities: checked_capabilities(capabilities)?,
        })
    }
}

impl Command for RegisterInstance {
    type Output = Registered;

    fn operation(&self) -> Operation {
        Operation::to(Action::InstanceRegister, self.id, Access::Admin("register instances")).by(&self.name)
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Registered>, Error> {
        let instance = Instance {
            id: self.id,
            name: self.name.clone(),
            workspace: self.workspace.clone(),
            intent: self.intent.clone(),
            stack: self.stack.clone(),
            capabilities: self.capabilities.clone(),
            status: InstanceStatus::Pending,
            registered_at: cx.now,
            last_seen: cx.now,
        };
        cx.put_instance(instance.clone());
        cx.set_instance_token(self.id, Hash::of(self.token.as_bytes()));
        cx.announce(SystemTopic::InstanceRegistered, &about(&instance))?;
        let detail = json!({"workspace": instance.workspace});
        Ok(Applied::with(Registered { instance, token: self.token.clone() }, detail))
    }
}

/// Activates an instance, whatever it was before.
#[derive(Debug)]
pub struct ActivateInstance(
    /// Which.
    pub InstanceId,
);

impl Command for ActivateInstance {
    type Output = Instance;

    fn operation(&self) -> Operation {
        let access = Access::Own(self.0, "activate another instance");
        Operation::to(Action::InstanceActivate, self.0, access)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.instances.insert(self.0);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Instance>, Error> {
        let instance = change(cx, self.0, |instance| instance.status = InstanceStatus::Active)?;
        cx.announce(SystemTopic::InstanceActivated, &about(&instance))?;
        Ok(Applied::new(instance))
    }
}

/// Says what an instance can be asked for.
#[derive(Debug)]
pub struct SetCapabilities {
    id: InstanceId,
    capabilities: Vec<String>,
}

impl SetCapabilities {
    /// To replace the capabilities by these, trimmed, each once.
    ///
    /// # Errors
    /// When one is no decent word, or there are too many.
    pub fn new(id: InstanceId, capabilities: &[String]) -> Result<Self, Invalid> {
        Ok(Self { id, capabilities: checked_capabilities(capabilities)? })
    }
}

impl Command for SetCapabilities {
    type Output = Instance;

    fn operation(&self) -> Operation {
        let access = Access::Own(self.id, "change another instance");
        Operation::to(Action::InstanceCapabilities, self.id, access)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.instances.insert(self.id);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Instance>, Error> {
        let instance = change(cx, self.id, |instance| instance.capabilities.clone_from(&self.capabilities))?;
        cx.announce(SystemTopic::InstanceUpdated, &about(&instance))?;
        Ok(Applied::with(instance, json!({"capabilities": self.capabilities})))
    }
}

/// Says what an instance is doing.
#[derive(Debug)]
pub struct SetIntent {
    id: InstanceId,
    intent: String,
}

impl SetIntent {
    /// To replace the intent by that.
    ///
    /// # Errors
    /// When the text is no good.
    pub fn new(id: InstanceId, intent: &str) -> Result<Self, Invalid> {
        Ok(Self { id, intent: prose("intent", intent)? })
    }
}

impl Command for SetIntent {
    type Output = Instance;

    fn operation(&self) -> Operation {
        let access = Access::Own(self.id, "change another instance");
        Operation::to(Action::InstanceIntent, self.id, access)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.instances.insert(self.id);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Instance>, Error> {
        let instance = change(cx, self.id, |instance| instance.intent.clone_from(&self.intent))?;
        cx.announce(SystemTopic::InstanceUpdated, &about(&instance))?;
        Ok(Applied::with(instance, json!({"intent": self.intent})))
    }
}

/// Gives an instance a new token; the old one stops working.
#[derive(Debug)]
pub struct RenewToken {
    id: InstanceId,
    token: String,
}

impl RenewToken {
    /// To draw a new token.
    ///
    /// # Errors
    /// When there is no randomness for it.
    pub fn new(koor: &Koor, id: InstanceId) -> Result<Self, Error> {
        Ok(Self { id, token: koor.inner.ids.secret()? })
    }
}

impl Command for RenewToken {
    type Output = Registered;

    fn operation(&self) -> Operation {
        let access = Access::Own(self.id, "renew another instance's token");
        Operation::to(Action::InstanceToken, self.id, access)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.instances.insert(self.id);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Registered>, Error> {
        let instance = change(cx, self.id, |_| ())?;
        cx.set_instance_token(self.id, Hash::of(self.token.as_bytes()));
        cx.announce(SystemTopic::InstanceUpdated, &about(&instance))?;
        Ok(Applied::new(Registered { instance, token: self.token.clone() }))
    }
}

/// Forgets an instance and its token, and gives back what it holds.
#[derive(Debug)]
pub struct DeregisterInstance(
    /// Which.
    pub InstanceId,
);

impl Command for DeregisterInstance {
    type Output = InstanceId;

    fn operation(&self) -> Operation {
        let access = Access::Own(self.0, "deregister another instance");
        Operation::to(Action::InstanceDeregister, self.0, access)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.instances.insert(self.0);
        wanted.held_tasks.insert(self.0);
        want_leases_of_instance(wanted, self.0);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<InstanceId>, Error> {
        let instance = cx.instance(self.0)?.ok_or_else(|| Error::not_found("instance", self.0))?;
        release_all(cx, self.0)?;
        release_leases_of_instance(cx, self.0)?;
        keep_name(cx, &instance);
        cx.remove_instance(self.0);
        cx.announce(SystemTopic::InstanceDeregistered, &about(&instance))?;
        Ok(Applied::new(self.0))
    }
}

/// Marks the active instances that have been silent for too long.
#[derive(Debug)]
pub struct CheckLiveness;

impl Command for CheckLiveness {
    type Output = Vec<Instance>;

    fn operation(&self) -> Operation {
        Operation::to(Action::LivenessCheck, "", Access::Admin("force a liveness check"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.active_instances.insert(());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Vec<Instance>>, Error> {
        let stale = mark_stale(cx)?;
        let detail = json!({"count": stale.len()});
        Ok(Applied::with(stale, detail))
    }
}

/// Marks who is silent, and says so once for each.
pub(crate) fn mark_stale(cx: &mut CommandContext<'_>) -> Result<Vec<Instance>, Error> {
    let mut silent = cx.active_instances()?;
    silent.retain(|instance| instance.has_gone_silent(cx.now, cx.settings.stale_after));
    for instance in &mut silent {
        instance.status = InstanceStatus::Stale;
        cx.put_instance(instance.clone());
        let mut data = about(instance);
        cx.announce(SystemTopic::InstanceStale, &data)?;
        data["last_seen"] = json!(instance.last_seen);
        cx.announce(SystemTopic::AgentStale, &data)?;
    }
    Ok(silent)
}

/// Notes that an instance was heard of; a stale one becomes active again. `None` if there is no such instance.
pub(crate) fn record_heartbeat(
    cx: &mut CommandContext<'_>,
    id: InstanceId,
    seen: Timestamp,
) -> Result<Option<()>, Error> {
    let Some(instance) = cx.instance(id)? else { return Ok(None) };
    let last_seen = seen.max(instance.last_seen);
    if instance.status == InstanceStatus::Stale {
        let revived = Instance { status: InstanceStatus::Active, last_seen, ..instance };
        cx.put_instance(revived.clone());
        cx.announce(SystemTopic::InstanceActivated, &about(&revived))?;
    } else if last_seen > instance.last_seen {
        cx.put_instance(Instance { last_seen, ..instance });
    }
    Ok(Some(()))
}

/// Changes an instance. That counts as a sign of life: a stale one becomes active.
fn change(
    cx: &mut CommandContext<'_>,
    id: InstanceId,
    how: impl FnOnce(&mut Instance),
) -> Result<Instance, Error> {
    let unknown = || Error::not_found("instance", id);
    record_heartbeat(cx, id, cx.now)?.ok_or_else(unknown)?;
    let mut instance = cx.instance(id)?.ok_or_else(unknown)?;
    how(&mut instance);
    instance.last_seen = instance.last_seen.max(cx.now);
    cx.put_instance(instance.clone());
    Ok(instance)
}

fn about(instance: &Instance) -> Value {
    json!({
        "instance_id": instance.id,
        "name": instance.name,
        "workspace": instance.workspace,
        "stack": instance.stack,
    })
}

impl CommandContext<'_> {
    /// An instance.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub fn instance(&mut self, id: InstanceId) -> Result<Option<Instance>, Error> {
        Ok(self.view().instances(&id)?)
    }

    /// All active instances, by id.
    ///
    /// # Errors
    /// When they have not been fetched yet: pass the error on.
    pub fn active_instances(&mut self) -> Result<Vec<Instance>, Error> {
        Ok(self.view().active_instances()?)
    }

    /// Keeps an instance under its id, new or changed. Its token stays what it is: none, for a new one.
    pub fn put_instance(&mut self, instance: Instance) {
        self.push(Change::Instance(InstanceChange::Put(instance)));
    }

    /// Gives an instance that is there a token; an older one stops working.
    pub fn set_instance_token(&mut self, id: InstanceId, token: Hash) {
        self.push(Change::Instance(InstanceChange::SetToken { id, token }));
    }

    /// Forgets an instance and its token.
    pub fn remove_instance(&mut self, id: InstanceId) {
        self.push(Change::Instance(InstanceChange::Remove(id)));
    }
}
