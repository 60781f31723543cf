//! Readers: threads with a read-only connection each, fed from one queue.

use std::{
    convert::Infallible,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender},
    },
};

use koor_core::ports::{ReadJob, StoreError, StoreResult};
use tokio::sync::oneshot;

use crate::{
    audit_tail::AuditTail,
    conn::{Conn, Statement},
    copies::Copy,
    error::{broken, store_error},
    open,
    snapshot::Snapshot,
};

/// Questions that may wait. They take well under a millisecond each, so this is some tenths of a second.
pub(crate) const READ_QUEUE: usize = 1024;

const COPY: &str = "VACUUM INTO ?";

/// A question, and who waits for the answer.
pub(crate) struct Question {
    pub(crate) job: ReadJob,
    /// Whether the job asks once, and so has its snapshot in any case.
    pub(crate) single: bool,
    pub(crate) answer: oneshot::Sender<StoreResult<()>>,
}

/// Answers questions until the last sender is dropped. `alive` is held as long as the connection is open.
pub(crate) fn serve(
    mut conn: Conn,
    queue: &Mutex<Receiver<Question>>,
    audit_tail: &AuditTail,
    alive: SyncSender<Infallible>,
) {
    loop {
        let question = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Question { job, single, answer }) = question else { break };
        // A caller that has gone away needs no answer.
        if answer.is_closed() {
            continue;
        }
        if !single {
            conn.begin_snapshot();
        }
        let _ = answer.send(run(&mut conn, Some(audit_tail), job));
        // After the answer, which need not wait for it.
        if !single {
            conn.end_snapshot();
        }
    }
    if let Err(error) = conn.close() {
        tracing::debug!(%error, "cannot close a reader");
    }
    drop(alive);
}

fn run(conn: &mut Conn, audit_tail: Option<&AuditTail>, job: ReadJob) -> StoreResult<()> {
    conn.begin_anew();
    let mut tx = Snapshot { conn, audit_tail };
    let result = catch_unwind(AssertUnwindSafe(|| job(&mut tx)));
    result.unwrap_or_else(|_| Err(broken("run the job", "it panicked")))
}

/// Runs a job on a copy of the database, so that no snapshot stays open while it takes its time.
pub(crate) fn run_detached(database: &Path, job: ReadJob) -> StoreResult<()> {
    const ATTEMPTED: &str = "copy the database";
    let directory = database.parent().unwrap_or(Path::new("."));
    let copy = Copy::new(directory).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { reason: "disk full" },
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            StoreError::Full { reason: "read-only" }
        }
        _ => StoreError::Backend { attempted: ATTEMPTED, source: error.into() },
    })?;
    let name =
        copy.path().to_str().ok_or_else(|| broken(ATTEMPTED, "the data directory's path is not UTF-8"))?;
    let connect = |options| open::connect(&options).map_err(|error| store_error(ATTEMPTED, error));
    let mut source = connect(open::reading_with_care(database))?;
    let copied = source.execute(Statement::new(ATTEMPTED, COPY).bind(name));
    let closed = source.close().map_err(|error| store_error(ATTEMPTED, error));
    copied?;
    closed?;
    // It is never written: it needs no locks, and leaves no files beside it.
    let mut conn = connect(open::reading_with_care(copy.path()).immutable(true))?;
    let result = run(&mut conn, None, job);
    if let Err(error) = conn.close() {
        tracing::debug!(%error, "cannot close a copy");
    }
    result
}

/// What `serve` takes its questions from.
pub(crate) type Questions = Arc<Mutex<Receiver<Question>>>;
