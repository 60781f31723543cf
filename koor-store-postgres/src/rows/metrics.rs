//! `agent_metric`.

use koor_core::{
    domain::metrics::{Metric, MetricFilter, MetricRow},
    ids::InstanceId,
    ports::{MetricsRepo, StoreResult},
};

use crate::{
    conn::{Conn, Row, int},
    rows::end_of_prefix,
    snapshot::Snapshot,
    statement::Statement,
};

const TABLE: &str = "agent_metric";

macro_rules! metric {
    () => {
        "SELECT instance_id, period, metric, value FROM agent_metric WHERE period >= $1 AND period < $2 "
    };
}

const SELECT: &str = concat!(metric!(), "ORDER BY period DESC, metric, instance_id");
const SELECT_OF_INSTANCE: &str = concat!(metric!(), "AND instance_id = $3 ORDER BY period DESC, metric");
/// At the limit of what a number can be, a counter stays there.
const ADD: &str = "INSERT INTO agent_metric (instance_id, period, metric, value) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (instance_id, period, metric) DO UPDATE SET \
    value = agent_metric.value + least(excluded.value, 9223372036854775807 - agent_metric.value)";

fn read(row: Row<'_>) -> StoreResult<MetricRow> {
    Ok(MetricRow {
        instance_id: InstanceId::from_bytes(row.bytes("instance_id")?),
        metric_name: row.read("metric", str::parse::<Metric>)?,
        metric_value: row.count("value")?,
        period: row.get("period")?,
    })
}

impl MetricsRepo for Snapshot<'_> {
    fn metrics(&mut self, filter: &MetricFilter) -> StoreResult<Vec<MetricRow>> {
        let sql = if filter.instance_id.is_some() { SELECT_OF_INSTANCE } else { SELECT };
        let mut statement = Statement::new("list metrics", sql)
            .bind(filter.period.as_str())
            .bind(end_of_prefix(&filter.period));
        if let Some(id) = filter.instance_id {
            statement.push(id.as_bytes().as_slice());
        }
        self.conn.rows(statement, TABLE, read)
    }
}

/// Adds to a counter.
pub(crate) fn add(conn: &mut Conn, row: &MetricRow) -> StoreResult<()> {
    let statement = Statement::new("add to a metric", ADD)
        .bind(row.instance_id.as_bytes().as_slice())
        .bind(row.period.as_str())
        .bind(row.metric_name.as_str())
        .bind(int(row.metric_value));
    conn.execute(statement).map(drop)
}
