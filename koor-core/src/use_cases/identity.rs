//! Who calls, for commands and questions in which agents work together.

use crate::{
    app::Koor,
    caller::Caller,
    command::CommandContext,
    domain::agents::CallingAgent,
    error::{Error, Invalid},
    ids::{InstanceId, ProjectName},
    ports::FactSet,
};

/// Says how to become an agent, where only one can do what was asked.
pub(crate) fn needs_instance() -> Error {
    Invalid::new("this call needs an instance: send X-Koor-Instance or its token").into()
}

/// Wants the instance of the caller, for [`CommandContext::calling_agent`].
pub(crate) fn want_caller(wanted: &mut FactSet, instance: Option<InstanceId>) {
    wanted.instances.extend(instance);
}

impl CommandContext<'_> {
    /// The agent that calls, as registered at the moment of this change; `None` for a caller without an instance.
    ///
    /// # Errors
    /// When its instance is no longer registered, or has not been fetched yet: pass the error on.
    pub(crate) fn calling_agent_if_any(&mut self) -> Result<Option<CallingAgent>, Error> {
        let Some(id) = self.caller.as_instance().map(|instance| instance.id) else { return Ok(None) };
        // An instance that was deregistered since the request came in must not leave a claim behind.
        let instance = self.instance(id)?.ok_or_else(needs_instance)?;
        Ok(Some(CallingAgent::new(&instance)?))
    }

    /// The agent that calls, which must have an instance and work in the project.
    ///
    /// # Errors
    /// When it has none (400), works in another project (403), or has not been fetched yet: pass the error on.
    pub(crate) fn calling_agent(&mut self, project: &ProjectName) -> Result<CallingAgent, Error> {
        let agent = self.calling_agent_if_any()?.ok_or_else(needs_instance)?;
        agent.check_project(project)?;
        Ok(agent)
    }

    /// The agent that calls, in whatever project.
    ///
    /// # Errors
    /// When it has no instance, or has not been fetched yet: pass the error on.
    pub(crate) fn calling_agent_anywhere(&mut self) -> Result<CallingAgent, Error> {
        self.calling_agent_if_any()?.ok_or_else(needs_instance)
    }

    /// Lets callers without an instance pass, and agents of the project.
    ///
    /// # Errors
    /// As [`calling_agent`](Self::calling_agent), but for callers without an instance.
    pub(crate) fn check_project(&mut self, project: &ProjectName) -> Result<Option<CallingAgent>, Error> {
        let agent = self.calling_agent_if_any()?;
        if let Some(agent) = &agent {
            agent.check_project(project)?;
        }
        Ok(agent)
    }
}

impl Koor {
    /// The agent that calls, for a question that is about it.
    ///
    /// # Errors
    /// When the caller has no instance, or that is no longer registered.
    pub async fn calling_agent(&self, caller: &Caller) -> Result<CallingAgent, Error> {
        let id = caller.as_instance().ok_or_else(needs_instance)?.id;
        let instance = self.read(move |tx| tx.instance(id)).await?.ok_or_else(needs_instance)?;
        Ok(CallingAgent::new(&instance)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        caller::{InstanceRef, Role},
        command::{Applied, Command, Operation},
        error::ErrorKind,
        memory::MemoryStore,
        use_cases::{DeregisterInstance, InstanceDraft, RegisterInstance},
    };

    async fn registered(koor: &Koor, name: &str, workspace: &str) -> Caller {
        let register = {
            let capabilities = vec!["sql".to_owned()];
            RegisterInstance::new(
                koor,
                &InstanceDraft { capabilities, ..InstanceDraft::new(name, workspace) },
            )
            .unwrap()
        };
        let instance = koor.execute(&Caller::local(), register).await.unwrap().output.instance;
        Caller::instance(Role::Agent, InstanceRef::from(&instance))
    }

    /// Asks who calls: with `strict`, as a command does that only agents can give.
    struct WhoCalls {
        caller: Option<InstanceId>,
        project: ProjectName,
        strict: bool,
    }

    impl Command for WhoCalls {
        type Output = Option<String>;

        fn operation(&self) -> Operation {
            Operation::to_publish()
        }

        fn reads(&self, wanted: &mut FactSet) {
            want_caller(wanted, self.caller);
        }

        fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Option<String>>, Error> {
            let agent = if self.strict {
                Some(cx.calling_agent(&self.project)?)
            } else {
                cx.check_project(&self.project)?
            };
            Ok(Applied::new(agent.map(|agent| agent.name.to_string())))
        }
    }

    async fn ask(koor: &Koor, caller: &Caller, project: &str, strict: bool) -> Result<Option<String>, Error> {
        let instance = caller.as_instance().map(|instance| instance.id);
        let command = WhoCalls { caller: instance, project: project.parse().unwrap(), strict };
        Ok(koor.execute(caller, command).await?.output)
    }

    #[tokio::test]
    async fn an_agent_works_in_its_own_project_and_an_admin_holds_nothing() {
        let koor = Koor::on(MemoryStore::default()).open().await.unwrap();
        let (washer, free) =
            (registered(&koor, "washer", "/work/Wash").await, registered(&koor, "free", "").await);
        for strict in [true, false] {
            assert_eq!(ask(&koor, &washer, "Wash", strict).await.unwrap().as_deref(), Some("washer"));
            assert_eq!(ask(&koor, &free, "Park", strict).await.unwrap().as_deref(), Some("free"));
            let refused = ask(&koor, &washer, "Park", strict).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Forbidden);
            assert_eq!(refused.to_string(), "agent washer works in project Wash, not in Park");
        }
        assert_eq!(ask(&koor, &Caller::admin(), "Wash", false).await.unwrap(), None);
        let needed = ask(&koor, &Caller::admin(), "Wash", true).await.unwrap_err();
        let text = "this call needs an instance: send X-Koor-Instance or its token";
        assert_eq!((needed.kind(), needed.to_string().as_str()), (ErrorKind::Invalid, text));
        assert_eq!(koor.calling_agent(&washer).await.unwrap().capabilities, ["sql"]);
        // An instance that has gone since the call came in is none.
        let id = washer.as_instance().unwrap().id;
        koor.execute(&Caller::local(), DeregisterInstance(id)).await.unwrap();
        for strict in [true, false] {
            assert_eq!(ask(&koor, &washer, "Wash", strict).await.unwrap_err().to_string(), text);
        }
        assert_eq!(koor.calling_agent(&washer).await.unwrap_err().to_string(), text);
    }

    #[test]
    fn an_author_is_an_agent_by_name_and_else_the_actor() {
        let agent = InstanceRef { id: InstanceId::NIL, name: "backend".into() };
        let callers = [Caller::instance(Role::Admin, agent), Caller::admin(), Caller::local()];
        assert_eq!(callers.each_ref().map(Caller::author), ["backend", "admin", ""]);
    }
}
