//! Servers that are broken on purpose: the real one, in this process, on a store that does not keep its promises.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use koor_core::{
    Koor, MemoryStore,
    domain::state::{Document, Revision},
    ids::{DocumentKey, Version},
    ports::{CommitObserver, Commits, ReadJob, Store, StoreHealth, StoreResult, WriteJob},
    testkit::{Effect, Meddle, MeddledStore},
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
    async fn newest(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        let newest = self.behind.newest(key).await?;
        let mut cache = self.cache.lock().unwrap();
        let (asked, cached) = cache.entry(key.clone()).or_default();
        if asked.is_multiple_of(4) {
            *cached = newest;
        }
        *asked += 1;
        Ok(cached.clone())
    }

    async fn submit(&self, job: WriteJob) -> StoreResult<()> {
        self.behind.submit(job).await
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        self.behind.inspect(job).await
    }

    async fn inspect_at_leisure(&self, job: ReadJob) -> StoreResult<()> {
        self.behind.inspect_at_leisure(job).await
    }

    fn observe(&self, observer: Arc<dyn CommitObserver>) {
        self.behind.observe(observer);
    }

    async fn health(&self) -> StoreHealth {
        self.behind.health().await
    }

    fn commits(&self) -> Commits {
        self.behind.commits()
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
    /// That somebody else has written since: a condition holds for the version before.
    Conditions,
    /// What it was told to keep.
    Writes,
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

impl Meddle for Forgetful {
    fn before(&self, method: &'static str) -> StoreResult<Effect> {
        let forgotten = matches!(self.what, Forgets::Writes) && method == "append_document" && self.now();
        Ok(if forgotten { Effect::Skip } else { Effect::Do })
    }

    fn newest(&self, found: Option<Revision>) -> Option<Revision> {
        let found = found?;
        let before = Version::new(found.version.get() - 1);
        match before.filter(|_| matches!(self.what, Forgets::Conditions) && self.now()) {
            Some(version) => Some(Revision { version, ..found }),
            None => Some(found),
        }
    }
}

/// A store that forgets that now and then.
pub(crate) fn forgetful(what: Forgets) -> MeddledStore<Forgetful> {
    MeddledStore::new(Arc::new(MemoryStore::default()), Forgetful { what, times: AtomicU64::default() })
}
