//! `lease`, `lease_path` and `lease_project`.

use koor_core::{
    clock::Timestamp,
    domain::{
        LeaseTime,
        leases::{HeldLease, Lease, LeaseMode, PathSet},
    },
    ids::{AgentName, InstanceId, LeaseId, ProjectName, TaskNumber},
    ports::{LeaseBook, LeaseChange, StoreResult},
};

use crate::{
    conn::{Conn, Row, int, limit},
    rows::{as_json, end_of_prefix},
    snapshot::Snapshot,
    statement::Statement,
};

const TABLE: &str = "lease";

macro_rules! lease {
    () => {
        "SELECT lease.project, lease.id, holder, lease.name, task, mode, created_at, expires_at, lease_time, reason, \
         paths, last_seen FROM lease LEFT JOIN instance ON instance.id = lease.holder "
    };
}

const SELECT: &str = concat!(lease!(), "WHERE lease.project = $1 AND lease.id = $2");
const SELECT_PROJECT: &str = concat!(lease!(), "WHERE lease.project = $1 ORDER BY lease.id");
const SELECT_NAME: &str = concat!(lease!(), "WHERE lease.project = $1 AND lease.name = $2 ORDER BY lease.id");
const SELECT_NEAR: &str = concat!(
    lease!(),
    "WHERE lease.project = $1 AND lease.id IN (SELECT id FROM lease_path WHERE project = $1 AND beginning >= $2 \
     AND beginning < $3 UNION SELECT id FROM lease_path WHERE project = $1 AND beginning = ANY($4)) ORDER BY lease.id"
);
const SELECT_HOLDER: &str = concat!(lease!(), "WHERE holder = $1 ORDER BY lease.project, lease.id");
const SELECT_TASK: &str = concat!(lease!(), "WHERE lease.project = $1 AND task = $2 ORDER BY lease.id");
const SELECT_DUE: &str =
    concat!(lease!(), "WHERE expires_at <= $1 ORDER BY expires_at, lease.project, lease.id LIMIT $2");
const COUNT: &str = "SELECT count(*) AS n FROM lease";
const COUNT_HELD: &str = "SELECT count(*) AS n FROM lease WHERE holder = $1";
const SELECT_LAST: &str = "SELECT last FROM lease_project WHERE project = $1";
const SELECT_ALL_LAST: &str = "SELECT project, last FROM lease_project ORDER BY project";
const PUT: &str = "INSERT INTO lease (project, id, holder, name, task, mode, created_at, expires_at, lease_time, \
    reason, paths) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (project, id) DO UPDATE SET \
    expires_at = excluded.expires_at, lease_time = excluded.lease_time";
const PUT_PATH: &str =
    "INSERT INTO lease_path (project, beginning, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const PUT_LAST: &str = "INSERT INTO lease_project (project, last) VALUES ($1, $2) \
    ON CONFLICT (project) DO UPDATE SET last = excluded.last";
const REMOVE: &str = "DELETE FROM lease WHERE project = $1 AND id = $2";
const REMOVE_PATHS: &str = "DELETE FROM lease_path WHERE project = $1 AND id = $2";

fn read(row: Row<'_>) -> StoreResult<HeldLease> {
    let lease = Lease {
        project: row.read("project", |name: &str| ProjectName::new(name))?,
        id: row.number("id", LeaseId::new)?,
        held: PathSet { paths: row.json("paths")?, mode: row.read("mode", str::parse::<LeaseMode>)? },
        name: row.read("name", |name: &str| AgentName::new(name))?,
        instance_id: InstanceId::from_bytes(row.bytes("holder")?),
        reason: row.text("reason")?,
        task: row.get::<Option<i64>>("task")?.map(|_| row.number("task", TaskNumber::new)).transpose()?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        lease_time: row.read("lease_time", |millis: i64| LeaseTime::try_from(millis.cast_unsigned()))?,
    };
    Ok(HeldLease { lease, last_seen: row.maybe_time("last_seen")? })
}

impl LeaseBook for Snapshot<'_> {
    fn lease(&mut self, project: &ProjectName, id: LeaseId) -> StoreResult<Option<HeldLease>> {
        let statement = Statement::new("read a lease", SELECT).bind(project.as_str()).bind(int(id.get()));
        self.conn.row(statement, TABLE, read)
    }

    fn leases(&mut self, project: &ProjectName, name: Option<&AgentName>) -> StoreResult<Vec<HeldLease>> {
        const ATTEMPTED: &str = "list leases";
        let statement = match name {
            None => Statement::new(ATTEMPTED, SELECT_PROJECT).bind(project.as_str()),
            Some(name) => Statement::new(ATTEMPTED, SELECT_NAME).bind(project.as_str()).bind(name.as_str()),
        };
        self.conn.rows(statement, TABLE, read)
    }

    fn leases_near(&mut self, project: &ProjectName, beginning: &str) -> StoreResult<Vec<HeldLease>> {
        const ATTEMPTED: &str = "find leases that may overlap";
        let before: Vec<&str> = std::iter::once("")
            .chain(beginning.match_indices('/').map(|(at, slash)| &beginning[..at + slash.len()]))
            .collect();
        let statement = Statement::new(ATTEMPTED, SELECT_NEAR)
            .bind(project.as_str())
            .bind(beginning)
            .bind(end_of_prefix(beginning))
            .bind(before);
        self.conn.rows(statement, TABLE, read)
    }

    fn leases_of_instance(&mut self, instance: InstanceId) -> StoreResult<Vec<HeldLease>> {
        let statement = Statement::new("list the leases of an instance", SELECT_HOLDER)
            .bind(instance.as_bytes().as_slice());
        self.conn.rows(statement, TABLE, read)
    }

    fn leases_of_task(&mut self, project: &ProjectName, task: TaskNumber) -> StoreResult<Vec<HeldLease>> {
        let statement = Statement::new("list the leases of a task", SELECT_TASK)
            .bind(project.as_str())
            .bind(int(task.get()));
        self.conn.rows(statement, TABLE, read)
    }

    fn leases_due(&mut self, until: Timestamp, most: usize) -> StoreResult<Vec<HeldLease>> {
        let statement =
            Statement::new("find leases that end", SELECT_DUE).bind(until.millis()).bind(limit(most));
        self.conn.rows(statement, TABLE, read)
    }

    fn lease_count(&mut self, holder: Option<InstanceId>) -> StoreResult<u64> {
        let statement = match holder {
            None => Statement::new("count leases", COUNT),
            Some(holder) => Statement::new("count the leases of an instance", COUNT_HELD)
                .bind(holder.as_bytes().as_slice()),
        };
        Ok(self.conn.row(statement, TABLE, |row| row.count("n"))?.unwrap_or(0))
    }

    fn last_lease(&mut self, project: &ProjectName) -> StoreResult<Option<LeaseId>> {
        let statement = Statement::new("read the last lease", SELECT_LAST).bind(project.as_str());
        self.conn.row(statement, "lease_project", |row| row.number("last", LeaseId::new))
    }

    fn last_leases(&mut self) -> StoreResult<Vec<(ProjectName, LeaseId)>> {
        let statement = Statement::new("list the last leases", SELECT_ALL_LAST);
        self.conn.rows(statement, "lease_project", |row| {
            Ok((row.read("project", |name: &str| ProjectName::new(name))?, row.number("last", LeaseId::new)?))
        })
    }
}

/// Makes a change.
pub(crate) fn write(conn: &mut Conn, change: &LeaseChange) -> StoreResult<()> {
    match change {
        LeaseChange::Put(lease) => put_lease(conn, lease),
        LeaseChange::Remove { project, id } => remove_lease(conn, project, *id),
        LeaseChange::SetLast { project, last } => {
            let statement =
                Statement::new("keep the last lease", PUT_LAST).bind(project.as_str()).bind(int(last.get()));
            conn.execute(statement).map(drop)
        }
    }
}

fn put_lease(conn: &mut Conn, lease: &Lease) -> StoreResult<()> {
    const ATTEMPTED: &str = "keep a lease";
    let Lease { project, id, held, name, instance_id, reason, task, created_at, expires_at, lease_time } =
        lease;
    let statement = Statement::new(ATTEMPTED, PUT)
        .bind(project.as_str())
        .bind(int(id.get()))
        .bind(instance_id.as_bytes().as_slice())
        .bind(name.as_str())
        .bind(task.map(|task| int(task.get())))
        .bind(held.mode.as_str())
        .bind(created_at.millis())
        .bind(expires_at.millis())
        .bind(int((*lease_time).into()))
        .bind_text(reason)
        .bind(as_json(ATTEMPTED, &held.paths)?);
    conn.execute(statement)?;
    for path in &held.paths {
        let statement = Statement::new("keep how a path begins", PUT_PATH)
            .bind(project.as_str())
            .bind(path.literal_beginning())
            .bind(int(id.get()));
        conn.execute(statement)?;
    }
    Ok(())
}

fn remove_lease(conn: &mut Conn, project: &ProjectName, id: LeaseId) -> StoreResult<()> {
    let of_lease = |statement: Statement| statement.bind(project.as_str()).bind(int(id.get()));
    conn.execute(of_lease(Statement::new("forget a lease", REMOVE)))?;
    conn.execute(of_lease(Statement::new("forget the paths of a lease", REMOVE_PATHS))).map(drop)
}
