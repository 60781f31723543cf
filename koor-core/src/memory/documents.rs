//! Documents, events and the audit log, in memory.

use std::ops::Bound::{Excluded, Included, Unbounded};

use super::{Data, Snapshot};
use crate::{
    domain::{
        audit::{AuditFilter, AuditHead, AuditSummary, ChainedEntry},
        events::{Event, EventClass, EventFilter, EventPage, LogBounds, PrunePlan},
        state::{Document, Revision},
    },
    ids::{AuditId, Cursor, DocumentKey, EventId, ProjectName, SpecName, StateKey, Version},
    page::TimeRange,
    ports::{
        AuditLog, DOCUMENT_PAGE_BYTES, EVENT_PAGE_BYTES, EventLog, Retention, SpecProject, SpecRegistry,
        StateRepo, StoreResult,
    },
};

impl StateRepo for Snapshot<'_> {
    fn revision(&mut self, key: &DocumentKey) -> StoreResult<Option<Revision>> {
        Ok(self.0.newest(key).map(|document| document.revision.clone()))
    }

    fn document(&mut self, key: &DocumentKey) -> StoreResult<Option<Document>> {
        Ok(self.0.newest(key).map(|document| (**document).clone()))
    }

    fn document_at(&mut self, key: &DocumentKey, version: Version) -> StoreResult<Option<Document>> {
        let found = self.0.documents.get(key).and_then(|versions| versions.get(&version));
        Ok(found.map(|document| (**document).clone()))
    }

    fn revisions(&mut self, key: &DocumentKey, limit: usize) -> StoreResult<Vec<Revision>> {
        let versions = self.0.documents.get(key).into_iter().flat_map(|versions| versions.values().rev());
        Ok(versions.take(limit).map(|document| document.revision.clone()).collect())
    }

    fn state_keys(
        &mut self,
        prefix: &str,
        after: Option<&StateKey>,
        limit: Option<usize>,
    ) -> StoreResult<Vec<(StateKey, Revision)>> {
        let live = self.0.live().filter_map(|(key, document)| match key {
            DocumentKey::State(key) => Some((key, &document.revision)),
            DocumentKey::Spec(_) => None,
        });
        Ok(live
            .filter(|(key, _)| key.as_str().starts_with(prefix))
            .filter(|(key, _)| after.is_none_or(|after| *key > after))
            .take(limit.unwrap_or(usize::MAX))
            .map(|(key, revision)| (key.clone(), revision.clone()))
            .collect())
    }

    fn state_count(&mut self) -> StoreResult<u64> {
        let live = self.0.live().filter(|(key, _)| matches!(key, DocumentKey::State(_)));
        Ok(live.count() as u64)
    }

    fn documents_after(
        &mut self,
        after: Option<(&DocumentKey, Version)>,
        limit: usize,
    ) -> StoreResult<Vec<Document>> {
        let from = after.map_or(Unbounded, |(key, _)| Included(key));
        let documents = self.0.documents.range::<DocumentKey, _>((from, Unbounded));
        let mut bytes = 0;
        Ok(documents
            .flat_map(|(key, versions)| {
                versions.iter().map(move |(version, document)| (key, *version, document))
            })
            .filter(|(key, version, _)| after.is_none_or(|after| (*key, *version) > after))
            .take(limit)
            .take_while(|(_, _, document)| {
                let room = bytes < DOCUMENT_PAGE_BYTES;
                bytes += document.value.len();
                room
            })
            .map(|(_, _, document)| (**document).clone())
            .collect())
    }
}

impl SpecRegistry for Snapshot<'_> {
    fn specs(&mut self, project: &ProjectName) -> StoreResult<Vec<(SpecName, Revision)>> {
        let specs = self.0.live().filter_map(|(key, document)| match key {
            DocumentKey::Spec(key) if key.project == *project => Some((key, document)),
            DocumentKey::Spec(_) | DocumentKey::State(_) => None,
        });
        Ok(specs.map(|(key, document)| (key.name.clone(), document.revision.clone())).collect())
    }

    fn projects(&mut self) -> StoreResult<Vec<SpecProject>> {
        let mut counts = std::collections::BTreeMap::<ProjectName, (u64, u64)>::new();
        for (key, _) in self.0.live() {
            if let DocumentKey::Spec(key) = key {
                counts.entry(key.project.clone()).or_default().0 += 1;
            }
        }
        for (project, _) in self.0.rules.keys() {
            counts.entry(project.clone()).or_default().1 += 1;
        }
        Ok(counts
            .into_iter()
            .map(|(project, (specs, rules))| SpecProject { project, specs, rules })
            .collect())
    }
}

impl Data {
    /// The newest version of every document that is not deleted.
    fn live(&self) -> impl Iterator<Item = (&DocumentKey, &Document)> {
        let newest = self
            .documents
            .iter()
            .filter_map(|(key, versions)| Some((key, &**versions.values().next_back()?)));
        newest.filter(|(_, document)| !document.revision.deleted)
    }
}

impl EventLog for Snapshot<'_> {
    fn events_newest(
        &mut self,
        through: Option<Cursor>,
        filter: &EventFilter,
        limit: usize,
    ) -> StoreResult<EventPage> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        let end = through.unwrap_or(self.0.bounds.last).next();
        for event in self.0.events.range(..end).rev().map(|(_, event)| event) {
            if events.len() == limit || bytes >= EVENT_PAGE_BYTES {
                return Ok(EventPage { events, through: event.id.into() });
            }
            if filter.matches(event) {
                bytes += event.data.as_str().len();
                events.push(event.clone());
            }
        }
        Ok(EventPage { events, through: Cursor::START })
    }

    fn events_after(&mut self, after: Cursor, filter: &EventFilter, limit: usize) -> StoreResult<EventPage> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        for event in self.0.events.range(after.next()..).map(|(_, event)| event) {
            if events.len() == limit || bytes >= EVENT_PAGE_BYTES {
                let through = events.last().map_or(after, |last: &Event| last.id.into());
                return Ok(EventPage { events, through });
            }
            if filter.matches(event) {
                bytes += event.data.as_str().len();
                events.push(event.clone());
            }
        }
        Ok(EventPage { events, through: self.0.bounds.last.max(after) })
    }

    fn log_bounds(&mut self) -> StoreResult<LogBounds> {
        Ok(self.0.bounds)
    }

    fn events_kept(&mut self, after: Cursor, through: Cursor) -> StoreResult<u64> {
        if through <= after {
            return Ok(0);
        }
        Ok(self.0.events.range(after.next()..through.next()).count() as u64)
    }

    fn prunable(&mut self, retention: Retention) -> StoreResult<Option<PrunePlan>> {
        let Retention { class, keep, limit } = retention;
        let of_class = self.0.events.values().filter(|event| EventClass::of(&event.topic) == class);
        let ids: Vec<_> = of_class.map(|event| event.id).collect();
        let count = (ids.len() as u64).saturating_sub(keep).min(limit);
        let last = count.checked_sub(1).and_then(|last| usize::try_from(last).ok());
        Ok(last.map(|last| PrunePlan { through: ids[last], count }))
    }

    fn oldest_event(&mut self, after: Cursor) -> StoreResult<Option<EventId>> {
        Ok(self.0.events.range(after.next()..).next().map(|(id, _)| *id))
    }
}

impl AuditLog for Snapshot<'_> {
    fn audit(&mut self, filter: &AuditFilter, limit: usize) -> StoreResult<Vec<ChainedEntry>> {
        let matches = |chained: &&ChainedEntry| filter.matches(&chained.entry);
        let audit = &self.0.audit;
        Ok(match filter.after {
            Some(after) => match AuditId::new(after) {
                Some(after) => audit
                    .range((Excluded(after), Unbounded))
                    .map(|(_, chained)| chained)
                    .filter(matches)
                    .take(limit)
                    .cloned()
                    .collect(),
                None => audit.values().filter(matches).take(limit).cloned().collect(),
            },
            None => audit.values().rev().filter(matches).take(limit).cloned().collect(),
        })
    }

    fn audit_head(&mut self) -> StoreResult<Option<AuditHead>> {
        let last = self.0.audit.values().next_back();
        Ok(last.map(|chained| AuditHead { id: chained.entry.id, hash: chained.hash }))
    }

    fn audit_summary(&mut self, range: TimeRange) -> StoreResult<AuditSummary> {
        let mut summary = AuditSummary::default();
        let mut actors = std::collections::HashSet::new();
        let mut resources = std::collections::HashSet::new();
        let entries = self.0.audit.values().map(|chained| &chained.entry);
        for entry in entries.filter(|entry| range.contains(entry.timestamp)) {
            summary.total_entries += 1;
            *summary.action_counts.entry(entry.action.clone()).or_default() += 1;
            *summary.outcome_counts.entry(entry.outcome.to_string()).or_default() += 1;
            actors.insert(&entry.actor);
            resources.insert(&entry.resource);
        }
        summary.unique_actors = actors.len() as u64;
        summary.unique_resources = resources.len() as u64;
        Ok(summary)
    }
}
