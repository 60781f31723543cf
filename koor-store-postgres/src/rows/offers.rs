//! `task_offer`: what can be claimed, for each set of needs in the order in which it is claimed. Triggers keep it up.

use std::sync::Arc;

use koor_core::{
    domain::tasks::{NextFit, ReadyQuery, Task},
    ids::AgentName,
    ports::StoreResult,
};

use crate::{
    conn::{Conn, Row, limit},
    rows::escaped,
    statement::{Statement, escape, unescape},
};

const TABLE: &str = "task";

/// The first tasks of some sets of needs; and, with the number 0, the sets of needs there are from some key on. Both in one round
/// trip: most tasks need nothing, and then there is no second.
///
/// `OFFSET 0` keeps the planner from going from the tasks to the offers.
const SELECT_OF_NEEDS: &str = "WITH RECURSIVE sets (needs) AS (\
        (SELECT needs FROM task_offer WHERE project = $1 AND assignee = $2 AND label = task_label_key($3) AND needs >= $8 \
            ORDER BY needs LIMIT 1) \
        UNION ALL SELECT after.needs FROM sets CROSS JOIN LATERAL (SELECT offer.needs FROM task_offer AS offer \
            WHERE offer.project = $1 AND offer.assignee = $2 AND offer.label = task_label_key($3) \
                AND offer.needs > sets.needs ORDER BY offer.needs LIMIT 1) AS after) \
    (SELECT near.number, near.data, NULL AS needs FROM unnest($4::text[]) AS fit (needs) CROSS JOIN LATERAL (\
        SELECT offer.number, full_task.data FROM task_offer AS offer CROSS JOIN LATERAL (\
            SELECT task.data FROM task WHERE task.project = $1 AND task.number = offer.number \
                AND task.labels @> $5 AND task.needs <@ $6 OFFSET 0) AS full_task \
        WHERE offer.project = $1 AND offer.assignee = $2 AND offer.label = task_label_key($3) AND offer.needs = fit.needs \
        ORDER BY offer.priority, offer.number LIMIT $7) AS near) \
    UNION ALL (SELECT 0, '', needs FROM sets LIMIT $9)";

/// The label with the fewest tasks; beyond some number, all have the same.
const SELECT_RAREST: &str = "SELECT asked.label FROM unnest($3::text[]) AS asked (label) \
    ORDER BY (SELECT count(*) FROM (SELECT FROM task_offer WHERE task_offer.project = $1 AND task_offer.assignee = $2 \
        AND task_offer.label = task_label_key(asked.label) LIMIT 256) AS counted) LIMIT 1";

/// Stands for all keys that are too long for an index; what it leads to is held against the capabilities. No key is like it.
const LONG_NEEDS: &str = "\u{1}";
/// Comes after that, and before each key of a need.
const FIRST_NEEDS: &str = "\u{2}";
/// Ends each word of a key: no key lies between one and that with another end.
const END: char = '\u{1}';

/// So many sets of needs are looked at together.
const SETS_TOGETHER: usize = 64;

/// The first tasks that the query asks for, by priority and number.
pub(super) fn first(conn: &mut Conn, query: &ReadyQuery, most: usize) -> StoreResult<Vec<Arc<Task>>> {
    let mut search = Search::new(conn, query)?;
    let mut found = Vec::new();
    let mut step =
        Step { fits: vec![String::new(), LONG_NEEDS.to_owned()], from: Some(FIRST_NEEDS.to_owned()) };
    while !step.is_empty() {
        let (tasks, sets) = search.take(&step, most)?;
        found.extend(tasks);
        step = Step::after(query, &sets);
    }
    found.sort_by_key(|task| (task.priority, task.number));
    found.truncate(most);
    Ok(found)
}

/// What is asked next.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    /// The sets of needs whose tasks are read.
    fits: Vec<String>,
    /// Where to look for more sets.
    from: Option<String>,
}

impl Step {
    fn is_empty(&self) -> bool {
        self.fits.is_empty() && self.from.is_none()
    }

    /// What follows from the sets that there are, in order.
    fn after(query: &ReadyQuery, sets: &[String]) -> Self {
        let (mut fits, mut bound) = (Vec::new(), String::new());
        for set in sets.iter().filter(|set| set.as_str() != LONG_NEEDS) {
            if *set < bound {
                continue;
            }
            match query.next_fit(set) {
                NextFit::This => fits.push(set.clone()),
                NextFit::From(next) => bound = next,
                NextFit::None => return Self { fits, from: None },
            }
        }
        let more = sets.last().filter(|_| sets.len() == SETS_TOGETHER);
        Self { fits, from: more.map(|last| bound.max(format!("{last}{END}"))) }
    }
}

/// What is looked for: tasks under one label, of which some have the others, too.
struct Search<'a> {
    conn: &'a mut Conn,
    query: &'a ReadyQuery,
    label: String,
}

impl<'a> Search<'a> {
    fn new(conn: &'a mut Conn, query: &'a ReadyQuery) -> StoreResult<Self> {
        let label = match query.labels.as_slice() {
            [] => String::new(),
            [one] => escape(one).into_owned(),
            several => {
                let statement = about("find the rarest label", SELECT_RAREST, query).bind(escaped(several));
                conn.row(statement, "task_offer", |row| row.get("label"))?.unwrap_or_default()
            }
        };
        Ok(Self { conn, query, label })
    }

    /// The first tasks of the sets that fit, and the next sets in order.
    fn take(&mut self, step: &Step, most: usize) -> StoreResult<(Vec<Arc<Task>>, Vec<String>)> {
        let statement = about("find the next tasks", SELECT_OF_NEEDS, self.query)
            .bind(&self.label)
            .bind(escaped(&step.fits))
            .bind(escaped(&self.query.labels))
            .bind(escaped(&self.query.capabilities))
            .bind(limit(most))
            .bind(step.from.as_deref().map(escape))
            .bind(limit(SETS_TOGETHER));
        let mut sets = Vec::new();
        let read = |row: Row<'_>| {
            if row.count("number")? > 0 {
                return row.json("data").map(Arc::new).map(Some);
            }
            sets.push(unescape(row.get("needs")?));
            Ok(None)
        };
        let tasks = self.conn.rows(statement, TABLE, read)?;
        sets.sort();
        Ok((tasks.into_iter().flatten().collect(), sets))
    }
}

fn about(attempted: &'static str, sql: &'static str, query: &ReadyQuery) -> Statement {
    Statement::new(attempted, sql)
        .bind(query.project.as_str())
        .bind(query.assignee.as_ref().map_or("", AgentName::as_str))
}

#[cfg(test)]
mod tests {
    use koor_core::domain::tasks::needs_key;

    use super::*;

    fn query(capabilities: &[&str]) -> ReadyQuery {
        let capabilities: Vec<String> = capabilities.iter().map(|&word| word.to_owned()).collect();
        let (project, name) = ("p".parse().unwrap(), "a".parse().unwrap());
        let [query, _] = ReadyQuery::of(&project, &name, &capabilities, &[]);
        query
    }

    fn key(words: &[&str]) -> String {
        needs_key(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_page_that_is_not_full_ends_the_search() {
        let step = Step::after(&query(&["b"]), &[key(&["a"]), key(&["b"]), key(&["b", "c"])]);
        assert_eq!(step, Step { fits: vec![key(&["b"])], from: None });
    }

    #[test]
    fn a_full_page_goes_on_after_its_end_or_where_the_next_can_fit() {
        let sets: Vec<String> = (0..SETS_TOGETHER).map(|n| key(&["b", &format!("x{n:03}")])).collect();
        let far = Step::after(&query(&["b", "z"]), &sets);
        assert_eq!(far, Step { fits: Vec::new(), from: Some(key(&["b", "z"])) });
        let own: Vec<String> = (0..SETS_TOGETHER).map(|n| format!("x{n:03}")).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).chain(["b"]).collect();
        let near = Step::after(&query(&own), &sets);
        assert_eq!(
            near,
            Step { fits: sets.clone(), from: Some(format!("{}{END}", sets[SETS_TOGETHER - 1])) }
        );
        assert_eq!(Step::after(&query(&[]), &sets), Step { fits: Vec::new(), from: None });
    }
}
