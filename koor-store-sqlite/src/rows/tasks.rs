//! `task`, `task_after`, `task_note`, `task_hold` and `task_project`. Triggers keep `task_offer` up.

use std::sync::Arc;

use koor_core::{
    clock::Timestamp,
    domain::tasks::{
        Fence, ReadyQuery, Task, TaskColumn, TaskCounts, TaskFilter, TaskHold, TaskId, TaskLinks, TaskMove,
        TaskNote, TaskOrder, needs_key,
    },
    ids::{AgentName, InstanceId, ProjectName, TaskNumber},
    ports::{StoreResult, TaskChange, TaskRepo},
};

use crate::{
    conn::{Conn, Row, Statement, int, limit},
    rows::{Conditions, as_json, offers},
    snapshot::Snapshot,
};

const TABLE: &str = "task";
const NOTES: &str = "task_note";
const COUNTS: &str = "task_project";

macro_rules! task {
    ($rest:literal) => {
        concat!("SELECT task.number, task.data FROM task ", $rest)
    };
}

const SELECT: &str = task!("WHERE project = ? AND number = ?");
const SELECT_BY_KEY: &str = task!("WHERE project = ? AND key = ?");
const SELECT_AFTER: &str = task!("WHERE (project, number) > (?, ?) ORDER BY project, number LIMIT 0 + ?");
const SELECT_DUE: &str =
    task!("WHERE delayed = 1 AND not_before <= ? ORDER BY not_before, project, number LIMIT 0 + ?");
/// By the index of what is due, of which there is little: an index of the project would lead through all its tasks.
const SELECT_DUE_OF: &str =
    task!("WHERE +project = ? AND delayed = 1 AND not_before <= ? ORDER BY not_before, number LIMIT 0 + ?");
const SELECT_ENDING: &str = task!("WHERE expires_at <= ? ORDER BY expires_at, project, number LIMIT 0 + ?");
const SELECT_HELD: &str = task!("WHERE holder = ? ORDER BY project, number");
/// From the links to the tasks, and not the other way round.
const SELECT_DEPENDENTS: &str = "SELECT task.number, task.data FROM task_after AS link \
    CROSS JOIN task ON task.project = link.project AND task.number = link.number \
    WHERE link.project = ? AND link.before = ? ORDER BY link.number";
/// Sorted afterwards: the index that has them in order has all tasks of the project.
const SELECT_CHILDREN: &str = task!("WHERE project = ? AND parent = ? ORDER BY +number");
const SELECT_LINKS: &str = "WITH RECURSIVE waits_for (number) AS (SELECT ?2 UNION \
    SELECT value FROM waits_for JOIN task ON task.project = ?1 AND task.number = waits_for.number, \
        json_each(task.data, '$.after') UNION \
    SELECT part.number FROM waits_for JOIN task AS part ON part.project = ?1 AND part.parent = waits_for.number) \
    SELECT task.number, task.data -> '$.after' AS after, task.parent FROM waits_for \
    JOIN task ON task.project = ?1 AND task.number = waits_for.number";
const SELECT_NOTES: &str = "SELECT id, author, text, created_at FROM task_note \
    WHERE project = ? AND number = ? AND id > ? ORDER BY id LIMIT 0 + ?";

macro_rules! counts {
    () => {
        "SELECT project, last, blocked, delayed, claimable, claimed, review, done, failed, cancelled FROM task_project "
    };
}
const SELECT_COUNTS: &str = concat!(counts!(), "WHERE project = ?");
const SELECT_ALL_COUNTS: &str = concat!(counts!(), "ORDER BY project");

const PUT: &str = "INSERT INTO task (project, number, status, priority, claimable, delayed, not_before, assignee, parent, \
    key, holder, held_by, expires_at, labels, needs, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT (project, number) DO UPDATE SET status = excluded.status, priority = excluded.priority, \
    claimable = excluded.claimable, delayed = excluded.delayed, not_before = excluded.not_before, \
    assignee = excluded.assignee, parent = excluded.parent, key = excluded.key, holder = excluded.holder, \
    held_by = excluded.held_by, expires_at = excluded.expires_at, labels = excluded.labels, needs = excluded.needs, \
    data = excluded.data";
/// Both together leave the links that the array names, and touch only those that differ.
const DROP_LINKS: &str = "DELETE FROM task_after WHERE project = ?1 AND number = ?2 \
    AND before NOT IN (SELECT value FROM json_each(?3))";
const ADD_LINKS: &str = "INSERT OR IGNORE INTO task_after (project, before, number) \
    SELECT ?1, value, ?2 FROM json_each(?3)";
const COUNT: &str = "INSERT INTO task_project AS counts (project, last, blocked, delayed, claimable, claimed, review, done, \
    failed, cancelled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project) DO UPDATE SET \
    last = max(counts.last, excluded.last), blocked = counts.blocked + excluded.blocked, \
    delayed = counts.delayed + excluded.delayed, claimable = counts.claimable + excluded.claimable, \
    claimed = counts.claimed + excluded.claimed, review = counts.review + excluded.review, \
    done = counts.done + excluded.done, failed = counts.failed + excluded.failed, \
    cancelled = counts.cancelled + excluded.cancelled";
/// The columns of [`COUNT`], in its order.
const COLUMNS: [TaskColumn; 8] = [
    TaskColumn::Blocked,
    TaskColumn::Delayed,
    TaskColumn::Claimable,
    TaskColumn::Claimed,
    TaskColumn::Review,
    TaskColumn::Done,
    TaskColumn::Failed,
    TaskColumn::Cancelled,
];
const APPEND_NOTE: &str =
    "INSERT INTO task_note (project, number, id, author, created_at, text) VALUES (?, ?, ?, ?, ?, ?)";

fn read(row: Row<'_>) -> StoreResult<Arc<Task>> {
    row.json("data").map(Arc::new)
}

fn read_note(row: Row<'_>) -> StoreResult<TaskNote> {
    Ok(TaskNote {
        id: row.count("id")?,
        author: row.get("author")?,
        text: row.get("text")?,
        created_at: row.time("created_at")?,
    })
}

fn read_links(row: Row<'_>) -> StoreResult<TaskLinks> {
    let parent: Option<i64> = row.get("parent")?;
    let parent = parent.and_then(|parent| u64::try_from(parent).ok()).and_then(TaskNumber::new);
    Ok(TaskLinks { number: row.number("number", TaskNumber::new)?, after: row.json("after")?, parent })
}

fn read_counts(row: Row<'_>) -> StoreResult<TaskCounts> {
    Ok(TaskCounts {
        project: row.read("project", |project: &str| ProjectName::new(project))?,
        last: row.count("last")?,
        blocked: row.count("blocked")?,
        delayed: row.count("delayed")?,
        claimable: row.count("claimable")?,
        claimed: row.count("claimed")?,
        review: row.count("review")?,
        done: row.count("done")?,
        failed: row.count("failed")?,
        cancelled: row.count("cancelled")?,
    })
}

const HOLDS: &str = "task_hold";
const SELECT_HOLDS: &str = "SELECT fence, holder, claimed_at, ended_at FROM task_hold \
    WHERE project = ? AND number = ? ORDER BY fence";
const SELECT_HOLDS_AFTER: &str = "SELECT project, number, fence, holder, claimed_at, ended_at FROM task_hold \
    WHERE holder = ? AND ended_at > ? ORDER BY project, number, fence";
const APPEND_HOLD: &str = "INSERT INTO task_hold (project, number, fence, holder, claimed_at, ended_at) \
    VALUES (?, ?, ?, ?, ?, ?)";

fn read_hold(row: Row<'_>) -> StoreResult<TaskHold> {
    Ok(TaskHold {
        fence: Fence(row.count("fence")?),
        instance_id: InstanceId::from_bytes(row.bytes("holder")?),
        claimed_at: row.time("claimed_at")?,
        ended_at: row.time("ended_at")?,
    })
}

impl TaskRepo for Snapshot<'_> {
    fn task(&mut self, id: &TaskId) -> StoreResult<Option<Arc<Task>>> {
        self.conn.row(of("read a task", SELECT, id), TABLE, read)
    }

    fn task_by_key(&mut self, project: &ProjectName, key: &str) -> StoreResult<Option<Arc<Task>>> {
        let statement =
            Statement::new("find a task by its key", SELECT_BY_KEY).bind(project.as_str()).bind(key);
        self.conn.row(statement, TABLE, read)
    }

    fn tasks(
        &mut self,
        project: &ProjectName,
        filter: &TaskFilter,
        order: TaskOrder,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Task>>> {
        list(self.conn, project, filter, order, limit)
    }

    fn tasks_after(&mut self, after: Option<&TaskId>, most: usize) -> StoreResult<Vec<Arc<Task>>> {
        let (project, number) = after.map_or(("", 0), |id| (id.project.as_str(), int(id.number.get())));
        let statement =
            Statement::new("read all tasks", SELECT_AFTER).bind(project).bind(number).bind(limit(most));
        self.conn.rows(statement, TABLE, read)
    }

    fn task_notes(&mut self, id: &TaskId, after: u64, most: usize) -> StoreResult<Vec<TaskNote>> {
        let statement = of("list notes", SELECT_NOTES, id).bind(int(after)).bind(limit(most));
        self.conn.rows(statement, NOTES, read_note)
    }

    fn task_counts(&mut self, project: &ProjectName) -> StoreResult<Option<TaskCounts>> {
        let statement = Statement::new("count the tasks of a project", SELECT_COUNTS).bind(project.as_str());
        self.conn.row(statement, COUNTS, read_counts)
    }

    fn all_task_counts(&mut self) -> StoreResult<Vec<TaskCounts>> {
        self.conn.rows(Statement::new("count tasks by project", SELECT_ALL_COUNTS), COUNTS, read_counts)
    }

    fn ready_tasks(&mut self, query: &ReadyQuery, most: usize) -> StoreResult<Vec<Arc<Task>>> {
        offers::first(self.conn, query, most)
    }

    fn due_tasks(
        &mut self,
        project: Option<&ProjectName>,
        now: Timestamp,
        most: usize,
    ) -> StoreResult<Vec<Arc<Task>>> {
        let statement = match project {
            Some(project) => {
                Statement::new("find due tasks of a project", SELECT_DUE_OF).bind(project.as_str())
            }
            None => Statement::new("find due tasks", SELECT_DUE),
        };
        self.conn.rows(statement.bind(now.millis()).bind(limit(most)), TABLE, read)
    }

    fn ending_claims(&mut self, now: Timestamp, most: usize) -> StoreResult<Vec<Arc<Task>>> {
        let statement =
            Statement::new("find claims that end", SELECT_ENDING).bind(now.millis()).bind(limit(most));
        self.conn.rows(statement, TABLE, read)
    }

    fn held_tasks(&mut self, holder: InstanceId) -> StoreResult<Vec<Arc<Task>>> {
        let statement =
            Statement::new("find what an instance holds", SELECT_HELD).bind(holder.as_bytes().as_slice());
        self.conn.rows(statement, TABLE, read)
    }

    fn task_holds(&mut self, id: &TaskId) -> StoreResult<Vec<TaskHold>> {
        self.conn.rows(of("list the claims on a task", SELECT_HOLDS, id), HOLDS, read_hold)
    }

    fn holds_after(&mut self, holder: InstanceId, after: Timestamp) -> StoreResult<Vec<(TaskId, TaskHold)>> {
        let statement = Statement::new("find what an instance held", SELECT_HOLDS_AFTER)
            .bind(holder.as_bytes().as_slice())
            .bind(after.millis());
        self.conn.rows(statement, HOLDS, |row| {
            let project = row.read("project", str::parse)?;
            let number = row.number("number", TaskNumber::new)?;
            Ok((TaskId { project, number }, read_hold(row)?))
        })
    }

    fn dependents(&mut self, id: &TaskId) -> StoreResult<Vec<Arc<Task>>> {
        self.conn.rows(of("find the tasks after a task", SELECT_DEPENDENTS, id), TABLE, read)
    }

    fn children(&mut self, id: &TaskId) -> StoreResult<Vec<Arc<Task>>> {
        self.conn.rows(of("find the parts of a task", SELECT_CHILDREN, id), TABLE, read)
    }

    fn task_links(&mut self, id: &TaskId) -> StoreResult<Vec<TaskLinks>> {
        self.conn.rows(of("read what a task waits for", SELECT_LINKS, id), TABLE, read_links)
    }
}

fn of(attempted: &'static str, sql: &'static str, id: &TaskId) -> Statement {
    Statement::new(attempted, sql).bind(id.project.as_str()).bind(int(id.number.get()))
}

/// One question for each way to ask, so that each can go by the index that suits it best.
fn list(
    conn: &mut Conn,
    project: &ProjectName,
    filter: &TaskFilter,
    order: TaskOrder,
    most: usize,
) -> StoreResult<Vec<Arc<Task>>> {
    const ATTEMPTED: &str = "list tasks";
    let TaskFilter { status, ready_at, label, assignee, claimed_by, parent, after_number } = filter;
    let mut conditions = Conditions::default();
    conditions.and("project = ?");
    for (asked, condition) in [
        (*after_number > 0, "number > ?"),
        (assignee.is_some(), "assignee = ? AND assignee <> ''"),
        (claimed_by.is_some(), "held_by = ?"),
        (parent.is_some(), "parent = ?"),
        (ready_at.is_some(), "status = 'open' AND (claimable = 1 OR (delayed = 1 AND not_before <= ?))"),
        (!status.is_empty(), "status IN (SELECT value FROM json_each(?))"),
        (label.is_some(), "EXISTS (SELECT 1 FROM json_each(task.labels) AS label WHERE label.value = ?)"),
    ] {
        if asked {
            conditions.and(condition);
        }
    }
    let order = match order {
        TaskOrder::Number => "number",
        TaskOrder::Priority => "priority, number",
    };
    let sql = format!(
        "SELECT task.number, task.data FROM task{} ORDER BY {order} LIMIT 0 + ?",
        conditions.as_str()
    );
    let mut statement = Statement::assembled(ATTEMPTED, sql.into()).bind(project.as_str());
    if *after_number > 0 {
        statement.push(int(*after_number));
    }
    for name in [assignee, claimed_by].into_iter().flatten() {
        statement.push_text(name.as_str());
    }
    if let Some(parent) = parent {
        statement.push(int(parent.get()));
    }
    if let Some(now) = ready_at {
        statement.push(now.millis());
    }
    if !status.is_empty() {
        statement.push(as_json(ATTEMPTED, status)?);
    }
    if let Some(label) = label {
        statement.push_text(label);
    }
    conn.rows(statement.bind(limit(most)), TABLE, read)
}

/// Makes a change.
pub(crate) fn write(conn: &mut Conn, change: &TaskChange) -> StoreResult<()> {
    match change {
        TaskChange::Put(task) => put(conn, task),
        TaskChange::Link { id, after } => link(conn, id, after),
        TaskChange::Count(moved) => count(conn, moved),
        TaskChange::AppendNote { id, note } => {
            let statement = of("append a note", APPEND_NOTE, id)
                .bind(int(note.id))
                .bind(note.author.as_str())
                .bind(note.created_at.millis())
                .bind(note.text.as_str());
            conn.execute(statement).map(drop)
        }
        TaskChange::AppendHold { id, hold } => {
            let statement = of("note a claim that has ended", APPEND_HOLD, id)
                .bind(int(hold.fence.0))
                .bind(hold.instance_id.as_bytes().as_slice())
                .bind(hold.claimed_at.millis())
                .bind(hold.ended_at.millis());
            conn.execute(statement).map(drop)
        }
    }
}

fn put(conn: &mut Conn, task: &Task) -> StoreResult<()> {
    const ATTEMPTED: &str = "keep a task";
    let claim = task.claim.as_ref();
    let statement = of(ATTEMPTED, PUT, &task.id())
        .bind(task.status.as_str())
        .bind(i64::from(task.priority.get()))
        .bind(i64::from(task.claimable))
        .bind(i64::from(task.is_delayed()))
        .bind(task.not_before.map(Timestamp::millis))
        .bind(task.assignee.as_ref().map_or("", AgentName::as_str))
        .bind(task.parent.map(|parent| int(parent.get())))
        .bind(task.key.as_deref())
        .bind(claim.map(|claim| claim.instance_id.as_bytes().as_slice()))
        .bind(claim.map(|claim| claim.name.as_str()))
        .bind(claim.map(|claim| claim.expires_at.millis()))
        .bind(as_json(ATTEMPTED, &task.labels)?)
        .bind(needs_key(&task.needs))
        .bind(as_json(ATTEMPTED, task)?);
    conn.execute(statement).map(drop)
}

fn link(conn: &mut Conn, id: &TaskId, after: &[TaskNumber]) -> StoreResult<()> {
    const ATTEMPTED: &str = "link a task";
    let numbers = as_json(ATTEMPTED, &after)?;
    conn.execute(of(ATTEMPTED, DROP_LINKS, id).bind(numbers.as_str()))?;
    conn.execute(of(ATTEMPTED, ADD_LINKS, id).bind(numbers)).map(drop)
}

fn count(conn: &mut Conn, moved: &TaskMove) -> StoreResult<()> {
    let mut statement = Statement::new("count a task", COUNT)
        .bind(moved.id.project.as_str())
        .bind(int(moved.id.number.get()));
    for column in COLUMNS {
        statement.push(i64::from(moved.to == column) - i64::from(moved.from == Some(column)));
    }
    conn.execute(statement).map(drop)
}
