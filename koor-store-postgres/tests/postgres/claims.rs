//! What a claim reads of the tables, as the database itself counts it.

use std::time::Duration;

use koor_core::{
    Caller, InstanceRef, Role,
    domain::tasks::{TaskFields, TaskId},
    ids::TaskNumber,
    testkit::{Harness, StoreFixture},
    use_cases::{ClaimRequest, Claimed, CreateTasks, FinishTask, Holding, SetCapabilities},
};
use serde_json::{Value, json};

use crate::{database::Schema, runner::Case};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("claims::a_claim_reads_only_what_it_needs", a_claim_reads_only_what_it_needs),
        Case::new(
            "claims::a_database_of_the_first_schema_offers_its_tasks",
            the_first_schema_offers_its_tasks,
        ),
        Case::new("claims::needs_and_labels_beyond_an_index_are_found", needs_and_labels_beyond_an_index),
    ]
}

/// All rows of the tables of tasks that were read, and all entries of their indexes.
const READ: &str = "SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables \
        WHERE schemaname = current_schema() AND relname LIKE 'task%') \
    + (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes \
        WHERE schemaname = current_schema() AND relname LIKE 'task%')::bigint AS read";

/// Tasks of one project that are no answer: most need what the agent cannot do, others are done, blocked, or for others.
const FILL: &str = "INSERT INTO task (project, number, status, priority, claimable, delayed, not_before, assignee, parent, key, \
        after, labels, needs, data) \
    SELECT 'p', n, CASE WHEN n % 5 = 0 THEN 'done' ELSE 'open' END, 0, n % 5 > 1, false, NULL, \
        CASE WHEN n % 5 = 2 THEN 'other' ELSE '' END, CASE WHEN n % 5 = 1 THEN 500 END, NULL, '{}', '{big}', \
        CASE WHEN n % 5 = 2 THEN '{}' ELSE ARRAY['x' || n % 5000] END, \
        (data::jsonb || jsonb_build_object('number', n))::text \
    FROM task CROSS JOIN generate_series(1000, 40000) AS n WHERE number = 1";

async fn create(harness: &Harness, tasks: Value) {
    let tasks: Vec<TaskFields> = serde_json::from_value(tasks).unwrap();
    harness.run(CreateTasks::new(&Caller::local(), "p".parse().unwrap(), tasks).unwrap()).await.unwrap();
}

async fn worker(harness: &Harness, name: &str, capabilities: &[&str]) -> Caller {
    let registered = harness.agent(name, "p").await;
    let able: Vec<String> = capabilities.iter().map(|&word| word.to_owned()).collect();
    harness.run(SetCapabilities::new(registered.instance.id, &able).unwrap()).await.unwrap();
    Caller::instance(Role::Agent, InstanceRef::from(&registered.instance))
}

async fn next(harness: &Harness, caller: &Caller, labels: &[&str]) -> Option<u64> {
    let labels = labels.iter().map(|&label| label.to_owned()).collect();
    let request = ClaimRequest { labels, ..ClaimRequest::default() };
    let claimed =
        harness.koor.claim_task(caller, "p".parse().unwrap(), request, Duration::ZERO).await.unwrap();
    match claimed.output {
        Claimed::Task(task) => Some(task.number.get()),
        Claimed::Nothing(_) => None,
    }
}

async fn finish(harness: &Harness, caller: &Caller, number: u64) {
    let id = TaskId { project: "p".parse().unwrap(), number: TaskNumber::new(number).unwrap() };
    let finish = FinishTask::new(Holding::new(caller, id, None), None, None).unwrap();
    harness.koor.execute(caller, finish).await.unwrap();
}

async fn a_claim_reads_only_what_it_needs(schema: Schema) {
    let harness = Harness::on(StoreFixture::of(schema.open().await)).await;
    let able = worker(&harness, "able", &["sql", "y"]).await;
    let tasks: Vec<Value> = (0..20)
        .map(|n| {
            json!({"title": "t", "priority": 4, "needs": if n % 2 == 0 { json!(["sql"]) } else { json!([]) },
            "labels": if n % 4 == 0 { json!(["big", "rare"]) } else { json!([]) }})
        })
        .collect();
    create(&harness, Value::Array(tasks)).await;
    schema.run(FILL).await.unwrap();
    for analyzed in [false, true] {
        if analyzed {
            schema.run("ANALYZE").await.unwrap();
        }
        let before = schema.count_settled(READ).await;
        for labels in [&["big", "rare"][..], &[], &[], &[]] {
            let number = next(&harness, &able, labels).await.unwrap();
            assert!(number <= 20, "{number} does not fit");
            finish(&harness, &able, number).await;
        }
        assert_eq!(next(&harness, &able, &["none"]).await, None);
        let read = schema.count_settled(READ).await - before;
        // Nine operations, a few rows each. One look at all that is in the way would be 39,001.
        assert!(read < 1_500, "{read} rows were read, analyzed: {analyzed}");
    }
    harness.koor.close().await;
}

const OFFERS: &str = "SELECT coalesce(string_agg(concat_ws('|', project, assignee, label, needs, priority, number), E'\\n' \
    ORDER BY project, assignee, label, needs, priority, number), '') FROM task_offer";

async fn the_first_schema_offers_its_tasks(schema: Schema) {
    let harness = Harness::on(StoreFixture::of(schema.open().await)).await;
    let ann = worker(&harness, "ann", &["a"]).await;
    create(
        &harness,
        json!([{"title": "1", "needs": ["b", "a"], "labels": ["x", "y"]}, {"title": "2"}, {"title": "3", "assignee": "bob"},
            {"title": "4", "labels": ["l".repeat(400)], "needs": ["n".repeat(700)]}]),
    )
    .await;
    create(&harness, json!([{"title": "5", "after": [1]}])).await;
    assert_eq!(next(&harness, &ann, &[]).await, Some(2));
    harness.koor.close().await;
    let kept = schema.text(OFFERS).await;
    assert_eq!(kept.lines().count(), 3 + 1 + 2, "{kept}");
    schema
        .run(
            "DROP TABLE agent_session, task_hold, task_cost, budget; \
             ALTER TABLE llm_usage DROP COLUMN request_id, DROP COLUMN session, DROP COLUMN task, \
                DROP COLUMN cache_read_tokens, DROP COLUMN cache_write_tokens, DROP COLUMN priced, DROP COLUMN received_at; \
             DROP INDEX llm_usage_spent; \
             DROP TABLE task_offer; DROP FUNCTION task_offer_change CASCADE; DROP FUNCTION task_needs_key; \
             DROP FUNCTION task_label_key; UPDATE koor_meta SET schema = 1",
        )
        .await
        .unwrap();
    koor_core::ports::Store::close(&schema.open().await).await;
    assert_eq!(schema.text(OFFERS).await, kept);
}

/// An entry of an index has a bound, and what a task needs has another.
async fn needs_and_labels_beyond_an_index(schema: Schema) {
    let harness = Harness::on(StoreFixture::of(schema.open().await)).await;
    let words: Vec<String> = (0..50).map(|n| format!("{n:03}{}", "w".repeat(1_000))).collect();
    let able: Vec<&str> = words.iter().map(String::as_str).collect();
    let strong = worker(&harness, "strong", &able).await;
    let weak = worker(&harness, "weak", &able[1..]).await;
    let label = |last: char| format!("{}{last}", "l".repeat(1_000));
    create(
        &harness,
        json!([{"title": "1", "needs": words, "labels": [label('a')]}, {"title": "2", "needs": [words[1]], "labels": [label('b')]}]),
    )
    .await;
    assert_eq!(next(&harness, &weak, &[&label('c')]).await, None);
    assert_eq!(next(&harness, &weak, &[&label('a')]).await, None);
    assert_eq!(next(&harness, &weak, &[]).await, Some(2));
    assert_eq!(next(&harness, &strong, &[&label('a')]).await, Some(1));
    harness.koor.close().await;
}
