//! Servers that are broken on purpose: the real one, in this process, on a store that does not keep its promises.

use std::{
    collections::{BTreeMap, HashMap},
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use koor_core::{
    Koor, MemoryStore,
    domain::{
        state::Document,
        tasks::{Fence, ReadyQuery, Task, TaskStatus},
    },
    ids::{DocumentKey, Version},
    ports::{
        Change, Committer, DocumentChange, Facts, Outcome, Page, ReadJob, Store, StoreResult, TaskChange,
    },
    testkit::{Intercept, intercepted_store},
};
use koor_http::{HttpSettings, Listeners, Server};
use tokio::runtime::Runtime;

/// A server on such a store. Dropping it ends it.
pub(crate) struct Broken {
    pub(crate) api: String,
    _runtime: Runtime,
}

impl Broken {
    pub(crate) fn on(store: impl Store) -> Self {
        let runtime = Runtime::new().unwrap();
        let koor = runtime.block_on(Koor::on(store).open()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let listeners = Listeners { api: vec![listener], dashboard: Vec::new() };
        let server = Server::new(koor, HttpSettings::default(), listeners).unwrap();
        runtime.spawn(server.run(std::future::pending()));
        Self { api, _runtime: runtime }
    }
}

/// How often a document was asked for, and what it was when that was last found out.
type Cached = (u64, Option<Arc<Document>>);

/// A store with a cache before it that asks again only at every fourth question.
#[derive(Default)]
pub(crate) struct OutdatedStore {
    behind: MemoryStore,
    cache: Mutex<BTreeMap<DocumentKey, Cached>>,
}

#[async_trait]
impl Store for OutdatedStore {
    async fn latest_document(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        let newest = self.behind.latest_document(key).await?;
        let mut cache = self.cache.lock().unwrap();
        let (asked, cached) = cache.entry(key.clone()).or_default();
        if asked.is_multiple_of(4) {
            *cached = newest;
        }
        *asked += 1;
        Ok(cached.clone())
    }

    fn committer(&self) -> &Committer {
        self.behind.committer()
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        self.behind.inspect(job).await
    }

    async fn read_detached(&self, job: ReadJob) -> StoreResult<()> {
        self.behind.read_detached(job).await
    }

    async fn size(&self) -> StoreResult<u64> {
        self.behind.size().await
    }

    async fn close(&self) {
        self.behind.close().await;
    }
}

/// What a store forgets now and then.
pub(crate) enum Forgets {
    /// A broken condition: a write that was overtaken is accepted.
    Conditions,
    /// What it was told to keep.
    Writes,
    /// That a task is claimed.
    Claims,
    /// What has become of a task.
    Tasks,
}

/// Forgets it every fourth time.
pub(crate) struct Forgetful {
    what: Forgets,
    times: AtomicU64,
}

impl Forgetful {
    fn now(&self) -> bool {
        self.times.fetch_add(1, Relaxed) % 4 == 3
    }
}

impl Intercept for Forgetful {
    fn fetched(&self, facts: &mut Facts) {
        for newest in facts.records.revisions.values_mut().flatten() {
            let before = Version::new(newest.version.get() - 1);
            if let Some(version) = before.filter(|_| matches!(self.what, Forgets::Conditions) && self.now()) {
                newest.version = version;
            }
        }
        for task in facts.records.tasks.values_mut().flatten() {
            if task.claim.is_some() && matches!(self.what, Forgets::Claims) && self.now() {
                let before = Task {
                    claim: None,
                    status: TaskStatus::Open,
                    fence: Fence(task.fence.0 - 1),
                    ..(**task).clone()
                };
                *task = Arc::new(before);
            }
        }
    }

    fn committing(&self, changes: &mut Vec<Change>) -> StoreResult<Outcome> {
        changes.retain(|change| {
            let forgotten = match self.what {
                Forgets::Writes => matches!(change, Change::Document(DocumentChange::Append(_))),
                Forgets::Tasks => matches!(change, Change::Task(TaskChange::Put(task)) if task.fence.0 > 0),
                Forgets::Conditions | Forgets::Claims => false,
            };
            !(forgotten && self.now())
        });
        Ok(Outcome::Committed)
    }
}

/// Looks for tasks before its turn: what it finds is as it was one look earlier.
#[derive(Default)]
struct LooksEarly(Mutex<HashMap<ReadyQuery, Page<Arc<Task>>>>);

impl Intercept for LooksEarly {
    fn fetched(&self, facts: &mut Facts) {
        for (query, page) in &mut facts.pages.ready_tasks {
            if let Some(earlier) = self.0.lock().unwrap().insert(query.clone(), page.clone()) {
                *page = earlier;
            }
        }
    }
}

/// A store whose claim is a read and then a write.
pub(crate) fn reads_then_writes() -> MemoryStore {
    intercepted_store(LooksEarly::default())
}

/// A store that forgets that now and then.
pub(crate) fn forgetful(what: Forgets) -> MemoryStore {
    intercepted_store(Forgetful { what, times: AtomicU64::default() })
}
