//! What a command sees of usage and budgets: the facts, under the changes of its batch, under its own.

use std::collections::BTreeMap;

use super::view::View;
use crate::{
    clock::Timestamp,
    domain::{
        budgets::{Budget, Spent},
        tasks::{TaskHold, TaskId},
        usage::{UNATTRIBUTED, UsageRecord},
    },
    ids::{InstanceId, ProjectName, SessionName, UsageId},
    ports::{BudgetChange, Change, StoreError, StoreResult, TaskChange},
};

impl View {
    /// All budgets, by project.
    pub(crate) fn budgets(&mut self) -> StoreResult<Vec<Budget>> {
        let Some(found) = self.scans().budgets.get(&()) else {
            self.missing().budgets.insert(());
            return Err(StoreError::NotFetched);
        };
        let mut budgets: BTreeMap<&ProjectName, &Budget> =
            found.iter().map(|budget| (&budget.project, budget)).collect();
        for change in self.changes() {
            match change {
                Change::Budget(BudgetChange::Put(budget)) => drop(budgets.insert(&budget.project, budget)),
                Change::Budget(BudgetChange::Remove(project)) => drop(budgets.remove(project)),
                _ => {}
            }
        }
        Ok(budgets.into_values().cloned().collect())
    }

    /// The claims of an instance that ended after a moment.
    pub(crate) fn holds_after(
        &mut self,
        holder: InstanceId,
        after: Timestamp,
    ) -> StoreResult<Vec<(TaskId, TaskHold)>> {
        let Some(found) = self.scans().holds_after.get(&(holder, after)) else {
            self.missing().holds_after.insert((holder, after));
            return Err(StoreError::NotFetched);
        };
        let new = self.changes().filter_map(|change| match change {
            Change::Task(TaskChange::AppendHold { id, hold })
                if hold.instance_id == holder && hold.ended_at > after =>
            {
                Some((id.clone(), hold.clone()))
            }
            _ => None,
        });
        Ok(found.iter().cloned().chain(new).collect())
    }

    /// What a project has spent since a moment.
    pub(crate) fn spent_since(&mut self, project: &ProjectName, since: Timestamp) -> StoreResult<Spent> {
        let wanted = (project.clone(), since);
        let Some(found) = self.scans().spent_since.get(&wanted) else {
            self.missing().spent_since.insert(wanted);
            return Err(StoreError::NotFetched);
        };
        let mut spent = *found;
        // A record is attributed to a project once: what is attributed was counted for none before.
        for change in self.changes() {
            if let Change::AppendUsage(record) | Change::AttributeUsage(record) = change
                && record.project == project.as_str()
                && record.created_at >= since
            {
                spent.add(record);
            }
        }
        Ok(spent)
    }

    /// The usage records of a session that are not attributed, received since a moment, oldest first.
    pub(crate) fn unattributed(
        &mut self,
        session: &SessionName,
        since: Timestamp,
    ) -> StoreResult<Vec<UsageRecord>> {
        let wanted = (session.clone(), since);
        let Some(found) = self.scans().unattributed.get(&wanted) else {
            self.missing().unattributed.insert(wanted);
            return Err(StoreError::NotFetched);
        };
        let mut records: BTreeMap<UsageId, &UsageRecord> =
            found.iter().map(|record| (record.id, record)).collect();
        for change in self.changes() {
            match change {
                Change::AppendUsage(record)
                    if record.session == session.as_str() && record.instance_id == UNATTRIBUTED =>
                {
                    records.insert(record.id, record);
                }
                Change::AttributeUsage(record) => drop(records.remove(&record.id)),
                _ => {}
            }
        }
        Ok(records.into_values().cloned().collect())
    }
}
