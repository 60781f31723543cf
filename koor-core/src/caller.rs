//! Who is calling, and what they may do.

use std::sync::Arc;

use crate::{domain::Actor, error::Error, ids::InstanceId};

/// What a caller may do at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// What an agent needs: read, write shared data, and look after itself.
    Agent,
}

/// A registered instance, as far as a caller needs to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRef {
    /// Its id.
    pub id: InstanceId,
    /// Its name.
    pub name: Arc<str>,
}

/// The one on whose behalf something is done. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    role: Role,
    actor: Actor,
    instance: Option<InstanceRef>,
}

impl Caller {
    /// A caller of a server that asks for no token, or the program that embeds the core.
    #[must_use]
    pub fn local() -> Self {
        Self { role: Role::Admin, actor: Actor::default(), instance: None }
    }

    /// The holder of the server's token.
    #[must_use]
    pub fn admin() -> Self {
        Self { role: Role::Admin, actor: Actor::new("admin"), instance: None }
    }

    /// A registered instance that acts in that role.
    #[must_use]
    pub fn instance(role: Role, instance: InstanceRef) -> Self {
        Self { role, actor: Actor::new(instance.id.to_string()), instance: Some(instance) }
    }

    /// A part of the server itself, such as `liveness-monitor`.
    #[must_use]
    pub fn server(part: &'static str) -> Self {
        Self { role: Role::Admin, actor: Actor::new(part), instance: None }
    }

    /// What it may do at the most.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// How the audit log names it.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// How what it makes names its author: the agent's name, else the name of its token, `admin`, or `""`.
    #[must_use]
    pub fn author(&self) -> &str {
        self.instance.as_ref().map_or(self.actor.as_str(), |instance| &instance.name)
    }

    /// The instance it is, if it is one.
    #[must_use]
    pub fn as_instance(&self) -> Option<&InstanceRef> {
        self.instance.as_ref()
    }
}

/// Who may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every caller.
    Anyone,
    /// Only admins; says what they do.
    Admin(&'static str),
    /// Admins, and that instance itself; says what they do.
    Own(InstanceId, &'static str),
}

impl Access {
    /// Lets the caller pass, or not.
    ///
    /// # Errors
    /// [`Error::Forbidden`] where its role does not reach that far.
    pub fn check(self, caller: &Caller) -> Result<(), Error> {
        match (self, caller.role) {
            (Self::Anyone, _) | (_, Role::Admin) => Ok(()),
            (Self::Own(id, _), Role::Agent) if caller.instance.as_ref().is_some_and(|own| own.id == id) => {
                Ok(())
            }
            (Self::Admin(what) | Self::Own(_, what), Role::Agent) => Err(Error::Forbidden(what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_reaches_itself_and_no_further() {
        let own = InstanceId::from_bytes([1; 16]);
        let other = InstanceId::from_bytes([2; 16]);
        let agent = Caller::instance(Role::Agent, InstanceRef { id: own, name: "a".into() });
        assert!(Access::Anyone.check(&agent).is_ok());
        assert!(Access::Own(own, "x").check(&agent).is_ok());
        assert!(Access::Own(other, "x").check(&agent).is_err());
        let error = Access::Admin("register instances").check(&agent).unwrap_err();
        assert_eq!(error.to_string(), "admin role required to register instances");
        assert!(Access::Admin("x").check(&Caller::local()).is_ok());
    }
}
