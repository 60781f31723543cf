//! Which tasks an agent can claim, of tasks with every combination of needs, labels and assignee.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    caller::Caller,
    domain::tasks::{ReadyQuery, TaskFilter, TaskId, TaskOrder},
    ids::{ProjectName, TaskNumber},
    page::Limit,
    testkit::{Harness, StoreFixture},
    use_cases::{CreateTasks, EditTask},
};

fn project() -> ProjectName {
    "p".parse().unwrap()
}

/// The words of which the number has the bits.
fn some_of(words: &[&str], bits: u64) -> Vec<String> {
    let chosen = words.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
    chosen.map(|(_, word)| (*word).to_owned()).collect()
}

/// Asks as agents with all sorts of capabilities do, for all sorts of labels, and holds each answer against a look at every task.
async fn ask_in_every_way(harness: &Harness) {
    let limit = Limit::new("limit", 1000).unwrap();
    let all = harness.koor.tasks(project(), TaskFilter::default(), TaskOrder::Priority, limit).await.unwrap();
    for bits in 0..16 {
        let capabilities = some_of(&["a", "b", "bc", "d"], bits);
        for labels in [vec![], vec!["ui"], vec!["ui", "db"], vec!["db", "rare"], vec!["none"]] {
            let labels: Vec<String> = labels.into_iter().map(str::to_owned).collect();
            for query in ReadyQuery::of(&project(), &"ann".parse().unwrap(), &capabilities, &labels) {
                let expected: Vec<_> =
                    all.iter().filter(|task| query.matches(task)).map(|task| task.number).collect();
                for limit in [1, 3, 1000] {
                    let asked = query.clone();
                    let found = harness.koor.read(move |tx| tx.ready_tasks(&asked, limit)).await.unwrap();
                    let found: Vec<_> = found.iter().map(|task| task.number).collect();
                    assert_eq!(found, expected[..limit.min(expected.len())], "{query:?}");
                }
            }
        }
    }
}

pub(super) async fn the_tasks_that_fit_are_found_among_all(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let assignees = ["", "ann", "bob"];
    let tasks: Vec<Value> = (0..128_u64)
        .map(|n| {
            json!({
                "title": format!("t{n}"), "priority": n % 5, "needs": some_of(&["d", "b", "a", "bc"], n / 8),
                "labels": some_of(&["db", "ui"], n % 4),
                "assignee": assignees[usize::try_from(n % 3).unwrap()],
            })
        })
        .chain([json!({"title": "rare", "labels": ["ui", "rare", "db"], "needs": ["bc", "bc"]})])
        .collect();
    let create = CreateTasks::new(&Caller::local(), project(), serde_json::from_value(json!(tasks)).unwrap());
    harness.run(create.unwrap()).await.unwrap();
    ask_in_every_way(&harness).await;
    // What is changed is found as it is now, and no longer as it was.
    for (number, edit) in [
        (1, json!({"needs": ["d"]})),
        (2, json!({"labels": ["ui", "rare"]})),
        (3, json!({"assignee": "ann"})),
        (4, json!({"priority": 0})),
        (5, json!({"after": [6]})),
        (129, json!({"labels": []})),
    ] {
        let fields: crate::domain::tasks::TaskEditFields = serde_json::from_value(edit).unwrap();
        let id = TaskId { project: project(), number: TaskNumber::new(number).unwrap() };
        harness.run(EditTask::new(&Caller::local(), id, fields.try_into().unwrap(), None)).await.unwrap();
    }
    ask_in_every_way(&harness).await;
    let every = some_of(&["a", "b", "bc", "d"], 15);
    let [unassigned, _] = ReadyQuery::of(&project(), &"ann".parse().unwrap(), &every, &[]);
    let found = harness.koor.read(move |tx| tx.ready_tasks(&unassigned, 1000)).await.unwrap();
    let numbers: BTreeSet<_> = found.iter().map(|task| task.number).collect();
    assert_eq!(numbers.len(), found.len(), "each is found once");
}
