//! Whether a database keeps what Koor promises: looked at before anything is written to it.

use crate::{
    conn::{Conn, Row},
    open_error::OpenError,
    statement::Statement,
};

/// The oldest server that is tested.
const OLDEST: i32 = 140_000;

const SELECT: &str = "SELECT version() AS version, current_setting('server_version_num')::integer AS number, \
    current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync, \
    current_setting('server_encoding') AS encoding, pg_backend_pid() AS pid, \
    has_schema_privilege(current_schema(), 'CREATE') AS can_create";
const SELECT_VERSION: &str = "SELECT version() AS version";
const SELECT_PID: &str = "SELECT pg_backend_pid() AS pid";
const HOLD_SESSION: &str = "BEGIN; SELECT pg_backend_pid() AS pid";

/// What a server says of itself.
struct About {
    version: String,
    number: i32,
    synchronous_commit: String,
    fsync: String,
    encoding: String,
    can_create: Option<bool>,
}

fn read(row: Row<'_>) -> koor_core::ports::StoreResult<About> {
    Ok(About {
        version: row.get("version")?,
        number: row.get("number")?,
        synchronous_commit: row.get("synchronous_commit")?,
        fsync: row.get("fsync")?,
        encoding: row.get("encoding")?,
        can_create: row.get("can_create")?,
    })
}

/// Refuses a database that would not keep what Koor promises.
///
/// # Errors
/// With the reason, and what to do.
pub(crate) fn check_suitable(conn: &mut Conn) -> Result<(), OpenError> {
    // First, by a statement that all of them understand: others that speak the protocol lack what the next one asks for.
    let version = conn
        .row(Statement::new("ask for the version", SELECT_VERSION), "", |row| row.get::<String>("version"))
        .map_err(|error| refusal_of_pooler(error.into()))?;
    if let Some(why) = version.as_deref().and_then(unsuitable_product) {
        return Err(OpenError::Unsuitable(why));
    }
    let about = conn
        .row(Statement::new("ask about the database", SELECT), "", read)
        .map_err(|error| refusal_of_pooler(error.into()))?;
    if let Some(why) = about.and_then(|about| unsuitable(&about)) {
        return Err(OpenError::Unsuitable(why));
    }
    check_session(conn)
}

/// Why a product that speaks `PostgreSQL`'s protocol cannot be used.
fn unsuitable_product(version: &str) -> Option<String> {
    if version.contains("CockroachDB") {
        return Some(
            "CockroachDB is not supported: it has no LISTEN and NOTIFY, and every commit changes one row, which it would make \
             each server retry. Use PostgreSQL"
                .to_owned(),
        );
    }
    if version.contains("-YB-") || version.contains("YugabyteDB") {
        return Some(
            "YugabyteDB is not supported: every commit changes one row, which would be one hot tablet, and LISTEN and NOTIFY \
             are not yet stable. Use PostgreSQL"
                .to_owned(),
        );
    }
    (!version.starts_with("PostgreSQL"))
        .then(|| format!("only PostgreSQL is supported, and this is {version}"))
}

fn unsuitable(about: &About) -> Option<String> {
    if about.number < OLDEST {
        return Some(format!("PostgreSQL 14 or later is needed, and this is {}", about.version));
    }
    // `remote_write` does not wait for the disk of the standby, `local` not for the standby, `off` for nothing.
    if !matches!(about.synchronous_commit.as_str(), "on" | "remote_apply") {
        return Some(format!(
            "synchronous_commit is {}: a crash would lose changes that were answered. Set it to on for this database or user",
            about.synchronous_commit
        ));
    }
    if about.fsync != "on" {
        return Some(
            "fsync is off: a crash of the machine would damage the database. Set it to on".to_owned(),
        );
    }
    if about.encoding != "UTF8" {
        return Some(format!(
            "the database's encoding is {}, and UTF8 is needed: create the database with ENCODING 'UTF8'",
            about.encoding
        ));
    }
    match about.can_create {
        Some(true) => None,
        Some(false) => Some(
            "the database user may not create tables: GRANT CREATE ON SCHEMA public TO it, or make it the owner".to_owned(),
        ),
        None => Some("no schema of the search_path exists: create one, or set search_path".to_owned()),
    }
}

/// Refuses a pooler that gives each transaction another session: prepared statements, settings and LISTEN belong to one.
fn check_session(conn: &mut Conn) -> Result<(), OpenError> {
    let mut pids = Vec::new();
    for _ in 0..3 {
        pids.push(session(conn)?);
    }
    // A pooler with nothing else to do gives every transaction the same session. So another connection holds on to one.
    let mut other = conn.another()?;
    let held = hold_session(&mut other)?;
    pids.push(session(conn)?);
    other.roll_back();
    other.close();
    let first = pids[0];
    if held.contains(&first) || pids.iter().any(|pid| *pid != first) {
        return Err(transaction_pooling());
    }
    Ok(())
}

/// Begins a transaction; answers the session that it runs in.
fn hold_session(conn: &mut Conn) -> Result<Vec<i32>, OpenError> {
    for _ in 0..2 {
        conn.begin_anew();
        conn.connect_first()?;
        match conn.script("hold a session", HOLD_SESSION.to_owned(), "", |row| row.get("pid")) {
            // A pooler of statements closes the connection of a client that begins a transaction.
            Err(_) if !conn.is_connected() => {}
            held => return held.map_err(|error| refusal_of_pooler(error.into())),
        }
    }
    Err(transaction_pooling())
}

/// Which session of the database the connection has.
fn session(conn: &mut Conn) -> Result<i32, OpenError> {
    let pid = Statement::new("ask for the session", SELECT_PID);
    let pid =
        conn.row(pid, "", |row| row.get::<i32>("pid")).map_err(|error| refusal_of_pooler(error.into()))?;
    pid.ok_or(OpenError::Store(koor_core::ports::StoreError::Closed))
}

/// An error, where a pooler is its reason: with that.
fn refusal_of_pooler(error: OpenError) -> OpenError {
    let causes = koor_core::causes(&error);
    // What a prepared statement meets on a session that did not prepare it, or where another client has prepared one.
    if causes.contains("prepared statement") { transaction_pooling() } else { error }
}

fn transaction_pooling() -> OpenError {
    OpenError::Unsuitable(
        "a connection pooler stands before the database and pools transactions or statements, which breaks prepared statements and LISTEN. \
         Connect to the database directly, or set the pooler to pool sessions"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> About {
        About {
            version: "PostgreSQL 15.18".to_owned(),
            number: 150_018,
            synchronous_commit: "on".to_owned(),
            fsync: "on".to_owned(),
            encoding: "UTF8".to_owned(),
            can_create: Some(true),
        }
    }

    #[test]
    fn what_would_lose_data_is_refused_with_the_reason() {
        assert_eq!(unsuitable(&good()), None);
        for (about, said) in [
            (About { synchronous_commit: "off".to_owned(), ..good() }, "synchronous_commit is off"),
            (About { synchronous_commit: "local".to_owned(), ..good() }, "synchronous_commit is local"),
            (About { fsync: "off".to_owned(), ..good() }, "fsync is off"),
            (About { encoding: "SQL_ASCII".to_owned(), ..good() }, "encoding is SQL_ASCII"),
            (About { number: 130_000, ..good() }, "PostgreSQL 14 or later"),
            (About { can_create: Some(false), ..good() }, "may not create tables"),
            (About { can_create: None, ..good() }, "search_path"),
        ] {
            assert!(unsuitable(&about).is_some_and(|why| why.contains(said)), "{said}");
        }
    }

    #[test]
    fn other_products_are_named() {
        assert_eq!(unsuitable_product("PostgreSQL 15.18 (Debian) on x86_64"), None);
        for (version, name) in [
            ("CockroachDB CCL v24.1.0 (x86_64)", "CockroachDB"),
            ("PostgreSQL 11.2-YB-2.20.0.0-b0 on x86_64", "YugabyteDB"),
            ("Materialize 0.9", "Materialize"),
        ] {
            assert!(unsuitable_product(version).is_some_and(|why| why.contains(name)), "{version}");
        }
    }
}
