//! `task_offer`: what can be claimed, for each set of needs in the order in which it is claimed.

use std::sync::Arc;

use koor_core::{
    domain::tasks::{NextFit, ReadyQuery, Task},
    ids::AgentName,
    ports::StoreResult,
};

use crate::{
    conn::{Conn, Row, Statement, limit},
    rows::as_json,
};

const TABLE: &str = "task_offer";
const TASK: &str = "task";

/// The first tasks of one set of needs that have the other labels, too; and, with the number 0, the set of needs that comes next.
const SELECT_OF_NEEDS: &str = "SELECT near.number, task.data, NULL AS needs FROM \
    (SELECT number FROM task_offer AS offer WHERE project = ?1 AND assignee = ?2 AND label = ?3 AND needs = ?4 \
     AND NOT EXISTS (SELECT 1 FROM json_each(?5) AS tag WHERE NOT EXISTS (SELECT 1 FROM task_offer AS other \
        WHERE other.project = ?1 AND other.assignee = ?2 AND other.label = tag.value AND other.needs = ?4 \
        AND other.priority = offer.priority AND other.number = offer.number)) \
     ORDER BY priority, number LIMIT 0 + ?6) AS near \
    JOIN task ON task.project = ?1 AND task.number = near.number \
    UNION ALL SELECT 0, '', (SELECT min(needs) FROM task_offer \
        WHERE project = ?1 AND assignee = ?2 AND label = ?3 AND needs > ?4)";
const SELECT_NEEDS_FROM: &str = "SELECT min(needs) AS needs FROM task_offer WHERE project = ? AND assignee = ? AND label = ? AND needs >= ?";
const COUNT_SOME: &str = "SELECT count(*) AS count FROM (SELECT 1 FROM task_offer \
    WHERE project = ? AND assignee = ? AND label = ? LIMIT 0 + ?)";

/// So many tasks of a label are counted to see which label has the fewest.
const COUNTED: usize = 256;

/// What is looked for: tasks under one label, of which some have the others, too.
struct Search<'a> {
    conn: &'a mut Conn,
    query: &'a ReadyQuery,
    assignee: &'a str,
    label: &'a str,
    others: String,
}

/// The first tasks that the query asks for, by priority and number.
pub(super) fn first(conn: &mut Conn, query: &ReadyQuery, most: usize) -> StoreResult<Vec<Arc<Task>>> {
    let mut search = Search::new(conn, query)?;
    let mut found = Vec::new();
    let mut needs = Some(String::new());
    while let Some(fitting) = needs {
        let (tasks, next) = search.of_needs(&fitting, most)?;
        found.extend(tasks);
        needs = search.next_fitting(next)?;
    }
    found.sort_by_key(|task| (task.priority, task.number));
    found.truncate(most);
    Ok(found)
}

impl<'a> Search<'a> {
    fn new(conn: &'a mut Conn, query: &'a ReadyQuery) -> StoreResult<Self> {
        let assignee = query.assignee.as_ref().map_or("", AgentName::as_str);
        let mut search = Self { conn, query, assignee, label: "", others: String::new() };
        search.label = match query.labels.as_slice() {
            [] => "",
            [one] => one,
            several => search.rarest(several)?,
        };
        let others: Vec<&String> = query.labels.iter().filter(|label| *label != search.label).collect();
        search.others = as_json("find the next tasks", &others)?;
        Ok(search)
    }

    /// Under which of these labels there are the fewest tasks.
    fn rarest(&mut self, labels: &'a [String]) -> StoreResult<&'a str> {
        let mut rarest = (u64::MAX, "");
        for label in labels {
            let statement = self.about("count the tasks of a label", COUNT_SOME, label).bind(limit(COUNTED));
            let count = self.conn.row(statement, TABLE, |row| row.count("count"))?.unwrap_or(0);
            if count < rarest.0 {
                rarest = (count, label);
            }
        }
        Ok(rarest.1)
    }

    /// The first tasks with exactly these needs, and the needs that come next.
    fn of_needs(&mut self, needs: &str, most: usize) -> StoreResult<(Vec<Arc<Task>>, Option<String>)> {
        let statement = self
            .about("find the next tasks", SELECT_OF_NEEDS, self.label)
            .bind(needs)
            .bind(self.others.as_str())
            .bind(limit(most));
        let mut next = None;
        let read = |row: Row<'_>| {
            if row.count("number")? > 0 {
                return row.json("data").map(Arc::new).map(Some);
            }
            next = row.get("needs")?;
            Ok(None)
        };
        let found = self.conn.rows(statement, TASK, read)?;
        Ok((found.into_iter().flatten().collect(), next))
    }

    /// The first needs that fit, from these on.
    fn next_fitting(&mut self, mut next: Option<String>) -> StoreResult<Option<String>> {
        while let Some(needs) = next {
            next = match self.query.next_fit(&needs) {
                NextFit::This => return Ok(Some(needs)),
                NextFit::From(bound) => {
                    let statement =
                        self.about("find the next needs", SELECT_NEEDS_FROM, self.label).bind(bound);
                    self.conn.row(statement, TABLE, |row| row.get("needs"))?.flatten()
                }
                NextFit::None => None,
            };
        }
        Ok(None)
    }

    fn about(&self, attempted: &'static str, sql: &'static str, label: &str) -> Statement {
        Statement::new(attempted, sql).bind(self.query.project.as_str()).bind(self.assignee).bind(label)
    }
}
