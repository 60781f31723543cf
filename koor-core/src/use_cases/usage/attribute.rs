//! Whose usage a record is: the instance, its project, and the task that it held then.

use std::collections::BTreeMap;

use crate::{
    clock::Timestamp,
    command::CommandContext,
    domain::{
        agents::ProjectScope,
        instances::Instance,
        tasks::{TaskHold, TaskId},
        usage::{UNATTRIBUTED, UsageRecord},
    },
    error::Error,
    ids::InstanceId,
};

/// The claims that instances held, so far back as it takes to attribute some records.
pub(super) struct Holds(BTreeMap<InstanceId, Vec<(TaskId, Timestamp, Option<TaskHold>)>>);

impl Holds {
    /// Looks up what each of these instances held since the earliest of these moments. All that is missing is noted before the
    /// first error is answered, so that it is fetched at once.
    pub(super) fn look_up<'i>(
        cx: &mut CommandContext<'_>,
        moments: impl Iterator<Item = (&'i Instance, Timestamp)>,
    ) -> Result<Self, Error> {
        let mut earliest: BTreeMap<InstanceId, Timestamp> = BTreeMap::new();
        for (instance, at) in moments {
            let first = earliest.entry(instance.id).or_insert(at);
            *first = at.min(*first);
        }
        let found: Vec<_> = earliest
            .into_iter()
            .map(|(holder, since)| {
                let (ended, held) = (cx.view().holds_after(holder, since), cx.held_tasks(holder));
                let now = held?.into_iter().filter_map(|task| {
                    let since = task.claim.as_ref()?.claimed_at;
                    Some((task.id(), since, None))
                });
                let ended = ended?.into_iter().map(|(id, hold)| (id, hold.claimed_at, Some(hold)));
                Ok::<_, Error>((holder, now.chain(ended).collect()))
            })
            .collect();
        Ok(Self(found.into_iter().collect::<Result<_, _>>()?))
    }

    /// The task that the instance held at that moment; of several, the one that it claimed last.
    fn at(&self, holder: InstanceId, at: Timestamp) -> Option<&TaskId> {
        let held = self.0.get(&holder)?.iter();
        let then = held.filter(|(_, claimed_at, ended)| {
            ended.as_ref().map_or(*claimed_at <= at, |hold| hold.covers(at))
        });
        then.max_by_key(|(_, claimed_at, _)| *claimed_at).map(|(id, _, _)| id)
    }
}

/// Says in a record whose usage it is.
pub(super) fn attribute(record: &mut UsageRecord, instance: Option<&Instance>, holds: &Holds) {
    let Some(instance) = instance else {
        UNATTRIBUTED.clone_into(&mut record.instance_id);
        return;
    };
    record.instance_id = instance.id.to_string();
    let scope = ProjectScope::of_workspace(&instance.workspace);
    record.project = scope.project().map(ToString::to_string).unwrap_or_default();
    record.task = holds.at(instance.id, record.created_at).map(ToString::to_string).unwrap_or_default();
}
