//! The tables: made and changed at the start, by one server at a time.
//!
//! Several servers of different versions work on one database while they are replaced one by one. So a migration only adds
//! (expand); what is no longer used is dropped by a later version (contract), which raises `schema_min`: a server that knows no
//! newer schema than that refuses to start.

use koor_core::ports::StoreResult;

use crate::{
    conn::{Conn, Row},
    open_error::OpenError,
    statement::Statement,
};

/// The steps from an empty database to this one. Never changed, only added to: databases out there have done them.
const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/0001_nouns.sql"),
    include_str!("../migrations/0002_task_offers.sql"),
    include_str!("../migrations/0003_costs.sql"),
];

/// The oldest schema whose servers can work with this one.
const SCHEMA_MIN: i64 = 1;

/// Held while the schema is looked at and changed: one server at a time. The number means nothing.
const LOCK: &str = "SELECT pg_advisory_lock(5642118, hashtext(current_schema()))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(5642118, hashtext(current_schema()))";
const MAKE_META: &str = "CREATE TABLE IF NOT EXISTS koor_meta (one boolean PRIMARY KEY DEFAULT true CHECK (one), \
    schema bigint NOT NULL, schema_min bigint NOT NULL)";
const SELECT_META: &str = "SELECT schema, schema_min FROM koor_meta";
const META_EXISTS: &str = "SELECT to_regclass('koor_meta') IS NOT NULL AS there";
/// Tables of Koor's names that are not Koor's would be found only when a statement fails.
const COUNT_TABLES: &str = "SELECT count(*) AS n FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
    AND relkind IN ('r', 'p') AND relname IN ('log_head', 'document_key', 'event', 'instance', 'audit_log', 'task')";

fn newest_schema() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the tables to the newest schema.
pub(crate) fn migrate(conn: &mut Conn) -> Result<(), OpenError> {
    let ask = |conn: &mut Conn, sql| conn.rows(Statement::new("lock the schema", sql), "", |_| Ok(()));
    ask(conn, LOCK)?;
    let done = bring_up(conn);
    conn.begin_anew();
    ask(conn, UNLOCK)?;
    done
}

/// The schema of the database, zero where there are no tables.
///
/// # Errors
/// When it is not for this program.
pub(crate) fn check_schema(conn: &mut Conn) -> Result<i64, OpenError> {
    let (done, schema_min) = schema(conn)?;
    if schema_min > newest_schema() {
        return Err(OpenError::Newer { schema_min, known: newest_schema() });
    }
    Ok(done)
}

fn bring_up(conn: &mut Conn) -> Result<(), OpenError> {
    let done = check_schema(conn)?;
    for (version, migration) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > done) {
        let script = format!(
            "BEGIN; {MAKE_META}; {migration}; INSERT INTO koor_meta (schema, schema_min) \
             VALUES ({version}, {SCHEMA_MIN}) ON CONFLICT (one) DO UPDATE SET schema = excluded.schema, \
             schema_min = excluded.schema_min; COMMIT"
        );
        if let Err(error) = conn.script("migrate the database", script, "koor_meta", |_| Ok(())) {
            conn.roll_back();
            return Err(error.into());
        }
        tracing::info!(version, "migrated the database");
    }
    Ok(())
}

/// The schema of the database, and the oldest one whose servers it takes; zero where there are no tables.
fn schema(conn: &mut Conn) -> Result<(i64, i64), OpenError> {
    const ATTEMPTED: &str = "read the version of the schema";
    let flag = |row: Row<'_>| row.get::<bool>("there");
    let there = conn.row(Statement::new(ATTEMPTED, META_EXISTS), "pg_class", flag)?;
    if there != Some(true) {
        let foreign = conn.row(Statement::new(ATTEMPTED, COUNT_TABLES), "pg_class", |row| row.count("n"))?;
        return if foreign.unwrap_or(0) == 0 { Ok((0, 0)) } else { Err(OpenError::Foreign) };
    }
    let read = |row: Row<'_>| -> StoreResult<_> { Ok((row.get("schema")?, row.get("schema_min")?)) };
    Ok(conn.row(Statement::new(ATTEMPTED, SELECT_META), "koor_meta", read)?.unwrap_or((0, 0)))
}
