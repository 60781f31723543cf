//! Agents come, say what they do, fall silent and go.

use serde_json::{Value, json};

use crate::{
    announcement::Announcement,
    app::Koor,
    caller::Access,
    clock::Timestamp,
    command::{Command, Done, Intent, Work},
    domain::{
        audit::Action,
        instances::{Instance, InstanceFilter, InstanceStatus, tidy_capabilities},
        line, prose,
    },
    error::{Error, Invalid},
    ids::{Hash, InstanceId},
};

/// The most capabilities that can be given, those included that are empty or there twice.
const CAPABILITIES: usize = 200;

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

/// A fresh instance with the token that nobody will see again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The instance.
    pub instance: Instance,
    /// Its token.
    pub token: String,
}

impl RegisterInstance {
    /// To register under that name.
    ///
    /// # Errors
    /// When a text is no good, or there is no randomness for a token.
    pub fn new(
        koor: &Koor,
        name: &str,
        workspace: &str,
        intent: &str,
        stack: &str,
        capabilities: &[String],
    ) -> Result<Self, Error> {
        let name = name.trim();
        if name.is_empty() {
            return Err(Invalid::new("name is required").into());
        }
        Ok(Self {
            id: koor.inner.ids.instance_id(),
            token: koor.inner.ids.secret()?,
            name: line("name", name)?,
            workspace: line("workspace", workspace)?,
            intent: prose("intent", intent)?,
            stack: line("stack", stack)?,
            capabilities: checked_capabilities(capabilities)?,
        })
    }
}

impl Command for RegisterInstance {
    type Output = Registered;

    fn intent(&self) -> Intent {
        Intent::to(Action::InstanceRegister, self.id, Access::Admin("register instances")).by(&self.name)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Registered>, Error> {
        let instance = Instance {
            id: self.id,
            name: self.name.clone(),
            workspace: self.workspace.clone(),
            intent: self.intent.clone(),
            stack: self.stack.clone(),
            capabilities: self.capabilities.clone(),
            status: InstanceStatus::Pending,
            registered_at: work.now,
            last_seen: work.now,
        };
        work.tx.put_instance(&instance)?;
        work.tx.set_instance_token(self.id, Hash::of(self.token.as_bytes()))?;
        work.announce(Announcement::InstanceRegistered, &about(&instance))?;
        let detail = json!({"workspace": instance.workspace});
        Ok(Done::with(Registered { instance, token: self.token.clone() }, detail))
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

    fn intent(&self) -> Intent {
        let access = Access::Own(self.0, "activate another instance");
        Intent::to(Action::InstanceActivate, self.0, access)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Instance>, Error> {
        let instance = change(work, self.0, |instance| instance.status = InstanceStatus::Active)?;
        work.announce(Announcement::InstanceActivated, &about(&instance))?;
        Ok(Done::new(instance))
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

    fn intent(&self) -> Intent {
        let access = Access::Own(self.id, "change another instance");
        Intent::to(Action::InstanceCapabilities, self.id, access)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Instance>, Error> {
        let instance =
            change(work, self.id, |instance| instance.capabilities.clone_from(&self.capabilities))?;
        work.announce(Announcement::InstanceUpdated, &about(&instance))?;
        Ok(Done::with(instance, json!({"capabilities": self.capabilities})))
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

    fn intent(&self) -> Intent {
        let access = Access::Own(self.id, "change another instance");
        Intent::to(Action::InstanceIntent, self.id, access)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Instance>, Error> {
        let instance = change(work, self.id, |instance| instance.intent.clone_from(&self.intent))?;
        work.announce(Announcement::InstanceUpdated, &about(&instance))?;
        Ok(Done::with(instance, json!({"intent": self.intent})))
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

    fn intent(&self) -> Intent {
        let access = Access::Own(self.id, "renew another instance's token");
        Intent::to(Action::InstanceToken, self.id, access)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Registered>, Error> {
        let instance = change(work, self.id, |_| ())?;
        work.tx.set_instance_token(self.id, Hash::of(self.token.as_bytes()))?;
        work.announce(Announcement::InstanceUpdated, &about(&instance))?;
        Ok(Done::new(Registered { instance, token: self.token.clone() }))
    }
}

/// Forgets an instance and its token.
#[derive(Debug)]
pub struct DeregisterInstance(
    /// Which.
    pub InstanceId,
);

impl Command for DeregisterInstance {
    type Output = InstanceId;

    fn intent(&self) -> Intent {
        let access = Access::Own(self.0, "deregister another instance");
        Intent::to(Action::InstanceDeregister, self.0, access)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<InstanceId>, Error> {
        let instance = work.tx.instance(self.0)?.ok_or_else(|| Error::not_found("instance", self.0))?;
        work.tx.remove_instance(self.0)?;
        work.announce(Announcement::InstanceDeregistered, &about(&instance))?;
        Ok(Done::new(self.0))
    }
}

/// Marks the active instances that have been silent for too long.
#[derive(Debug)]
pub struct CheckLiveness;

impl Command for CheckLiveness {
    type Output = Vec<Instance>;

    fn intent(&self) -> Intent {
        Intent::to(Action::LivenessCheck, "", Access::Admin("force a liveness check"))
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Vec<Instance>>, Error> {
        let stale = mark_stale(work)?;
        let detail = json!({"count": stale.len()});
        Ok(Done::with(stale, detail))
    }
}

/// Marks who is silent, and says so once for each.
pub(crate) fn mark_stale(work: &mut Work<'_>) -> Result<Vec<Instance>, Error> {
    let filter = InstanceFilter { status: Some(InstanceStatus::Active), ..InstanceFilter::default() };
    let mut silent = work.tx.instances(&filter)?;
    silent.retain(|instance| instance.has_gone_silent(work.now, work.settings.stale_after));
    for instance in &mut silent {
        instance.status = InstanceStatus::Stale;
        work.tx.put_instance(instance)?;
        let mut data = about(instance);
        work.announce(Announcement::InstanceStale, &data)?;
        data["last_seen"] = json!(instance.last_seen);
        work.announce(Announcement::AgentStale, &data)?;
    }
    Ok(silent)
}

/// Notes that an instance was heard of; a stale one becomes active again. `None` if there is no such instance.
pub(crate) fn hear_of(work: &mut Work<'_>, id: InstanceId, seen: Timestamp) -> Result<Option<()>, Error> {
    let Some(instance) = work.tx.instance(id)? else { return Ok(None) };
    work.tx.touch_instance(id, seen)?;
    if instance.status == InstanceStatus::Stale {
        let revived =
            Instance { status: InstanceStatus::Active, last_seen: seen.max(instance.last_seen), ..instance };
        work.tx.put_instance(&revived)?;
        work.announce(Announcement::InstanceActivated, &about(&revived))?;
    }
    Ok(Some(()))
}

/// Changes an instance that makes itself heard by it.
fn change(work: &mut Work<'_>, id: InstanceId, how: impl FnOnce(&mut Instance)) -> Result<Instance, Error> {
    let mut instance = work.tx.instance(id)?.ok_or_else(|| Error::not_found("instance", id))?;
    how(&mut instance);
    instance.last_seen = instance.last_seen.max(work.now);
    work.tx.put_instance(&instance)?;
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

fn checked_capabilities(given: &[String]) -> Result<Vec<String>, Invalid> {
    // Before they are compared with each other, which takes long for many.
    if given.len() > CAPABILITIES {
        return Err(Invalid::new(format!(
            "{} capabilities were given, at most {CAPABILITIES} are allowed",
            given.len()
        )));
    }
    tidy_capabilities(given).into_iter().map(|capability| line("capability", capability)).collect()
}
