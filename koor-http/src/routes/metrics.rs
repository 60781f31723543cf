//! The server, and each agent, in numbers.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use koor_core::{
    domain::metrics::MetricFilter, ids::InstanceId, ports::StoreHealth, time_span::TimeSpan,
    use_cases::TaskSummary,
};
use serde_json::{Map, Value, json};

use crate::{
    body::Body,
    error::Failure,
    prometheus::Gauges,
    request::Call,
    response::{self, Answer},
    shared::Binds,
};

pub(crate) async fn server(call: Call) -> Result<Answer, Failure> {
    let koor = call.koor();
    let found = koor.server_metrics().await?;
    let Binds { api: api_bind, dashboard: dashboard_bind } = call.shared().binds.clone();
    response::json(&json!({
        "uptime": TimeSpan::from(koor.uptime()).to_string(),
        "state_keys": found.state_keys,
        "instances": found.instances,
        "last_event_id": found.last_event_id,
        "api_bind": api_bind,
        "dashboard_bind": dashboard_bind,
        "token_tax": koor.token_tax(),
    }))
}

pub(crate) async fn reset(call: Call) -> Result<Answer, Failure> {
    let done = call.koor().reset_calls(&call.caller).await?;
    response::committed(&done.map(|()| json!({"reset": true})))
}

pub(crate) async fn agents(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    if let Some(id) = query.text("instance_id")? {
        return of_instance(&call, &id).await;
    }
    let period = query.text("period")?.unwrap_or_default();
    let totals = call.koor().agent_totals(MetricFilter { instance_id: None, period }).await?;
    let shown: Vec<_> = totals
        .iter()
        .map(|(instance_id, metrics)| {
            let metrics: Map<String, Value> =
                metrics.iter().map(|(metric, n)| (metric.as_str().to_owned(), json!(n))).collect();
            json!({"instance_id": instance_id, "metrics": metrics})
        })
        .collect();
    response::json(&shown)
}

pub(crate) async fn agent(call: Call) -> Result<Answer, Failure> {
    of_instance(&call, &call.param(0)?).await
}

/// The counters of an instance, registered or not; none where there is no such instance.
async fn of_instance(call: &Call, id: &str) -> Result<Answer, Failure> {
    let period = call.query().text("period")?.unwrap_or_default();
    let Ok(id) = id.parse::<InstanceId>() else { return response::json(&json!([])) };
    let filter = MetricFilter { instance_id: Some(id), period };
    response::json(&call.koor().agent_metrics(filter).await?)
}

pub(crate) async fn prometheus(call: Call) -> Result<Answer, Failure> {
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
    };
    let mut answer = Answer::new(Body::Full(call.shared().meters.render(&gauges).into()));
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, text);
    Ok(answer)
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
