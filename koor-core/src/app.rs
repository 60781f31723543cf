//! The handle that embedders and adapters hold: commands and questions go in here.

use std::sync::Arc;

use crate::{
    activity::{Activity, Plane},
    caller::Caller,
    clock::{Clock, IdSource, SystemClock, SystemIds, Timestamp},
    command::{Applied, Command, CommandContext, Committed, Housekeeping, Operation},
    cpu_limiter::CpuLimiter,
    domain::{
        events::Event,
        metrics::{Metric, TokenTax},
        rules::RuleEngine,
    },
    error::{Error, ErrorKind},
    event_counts::EventCounts,
    execute::{execute, read},
    hub::{Hub, Subscription, WebhookSigns},
    ids::Cursor,
    instance_cache::InstanceCache,
    lease_queue::LeaseQueue,
    pattern::TopicFilter,
    ports::{CommitObserver, FactSet, HttpSender, ReadTx, Store, StoreHealth, StoreResult},
    settings::Settings,
    use_cases::ResetMetrics,
};

/// Koor: state, specs, events, instances and the rest, on the store it was opened with. Cheap to clone.
#[derive(Clone)]
pub struct Koor {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) sender: Option<Arc<dyn HttpSender>>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) engine: RuleEngine,
    pub(crate) cpu: CpuLimiter,
    pub(crate) activity: Activity,
    pub(crate) lease_queue: Arc<LeaseQueue>,
    pub(crate) live: Arc<Live>,
    pub(crate) started: Timestamp,
}

/// What has to know of every commit.
pub(crate) struct Live {
    hub: Arc<Hub>,
    pub(crate) instances: InstanceCache,
    pub(crate) counts: EventCounts,
}

impl Live {
    /// Changes of webhooks, from now on.
    pub(crate) fn webhook_signs(&self) -> WebhookSigns {
        self.hub.webhook_signs()
    }
}

impl CommitObserver for Live {
    fn committed(&self, events: &[Event]) {
        // First: a subscriber that the hub wakes must not see an instance as it was before.
        self.instances.forget(events);
        self.counts.add(events);
        self.hub.announce(events);
    }

    fn reset(&self, last: Cursor) {
        self.instances.clear();
        self.hub.reset(last);
    }
}

/// Puts a [`Koor`] together.
pub struct Builder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    sender: Option<Arc<dyn HttpSender>>,
    settings: Settings,
}

impl Builder {
    /// Takes the time from that clock instead of the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes ids and secrets from that source instead of the machine's.
    #[must_use]
    pub fn ids(mut self, ids: impl IdSource) -> Self {
        self.ids = Arc::new(ids);
        self
    }

    /// Calls webhooks and live services through that; without it, such calls are refused.
    #[must_use]
    pub fn sender(mut self, sender: impl HttpSender) -> Self {
        self.sender = Some(Arc::new(sender));
        self
    }

    /// Behaves as these say instead of the defaults.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn open(self) -> Result<Koor, Error> {
        let last = read(&*self.store, |tx| Ok(tx.log_bounds()?.last)).await?;
        let hub = Arc::new(Hub::new(last, self.settings.tail_events, self.settings.tail_bytes));
        let live =
            Arc::new(Live { hub, instances: InstanceCache::default(), counts: EventCounts::default() });
        self.store.committer().set_commit_observer(Arc::clone(&live) as Arc<dyn CommitObserver>, last);
        let started = self.clock.now();
        Ok(Koor {
            inner: Arc::new(Inner {
                store: self.store,
                clock: self.clock,
                ids: self.ids,
                sender: self.sender,
                settings: Arc::new(self.settings),
                engine: RuleEngine::default(),
                cpu: CpuLimiter::default(),
                activity: Activity::default(),
                lease_queue: Arc::default(),
                live,
                started,
            }),
        })
    }
}

impl Koor {
    /// Begins to put one together on that store.
    pub fn on(store: impl Store) -> Builder {
        Self::on_shared(Arc::new(store))
    }

    /// As [`on`](Self::on), for a store that the caller shares.
    pub fn on_shared(store: Arc<dyn Store>) -> Builder {
        Builder {
            store,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            sender: None,
            settings: Settings::default(),
        }
    }

    /// Does what the command asks for, on behalf of the caller, and answers when it is durable.
    ///
    /// # Errors
    /// A refusal, which has changed nothing; or what kept the store from doing it.
    pub async fn execute<C: Command>(
        &self,
        caller: &Caller,
        command: C,
    ) -> Result<Committed<C::Output>, Error> {
        let (metric, answer) = self.submit(caller, command);
        let result = answer.await;
        let counted = match &result {
            Ok(_) => metric,
            Err(error) => matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Precondition)
                .then_some(Metric::Conflicts),
        };
        if let Some(metric) = counted {
            self.count(caller, metric, 1);
        }
        result
    }

    /// Sends a command to the store: what is counted when it succeeds, and what answers it. Apart from
    /// [`execute`](Self::execute), whose future would otherwise have room for a second copy of the command.
    fn submit<C: Command>(
        &self,
        caller: &Caller,
        command: C,
    ) -> (Option<Metric>, impl Future<Output = Result<Committed<C::Output>, Error>> + use<C>) {
        let inner = &self.inner;
        let (clock, settings) = (Arc::clone(&inner.clock), Arc::clone(&inner.settings));
        let metric = command.metric();
        (metric, execute(inner.store.committer(), clock, settings, caller, command))
    }

    /// Asks something of one consistent snapshot.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn ReadTx) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        Ok(read(&*self.inner.store, question).await?)
    }

    /// Writes without an audit entry, on behalf of a part of the server: for what no caller asked for. `reads` is what
    /// it will look at. On the heap: every request may lead here, few do, and each would have room for all of it.
    pub(crate) fn housekeep<T: Send + 'static>(
        &self,
        part: &'static str,
        reads: FactSet,
        work: impl Fn(&mut CommandContext<'_>) -> Result<T, Error> + Send + Sync + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let work = Housekeeping { reads, work };
        Box::pin(async move { Ok(self.execute(&Caller::server(part), work).await?.output) })
    }

    /// Lets a caller begin something that takes a while before it becomes a command, or refuses and records it as the
    /// command would.
    ///
    /// # Errors
    /// [`Error::Forbidden`] where the caller's role does not reach that far.
    pub async fn admit(&self, caller: &Caller, intent: Operation) -> Result<(), Error> {
        if intent.check(caller).is_ok() {
            return Ok(());
        }
        self.execute(caller, Refusal(intent)).await.map(|_| ())
    }

    /// Follows the event log from `since` on, or from now on.
    #[must_use]
    pub fn subscribe(&self, topics: TopicFilter, since: Option<Cursor>) -> Subscription {
        let inner = &self.inner;
        let (store, hub) = (Arc::clone(&inner.store), Arc::clone(&inner.live.hub));
        Subscription::new(store, hub, topics, since, inner.cpu.clone())
    }

    /// Tells every subscriber that nothing will follow, writes down what is noted, and closes the store.
    pub async fn close(&self) {
        self.inner.live.hub.close();
        if let Err(error) = self.flush_activity().await {
            tracing::warn!(%error, "the last counters were not written");
        }
        self.inner.store.close().await;
    }

    /// Tells every subscriber that nothing will follow.
    pub fn close_subscriptions(&self) {
        self.inner.live.hub.close();
    }

    /// Counts a call that was answered with so many bytes.
    pub fn count_call(&self, caller: &Caller, plane: Plane, bytes: u64) {
        self.inner.activity.call(plane, bytes);
        let metric = match plane {
            Plane::Rest => Metric::RestCalls,
            Plane::Mcp => Metric::McpCalls,
        };
        self.count(caller, metric, 1);
    }

    /// Counts the bytes of an answer that belongs to a plane and is no call, such as the list of MCP's tools.
    pub fn count_bytes(&self, plane: Plane, bytes: u64) {
        self.inner.activity.bytes(plane, bytes);
    }

    /// Sets the counters of calls to zero, on behalf of the caller.
    ///
    /// # Errors
    /// When the caller may not, or it can't be recorded.
    pub async fn reset_calls(&self, caller: &Caller) -> Result<Committed<()>, Error> {
        let done = self.execute(caller, ResetMetrics).await?;
        self.inner.activity.reset_calls();
        Ok(done)
    }

    pub(crate) fn count(&self, caller: &Caller, metric: Metric, n: usize) {
        if let Some(instance) = caller.as_instance() {
            self.inner.activity.count(instance.id, metric, n as u64, self.now());
        }
    }

    /// The calls since the last reset, and what they would have cost.
    #[must_use]
    pub fn token_tax(&self) -> TokenTax {
        self.inner.activity.token_tax()
    }

    /// The time by this core's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Since when all that is heard of an instance is known here. Where several servers share the store, each keeps what it hears
    /// to itself for a moment: nothing is certain.
    pub(crate) fn hears_all_since(&self) -> Timestamp {
        if self.inner.store.servers() > 1 { self.now() } else { self.inner.started }
    }

    /// For how long this core has been open.
    #[must_use]
    pub fn uptime(&self) -> std::time::Duration {
        self.now().since(self.inner.started)
    }

    /// Whether changes can be made now.
    pub async fn health(&self) -> StoreHealth {
        self.inner.store.committer().health().await
    }

    /// How many bytes the store takes up.
    ///
    /// # Errors
    /// When it can't say.
    pub async fn store_size(&self) -> Result<u64, Error> {
        Ok(self.inner.store.size().await?)
    }

    /// How many subscribers there are now, long polls included and webhooks not.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.inner.live.hub.subscribers()
    }

    /// The end of the event log.
    #[must_use]
    pub fn last_event(&self) -> Cursor {
        self.inner.live.hub.last()
    }

    /// How the core behaves.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}

/// A command that is there to be refused.
struct Refusal(Operation);

impl Command for Refusal {
    type Output = ();

    fn operation(&self) -> Operation {
        self.0.clone()
    }

    fn apply(&self, _: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        Ok(Applied::new(()))
    }
}
