//! The few texts of SQL that carry all the inserts of a batch.
//!
//! Every statement is a hop to the connection's own thread, and a hop costs more than an insert. So rows go in many at
//! a time, the tables' inserts travel as one text, and BEGIN and COMMIT travel with them. To have few texts, which stay
//! prepared, an insert has slots for a round number of rows and takes only the first of them.

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

/// How many rows an insert can have slots for.
const SLOTS: [usize; 5] = [1, 4, 16, 64, 256];

/// The most rows of one table in one text.
pub(crate) const MOST_ROWS: usize = 256;

/// A table that rows are only appended to, and appended in numbers.
pub(crate) struct Table {
    insert: &'static str,
    pub(crate) columns: usize,
}

/// In the order in which they are written.
pub(crate) const TABLES: [Table; 5] = [
    Table { insert: "INSERT INTO document_key (id, space, project, name, live) ", columns: 5 },
    Table {
        insert: "INSERT INTO document_version (key_id, version, deleted, size, updated_at, hash, \
                 content_type, updated_by, value) ",
        columns: 9,
    },
    Table { insert: "INSERT INTO event (id, system, topic, source, created_at, data) ", columns: 6 },
    Table {
        insert: "INSERT INTO audit_log (id, timestamp, actor, action, resource, outcome, hash, detail) ",
        columns: 8,
    },
    Table {
        insert: "INSERT INTO llm_usage (id, provider, model, instance_id, project, tokens_in, tokens_out, cost_usd, \
                 request_type, session_tag, created_at, request_id, session, task, cache_read_tokens, \
                 cache_write_tokens, priced, received_at) ",
        columns: 18,
    },
];

/// Sets which keys have a document now; the parameter is a JSON array of `[id, live]`.
const SET_LIVE: &str = "UPDATE document_key SET live = changed.live FROM \
    (SELECT value ->> 0 AS id, value ->> 1 AS live FROM json_each(?)) AS changed WHERE document_key.id = changed.id;";

/// Forgets old versions; the parameter is a JSON array of `[key_id, first version kept]`.
const TRIM: &str = "DELETE FROM document_version WHERE id IN (SELECT version.id FROM json_each(?) AS trim \
    CROSS JOIN document_version AS version ON version.key_id = trim.value ->> 0 AND version.version < trim.value ->> 1);";

/// What a text does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a step of its own, in any combination")]
pub(crate) struct BatchShape {
    pub(crate) begin: bool,
    /// Slots for rows of each table.
    pub(crate) row_slots: [usize; TABLES.len()],
    pub(crate) live: bool,
    pub(crate) trim: bool,
    pub(crate) commit: bool,
}

/// The smallest number of slots for that many rows.
pub(crate) fn row_slots(rows: usize) -> usize {
    if rows == 0 { 0 } else { SLOTS.into_iter().find(|slots| *slots >= rows).unwrap_or(MOST_ROWS) }
}

/// The texts that have been needed so far.
#[derive(Debug, Default)]
pub(crate) struct BatchTexts(HashMap<BatchShape, Arc<str>>);

impl BatchTexts {
    /// The text that does that.
    pub(crate) fn text(&mut self, shape: BatchShape) -> Arc<str> {
        self.0.entry(shape).or_insert_with(|| shape.text().into()).clone()
    }
}

impl BatchShape {
    fn text(&self) -> String {
        let mut sql = String::new();
        if self.begin {
            sql.push_str("BEGIN IMMEDIATE;");
        }
        for (index, (table, rows)) in TABLES.iter().zip(self.row_slots).enumerate() {
            if rows > 0 {
                let row = format!("({})", vec!["?"; table.columns].join(","));
                sql.push_str(table.insert);
                if rows == 1 {
                    // Writing to a String cannot fail.
                    let _ = write!(sql, "VALUES {row};");
                } else {
                    let rows = vec![row.as_str(); rows].join(",");
                    let _ = write!(sql, "SELECT * FROM (VALUES {rows}) LIMIT 0 + ?;");
                }
            }
            if index == 1 && self.live {
                sql.push_str(SET_LIVE);
            }
            if index == 1 && self.trim {
                sql.push_str(TRIM);
            }
        }
        if self.commit {
            sql.push_str("COMMIT;");
        }
        sql
    }
}
