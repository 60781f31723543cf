//! A stage for tests: a core on a store, with a clock and ids that the test owns.

use std::{future::Future, pin::Pin, sync::Arc};

use serde_json::{Value, json};

use super::{FakeClock, FakeIds, dump};
use crate::{
    app::Koor,
    caller::{Caller, InstanceRef, Role},
    command::Command,
    domain::{
        ContentType, RawJson, audit::AuditEntry, events::Event, instances::Instance, state::Precondition,
    },
    error::Error,
    ids::{DocumentKey, SpecKey, StateKey, Topic, Version},
    page::Limit,
    pattern::{Pattern, TopicFilter},
    ports::Store,
    settings::Settings,
    use_cases::{
        ActivateInstance, DeleteDocument, InstanceDraft, PublishEvent, PutDocument, RegisterInstance,
        Registered, Written,
    },
};

type Opening = Pin<Box<dyn Future<Output = Arc<dyn Store>> + Send>>;

/// A fresh and empty store, and how to open it again where it outlives the process.
pub struct StoreFixture {
    /// The store.
    pub store: Arc<dyn Store>,
    reopen: Option<Box<dyn Fn() -> Opening + Send + Sync>>,
}

impl StoreFixture {
    /// A store that ends with the process.
    pub fn of(store: impl Store) -> Self {
        Self { store: Arc::new(store), reopen: None }
    }

    /// A store that can be opened again; `open` does, the first time too.
    pub async fn reopening<S, F>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        S: Store,
        F: Future<Output = S> + Send + 'static,
    {
        let reopen = move || -> Opening {
            let opening = open();
            Box::pin(async move { Arc::new(opening.await) as Arc<dyn Store> })
        };
        Self { store: reopen().await, reopen: Some(Box::new(reopen)) }
    }
}

/// A core on a store, with a clock and ids that the test owns.
pub struct Harness {
    /// The core.
    pub koor: Koor,
    /// Its clock.
    pub clock: FakeClock,
    ids: FakeIds,
    settings: Settings,
    fixture: StoreFixture,
}

impl Harness {
    /// Sets the stage.
    pub async fn on(fixture: StoreFixture) -> Self {
        Self::with(fixture, Settings::default()).await
    }

    /// Sets the stage with these settings.
    pub async fn with(fixture: StoreFixture, settings: Settings) -> Self {
        let (clock, ids) = (FakeClock::default(), FakeIds::default());
        let koor = open(&fixture, &clock, &ids, &settings).await;
        Self { koor, clock, ids, settings, fixture }
    }

    /// Closes the core and opens it again on what was kept.
    pub async fn restart(&mut self) {
        self.koor.close().await;
        let reopen = self.fixture.reopen.as_ref().expect("a fixture that outlives the process");
        self.fixture.store = reopen().await;
        self.koor = open(&self.fixture, &self.clock, &self.ids, &self.settings).await;
    }

    /// Opens another core on the same store, as a process does that starts on what another one has kept.
    pub async fn reopen_core(&mut self) {
        self.koor.flush_activity().await.unwrap();
        self.koor = open(&self.fixture, &self.clock, &self.ids, &self.settings).await;
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.fixture.store
    }

    /// Everything that is kept.
    pub async fn dump(&self) -> Vec<String> {
        dump(self.store()).await
    }

    /// Executes a command for a local caller.
    ///
    /// # Errors
    /// As the command.
    pub async fn run<C: Command>(&self, command: C) -> Result<C::Output, Error> {
        Ok(self.koor.execute(&Caller::local(), command).await?.output)
    }

    /// Stores a state document.
    pub async fn put(&self, name: &str, value: &str) -> Written {
        self.run(put(name, value)).await.unwrap()
    }

    /// Stores a state document if a condition holds.
    ///
    /// # Errors
    /// When it does not.
    pub async fn put_if(&self, name: &str, value: &str, condition: Precondition) -> Result<Written, Error> {
        self.run(put(name, value).only_if(condition)).await
    }

    /// Deletes a state document.
    pub async fn delete(&self, name: &str) -> Written {
        self.run(DeleteDocument::new(key(name))).await.unwrap()
    }

    /// Stores a spec.
    ///
    /// # Errors
    /// When its schema refuses it.
    pub async fn put_spec(&self, name: &str, value: &Value) -> Result<Written, Error> {
        let (caller, key, value) = (Caller::local(), spec(name), value.to_string().into());
        Ok(self.koor.put_spec(&caller, &key, value, Precondition::default()).await?.output)
    }

    /// Publishes an event with a number in it.
    pub async fn publish(&self, topic: &str, number: u64) -> Event {
        let data = RawJson::of(&number).unwrap();
        self.run(PublishEvent::new(Topic::new(topic).unwrap(), data, None).unwrap()).await.unwrap()
    }

    /// Registers an instance, and activates it.
    pub async fn agent(&self, name: &str, workspace: &str) -> Registered {
        let draft = InstanceDraft { stack: "rust".into(), ..InstanceDraft::new(name, workspace) };
        let register = RegisterInstance::new(&self.koor, &draft).unwrap();
        let registered = self.run(register).await.unwrap();
        self.run(ActivateInstance(registered.instance.id)).await.unwrap();
        registered
    }

    /// The last entries of the audit log, newest first.
    pub async fn audit(&self, most: u64) -> Vec<AuditEntry> {
        self.koor
            .audit(crate::domain::audit::AuditFilter::default(), Limit::new("limit", most).unwrap())
            .await
            .unwrap()
    }
}

async fn open(fixture: &StoreFixture, clock: &FakeClock, ids: &FakeIds, settings: &Settings) -> Koor {
    Koor::on_shared(Arc::clone(&fixture.store))
        .clock(clock.clone())
        .ids(ids.clone())
        .settings(settings.clone())
        .open()
        .await
        .unwrap()
}

/// A command that stores a state document.
pub(super) fn put(name: &str, value: &str) -> PutDocument {
    let key = StateKey::new(name).unwrap();
    PutDocument::state(key, value.to_owned(), ContentType::json()).unwrap()
}

/// The key of a state document.
pub(super) fn key(name: &str) -> DocumentKey {
    StateKey::new(name).unwrap().into()
}

/// The key of a spec, written `project/name`.
pub(super) fn spec(name: &str) -> SpecKey {
    let (project, name) = name.split_once('/').unwrap();
    SpecKey { project: project.parse().unwrap(), name: name.parse().unwrap() }
}

/// A version by its number.
pub(super) fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// Topics that match one of these patterns.
pub(super) fn topics(patterns: &[&str]) -> TopicFilter {
    TopicFilter::new(patterns.iter().map(|pattern| Pattern::new(pattern).unwrap()).collect())
}

/// An instance that calls as an agent.
pub(super) fn agent(registered: &Registered) -> Caller {
    agent_of(&registered.instance)
}

/// The same of an instance that was looked up.
pub(super) fn agent_of(instance: &Instance) -> Caller {
    Caller::instance(Role::Agent, InstanceRef::from(instance))
}

/// A rule as a client sends it.
pub(super) fn rule(project: &str, id: &str) -> crate::domain::rules::RuleDraft {
    let rule = json!({"project": project, "rule_id": id, "pattern": "TODO", "message": "no"});
    serde_json::from_value(rule).unwrap()
}
