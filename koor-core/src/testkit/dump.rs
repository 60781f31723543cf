//! Everything that a store holds, as text that can be compared.

use crate::{
    domain::{
        audit::AuditFilter, compliance::RunFilter, events::EventFilter, instances::InstanceFilter,
        metrics::MetricFilter, rules::RuleFilter,
    },
    pattern::{Pattern, TopicFilter},
    ports::{ReadTx, Store, StoreResult},
};

/// Everything that a store holds but tokens: a line for each thing, in a fixed order.
pub async fn dump(store: &dyn Store) -> Vec<String> {
    crate::execute::read(store, lines).await.unwrap()
}

fn lines(tx: &mut dyn ReadTx) -> StoreResult<Vec<String>> {
    const ALL: usize = 1_000_000;
    let mut lines = Vec::new();
    lines.extend(tx.documents_after(None, ALL)?.iter().map(|document| format!("{document:?}")));
    lines.push(format!("{:?}", tx.log_bounds()?));
    let every_topic = ["*", "$*"].map(|pattern| Pattern::new(pattern).unwrap());
    let every = EventFilter { topics: TopicFilter::new(every_topic.into()), ..EventFilter::default() };
    lines.extend(tx.events_newest(&every, ALL)?.iter().map(|event| format!("{event:?}")));
    lines.extend(tx.instances(&InstanceFilter::default())?.iter().map(|instance| format!("{instance:?}")));
    lines.extend(tx.rules(&RuleFilter::default())?.iter().map(|rule| format!("{rule:?}")));
    for webhook in tx.webhooks()? {
        lines.push(format!("{webhook:?}"));
        lines.extend(tx.deliveries(&webhook.id)?.iter().map(|delivery| format!("{delivery:?}")));
    }
    lines.extend(tx.runs(&RunFilter::default(), ALL)?.iter().map(|run| format!("{run:?}")));
    lines.extend(tx.templates(None, None)?.iter().map(|template| format!("{template:?}")));
    lines.extend(tx.audit(&AuditFilter::default(), ALL)?.iter().map(|entry| format!("{entry:?}")));
    lines.extend(tx.metrics(&MetricFilter::default())?.iter().map(|row| format!("{row:?}")));
    lines.extend(tx.usage_after(None, ALL)?.iter().map(|record| format!("{record:?}")));
    Ok(lines)
}
