//! The one door to a store: jobs go in, and come back when what they did is durable.

use std::{error::Error as StdError, fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    domain::{events::Event, state::Document},
    ids::DocumentKey,
    ports::{
        AuditLog, AuditRead, ComplianceLog, ComplianceRead, EventLog, EventRead, InstanceRead,
        InstanceRegistry, MetricsRead, MetricsRepo, RuleBook, RuleRead, SpecRegistry, StateRead, StateRepo,
        TemplateRead, TemplateRepo, UsageLog, UsageRead, WebhookRead, WebhookRepo,
    },
};

/// What a store does instead of its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The technology behind the store failed.
    #[error("cannot {attempted}")]
    Backend {
        /// What was being done, for the log.
        attempted: &'static str,
        /// What the technology said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// What is stored contradicts itself.
    #[error("corrupt data in {place}")]
    Corrupt {
        /// Table, column and row, or whatever names a place there.
        place: String,
        /// What could not be read, where something could not.
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// More work is queued than the store takes on.
    #[error("the store is busy, try again")]
    Busy,
    /// There is no room to write, or no permission to.
    #[error("the store cannot write: {reason}")]
    Full {
        /// `disk full`, `read-only` and the like: fit for a client to read.
        reason: &'static str,
    },
    /// The store has been shut.
    #[error("the store is closed")]
    Closed,
}

/// The result of every port method.
pub type StoreResult<T> = Result<T, StoreError>;

/// A snapshot to read from: everything in it is as of one moment.
pub trait ReadTx:
    StateRead
    + SpecRegistry
    + EventRead
    + InstanceRead
    + RuleRead
    + WebhookRead
    + ComplianceRead
    + TemplateRead
    + AuditRead
    + MetricsRead
    + UsageRead
{
}

impl<T> ReadTx for T where
    T: StateRead
        + SpecRegistry
        + EventRead
        + InstanceRead
        + RuleRead
        + WebhookRead
        + ComplianceRead
        + TemplateRead
        + AuditRead
        + MetricsRead
        + UsageRead
{
}

/// A transaction to write in: all of it becomes durable, or none.
pub trait WriteTx:
    ReadTx
    + StateRepo
    + EventLog
    + InstanceRegistry
    + RuleBook
    + WebhookRepo
    + ComplianceLog
    + TemplateRepo
    + AuditLog
    + MetricsRepo
    + UsageLog
{
    /// Whether the job that is running has written anything yet.
    fn dirty(&self) -> bool;
}

/// What a job wants to become of what it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It shall be durable.
    Keep,
    /// It shall never have been. Cheap only for a job that has written nothing.
    Undo,
}

/// A change, as a store runs it. It may be run more than once, each time from the start and with nothing left of the
/// time before; what it hands to its caller on the way counts only when [`Store::submit`] has answered.
pub type WriteJob = Box<dyn FnMut(&mut dyn WriteTx) -> StoreResult<Verdict> + Send>;

/// A question, as a store runs it. It is run once at most.
pub type ReadJob = Box<dyn FnOnce(&mut dyn ReadTx) -> StoreResult<()> + Send>;

/// Learns of events the moment they are durable.
pub trait CommitObserver: Send + Sync + 'static {
    /// Called after each commit that holds events, before any of its jobs is answered, with all its events. Calls
    /// follow each other in the order of ids. Must be quick: writing waits for it.
    fn committed(&self, events: &[Event]);
}

/// Whether a store can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreHealth {
    /// It can.
    Ok,
    /// It can read, but not write, for this reason.
    Degraded(String),
}

/// What a store has written since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commits {
    /// How often it committed something.
    pub commits: u64,
    /// How many jobs these commits carried.
    pub jobs: u64,
}

/// A place where everything is kept.
///
/// Guarantees:
/// - A job is whole: all that it wrote is there, or nothing. So it is when the process is killed at any moment.
/// - When `submit` answers `Ok`, what the job wrote is durable and every later read sees it. When it answers `Err`,
///   none of it is there.
/// - Jobs run one after another, as if each were alone.
/// - A caller that goes away does not take its job with it: it runs, or it does not, but never by half.
/// - A job that panics fails alone.
///
/// Freedoms: several jobs may share one commit; a job may be run again; jobs that are waiting may be refused with
/// [`StoreError::Busy`] when too many are.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Runs a change, and answers when it is durable, or undone.
    async fn submit(&self, job: WriteJob) -> StoreResult<()>;

    /// Runs a question on a snapshot. It should be short: a snapshot that stays open holds up housekeeping.
    async fn inspect(&self, job: ReadJob) -> StoreResult<()>;

    /// As [`inspect`](Self::inspect), for a job that may take long: it holds nothing up.
    async fn inspect_at_leisure(&self, job: ReadJob) -> StoreResult<()>;

    /// The newest version of a document, tombstone included, as of now: what many ask for, so a store may keep it in
    /// memory.
    async fn newest(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>>;

    /// Names the one that learns of commits from now on. Events of earlier commits are in the log.
    fn observe(&self, observer: Arc<dyn CommitObserver>);

    /// Whether the store can write now; finds out, where the last attempt failed.
    async fn health(&self) -> StoreHealth;

    /// What it has written since it was opened.
    fn commits(&self) -> Commits;

    /// How many bytes it takes up.
    async fn size(&self) -> StoreResult<u64>;

    /// Finishes what is queued, takes on nothing more, and leaves everything in order. Everything that was answered is
    /// kept without this call, too.
    async fn close(&self);
}

impl fmt::Debug for dyn Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Store")
    }
}
