//! Announcing the session in which an instance works.

use serde_json::json;

use super::attribute::{Holds, attribute};
use crate::{
    app::Koor,
    caller::Access,
    clock::Timestamp,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        sessions::{AgentSession, LATE},
    },
    error::Error,
    ids::{InstanceId, SessionName},
    ports::{Change, FactSet},
    use_cases::budgets::charge,
};

/// Says in which session of a client an instance works: usage that is reported of the session is its own from then on, and
/// usage that was reported in the last day and belonged to no instance.
#[derive(Debug)]
pub struct AnnounceSession {
    id: InstanceId,
    session: SessionName,
    /// Usage that was received before stays what it is.
    since: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The session.
    pub session: SessionName,
    /// How many usage records were attributed to the instance.
    pub attributed: u64,
}

impl AnnounceSession {
    /// To announce that this instance works in that session.
    #[must_use]
    pub fn new(koor: &Koor, id: InstanceId, session: SessionName) -> Self {
        Self { id, session, since: koor.now().minus(LATE) }
    }
}

impl Command for AnnounceSession {
    type Output = Announced;

    fn operation(&self) -> Operation {
        let access = Access::Own(self.id, "announce a session of another instance");
        Operation::to(Action::InstanceSession, self.id, access)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.instances.insert(self.id);
        wanted.held_tasks.insert(self.id);
        wanted.sessions.insert(self.session.clone());
        wanted.unattributed.insert((self.session.clone(), self.since));
        wanted.budgets.insert(());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Announced>, Error> {
        let instance = cx.instance(self.id)?.ok_or_else(|| Error::not_found("instance", self.id))?;
        let known = cx.view().sessions(&self.session)?;
        let mut records = cx.view().unattributed(&self.session, self.since)?;
        let holds = Holds::look_up(cx, records.iter().map(|record| (&instance, record.created_at)))?;
        for record in &mut records {
            attribute(record, Some(&instance), &holds);
        }
        charge(cx, &records)?;
        let announced = Announced { session: self.session.clone(), attributed: records.len() as u64 };
        for record in records {
            cx.push(Change::AttributeUsage(record));
        }
        if known.is_some_and(|known| known.instance_id == self.id) {
            return Ok(Applied::unrecorded(announced));
        }
        let session =
            AgentSession { session: self.session.clone(), instance_id: self.id, announced_at: cx.now };
        cx.push(Change::PutSession(session));
        let detail = json!({"session": announced.session, "attributed": announced.attributed});
        Ok(Applied::with(announced, detail))
    }
}
