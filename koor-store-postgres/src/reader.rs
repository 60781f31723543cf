//! Readers: threads with a connection each, fed from one queue.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender},
    },
};

use koor_core::{
    domain::state::Document,
    ids::DocumentKey,
    ports::{ReadJob, StoreResult},
};
use tokio::sync::oneshot;

use crate::{conn::Conn, error::broken, rows::state, snapshot::Snapshot, statement::Statement};

/// Questions that may wait. They take about a millisecond each, so this is some tenths of a second.
pub(crate) const READ_QUEUE: usize = 1024;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const SELECT_SIZE: &str = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint AS size FROM pg_class \
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";

/// What a reader is asked.
pub(crate) enum Question {
    /// To run a job on a snapshot.
    Job { job: ReadJob, answer: oneshot::Sender<StoreResult<()>> },
    /// For the newest version of a document, and its row.
    Document { key: DocumentKey, answer: oneshot::Sender<StoreResult<Option<(i64, Document)>>> },
    /// How many bytes the tables take up.
    Size { answer: oneshot::Sender<StoreResult<u64>> },
}

/// What [`serve`] takes its questions from.
pub(crate) type Questions = Arc<Mutex<Receiver<Question>>>;

/// Answers questions until the last sender is dropped. `alive` is held as long as the connection is open.
pub(crate) fn serve(mut conn: Conn, queue: &Mutex<Receiver<Question>>, alive: SyncSender<Infallible>) {
    loop {
        let question = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match question {
            Err(_) => break,
            // A caller that has gone away needs no answer, here and below.
            Ok(Question::Job { answer, .. }) if answer.is_closed() => {}
            Ok(Question::Document { answer, .. }) if answer.is_closed() => {}
            Ok(Question::Job { job, answer }) => {
                let _ = answer.send(begin(&mut conn).and_then(|()| run(&mut conn, job)));
                // After the answer, which need not wait for it.
                conn.roll_back();
            }
            Ok(Question::Size { answer }) => {
                let _ = answer.send(once_more(&mut conn, size));
            }
            Ok(Question::Document { key, answer }) => {
                let _ = answer.send(once_more(&mut conn, |conn| state::find_newest(conn, &key)));
            }
        }
        conn.begin_anew();
    }
    conn.close();
    drop(alive);
}

fn size(conn: &mut Conn) -> StoreResult<u64> {
    let statement = Statement::new("measure the database", SELECT_SIZE);
    Ok(conn.row(statement, "pg_class", |row| row.count("size"))?.unwrap_or(0))
}

/// Opens a snapshot; where the connection turns out to be gone, on a new one.
pub(crate) fn begin(conn: &mut Conn) -> StoreResult<()> {
    once_more(conn, |conn| conn.script("open a snapshot", BEGIN.to_owned(), "", |_| Ok(())).map(drop))
}

/// Reads something; where the connection turns out to be gone, once more on a new one.
fn once_more<T>(conn: &mut Conn, read: impl Fn(&mut Conn) -> StoreResult<T>) -> StoreResult<T> {
    match read(conn) {
        Err(_) if !conn.is_connected() => {
            conn.begin_anew();
            read(conn)
        }
        done => done,
    }
}

/// Runs a job on the snapshot that is open.
pub(crate) fn run(conn: &mut Conn, job: ReadJob) -> StoreResult<()> {
    let mut tx = Snapshot { conn };
    let result = catch_unwind(AssertUnwindSafe(|| job(&mut tx)));
    result.unwrap_or_else(|_| Err(broken("run the job", "it panicked")))
}
