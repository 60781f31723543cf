//! Resolves the names and groups that a message is sent to.

use std::collections::BTreeSet;

use crate::{
    command::CommandContext,
    domain::{
        agents::{AgentAddress, ProjectScope},
        instances::Instance,
        messages::{MAX_RECIPIENTS, Mailbox, Recipient},
    },
    error::{Error, Invalid},
    ids::{AgentName, ProjectName},
};

/// The most names that a refusal lists.
const MAX_LISTED: usize = 50;

/// The agents of a project.
struct Known {
    project: ProjectName,
    instances: Vec<Instance>,
    /// Their names, and those of agents that are gone.
    names: BTreeSet<AgentName>,
}

impl Known {
    fn look_up(cx: &mut CommandContext<'_>, project: &ProjectName) -> Result<Self, Error> {
        let mut instances = cx.view().instances_all()?;
        instances.retain(|instance| ProjectScope::of_workspace(&instance.workspace).includes(project));
        let oldest = cx.now.minus(cx.settings.message_retention);
        let gone = cx.view().gone_agents(project)?;
        let gone = gone.into_iter().filter(|gone| gone.gone_at > oldest).map(|gone| gone.address.name);
        let registered = instances.iter().filter_map(|instance| AgentName::new(&instance.name).ok());
        let names = registered.chain(gone).collect();
        Ok(Self { project: project.clone(), instances, names })
    }

    /// Those of the registered agents that are wanted.
    fn those(&self, wanted: impl Fn(&Instance) -> bool) -> BTreeSet<AgentAddress> {
        let wanted = self.instances.iter().filter(|instance| wanted(instance));
        let names = wanted.filter_map(|instance| AgentName::new(&instance.name).ok());
        names.map(|name| AgentAddress { project: self.project.clone(), name }).collect()
    }

    fn refuse(&self, what: &str) -> Error {
        let mut names: Vec<&str> = self.names.iter().take(MAX_LISTED).map(AgentName::as_str).collect();
        if self.names.len() > MAX_LISTED {
            names.push("…");
        }
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Invalid::new(format!("{what} in project {}; the agents there are: {there}", self.project)).into()
    }
}

/// The addresses that a message goes to: each once, in order. A group never takes in the sender.
pub(super) fn resolve(
    cx: &mut CommandContext<'_>,
    to: &[Recipient],
    sender: Option<&Mailbox>,
) -> Result<Vec<AgentAddress>, Error> {
    let mut found = BTreeSet::new();
    for recipient in to {
        let known = Known::look_up(cx, recipient.project())?;
        let mut group = match recipient {
            Recipient::Agent(address) => {
                if !known.names.contains(&address.name) {
                    return Err(known.refuse(&format!("there is no agent {:?}", address.name.as_str())));
                }
                found.insert(address.clone());
                continue;
            }
            Recipient::Everyone(_) => known.those(|_| true),
            Recipient::Stack(_, stack) => known.those(|instance| instance.stack == *stack),
            Recipient::Capability(_, wanted) => {
                known.those(|instance| instance.capabilities.contains(wanted))
            }
        };
        group.retain(|address| sender.is_none_or(|sender| !sender.takes(address)));
        if group.is_empty() {
            let what = match recipient {
                Recipient::Stack(_, stack) => format!("no other agent has the stack {stack:?}"),
                Recipient::Capability(_, wanted) => format!("no other agent has the capability {wanted:?}"),
                Recipient::Everyone(_) | Recipient::Agent(_) => "there is no other agent".to_owned(),
            };
            return Err(known.refuse(&what));
        }
        found.extend(group);
    }
    if found.len() > MAX_RECIPIENTS {
        let count = found.len();
        let text = format!("the message would go to {count} agents, at most {MAX_RECIPIENTS} are allowed");
        return Err(Invalid::new(text).into());
    }
    Ok(found.into_iter().collect())
}
