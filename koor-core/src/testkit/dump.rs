//! Everything that a store holds, as text that can be compared.

use std::fmt::Debug;

use crate::{
    clock::Timestamp,
    domain::{
        audit::AuditFilter, compliance::RunFilter, events::EventFilter, instances::InstanceFilter,
        metrics::MetricFilter, rules::RuleFilter,
    },
    execute::read,
    ids::{Cursor, DocumentKey, Version},
    pattern::TopicFilter,
    ports::{EveryNoun, ReadTx, Store, StoreError, StoreResult},
};

/// More than any test stores.
const ALL: usize = 1_000_000;

/// Everything that a store holds but tokens: a line for each thing, in a fixed order.
pub async fn dump(store: &dyn Store) -> Vec<String> {
    let lines = read(store, |tx| {
        let mut dump = Dump(Vec::new());
        dump.visit(tx)?;
        Ok(dump.0)
    });
    lines.await.unwrap()
}

struct Dump(Vec<String>);

impl Dump {
    fn add<T: Debug>(&mut self, items: &[T]) {
        self.0.extend(items.iter().map(|item| format!("{item:?}")));
    }
}

impl EveryNoun for Dump {
    type Error = StoreError;

    fn documents(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        let mut after: Option<(DocumentKey, Version)> = None;
        loop {
            let place = after.as_ref().map(|(key, version)| (key, *version));
            let page = tx.documents_after(place, ALL)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.key.clone(), last.revision.version));
            self.add(&page);
        }
    }

    fn events(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&[tx.log_bounds()?]);
        let every = EventFilter { topics: TopicFilter::everything(), ..EventFilter::default() };
        let mut through = tx.log_bounds()?.last;
        while through > Cursor::START {
            let page = tx.events_newest(Some(through), &every, ALL)?;
            self.add(&page.events);
            through = page.through;
        }
        Ok(())
    }

    fn instances(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&tx.instances(&InstanceFilter::default())?);
        Ok(())
    }

    fn rules(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&tx.rules(&RuleFilter::default())?);
        Ok(())
    }

    fn webhooks(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        for webhook in tx.webhooks()? {
            let deliveries = tx.deliveries(&webhook.id)?;
            self.add(&[webhook]);
            self.add(&deliveries);
        }
        Ok(())
    }

    fn compliance(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&tx.runs(&RunFilter::default(), ALL)?);
        Ok(())
    }

    fn templates(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        for listed in tx.templates(None, None)? {
            self.add(tx.template(&listed.id)?.as_slice());
        }
        Ok(())
    }

    fn tasks(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&tx.all_task_counts()?);
        for task in tx.tasks_after(None, ALL)? {
            let id = task.id();
            self.add(&tx.task_notes(&id, 0, ALL)?);
            self.add(&tx.task_holds(&id)?);
            self.add(&[tx.dependents(&id)?.iter().map(|task| task.number).collect::<Vec<_>>()]);
            self.add(&[task]);
        }
        Ok(())
    }

    fn audit(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&tx.audit(&AuditFilter::default(), ALL)?);
        Ok(())
    }

    fn metrics(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&tx.metrics(&MetricFilter::default())?);
        Ok(())
    }

    fn usage(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&tx.usage_after(None, ALL)?);
        self.add(&tx.sessions()?);
        Ok(())
    }

    fn budgets(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&tx.budgets()?);
        self.add(&tx.task_costs_after(None, ALL)?);
        Ok(())
    }

    fn leases(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        let last = tx.last_leases()?;
        for (project, _) in &last {
            self.add(&tx.leases(project, None)?);
        }
        self.add(&last);
        Ok(())
    }

    fn messages(&mut self, tx: &mut dyn ReadTx) -> StoreResult<()> {
        self.add(&tx.messages_after(0, ALL)?);
        self.add(&tx.agents_gone_by(Timestamp::LAST)?);
        self.add(&tx.all_briefed()?);
        Ok(())
    }
}
