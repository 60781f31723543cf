//! What callers do, noted in memory and written down now and then, so that noting it never slows a request.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    clock::Timestamp,
    domain::{
        instances::Instance,
        metrics::{Metric, MetricRow, TokenTax},
    },
    ids::InstanceId,
};

/// Which plane a call came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Data: REST, WebSocket, the command line. Free of tokens.
    Rest,
    /// Control: MCP. Every byte is paid for.
    Mcp,
}

/// What has not been written down yet.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) seen: HashMap<InstanceId, Timestamp>,
    counts: HashMap<(InstanceId, Metric, i64), u64>,
}

impl Notes {
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.counts.is_empty()
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = MetricRow> + '_ {
        self.counts.iter().map(|(&(instance_id, metric_name, hour), &metric_value)| MetricRow {
            instance_id,
            metric_name,
            metric_value,
            period: Timestamp::from_millis(hour * HOUR).hour(),
        })
    }
}

/// How often notes are written down: what a crash can lose of them.
pub(crate) const FLUSH_EVERY: Duration = Duration::from_secs(3);

const HOUR: i64 = 3_600_000;

/// Beyond so many instances, those are forgotten that hold nothing any more in any case.
const MOST_HEARD: usize = 10_000;

/// After so long without a call, every claim has ended.
const LONGEST_LEASE: Duration = Duration::from_hours(24);

#[derive(Debug, Default)]
pub(crate) struct Activity {
    notes: Mutex<Notes>,
    /// When each instance was last heard of since the start, written down or not.
    heard: Mutex<HashMap<InstanceId, Timestamp>>,
    calls: [Calls; 2],
    pub(crate) deliveries: AtomicU64,
    pub(crate) failed_deliveries: AtomicU64,
    pub(crate) claims: AtomicU64,
    pub(crate) expirations: AtomicU64,
}

#[derive(Debug, Default)]
struct Calls {
    count: AtomicU64,
    bytes: AtomicU64,
}

impl Activity {
    pub(crate) fn seen(&self, id: InstanceId, now: Timestamp) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).see(id, now);
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() >= MOST_HEARD && !heard.contains_key(&id) {
            heard.retain(|_, seen| now.since(*seen) <= LONGEST_LEASE);
        }
        let seen = heard.entry(id).or_insert(now);
        *seen = now.max(*seen);
    }

    /// When the instance was last heard of, if that was since the start.
    pub(crate) fn last_seen(&self, id: InstanceId) -> Option<Timestamp> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    pub(crate) fn count(&self, id: InstanceId, metric: Metric, n: u64, now: Timestamp) {
        if n == 0 {
            return;
        }
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        *notes.counts.entry((id, metric, now.millis() / HOUR)).or_default() += n;
    }

    /// Takes what there is to write down.
    pub(crate) fn take(&self) -> Notes {
        mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives back what could not be written down.
    pub(crate) fn give_back(&self, unwritten: &Notes) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        for (&id, &seen) in &unwritten.seen {
            notes.see(id, seen);
        }
        for (&key, &n) in &unwritten.counts {
            *notes.counts.entry(key).or_default() += n;
        }
    }

    /// Shows an instance as it will be when everything is written down.
    pub(crate) fn bring_up_to_date(&self, instance: &mut Instance) {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = notes.seen.get(&instance.id) {
            instance.last_seen = instance.last_seen.max(*seen);
        }
    }

    /// Counts an attempt to call a webhook.
    pub(crate) fn delivery(&self, failed: bool) {
        self.deliveries.fetch_add(1, Relaxed);
        self.failed_deliveries.fetch_add(u64::from(failed), Relaxed);
    }

    pub(crate) fn call(&self, plane: Plane, bytes: u64) {
        let calls = &self.calls[plane as usize];
        calls.count.fetch_add(1, Relaxed);
        calls.bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn bytes(&self, plane: Plane, bytes: u64) {
        self.calls[plane as usize].bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn token_tax(&self) -> TokenTax {
        let [rest, mcp] = &self.calls;
        TokenTax::of(
            mcp.count.load(Relaxed),
            rest.count.load(Relaxed),
            mcp.bytes.load(Relaxed),
            rest.bytes.load(Relaxed),
        )
    }

    pub(crate) fn reset_calls(&self) {
        for calls in &self.calls {
            calls.count.store(0, Relaxed);
            calls.bytes.store(0, Relaxed);
        }
    }
}

impl Notes {
    fn see(&mut self, id: InstanceId, now: Timestamp) {
        let seen = self.seen.entry(id).or_insert(now);
        *seen = now.max(*seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: InstanceId = InstanceId::NIL;

    #[test]
    fn counts_are_kept_by_the_hour_and_survive_a_failed_flush() {
        let activity = Activity::default();
        let at = |hour| Timestamp::from_millis(hour * HOUR + 1);
        activity.count(ID, Metric::RestCalls, 2, at(0));
        let unwritten = activity.take();
        activity.count(ID, Metric::RestCalls, 1, at(0));
        activity.count(ID, Metric::RestCalls, 1, at(1));
        activity.give_back(&unwritten);
        let mut rows: Vec<_> = activity.take().rows().map(|row| (row.period, row.metric_value)).collect();
        rows.sort();
        assert_eq!(rows, [("1970-01-01T00".to_owned(), 3), ("1970-01-01T01".to_owned(), 1)]);
    }
}
