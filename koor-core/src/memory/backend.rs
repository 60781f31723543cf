//! The two verbs of a backend, on maps.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Data, SharedData, Snapshot, apply::apply, check::check, lock};
use crate::{
    domain::{
        events::{EventClass, PrunePlan},
        instances::{InstanceFilter, InstanceStatus},
        rules::RuleFilter,
    },
    ports::{
        AuditLog as _, Backend, Basis, Change, Ends, FactSet, Facts, InstanceRegistry as _, Outcome, Point,
        Retention, RuleBook as _, StateRepo as _, StoreResult, TemplateRepo as _, WebhookRepo as _,
    },
};

/// The write half of a [`MemoryStore`](crate::MemoryStore).
#[derive(Debug)]
pub struct MemoryBackend {
    data: SharedData,
    strict: bool,
}

impl MemoryBackend {
    pub(super) fn new(data: SharedData) -> Self {
        Self { data, strict: true }
    }

    pub(super) fn data(&self) -> SharedData {
        Arc::clone(&self.data)
    }

    /// The same, but it takes whatever it is told and insists on nothing: for tests of stores that break promises.
    #[must_use]
    pub fn lenient(self) -> Self {
        Self { strict: false, ..self }
    }

    /// Whether these changes fit what is there and can be committed.
    ///
    /// # Errors
    /// When they contradict it.
    pub fn check(&self, changes: &[Change]) -> StoreResult<()> {
        check(&lock(&self.data), changes)
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn fetch(&mut self, wanted: &FactSet, _: Basis) -> StoreResult<Facts> {
        let data = lock(&self.data);
        let mut snapshot = Snapshot(&data);
        let mut facts =
            Facts { point: Point(data.commits), ends: data.ends(&mut snapshot)?, ..Facts::default() };
        let FactSet {
            revisions,
            versions,
            instances,
            rules,
            webhooks,
            templates,
            active_instances,
            project_rules,
            prunable,
        } = wanted;
        let (records, scans) = (&mut facts.records, &mut facts.scans);
        for key in revisions {
            records.revisions.insert(key.clone(), snapshot.revision(key)?);
        }
        for (key, version) in versions {
            records.versions.insert((key.clone(), *version), snapshot.document_at(key, *version)?);
        }
        for id in instances {
            records.instances.insert(*id, snapshot.instance(*id)?);
        }
        for (project, id) in rules {
            records.rules.insert((project.clone(), id.clone()), snapshot.rule(project, id)?);
        }
        for id in webhooks {
            records.webhooks.insert(id.clone(), snapshot.webhook(id)?);
        }
        for id in templates {
            records.templates.insert(id.clone(), snapshot.template(id)?);
        }
        for () in active_instances {
            let active = InstanceFilter { status: Some(InstanceStatus::Active), ..InstanceFilter::default() };
            scans.active_instances.insert((), snapshot.instances(&active)?);
        }
        for project in project_rules {
            let of_project = RuleFilter { projects: vec![project.clone()], ..RuleFilter::default() };
            scans.project_rules.insert(project.clone(), snapshot.rules(&of_project)?);
        }
        for retention in prunable {
            scans.prunable.insert(*retention, data.prunable(*retention));
        }
        Ok(facts)
    }

    async fn commit(&mut self, _: Point, changes: &[Change]) -> StoreResult<Outcome> {
        let mut data = lock(&self.data);
        if self.strict {
            check(&data, changes)?;
        }
        for change in changes {
            apply(&mut data, change);
        }
        data.commits += 1;
        Ok(Outcome::Committed)
    }

    fn insists_on_hints(&self) -> bool {
        self.strict
    }
}

impl Data {
    fn ends(&self, snapshot: &mut Snapshot<'_>) -> StoreResult<Ends> {
        Ok(Ends {
            log: self.bounds,
            audit: snapshot.audit_head()?,
            run: self.runs.keys().next_back().copied(),
            usage: self.usage.keys().next_back().copied(),
        })
    }

    fn prunable(&self, retention: Retention) -> Option<PrunePlan> {
        let Retention { class, keep, limit } = retention;
        let of_class = self.events.values().filter(|event| EventClass::of(&event.topic) == class);
        let ids: Vec<_> = of_class.map(|event| event.id).collect();
        let count = (ids.len() as u64).saturating_sub(keep).min(limit);
        let last = usize::try_from(count.checked_sub(1)?).ok()?;
        Some(PrunePlan { through: ids[last], count })
    }
}
