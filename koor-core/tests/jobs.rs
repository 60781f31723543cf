//! Background work: each job does its work when its time has come, and not before.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail as tests do")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use koor_core::{
    Caller, Jobs, Koor, Plane, Role, Settings,
    domain::{
        RawJson,
        compliance::RunFilter,
        instances::{Instance, InstanceStatus},
        metrics::MetricFilter,
    },
    ids::{SpecKey, WebhookId},
    page::Limit,
    ports::{
        Change, HttpSender, Outbound, OutboundAnswer, OutboundError, Outcome, Store, StoreError, StoreResult,
    },
    testkit::{FakeClock, FakeIds, Intercept, intercepted_store},
    use_cases::History,
    use_cases::{
        ActivateInstance, CreateWebhook, DeleteWebhook, EnableWebhook, InstanceDraft, PublishEvent,
        PutDocument, RegisterInstance, WebhookDraft,
    },
};
use serde_json::{Value, json};
use tokio::task::yield_now;

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manners {
    Down,
    Hanging,
    Panicking,
}

/// The outside world: receivers that answer, unless they are told not to, and remember what they were told.
#[derive(Clone, Default)]
struct FakeReceivers {
    told: Arc<Mutex<BTreeMap<String, Vec<u64>>>>,
    tried: Arc<Mutex<BTreeMap<String, usize>>>,
    manners: Arc<Mutex<BTreeMap<String, Manners>>>,
}

impl FakeReceivers {
    fn make(&self, url: &str, manners: Option<Manners>) {
        let mut all = self.manners.lock().unwrap();
        match manners {
            Some(manners) => all.insert(url.to_owned(), manners),
            None => all.remove(url),
        };
    }

    fn told(&self, url: &str) -> Vec<u64> {
        self.told.lock().unwrap().get(url).cloned().unwrap_or_default()
    }

    fn tried(&self, url: &str) -> usize {
        self.tried.lock().unwrap().get(url).copied().unwrap_or_default()
    }
}

#[async_trait]
impl HttpSender for FakeReceivers {
    async fn send(&self, call: Outbound) -> Result<OutboundAnswer, OutboundError> {
        *self.tried.lock().unwrap().entry(call.url.clone()).or_default() += 1;
        let manners = self.manners.lock().unwrap().get(&call.url).copied();
        match manners {
            Some(Manners::Down) => return Err(OutboundError::Failed("connection refused".to_owned())),
            Some(Manners::Hanging) => std::future::pending().await,
            Some(Manners::Panicking) => panic!("a receiver that no one foresaw"),
            None => {}
        }
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let number = body["data"]["n"].as_u64().unwrap();
        self.told.lock().unwrap().entry(call.url).or_default().push(number);
        Ok(OutboundAnswer { status: 204, body: Bytes::new() })
    }
}

/// Refuses to write while it is told to.
struct Refuses(Arc<AtomicBool>);

impl Intercept for Refuses {
    fn committing(&self, _: &mut Vec<Change>) -> StoreResult<Outcome> {
        if self.0.load(Relaxed) {
            return Err(StoreError::Full { reason: "disk full" });
        }
        Ok(Outcome::Committed)
    }
}

/// A server without its sockets.
struct Bench {
    koor: Koor,
    clock: FakeClock,
    receivers: FakeReceivers,
    refusing: Arc<AtomicBool>,
    store: Arc<dyn Store>,
}

impl Bench {
    async fn new() -> Self {
        let refusing = Arc::<AtomicBool>::default();
        let store = intercepted_store(Refuses(Arc::clone(&refusing)));
        Self::on(Arc::new(store), refusing, FakeClock::default()).await
    }

    async fn on(store: Arc<dyn Store>, refusing: Arc<AtomicBool>, clock: FakeClock) -> Self {
        let receivers = FakeReceivers::default();
        let settings = Settings { event_retention: 100, ..Settings::default() };
        let koor = Koor::on_shared(Arc::clone(&store))
            .clock(clock.clone())
            .ids(FakeIds::default())
            .sender(receivers.clone())
            .settings(settings)
            .open()
            .await
            .unwrap();
        Self { koor, clock, receivers, refusing, store }
    }

    /// The jobs, asleep until there is something to do.
    async fn start(&self) -> Jobs {
        let jobs = Jobs::start(&self.koor);
        settle().await;
        jobs
    }

    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
        settle().await;
    }

    async fn publish(&self, topic: &str, numbers: impl IntoIterator<Item = u64>) {
        for n in numbers {
            let data = RawJson::of(&json!({"n": n})).unwrap();
            let event = PublishEvent::new(topic.parse().unwrap(), data, None).unwrap();
            self.koor.execute(&Caller::local(), event).await.unwrap();
        }
        settle().await;
    }

    async fn webhook(&self, id: &str, url: &str) {
        let draft = WebhookDraft {
            id: id.to_owned(),
            url: url.to_owned(),
            patterns: vec!["job.*".into()],
            ..WebhookDraft::default()
        };
        self.koor.execute(&Caller::local(), CreateWebhook::new(draft).unwrap()).await.unwrap();
        settle().await;
    }

    async fn agent(&self, workspace: &str) -> Instance {
        let register = RegisterInstance::new(&self.koor, &InstanceDraft::new("goth", workspace)).unwrap();
        let id = self.koor.execute(&Caller::local(), register).await.unwrap().output.instance.id;
        self.koor.execute(&Caller::local(), ActivateInstance(id)).await.unwrap().output
    }

    async fn kept(&self, topic: &str) -> Vec<u64> {
        let filter = koor_core::domain::events::EventFilter {
            topics: koor_core::pattern::TopicFilter::new(vec![topic.parse().unwrap()]),
            ..Default::default()
        };
        let history = History { filter, after: Some(koor_core::ids::Cursor::START), limit: limit(10_000) };
        let events = self.koor.event_history(history).await.unwrap();
        events
            .iter()
            .map(|event| {
                serde_json::from_str::<Value>(event.data.as_str()).unwrap()["n"].as_u64().unwrap_or(0)
            })
            .collect()
    }

    /// As far as webhooks have been told, by id.
    async fn webhooks(&self) -> BTreeMap<String, (bool, u32)> {
        let views = self.koor.webhooks(&Caller::local()).await.unwrap();
        views
            .into_iter()
            .map(|view| (view.webhook.id.to_string(), (view.webhook.active, view.webhook.fail_count)))
            .collect()
    }
}

/// Lets every task do what it can without time passing. The runtime has one thread and takes turns, and the store
/// answers at once, so that this many turns are more than enough.
async fn settle() {
    for _ in 0..500 {
        yield_now().await;
    }
}

fn limit(n: u64) -> Limit {
    Limit::new("limit", n).unwrap()
}

const A: &str = "http://a.example/";
const B: &str = "http://b.example/";

#[tokio::test]
async fn events_beyond_retention_go_after_a_minute_and_not_before() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.publish("job.done", 1..=103).await;
    bench.pass(Duration::from_millis(59_999)).await;
    assert_eq!(bench.kept("*").await.len(), 103);
    bench.pass(Duration::from_millis(1)).await;
    assert_eq!(bench.kept("*").await, (4..=103).collect::<Vec<_>>());
    bench.publish("job.done", 104..=105).await;
    bench.pass(Duration::from_mins(1)).await;
    assert_eq!(bench.kept("*").await, (6..=105).collect::<Vec<_>>());
    jobs.stop().await;
}

#[tokio::test]
async fn a_silent_instance_becomes_stale_by_itself() {
    let bench = Bench::new().await;
    let id = bench.agent("").await.id;
    let jobs = bench.start().await;
    for _ in 0..5 {
        bench.pass(Duration::from_mins(1)).await;
        assert_eq!(bench.koor.instance(id).await.unwrap().status, InstanceStatus::Active);
    }
    bench.pass(Duration::from_mins(1)).await;
    assert_eq!(bench.koor.instance(id).await.unwrap().status, InstanceStatus::Stale);
    assert_eq!(bench.kept("agent.stale").await.len(), 1);
    jobs.stop().await;
}

#[tokio::test]
async fn an_instance_that_was_silent_while_the_server_was_down_is_stale_from_the_start() {
    let bench = Bench::new().await;
    let id = bench.agent("").await.id;
    bench.start().await.stop().await;
    bench.clock.advance(Duration::from_mins(6));
    let jobs = bench.start().await;
    assert_eq!(bench.koor.instance(id).await.unwrap().status, InstanceStatus::Stale);
    jobs.stop().await;
}

#[tokio::test]
async fn contracts_are_checked_every_five_minutes() {
    let bench = Bench::new().await;
    let id = bench.agent("/home/me/Truck-Wash").await.id;
    let key = SpecKey { project: "Truck-Wash".parse().unwrap(), name: "api".parse().unwrap() };
    let contract = json!({"kind": "contract", "version": 1, "endpoints": {"GET /api/trucks": {}}});
    let checked = bench.koor.check_spec(&key, &contract).await.unwrap();
    let put = PutDocument::spec(key, contract.to_string(), checked).unwrap();
    bench.koor.execute(&Caller::local(), put).await.unwrap();
    let jobs = bench.start().await;
    let runs = async || bench.koor.compliance_history(RunFilter::default(), limit(10)).await.unwrap();
    bench.pass(Duration::from_secs(299)).await;
    assert_eq!(runs().await, []);
    bench.pass(Duration::from_secs(1)).await;
    // Contracts are parsed on another thread, which takes its own time.
    while runs().await.is_empty() {
        tokio::task::yield_now().await;
    }
    let found: Vec<_> = runs().await.into_iter().map(|run| (run.instance_id, run.pass)).collect();
    assert_eq!(found, [(id, false)]);
    jobs.stop().await;
}

#[tokio::test]
async fn counters_are_written_down_every_three_seconds() {
    let bench = Bench::new().await;
    let agent = bench.agent("").await;
    let jobs = bench.start().await;
    bench.koor.count_call(&Caller::instance(Role::Agent, (&agent).into()), Plane::Rest, 10);
    let written = async || bench.koor.read(|tx| tx.metrics(&MetricFilter::default())).await.unwrap().len();
    bench.pass(Duration::from_secs(2)).await;
    assert_eq!(written().await, 0);
    bench.pass(Duration::from_secs(1)).await;
    assert_eq!(written().await, 1);
    jobs.stop().await;
}

#[tokio::test]
async fn a_job_that_fails_does_its_work_the_next_time() {
    let bench = Bench::new().await;
    let agent = bench.agent("").await;
    let jobs = bench.start().await;
    bench.koor.count_call(&Caller::instance(Role::Agent, (&agent).into()), Plane::Rest, 10);
    let written = async || bench.koor.read(|tx| tx.metrics(&MetricFilter::default())).await.unwrap().len();
    bench.refusing.store(true, Relaxed);
    bench.pass(Duration::from_secs(5)).await;
    bench.refusing.store(false, Relaxed);
    assert_eq!(written().await, 0);
    bench.pass(Duration::from_secs(5)).await;
    assert_eq!(written().await, 1);
    jobs.stop().await;
}

#[tokio::test]
async fn a_webhook_is_told_what_it_wants_in_order_and_without_time_passing() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.webhook("a", A).await;
    bench.publish("job.done", 1..=20).await;
    bench.publish("other", 21..=22).await;
    bench.publish("job.done", 23..=24).await;
    assert_eq!(bench.koor.subscribers(), 0);
    assert_eq!(bench.receivers.told(A), (1..=20).chain(23..=24).collect::<Vec<_>>());
    jobs.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_down_or_hangs_delays_no_other() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.receivers.make(A, Some(Manners::Hanging));
    bench.receivers.make("http://c.example/", Some(Manners::Down));
    bench.webhook("a", A).await;
    bench.webhook("b", B).await;
    bench.webhook("c", "http://c.example/").await;
    bench.publish("job.done", 1..=5).await;
    assert_eq!(bench.receivers.told(B), [1, 2, 3, 4, 5]);
    assert_eq!((bench.receivers.tried(A), bench.receivers.tried("http://c.example/")), (1, 1));
    jobs.stop().await;
}

#[tokio::test]
async fn a_delivery_is_timed_by_the_clock_and_its_pause_spread_by_the_source_of_ids() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.webhook("a", A).await;
    bench.receivers.make(A, Some(Manners::Down));
    bench.publish("job.done", [1]).await;
    let deliveries = bench.koor.deliveries(&Caller::local(), &"a".parse().unwrap()).await.unwrap();
    assert_eq!(deliveries.iter().map(|one| one.duration_ms).collect::<Vec<_>>(), [0], "no time has passed");
    // 255 of 1024 parts more than a second.
    bench.pass(Duration::from_millis(1_248)).await;
    assert_eq!(bench.receivers.tried(A), 1);
    bench.pass(Duration::from_millis(1)).await;
    assert_eq!(bench.receivers.tried(A), 2);
    jobs.stop().await;
}

#[tokio::test]
async fn a_receiver_that_comes_back_gets_everything_in_order() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.webhook("a", A).await;
    bench.receivers.make(A, Some(Manners::Down));
    bench.publish("job.done", 1..=3).await;
    bench.pass(Duration::from_millis(999)).await;
    assert_eq!(bench.receivers.tried(A), 1);
    bench.receivers.make(A, None);
    // The first pause is a second, and up to a quarter more.
    bench.pass(Duration::from_millis(251)).await;
    assert_eq!(bench.receivers.told(A), [1, 2, 3]);
    assert_eq!(bench.webhooks().await["a"], (true, 0));
    jobs.stop().await;
}

#[tokio::test]
async fn ten_failures_switch_a_webhook_off_until_it_is_switched_on() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.webhook("a", A).await;
    bench.receivers.make(A, Some(Manners::Down));
    bench.publish("job.done", 1..=2).await;
    for _ in 0..20 {
        bench.pass(Duration::from_mins(7)).await;
    }
    assert_eq!(bench.receivers.tried(A), 10);
    assert_eq!(bench.webhooks().await["a"], (false, 10));
    assert_eq!(bench.kept("$webhook.disabled").await.len(), 1);
    bench.receivers.make(A, None);
    bench.publish("job.done", [3]).await;
    assert_eq!(bench.receivers.told(A), [0; 0]);
    bench.koor.execute(&Caller::local(), EnableWebhook(WebhookId::new("a").unwrap())).await.unwrap();
    settle().await;
    assert_eq!(bench.receivers.told(A), [1, 2, 3]);
    jobs.stop().await;
}

#[tokio::test]
async fn a_webhook_that_is_switched_on_while_it_waits_is_called_at_once() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.webhook("a", A).await;
    bench.receivers.make(A, Some(Manners::Down));
    bench.publish("job.done", [1]).await;
    bench.receivers.make(A, None);
    bench.koor.execute(&Caller::local(), EnableWebhook(WebhookId::new("a").unwrap())).await.unwrap();
    settle().await;
    assert_eq!(bench.receivers.told(A), [1]);
    jobs.stop().await;
}

#[tokio::test]
async fn a_webhook_that_is_deleted_is_called_no_more() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.webhook("a", A).await;
    bench.publish("job.done", [1]).await;
    bench.koor.execute(&Caller::local(), DeleteWebhook(WebhookId::new("a").unwrap())).await.unwrap();
    bench.publish("job.done", [2]).await;
    // The same name again is another webhook.
    bench.webhook("a", B).await;
    bench.publish("job.done", [3]).await;
    assert_eq!((bench.receivers.told(A), bench.receivers.told(B)), (vec![1], vec![3]));
    jobs.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_run_ended() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.webhook("a", A).await;
    bench.publish("job.done", 1..=3).await;
    // The fourth is under way when everything stops.
    bench.receivers.make(A, Some(Manners::Hanging));
    bench.publish("job.done", [4]).await;
    jobs.stop().await;
    bench.publish("job.done", 5..=6).await;
    assert_eq!(bench.receivers.told(A), [1, 2, 3]);

    let again = Bench::on(Arc::clone(&bench.store), Arc::default(), bench.clock.clone()).await;
    let jobs = again.start().await;
    assert_eq!(again.receivers.told(A), [4, 5, 6]);
    jobs.stop().await;
}

#[tokio::test]
async fn a_webhook_that_pruning_has_overtaken_goes_on_from_what_is_kept() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.webhook("a", A).await;
    bench.receivers.make(A, Some(Manners::Down));
    bench.publish("job.done", 1..=110).await;
    // Long enough for pruning, too short to be switched off.
    bench.pass(Duration::from_mins(1)).await;
    bench.receivers.make(A, None);
    bench.pass(Duration::from_mins(7)).await;
    assert_eq!(bench.receivers.told(A), (11..=110).collect::<Vec<_>>());
    jobs.stop().await;
}

#[tokio::test]
async fn a_panic_ends_neither_the_other_jobs_nor_for_good_its_own() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.receivers.make(A, Some(Manners::Panicking));
    bench.webhook("a", A).await;
    bench.webhook("b", B).await;
    bench.publish("job.done", 1..=102).await;
    assert_eq!(bench.receivers.told(B).len(), 102);
    bench.receivers.make(A, None);
    bench.pass(Duration::from_secs(5)).await;
    assert_eq!(bench.receivers.told(A).len(), 102);
    bench.pass(Duration::from_mins(1)).await;
    assert_eq!(bench.kept("*").await.len(), 100);
    jobs.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_receiver() {
    let bench = Bench::new().await;
    let jobs = bench.start().await;
    bench.receivers.make(A, Some(Manners::Hanging));
    bench.webhook("a", A).await;
    bench.publish("job.done", [1]).await;
    // The clock stands still: this would never return if it waited.
    jobs.stop().await;
    let told: BTreeSet<_> = bench.receivers.told(A).into_iter().collect();
    assert_eq!(told, BTreeSet::new());
}
