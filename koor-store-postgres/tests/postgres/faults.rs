//! What goes wrong between a server and its database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use koor_core::{
    Caller, Error, Koor,
    domain::ContentType,
    ids::{DocumentKey, StateKey},
    page::Limit,
    ports::StoreError,
    use_cases::PutDocument,
};
use koor_store_postgres::{PostgresOptions, PostgresStore, examine_database};
use tokio::{task::JoinSet, time::timeout};

use crate::{database::Schema, runner::Case};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("faults::connections_that_are_cut_lose_nothing_and_double_nothing", connections_are_cut),
        Case::new("faults::a_database_that_could_lose_changes_is_refused", synchronous_commit_is_off),
        Case::new("faults::tables_of_another_program_are_left_alone", tables_of_another_program),
        Case::new("faults::a_database_that_a_newer_program_has_changed_is_refused", a_newer_program),
        Case::new("faults::the_audit_log_is_append_only", the_audit_log_is_append_only),
        Case::new("faults::an_examination_changes_nothing", an_examination),
        Case::new("faults::a_client_that_holds_the_lock_is_ended", a_client_that_holds_the_lock),
    ]
}

async fn put(koor: &Koor, name: &str) -> Result<(), Error> {
    let put = PutDocument::state(StateKey::new(name).unwrap(), "1", ContentType::json()).unwrap();
    koor.execute(&Caller::local(), put).await.map(drop)
}

/// Each writer writes keys of its own, once each. What was answered is there with one version; what failed is there with one
/// or not at all; and the log has no hole.
async fn connections_are_cut(schema: Schema) {
    let koor = Koor::on(schema.open().await).open().await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        let (koor, done) = (koor.clone(), Arc::clone(&done));
        writers.spawn(async move {
            let mut answered = Vec::new();
            for n in 0.. {
                if done.load(Relaxed) {
                    break;
                }
                let name = format!("w{writer}/{n}");
                match put(&koor, &name).await {
                    Ok(()) => answered.push((name, true)),
                    Err(Error::Store(StoreError::Unreachable | StoreError::Unresolved)) => {
                        answered.push((name, false));
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
            answered
        });
    }
    for _ in 0..12 {
        // Writing is under way between two cuts: one key more is there.
        let before = koor.server_metrics().await.map_or(0, |metrics| metrics.state_keys);
        let progress = async {
            while koor.server_metrics().await.map_or(0, |metrics| metrics.state_keys) <= before {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_mins(1), progress).await.unwrap();
        schema.cut_connections().await;
    }
    done.store(true, Relaxed);
    let answered: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    let mut there = 0;
    for (name, acknowledged) in &answered {
        let key: DocumentKey = StateKey::new(name).unwrap().into();
        let versions = koor.history(&key, Limit::default()).await.map_or(0, |history| history.len());
        assert!(versions <= 1, "{name} was written {versions} times");
        assert!(!acknowledged || versions == 1, "{name} was answered and is not there");
        there += versions as u64;
    }
    assert!(there > 100, "only {there} keys were written");
    let bounds = koor.read(|tx| tx.log_bounds()).await.unwrap();
    assert_eq!(bounds.last.get(), there, "one event for each");
    let report = koor.verify_audit().await.unwrap();
    assert!(report.valid && report.entries == there, "{report:?}");
    koor.close().await;
}

async fn refusal(url: String) -> String {
    let opened = PostgresStore::open(PostgresOptions::new(url.parse().unwrap())).await;
    opened.err().map(|error| error.to_string()).unwrap_or_default()
}

async fn synchronous_commit_is_off(schema: Schema) {
    let url = format!("{}%20-c%20synchronous_commit%3Doff", schema.url());
    let why = refusal(url).await;
    assert!(why.contains("synchronous_commit is off"), "{why}");
    assert!(schema.run("SELECT 1 FROM log_head").await.is_err(), "nothing was written before");
}

async fn tables_of_another_program(schema: Schema) {
    schema.run("CREATE TABLE event (id integer)").await.unwrap();
    let why = refusal(schema.url()).await;
    assert!(why.contains("tables of another program"), "{why}");
}

async fn a_newer_program(schema: Schema) {
    koor_core::ports::Store::close(&schema.open().await).await;
    schema.run("UPDATE koor_meta SET schema = 9, schema_min = 9").await.unwrap();
    let why = refusal(schema.url()).await;
    assert!(why.contains("schema 9 or later"), "{why}");
    // One that only added something takes this server, too.
    schema.run("UPDATE koor_meta SET schema_min = 1").await.unwrap();
    koor_core::ports::Store::close(&schema.open().await).await;
}

async fn the_audit_log_is_append_only(schema: Schema) {
    let koor = Koor::on(schema.open().await).open().await.unwrap();
    put(&koor, "k").await.unwrap();
    for sql in ["DELETE FROM audit_log", "UPDATE audit_log SET actor = 'x'", "TRUNCATE audit_log"] {
        let refused = schema.run(sql).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    assert!(koor.verify_audit().await.unwrap().valid);
    koor.close().await;
}

async fn an_examination(schema: Schema) {
    let report = examine_database(&schema.url().parse().unwrap()).await.unwrap();
    assert_eq!((report.hosts, report.schema), (1, 0));
    assert!(schema.run("SELECT 1 FROM log_head").await.is_err(), "it has made tables");
    koor_core::ports::Store::close(&schema.open().await).await;
    assert_eq!(examine_database(&schema.url().parse().unwrap()).await.unwrap().schema, 3);
}

/// A write waits for the lock, and comes through when the database ends the session that sleeps on it.
async fn a_client_that_holds_the_lock(schema: Schema) {
    let koor = Koor::on(schema.open().await).open().await.unwrap();
    put(&koor, "k1").await.unwrap();
    let holder = schema.hold_lock().await;
    let written = timeout(Duration::from_mins(1), put(&koor, "k2")).await.unwrap();
    // It may have been given up first; then nothing was done, and the next one comes through.
    if written.is_err() {
        timeout(Duration::from_mins(1), put(&koor, "k2")).await.unwrap().unwrap();
    }
    drop(holder);
    assert_eq!(koor.server_metrics().await.unwrap().state_keys, 2);
    koor.close().await;
}
