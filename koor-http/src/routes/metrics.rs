//! The server, and each agent, in numbers.

use std::collections::BTreeMap;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use koor_core::{
    domain::metrics::{MetricFilter, MetricRow, TokenTax},
    ids::{Cursor, InstanceId},
    ports::StoreHealth,
    time_span::TimeSpan,
    use_cases::TaskSummary,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    body::Body,
    error::Failure,
    prometheus::Gauges,
    query_value::query,
    request::Call,
    response::{self, Answer, Json, Written},
    shape::{Output, Reply, Schemas, Shape},
    shared::Binds,
};

/// The server in numbers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ServerMetrics {
    uptime: String,
    state_keys: u64,
    instances: u64,
    last_event_id: Cursor,
    api_bind: String,
    dashboard_bind: String,
    token_tax: TokenTax,
}

pub(crate) async fn server(call: Call) -> Result<Json<ServerMetrics>, Failure> {
    let koor = call.koor();
    let found = koor.server_metrics().await?;
    let Binds { api: api_bind, dashboard: dashboard_bind } = call.shared().binds.clone();
    response::json(&ServerMetrics {
        uptime: TimeSpan::from(koor.uptime()).to_string(),
        state_keys: found.state_keys,
        instances: found.instances,
        last_event_id: found.last_event_id,
        api_bind,
        dashboard_bind,
        token_tax: koor.token_tax(),
    })
}

/// That the counters are zero.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Reset {
    reset: bool,
}

pub(crate) async fn reset(call: Call) -> Result<Written<Reset>, Failure> {
    let done = call.koor().reset_calls(&call.caller).await?;
    response::committed(&done.map(|()| Reset { reset: true }))
}

query! {
    struct AgentsQuery {
        /// Of this instance, hour by hour.
        instance_id: Option<String>,
        /// Of periods that begin so, as 2026-02-16.
        period: Option<String>,
    }
}

/// The counters of an instance.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AgentTotals {
    instance_id: InstanceId,
    metrics: BTreeMap<&'static str, u64>,
}

/// The counters of all instances; or those of one, hour by hour.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum AgentMetrics {
    All(Vec<AgentTotals>),
    Hourly(Vec<MetricRow>),
}

pub(crate) async fn agents(call: Call, query: AgentsQuery) -> Result<Json<AgentMetrics>, Failure> {
    let AgentsQuery { instance_id, period } = query;
    let period = period.unwrap_or_default();
    if let Some(id) = instance_id {
        return response::json(&AgentMetrics::Hourly(of_instance(&call, &id, period).await?));
    }
    let totals = call.koor().agent_totals(MetricFilter { instance_id: None, period }).await?;
    let shown = totals.into_iter().map(|(instance_id, metrics)| AgentTotals {
        instance_id,
        metrics: metrics.into_iter().map(|(metric, n)| (metric.as_str(), n)).collect(),
    });
    response::json(&AgentMetrics::All(shown.collect()))
}

query! {
    struct PeriodQuery {
        /// Of periods that begin so, as 2026-02-16.
        period: Option<String>,
    }
}

pub(crate) async fn agent(call: Call, query: PeriodQuery) -> Result<Json<Vec<MetricRow>>, Failure> {
    let rows = of_instance(&call, &call.param(0)?, query.period.unwrap_or_default()).await?;
    response::json(&rows)
}

/// The counters of an instance, registered or not; none where there is no such instance.
async fn of_instance(call: &Call, id: &str, period: String) -> Result<Vec<MetricRow>, Failure> {
    let Ok(id) = id.parse::<InstanceId>() else { return Ok(Vec::new()) };
    let filter = MetricFilter { instance_id: Some(id), period };
    Ok(call.koor().agent_metrics(filter).await?)
}

/// Numbers as Prometheus reads them.
pub(crate) struct Exposition(Answer);

impl Output for Exposition {
    fn into_answer(self) -> Answer {
        self.0
    }

    fn describe(shape: &mut Shape, _: &mut Schemas) {
        shape.reply = Reply::Text;
    }
}

pub(crate) async fn prometheus(call: Call) -> Result<Exposition, Failure> {
    let koor = call.koor();
    let found = koor.server_metrics().await?;
    let gauges = Gauges {
        uptime: koor.uptime(),
        subscribers: koor.subscribers(),
        last_event: found.last_event_id.get(),
        state_keys: found.state_keys,
        instances: found.instances,
        store_bytes: koor.store_size().await?,
        writable: koor.health().await == StoreHealth::Ok,
        runtime_stats: koor.runtime_stats(),
        tasks: by_status(&koor.task_summaries().await?),
        coordination: koor.coordination_metrics().await?,
    };
    let mut answer = Answer::new(Body::Full(call.shared().meters.render(&gauges).into()));
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, text);
    Ok(Exposition(answer))
}

/// How many tasks have each status, in all projects together.
fn by_status(summaries: &[TaskSummary]) -> [(&'static str, u64); 6] {
    let sum = |count: fn(&TaskSummary) -> u64| summaries.iter().map(count).sum();
    [
        ("open", sum(|of| of.open)),
        ("claimed", sum(|of| of.claimed)),
        ("review", sum(|of| of.review)),
        ("done", sum(|of| of.done)),
        ("failed", sum(|of| of.failed)),
        ("cancelled", sum(|of| of.cancelled)),
    ]
}
