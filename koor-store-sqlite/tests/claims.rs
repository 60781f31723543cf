//! The next task is found as fast among many that do not fit as among few.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail as it does")]

use std::time::{Duration, Instant};

use koor_core::{Caller, Koor, domain::tasks::ReadyQuery, use_cases::CreateTasks};
use koor_store_sqlite::{SqliteOptions, SqliteStore};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};
use tempfile::TempDir;

/// So many tasks do not fit, for each reason.
const MISFITS: u32 = 30_000;
const QUESTIONS: usize = 101;

/// Makes many more of the first task of project `p`, each with these values instead of the first one's.
async fn multiply(conn: &mut SqliteConnection, from: u32, values: &str) {
    let sql = format!(
        "INSERT INTO task (project, number, status, priority, claimable, delayed, assignee, labels, needs, data) \
         WITH RECURSIVE n (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM n WHERE n < {from} + {MISFITS} - 1) \
         SELECT project, n, status, 0, 1, 0, {values}, json_set(data, '$.number', n) FROM task, n WHERE project = 'p' AND number = 1"
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
}

/// The median time to find the next task, and its number.
async fn find(koor: &Koor, labels: &[&str]) -> (Duration, u64) {
    let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    let capabilities = ["css", "go"].map(str::to_owned);
    let (project, name) = ("p".parse().unwrap(), "ann".parse().unwrap());
    let query = ReadyQuery::of(&project, &name, &capabilities, &labels);
    let (mut times, mut number) = (Vec::new(), 0);
    for _ in 0..QUESTIONS {
        let begun = Instant::now();
        let found = koor.ready_tasks(query.clone(), 1).await.unwrap();
        times.push(begun.elapsed());
        number = found.first().map_or(0, |task| task.number.get());
    }
    times.sort_unstable();
    (times[QUESTIONS / 2], number)
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_do_not_fit_cost_a_claim_nothing() {
    let directory = TempDir::new().unwrap();
    let store = SqliteStore::open(SqliteOptions::new(directory.path())).await.unwrap();
    let koor = Koor::on(store).open().await.unwrap();
    let tasks =
        json!([{"title": "a", "labels": ["ui", "web"], "needs": ["css"]}, {"title": "b", "labels": ["ui"]}]);
    let create =
        CreateTasks::new(&Caller::local(), "p".parse().unwrap(), serde_json::from_value(tasks).unwrap());
    koor.execute(&Caller::local(), create.unwrap()).await.unwrap();
    let questions: [&[&str]; 3] = [&[], &["ui"], &["ui", "web"]];
    let mut before = Vec::new();
    for labels in questions {
        let (time, number) = find(&koor, labels).await;
        assert_eq!(number, 1, "{labels:?}");
        before.push(time);
    }
    // All of them come before the task that fits.
    let path = directory.path().join("data.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let end = "char(1)";
    for (from, values) in [
        (10, "'bob', '[\"ui\",\"web\"]', ''".to_owned()),
        (100_000, format!("'', '[\"ui\",\"web\"]', 'css' || {end} || 'sql' || {end}")),
        (200_000, format!("'', '[\"ui\",\"web\"]', 'x' || n || {end}")),
    ] {
        multiply(&mut conn, from, &values).await;
    }
    conn.close().await.unwrap();
    for (labels, before) in questions.into_iter().zip(before) {
        let (time, number) = find(&koor, labels).await;
        assert_eq!(number, 1, "{labels:?}");
        // A look at each of them would take a hundred times as long.
        assert!(time < 5 * before + Duration::from_millis(2), "{labels:?}: {before:?}, then {time:?}");
    }
    koor.close().await;
}
