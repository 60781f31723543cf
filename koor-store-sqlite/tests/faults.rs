//! Real faults, and what becomes of the store and of what it has answered.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail as it does")]

mod common;

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use common::{ask, open, put_one, walk};
use koor_core::{
    CommandContext, Error, Invalid,
    domain::events::Event,
    ids::{Cursor, Version},
    ports::{CommitObserver, Store, StoreError, StoreHealth, StoreResult},
    testkit::bare::{change, document, key, store_error},
};
use koor_store_sqlite::{SqliteOptions, SqliteStore};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tempfile::TempDir;

async fn raw(directory: &TempDir) -> SqliteConnection {
    let url = format!("sqlite://{}", directory.path().join("data.db").display());
    SqliteConnection::connect(&url).await.unwrap()
}

/// Runs these jobs in one batch: the writer is held up until all of them are queued.
async fn together<F: Future>(store: &Arc<SqliteStore>, jobs: Vec<F>) -> Vec<F::Output> {
    let (open, gate) = std::sync::mpsc::sync_channel::<()>(1);
    let gate = Mutex::new(gate);
    let (held_up, is_held_up) = tokio::sync::mpsc::channel(1);
    let mut is_held_up = is_held_up;
    let blocker = store.clone();
    let blocker = tokio::spawn(async move {
        change(&*blocker, move |_| {
            let _ = held_up.try_send(());
            let _ = gate.lock().unwrap().recv();
            Ok(())
        })
        .await
    });
    is_held_up.recv().await.unwrap();
    let mut jobs: Vec<_> = jobs.into_iter().map(Box::pin).collect();
    // The first poll puts a job into the queue, or gets it refused.
    let mut context = Context::from_waker(Waker::noop());
    let polled: Vec<_> = jobs.iter_mut().map(|job| job.as_mut().poll(&mut context)).collect();
    drop(open);
    // It wrote nothing, but it fails with the batch if that one does.
    let _ = blocker.await.unwrap();
    let mut results = Vec::new();
    for (job, polled) in jobs.into_iter().zip(polled) {
        results.push(match polled {
            Poll::Ready(result) => result,
            Poll::Pending => job.await,
        });
    }
    results
}

async fn versions(store: &dyn Store, name: &str) -> Vec<u64> {
    let key = key(name);
    let revisions = ask(store, move |tx| tx.revisions(&key, 100)).await.unwrap();
    revisions.iter().map(|revision| revision.version.get()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_read_again_by_the_next_process() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    assert_eq!(put_one(&store, "a", b"1").await.unwrap(), Version::FIRST);
    put_one(&store, "a", b"2").await.unwrap();
    put_one(&store, "b", b"1").await.unwrap();
    store.close().await;
    assert!(matches!(put_one(&store, "c", b"1").await, Err(StoreError::Closed)));
    assert!(!directory.path().join("data.db-wal").exists(), "closing leaves no log behind");
    let store = open(directory.path()).await;
    let newest = store.latest_document(&key("a")).await.unwrap().unwrap();
    assert_eq!((newest.revision.version.get(), &newest.value[..]), (2, &b"2"[..]));
    assert_eq!(versions(&store, "a").await, [2, 1]);
    let report = ask(&store, walk).await.unwrap();
    assert_eq!((report.valid, report.entries), (true, 3));
    assert_eq!(put_one(&store, "a", b"3").await.unwrap().get(), 3);
    store.close().await;
}

type Job = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Runs a job between two others in one batch, and looks at what these get.
async fn companions_of(
    spoiler: impl Fn(&mut CommandContext<'_>) -> Result<(), Error> + Send + Sync + 'static,
) -> Result<(), Error> {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(directory.path()).await);
    let mut jobs: Vec<Job> = Vec::new();
    let companion = |name: &'static str| -> Job {
        let store = store.clone();
        Box::pin(async move { Ok(put_one(&*store, name, b"x").await.map(drop)?) })
    };
    jobs.push(companion("before"));
    let submitter = store.clone();
    jobs.push(Box::pin(async move { change(&*submitter, spoiler).await }));
    jobs.push(companion("after"));
    let mut results = together(&store, jobs).await;
    let after = results.pop().unwrap();
    let spoiler = results.pop().unwrap();
    let before = results.pop().unwrap();
    before.unwrap();
    after.unwrap();
    assert_eq!(versions(&*store, "before").await, [1]);
    assert_eq!(versions(&*store, "after").await, [1]);
    assert_eq!(versions(&*store, "spoiler").await, [0; 0]);
    assert_eq!(store.latest_document(&key("spoiler")).await.unwrap(), None);
    let report = ask(&*store, walk).await.unwrap();
    assert_eq!((report.valid, report.entries), (true, 2));
    store.close().await;
    spoiler
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_panics_fails_alone() {
    let result = companions_of(|cx| {
        cx.append_document(document("spoiler", 1, Some(b"x")));
        panic!("on purpose");
    })
    .await;
    let error = store_error(result);
    assert!(matches!(error, StoreError::Backend { attempted: "run the job", .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_half_way_fails_alone() {
    let result = companions_of(|cx| {
        cx.append_document(document("spoiler", 1, Some(b"x")));
        Err(StoreError::Busy.into())
    })
    .await;
    assert!(matches!(store_error(result), StoreError::Busy));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_refuses_after_a_change_leaves_nothing() {
    let refused = companions_of(|cx| {
        cx.append_document(document("spoiler", 1, Some(b"x")));
        Err(Invalid::new("no").into())
    });
    assert_eq!(refused.await.unwrap_err().to_string(), "no");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_refuses_before_it_changes_anything_leaves_nothing() {
    let refused = companions_of(|cx| {
        assert_eq!(cx.revision(&key("spoiler"))?, None);
        Err(Invalid::new("no").into())
    });
    assert_eq!(refused.await.unwrap_err().to_string(), "no");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_changes_cannot_be_written_fails_alone() {
    let result = companions_of(|cx| {
        // The same version twice: the second one cannot be kept.
        cx.append_document(document("spoiler", 1, Some(b"x")));
        cx.append_document(document("spoiler", 1, Some(b"x")));
        Ok(())
    })
    .await;
    assert!(matches!(store_error(result), StoreError::Backend { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_commit_fails_alone_and_leaves_no_transaction_open() {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(directory.path()).await);
    // A reference that is checked only by COMMIT, and that one kind of write breaks.
    let mut conn = raw(&directory).await;
    conn.execute(
        "CREATE TABLE trap (id INTEGER REFERENCES audit_log (id) DEFERRABLE INITIALLY DEFERRED); \
         CREATE TRIGGER trap AFTER INSERT ON document_key WHEN NEW.name = 'trap' \
         BEGIN INSERT INTO trap VALUES (-1); END;",
    )
    .await
    .unwrap();
    let jobs = ["a", "trap", "b"].map(|name| {
        let store = store.clone();
        async move { put_one(&*store, name, b"x").await }
    });
    let results = together(&store, jobs.into()).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert!(matches!(results[1], Err(StoreError::Backend { attempted: "commit", .. })), "{results:?}");
    assert_eq!(versions(&*store, "trap").await, [0; 0]);
    assert_eq!(put_one(&*store, "a", b"y").await.unwrap().get(), 2);
    let report = ask(&*store, walk).await.unwrap();
    assert_eq!((report.valid, report.entries), (true, 3));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_held_by_another_is_busy_and_then_over() {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(directory.path()).await);
    put_one(&*store, "a", b"1").await.unwrap();
    let mut other = raw(&directory).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let jobs = [0; 3].map(|_| {
        let store = store.clone();
        async move { put_one(&*store, "a", b"2").await }
    });
    let begin = std::time::Instant::now();
    for result in together(&store, jobs.into()).await {
        assert!(matches!(result, Err(StoreError::Busy)), "{result:?}");
    }
    assert!(begin.elapsed().as_secs() < 5, "they wait together, not one after another");
    assert_eq!(versions(&*store, "a").await, [1], "reading goes on");
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(put_one(&*store, "a", b"2").await.unwrap().get(), 2);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_contradicts_itself_is_named() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    store.close().await;
    let mut conn = raw(&directory).await;
    conn.execute("UPDATE document_version SET hash = x'00'").await.unwrap();
    conn.execute("INSERT INTO template VALUES ('t', 'n', '', 'novel', '[]', '[]', 1, 0, 0)").await.unwrap();
    conn.close().await.unwrap();
    let store = open(directory.path()).await;
    let place = |result: StoreResult<()>| match result {
        Err(StoreError::Corrupt { place, source }) => format!("{place}: {}", source.unwrap()),
        other => panic!("{other:?}"),
    };
    let newest = store.latest_document(&key("a")).await.map(drop);
    assert!(place(newest).contains("table document_version, column hash, row a"));
    let templates = ask(&store, |tx| tx.templates(None, None).map(drop)).await;
    assert!(place(templates).contains("table template, column kind, row t"));
    // Where nothing is wrong, nothing is in the way.
    put_one(&store, "b", b"1").await.unwrap();
    let written = put_one(&store, "a", b"2").await.map(drop);
    assert!(place(written).contains("table document_version, column hash, row a"));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_cannot_be_changed_by_hand() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    let mut conn = raw(&directory).await;
    for change in [
        "UPDATE audit_log SET actor = 'intruder'",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE id = 1",
    ] {
        let refused = conn.execute(change).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    drop(conn);
    let report = ask(&store, walk).await.unwrap();
    assert_eq!((report.valid, report.entries), (true, 1));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_full_goes_on_reading_and_recovers_when_there_is_room() {
    let directory = TempDir::new().unwrap();
    let options = SqliteOptions { max_bytes: Some(1 << 20), ..SqliteOptions::new(directory.path()) };
    let store = SqliteStore::open(options).await.unwrap();
    assert_eq!(store.committer().health().await, StoreHealth::Ok);
    let value = vec![b'x'; 32 << 10];
    let mut written = 0;
    let refused = loop {
        match put_one(&store, "big", &value).await {
            Ok(version) => written = version.get(),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { reason: "disk full" }), "{refused:?}");
    assert!(written > 10, "{written}");
    let mut small = 0;
    while put_one(&store, "small", b"x").await.is_ok() {
        small += 1;
    }
    assert_eq!(store.committer().health().await, StoreHealth::Degraded("disk full".into()));
    let newest = store.latest_document(&key("big")).await.unwrap().unwrap();
    assert_eq!(newest.revision.version.get(), written);
    assert_eq!(versions(&store, "big").await.len() as u64, written);
    // Forgetting old versions needs no room, and makes some.
    let trimmed = change(&store, move |cx| {
        cx.trim_document(key("big"), Version::new(written).unwrap());
        Ok(())
    });
    trimmed.await.unwrap();
    assert_eq!(store.committer().health().await, StoreHealth::Ok);
    assert_eq!(put_one(&store, "big", &value).await.unwrap().get(), written + 1);
    let report = ask(&store, walk).await.unwrap();
    assert_eq!((report.valid, report.entries), (true, written + small + 1));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_every_write_is_not_healthy_whatever_the_reason() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    let mut conn = raw(&directory).await;
    conn.execute(
        "CREATE TRIGGER trap BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'on purpose'); END",
    )
    .await
    .unwrap();
    // One that fails says something about itself only; one after another says something about the store.
    put_one(&store, "a", b"2").await.unwrap_err();
    assert_eq!(store.committer().health().await, StoreHealth::Ok);
    for _ in 0..2 {
        put_one(&store, "a", b"2").await.unwrap_err();
    }
    assert_eq!(store.committer().health().await, StoreHealth::Degraded("writes fail".into()));
    assert_eq!(
        store.committer().health().await,
        StoreHealth::Degraded("writes fail".into()),
        "asking mends nothing"
    );
    conn.execute("DROP TRIGGER trap").await.unwrap();
    put_one(&store, "a", b"2").await.unwrap();
    assert_eq!(store.committer().health().await, StoreHealth::Ok);
    store.close().await;
}

/// A file system of two megabytes, if this machine lets us have one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(directory.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_that_was_answered() {
    let Some(disk) = SmallDisk::mount() else {
        // Elsewhere, the bound on the database's size stands in for a full disk.
        assert!(std::env::var_os("CI").is_none(), "CI must be able to mount a small disk");
        return;
    };
    let store = Arc::new(open(disk.0.path()).await);
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 512 << 10]).unwrap();
    let value = vec![b'x'; 8 << 10];
    let mut kept = 0;
    let refused = loop {
        match put_one(&*store, "big", &value).await {
            Ok(version) => kept = version.get(),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    assert!(matches!(store.committer().health().await, StoreHealth::Degraded(_)));
    // Several at once, too: each is refused, and none of them by half.
    let jobs = [0; 4].map(|_| {
        let (store, value) = (store.clone(), value.clone());
        async move { put_one(&*store, "big", &value).await }
    });
    for result in together(&store, jobs.into()).await {
        match result {
            Ok(version) => kept = kept.max(version.get()),
            Err(error) => assert!(matches!(error, StoreError::Full { .. }), "{error:?}"),
        }
    }
    assert_eq!(versions(&*store, "big").await.len().min(100) as u64, kept.min(100));
    let detached = store.read_detached(Box::new(|_| Ok(()))).await;
    assert!(matches!(detached, Err(StoreError::Full { .. })), "{detached:?}");
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(store.committer().health().await, StoreHealth::Ok);
    assert_eq!(put_one(&*store, "big", &value).await.unwrap().get(), kept + 1);
    store.close().await;
    let store = open(disk.0.path()).await;
    let report = ask(&store, walk).await.unwrap();
    assert_eq!((report.valid, report.entries), (true, kept + 1));
    store.close().await;
}

#[derive(Default)]
struct Seen {
    ids: Mutex<Vec<u64>>,
    calls: AtomicUsize,
}

impl CommitObserver for Seen {
    fn committed(&self, events: &[Event]) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.ids.lock().unwrap().extend(events.iter().map(|event| event.id.get()));
    }

    fn reset(&self, last: Cursor) {
        assert_eq!(last, Cursor::START, "this log never goes back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn observers_learn_of_what_is_durable_in_order_and_before_the_writers() {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(directory.path()).await);
    let seen = Arc::new(Seen::default());
    store.committer().set_commit_observer(seen.clone(), Cursor::START);
    let jobs: Vec<_> = (0..600)
        .map(|n| {
            let (store, seen) = (store.clone(), seen.clone());
            async move {
                put_one(&*store, &format!("k/{}", n % 7), b"x").await.unwrap();
                seen.ids.lock().unwrap().len()
            }
        })
        .collect();
    together(&store, jobs).await;
    assert_eq!(*seen.ids.lock().unwrap(), (1..=600).collect::<Vec<_>>());
    assert!(seen.calls.load(Ordering::Relaxed) < 50, "many jobs share a commit");
    let refused = change(&*store, |cx| {
        cx.append_document(document("refused", 1, Some(b"x")));
        Err::<(), _>(Invalid::new("no").into())
    });
    refused.await.unwrap_err();
    assert_eq!(seen.ids.lock().unwrap().len(), 600, "what was refused is not announced");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_job_may_change_more_than_one_statement_can_carry() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let changed = change(&store, |cx| {
        for n in 0..700 {
            cx.append_document(document(&format!("k/{n:03}"), 1, Some(b"x")));
        }
        cx.append_document(document("k/001", 2, None));
        cx.append_document(document("k/001", 3, Some(b"y")));
        cx.append_document(document("k/002", 2, None));
        cx.trim_document(key("k/001"), Version::new(2).unwrap());
        assert_eq!(cx.revision(&key("k/001"))?.map(|revision| revision.version.get()), Some(3));
        assert_eq!(cx.document_at(&key("k/001"), Version::FIRST)?, None, "it is trimmed");
        Ok(())
    });
    changed.await.unwrap();
    let found = ask(&store, |tx| {
        let value = tx.document(&key("k/001"))?.map(|document| document.value);
        let versions = tx.revisions(&key("k/001"), 9)?.len();
        Ok((tx.state_count()?, value, versions, tx.state_keys("k/00", None, None)?.len()))
    });
    assert_eq!(found.await.unwrap(), (699, Some("y".into()), 2, 9));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_read_sees_everything_and_leaves_nothing_behind() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    std::fs::create_dir(directory.path().join("data.copies")).unwrap();
    std::fs::write(directory.path().join("data.copies/copy-1-0.db"), b"left behind").unwrap();
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    store
        .read_detached(Box::new(move |tx| {
            sender.send(tx.documents_after(None, 10)?).unwrap();
            Ok(())
        }))
        .await
        .unwrap();
    assert_eq!(receiver.recv().unwrap(), [document("a", 1, Some(b"1"))]);
    store.close().await;
    let store = open(directory.path()).await;
    store.close().await;
    let mut names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["data.db", "data.lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_queue_takes_is_refused_at_once() {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(directory.path()).await);
    let jobs: Vec<_> = (0..2000)
        .map(|_| {
            let store = store.clone();
            async move { put_one(&*store, "a", b"x").await }
        })
        .collect();
    let results = together(&store, jobs).await;
    let done = results.iter().filter(|result| result.is_ok()).count();
    let busy = results.iter().filter(|result| matches!(result, Err(StoreError::Busy))).count();
    assert_eq!(done + busy, 2000);
    assert!(done >= 1024 && busy > 0, "{done} {busy}");
    let report = ask(&*store, walk).await.unwrap();
    assert_eq!((report.valid, report.entries), (true, done as u64));
    store.close().await;
}
