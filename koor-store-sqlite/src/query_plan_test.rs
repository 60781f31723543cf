//! How the database means to find what it is asked for: every statement that this crate sends is held against the list of
//! what may be walked through.
//!
//! The statements are those that arrive while the whole contract suite and some random commands run, and every
//! combination of filters; that each kind of statement in the sources has arrived is checked too. So a new query can't
//! be left out by forgetting it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use koor_core::{
    Koor,
    clock::Timestamp,
    domain::{
        audit::{AuditFilter, Outcome},
        compliance::RunFilter,
        messages::{Mailbox, MessageFilter, Thread},
        usage::UsageFilter,
    },
    ids::{InstanceId, ProjectName, TaskNumber},
    page::TimeRange,
    ports::Store as _,
    testkit::{CASES, Harness, RESTART_CASES, StoreFixture, run_random},
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::{SqliteOptions, SqliteStore, rows::audit::MAKE_SORTED};

/// What was sent, by what it was sent for.
static SENT: Mutex<BTreeMap<&'static str, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

/// Remembers a statement.
pub(crate) fn note(attempted: &'static str, sql: &str) {
    let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    let texts = sent.entry(attempted).or_default();
    if !texts.contains(sql) {
        texts.insert(sql.to_owned());
    }
}

/// What may be walked through: what is done, which table, and why.
const MAY_BE_WALKED: [(&str, &str, &str); 24] = [
    ("read the end of the audit log", "audit_log", ENDS_AT_ONCE),
    ("read the last compliance run", "compliance_run", ENDS_AT_ONCE),
    ("read the last key", "document_key", ENDS_AT_ONCE),
    ("read the last usage record", "llm_usage", ENDS_AT_ONCE),
    ("migrate the database", "audit_log", "once"),
    ("migrate the database", "task", "once"),
    ("find events to prune", "event", "only what is kept, which retention bounds"),
    ("list compliance runs", "compliance_run", "from the newest until the page is full; RUNS_KEPT bounds it"),
    ("list usage records", "llm_usage", "from the newest until the page is full"),
    ("count instances", "instance", IS_THE_ANSWER),
    ("count leases", "lease", IS_COUNTED),
    ("count all unread messages", "message_receipt", IS_COUNTED),
    ("count tasks by project", "task_project", IS_THE_ANSWER),
    ("list instances", "instance", IS_THE_ANSWER),
    ("list tokens", "instance", IS_THE_ANSWER),
    ("list rules", "rule", IS_THE_ANSWER),
    ("list projects", "rule", IS_THE_ANSWER),
    ("list templates", "template", IS_THE_ANSWER),
    ("list webhooks", "webhook", IS_THE_ANSWER),
    ("list the last leases", "lease_project", IS_THE_ANSWER),
    ("list budgets", "budget", IS_THE_ANSWER),
    ("list sessions", "agent_session", IS_THE_ANSWER),
    ("list who was briefed", "agent_briefed", IS_THE_ANSWER),
    ("sum up the audit log", "audit_log", "the index on time once, to count all there is"),
];
const ENDS_AT_ONCE: &str = "in the order of ids, and one row of it";
const IS_COUNTED: &str = "an index alone, for those who watch the server";
const IS_THE_ANSWER: &str = "the answer is all of it, or what the core filters out of all of it";

/// What must come out of an index in order: to sort would be to read all that there is first.
const NEVER_SORTED: [&str; 2] = ["find the next tasks", "find the next needs"];

/// What may look through all tasks of a project: a list of them, until it is full.
const MAY_LOOK_THROUGH_A_PROJECT: [&str; 1] = ["list tasks"];

/// What is not sent here: the one only when a disk is full, to a table of one row; the other asks the file system.
const NOT_SENT: [&str; 2] = ["try to write", "measure the database"];

/// A store in a directory of its own, which lives as long as it can be opened again.
async fn fixture() -> StoreFixture {
    let directory = Arc::new(TempDir::new().unwrap());
    StoreFixture::reopening(move || {
        let directory = directory.clone();
        async move {
            // So that the index of the audit log is brought on, too.
            let options = SqliteOptions { index_after: 5, ..SqliteOptions::new(directory.path()) };
            SqliteStore::open(options).await.unwrap()
        }
    })
    .await
}

/// Asks with every combination of filters where the text of the statement depends on them.
async fn ask_in_every_way(koor: &Koor) {
    let some = |bits: u32, bit: u32| (bits & bit != 0).then(|| "x".to_owned());
    let range = |bits: u32, bit: u32| TimeRange {
        from: (bits & bit != 0).then(|| Timestamp::from_millis(1_700_000_000_000)),
        to: None,
    };
    for bits in 0..32 {
        for outcome in [None, Some(Outcome::Success), Some(Outcome::Denied), Some(Outcome::Error)] {
            let filter = AuditFilter {
                actor: some(bits, 1),
                action: some(bits, 2),
                resource: some(bits, 4),
                outcome,
                range: range(bits, 8),
                after: (bits & 16 != 0).then_some(1),
            };
            koor.read(move |tx| tx.audit(&filter, 50)).await.unwrap();
        }
    }
    koor.read(|tx| {
        tx.instance_tokens().map(drop)?;
        tx.leases_of_task(&ProjectName::new("x").unwrap(), TaskNumber::FIRST).map(drop)?;
        tx.leases(&ProjectName::new("x").unwrap(), Some(&"a".parse().unwrap())).map(drop)
    })
    .await
    .unwrap();
    for bits in 0..8 {
        let of = Mailbox {
            project: (bits & 1 != 0).then(|| ProjectName::new("x").unwrap()),
            name: "a".parse().unwrap(),
        };
        let thread = (bits & 4 != 0).then(|| Thread::Named("x".into()));
        let filter = MessageFilter { unread: bits & 2 != 0, thread, after: 0 };
        let asked = (of.clone(), filter.clone());
        koor.read(move |tx| tx.inbox(&asked.0, &asked.1, 50)).await.unwrap();
        koor.read(move |tx| tx.sent("x/a", &filter, 50)).await.unwrap();
        koor.read(move |tx| tx.unread(&of)).await.unwrap();
    }
    for bits in 0..16 {
        let filter = UsageFilter {
            instance: some(bits, 1),
            project: some(bits, 2),
            session_tag: some(bits, 4),
            range: range(bits, 8),
        };
        koor.read(move |tx| tx.usage(&filter, 50)).await.unwrap();
        let filter = RunFilter {
            instance_id: (bits & 1 != 0).then(|| InstanceId::from_bytes([7; 16])),
            project: (bits & 2 != 0).then(|| ProjectName::new("x").unwrap()),
            pass: (bits & 4 != 0).then_some(bits & 8 != 0),
        };
        koor.read(move |tx| tx.runs(&filter, 50)).await.unwrap();
    }
}

/// What statements are sent for, as it stands in the sources.
fn named_in_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.ends_with("query_plan_test.rs") {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        for before in ["Statement::new(", "Statement::assembled(", "const ATTEMPTED: &str ="] {
            for (at, _) in text.match_indices(before) {
                let rest = text[at + before.len()..].trim_start();
                if let Some(rest) = rest.strip_prefix('"') {
                    found.extend(rest.split('"').next().map(str::to_owned));
                }
            }
        }
    }
    found
}

/// The steps by which the database means to do a statement.
async fn plan(conn: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(conn).await;
    let plan = plan.unwrap_or_else(|error| panic!("{error} in {sql}"));
    plan.iter().map(|row| row.get::<String, _>("detail")).collect()
}

/// The tables that are walked through from end to end.
fn walked(plan: &[String]) -> Vec<String> {
    let walks = plan.iter().filter_map(|step| {
        let rest = step.strip_prefix("SCAN ")?;
        // What a subquery found, a list of parameters, and a list that came as a parameter are no tables.
        let ours =
            ["json_each", "CONSTANT", "(subquery", "trim", "changed", "tag", "newer", "waits_for", "near"];
        (!ours.iter().any(|word| rest.starts_with(word))
            && !rest.contains("VIRTUAL TABLE")
            && !rest.contains("VALUES CLAUSE"))
        .then(|| rest.to_owned())
    });
    walks.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_walked_through_that_need_not_be() {
    for case in CASES.iter().chain(RESTART_CASES) {
        case.run(fixture().await).await;
    }
    let harness = Harness::on(fixture().await).await;
    for seed in 0..4 {
        run_random(&harness, seed, 200).await;
    }
    ask_in_every_way(&harness.koor).await;

    let directory = TempDir::new().unwrap();
    let options = SqliteOptions { max_bytes: Some(1 << 30), ..SqliteOptions::new(directory.path()) };
    SqliteStore::open(options).await.unwrap().close().await;

    let sent = SENT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let missing: Vec<String> = named_in_sources()
        .into_iter()
        .filter(|name| !NOT_SENT.contains(&name.as_str()) && !sent.contains_key(name.as_str()))
        .collect();
    assert_eq!(missing, [""; 0], "never sent: say in the contract suite what it must do");

    let options = SqliteConnectOptions::new().filename(directory.path().join("data.db"));
    let mut conn = options.connect().await.unwrap();
    sqlx::query(MAKE_SORTED).execute(&mut conn).await.unwrap();
    let mut unknown = Vec::new();
    let mut used = BTreeSet::new();
    for (attempted, texts) in &sent {
        // The planner looks at what is bound to a limit that is nothing but a parameter, and so plans anew each time.
        let peeked = texts.iter().find(|text| text.contains("LIMIT ?"));
        assert_eq!(peeked, None, "{attempted}: write LIMIT 0 + ?, which is planned once");
        for statement in texts.iter().flat_map(|text| text.split(';')).map(str::trim) {
            let looks = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
            // What a trigger does is planned where the trigger is.
            let is_of_trigger = statement.contains("new.");
            if is_of_trigger || !looks.iter().any(|word| statement.starts_with(word)) {
                continue;
            }
            let plan = plan(&mut conn, statement).await;
            if NEVER_SORTED.contains(attempted) {
                let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
                assert!(!sorts, "{attempted} sorts: {plan:?}");
            }
            let by_project = plan
                .iter()
                .find(|step| step.starts_with("SEARCH task USING INDEX") && step.ends_with("(project=?)"));
            if let Some(step) = by_project.filter(|_| !MAY_LOOK_THROUGH_A_PROJECT.contains(attempted)) {
                unknown.push(format!("{attempted}: {step}: {statement:.300}"));
            }
            for walk in walked(&plan) {
                let table = walk.split(' ').next().unwrap_or_default();
                let known =
                    MAY_BE_WALKED.iter().position(|(what, of, _why)| what == attempted && *of == table);
                match known {
                    Some(known) => drop(used.insert(known)),
                    None => unknown.push(format!("{attempted}: {walk}: {statement:.300}")),
                }
            }
        }
    }
    unknown.sort();
    unknown.dedup();
    assert!(unknown.is_empty(), "walks through all of:\n{}", unknown.join("\n"));
    assert_eq!(used.len(), MAY_BE_WALKED.len(), "the list names what is no longer walked through");
}
