//! What the server counts of itself, in the text format of Prometheus.

use std::{
    fmt::Write as _,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper::StatusCode;
use koor_core::{
    ports::Commits,
    use_cases::{CoordinationMetrics, RuntimeStats},
};

/// Upper ends of the latency buckets, in microseconds: from an answer out of memory to a body that came slowly.
const BUCKETS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// The statuses that are counted, each by itself: all that HTTP has a name for. A list of those that are answered with would
/// lack the next one.
static STATUSES: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let named =
        |status: &u16| StatusCode::from_u16(*status).is_ok_and(|status| status.canonical_reason().is_some());
    (100..600).filter(named).collect()
});

/// How long things took.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Histogram {
    fn count(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|end| micros <= *end).unwrap_or(BUCKETS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
    }

    /// Writes it under that name, with these labels: none, or some that end with a comma.
    fn write(&self, out: &mut String, name: &str, labels: &str) -> std::fmt::Result {
        let mut total = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            total += bucket.load(Relaxed);
            let end = BUCKETS.get(index).map_or_else(|| "+Inf".to_owned(), |end| seconds(*end));
            writeln!(out, "{name}_bucket{{{labels}le=\"{end}\"}} {total}")?;
        }
        let of = labels.strip_suffix(',').map(|labels| format!("{{{labels}}}")).unwrap_or_default();
        let sum = seconds(self.micros.load(Relaxed));
        writeln!(out, "{name}_sum{of} {sum}\n{name}_count{of} {total}")
    }
}

/// Counters of one route.
#[derive(Debug)]
struct RouteMeter {
    /// In the order of [`STATUSES`], and one more for a status without a name.
    statuses: Vec<AtomicU64>,
    times: Histogram,
}

impl Default for RouteMeter {
    fn default() -> Self {
        let statuses = (0..=STATUSES.len()).map(|_| AtomicU64::new(0)).collect();
        Self { statuses, times: Histogram::default() }
    }
}

/// The label under which a request is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteLabel {
    /// A route, by its number in the table.
    Route(usize),
    /// A mounted service.
    Mounted,
    /// Files of the dashboard.
    Asset,
    /// No route.
    Unmatched,
}

/// All counters.
#[derive(Debug)]
pub(crate) struct Meters {
    /// Method and path of each route.
    names: Vec<(&'static str, &'static str)>,
    /// One for each route, and one for each other label.
    routes: Vec<RouteMeter>,
    claims: Histogram,
    delivered: AtomicU64,
    gaps: AtomicU64,
    missed: AtomicU64,
}

/// What others count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauges {
    pub(crate) uptime: Duration,
    pub(crate) subscribers: usize,
    pub(crate) last_event: u64,
    pub(crate) state_keys: u64,
    pub(crate) instances: u64,
    pub(crate) store_bytes: u64,
    pub(crate) writable: bool,
    pub(crate) runtime_stats: RuntimeStats,
    /// By status.
    pub(crate) tasks: [(&'static str, u64); 6],
    pub(crate) coordination: CoordinationMetrics,
}

impl Meters {
    /// Counters at zero for routes with these methods and paths.
    pub(crate) fn new(names: Vec<(&'static str, &'static str)>) -> Self {
        Self {
            routes: (0..names.len() + 3).map(|_| RouteMeter::default()).collect(),
            names,
            claims: Histogram::default(),
            delivered: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        }
    }

    /// Counts an answered request.
    pub(crate) fn count(&self, label: RouteLabel, status: StatusCode, took: Duration) {
        let number = match label {
            RouteLabel::Route(number) => number,
            RouteLabel::Mounted => self.names.len(),
            RouteLabel::Asset => self.names.len() + 1,
            RouteLabel::Unmatched => self.names.len() + 2,
        };
        let Some(meter) = self.routes.get(number) else { return };
        let known = STATUSES.binary_search(&status.as_u16()).unwrap_or(STATUSES.len());
        meter.statuses[known].fetch_add(1, Relaxed);
        meter.times.count(took);
    }

    /// Counts a claim that got a task without waiting for one.
    pub(crate) fn claimed(&self, took: Duration) {
        self.claims.count(took);
    }

    /// Counts events handed to a subscriber.
    pub(crate) fn delivered(&self, events: u64) {
        self.delivered.fetch_add(events, Relaxed);
    }

    /// Counts a gap that a subscriber was told of.
    pub(crate) fn gap(&self, missed: u64) {
        self.gaps.fetch_add(1, Relaxed);
        self.missed.fetch_add(missed, Relaxed);
    }

    /// Everything, as Prometheus reads it.
    pub(crate) fn render(&self, gauges: &Gauges) -> String {
        let mut text = String::with_capacity(16 << 10);
        // Writing to a string cannot fail.
        _ = self.write(&mut text, gauges);
        text
    }

    fn write(&self, out: &mut String, gauges: &Gauges) -> std::fmt::Result {
        let names = self.names.iter().copied().chain([("", "mounted"), ("", "asset"), ("", "unmatched")]);
        let used: Vec<_> = names
            .zip(&self.routes)
            .filter(|(_, meter)| meter.statuses.iter().any(|count| count.load(Relaxed) > 0))
            .collect();
        out.push_str(
            "# HELP koor_http_requests_total Requests answered.\n# TYPE koor_http_requests_total counter\n",
        );
        for ((method, route), meter) in &used {
            for (status, count) in STATUSES.iter().chain([&0]).zip(&meter.statuses) {
                let count = count.load(Relaxed);
                if count > 0 {
                    writeln!(
                        out,
                        "koor_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}"
                    )?;
                }
            }
        }
        out.push_str(
            "# HELP koor_http_request_seconds How long answers took.\n# TYPE koor_http_request_seconds histogram\n",
        );
        for ((method, route), meter) in &used {
            let labels = format!("method=\"{method}\",route=\"{route}\",");
            meter.times.write(out, "koor_http_request_seconds", &labels)?;
        }
        out.push_str(
            "# HELP koor_task_claim_seconds How long claims took that got a task without waiting for one.\n\
             # TYPE koor_task_claim_seconds histogram\n",
        );
        self.claims.write(out, "koor_task_claim_seconds", "")?;
        let delivered = self.delivered.load(Relaxed);
        let (gaps, missed) = (self.gaps.load(Relaxed), self.missed.load(Relaxed));
        let up = gauges.uptime.as_secs();
        let Gauges { subscribers, last_event, state_keys, instances, store_bytes, runtime_stats, .. } =
            *gauges;
        let RuntimeStats {
            commits: Commits { commits, jobs },
            deliveries,
            failed_deliveries,
            claims,
            expirations,
            leases_taken,
            lease_expirations,
            lease_waiters,
            messages_sent,
        } = runtime_stats;
        let CoordinationMetrics { leases, unread } = gauges.coordination;
        writeln!(
            out,
            "# HELP koor_write_batch_size Changes that shared a commit.\n# TYPE koor_write_batch_size summary\n\
             koor_write_batch_size_sum {jobs}\nkoor_write_batch_size_count {commits}"
        )?;
        for (kind, name, help, value) in [
            ("counter", "koor_events_published_total", "Events put into the log, ever.", last_event),
            ("counter", "koor_events_delivered_total", "Events sent to subscribers.", delivered),
            ("counter", "koor_subscriber_gaps_total", "Gaps that subscribers were told of.", gaps),
            (
                "counter",
                "koor_events_missed_total",
                "Events that subscribers lagged behind and missed.",
                missed,
            ),
            ("counter", "koor_webhook_deliveries_total", "Calls made to webhooks.", deliveries),
            ("counter", "koor_webhook_failures_total", "Calls to webhooks that failed.", failed_deliveries),
            ("counter", "koor_task_claims_total", "Tasks claimed.", claims),
            ("counter", "koor_task_expirations_total", "Claims that expired.", expirations),
            ("counter", "koor_leases_taken_total", "Leases taken.", leases_taken),
            ("counter", "koor_lease_expirations_total", "Leases that expired.", lease_expirations),
            ("counter", "koor_messages_sent_total", "Messages sent.", messages_sent),
            ("gauge", "koor_leases", "Leases held.", leases),
            ("gauge", "koor_lease_waiters", "Callers that wait for paths.", lease_waiters),
            ("gauge", "koor_messages_unread", "Messages that a recipient has not read.", unread),
            ("gauge", "koor_subscribers", "Subscribers now.", subscribers as u64),
            ("gauge", "koor_state_keys", "State documents.", state_keys),
            ("gauge", "koor_instances", "Registered instances.", instances),
            ("gauge", "koor_store_bytes", "Bytes that the store takes up.", store_bytes),
            ("gauge", "koor_store_writable", "1 when the store can write.", u64::from(gauges.writable)),
            ("gauge", "koor_uptime_seconds", "Seconds since the start.", up),
        ] {
            writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")?;
        }
        out.push_str("# HELP koor_tasks Tasks of all projects by status.\n# TYPE koor_tasks gauge\n");
        for (status, count) in gauges.tasks {
            writeln!(out, "koor_tasks{{status=\"{status}\"}} {count}")?;
        }
        Ok(())
    }
}

/// Microseconds as seconds, exactly.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauges() -> Gauges {
        Gauges {
            uptime: Duration::from_secs(5),
            subscribers: 1,
            last_event: 7,
            state_keys: 0,
            instances: 0,
            store_bytes: 0,
            writable: true,
            runtime_stats: RuntimeStats {
                commits: Commits { commits: 2, jobs: 9 },
                deliveries: 4,
                failed_deliveries: 1,
                claims: 6,
                expirations: 2,
                leases_taken: 3,
                lease_expirations: 1,
                lease_waiters: 5,
                messages_sent: 12,
            },
            coordination: CoordinationMetrics { leases: 2, unread: 10 },
            tasks: [("open", 3), ("claimed", 1), ("review", 0), ("done", 8), ("failed", 0), ("cancelled", 0)],
        }
    }

    #[test]
    fn each_status_that_is_served_is_counted_by_itself() {
        let described = crate::openapi::every_status().into_iter();
        // Of no route: what switches protocols, has no body, is an asset's, is MCP's, has no route.
        let others = [101, 200, 202, 204, 206, 304, 404, 405, 406, 415];
        let mut statuses: Vec<u16> = described.chain(others).collect();
        statuses.sort_unstable();
        statuses.dedup();
        let meters = Meters::new(Vec::new());
        for status in &statuses {
            meters.count(RouteLabel::Unmatched, StatusCode::from_u16(*status).unwrap(), Duration::ZERO);
        }
        let text = meters.render(&gauges());
        let counted = |status: &u16| {
            let line =
                format!("koor_http_requests_total{{method=\"\",route=\"unmatched\",status=\"{status}\"}} 1");
            text.lines().any(|found| found == line)
        };
        let lacking: Vec<_> = statuses.iter().filter(|status| !counted(status)).collect();
        assert_eq!(lacking, [&0; 0]);
    }

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let meters = Meters::new(Vec::new());
        meters.count(RouteLabel::Unmatched, StatusCode::NOT_FOUND, Duration::from_micros(300));
        meters.count(RouteLabel::Unmatched, StatusCode::NOT_FOUND, Duration::from_mins(1));
        meters.claimed(Duration::from_micros(700));
        let text = meters.render(&gauges());
        for line in [
            "koor_http_requests_total{method=\"\",route=\"unmatched\",status=\"404\"} 2",
            "koor_http_request_seconds_bucket{method=\"\",route=\"unmatched\",le=\"0.0005\"} 1",
            "koor_http_request_seconds_bucket{method=\"\",route=\"unmatched\",le=\"+Inf\"} 2",
            "koor_http_request_seconds_sum{method=\"\",route=\"unmatched\"} 60.0003",
            "koor_events_published_total 7",
            "koor_write_batch_size_sum 9",
            "koor_write_batch_size_count 2",
            "koor_webhook_deliveries_total 4",
            "koor_webhook_failures_total 1",
            "koor_task_claims_total 6",
            "koor_task_expirations_total 2",
            "koor_leases_taken_total 3",
            "koor_lease_expirations_total 1",
            "koor_lease_waiters 5",
            "koor_leases 2",
            "koor_messages_sent_total 12",
            "koor_messages_unread 10",
            "koor_task_claim_seconds_bucket{le=\"0.001\"} 1",
            "koor_task_claim_seconds_sum 0.0007",
            "koor_task_claim_seconds_count 1",
            "koor_tasks{status=\"open\"} 3",
            "koor_tasks{status=\"done\"} 8",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
