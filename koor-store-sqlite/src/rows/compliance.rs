//! `compliance_run`.

use koor_core::{
    domain::compliance::{ComplianceRun, RunFilter},
    ids::{InstanceId, ProjectName, RunId, SpecName},
    ports::{ComplianceLog, RunChange, StoreResult},
};

use crate::{
    conn::{Conn, Row, Statement, int, limit},
    rows::{Conditions, as_json},
    snapshot::Snapshot,
};

const TABLE: &str = "compliance_run";
const SELECT: &str =
    "SELECT id, instance_id, project, contract, pass, violations, run_at FROM compliance_run";
const SELECT_LAST: &str = "SELECT id FROM compliance_run ORDER BY id DESC LIMIT 1";
const APPEND: &str = "INSERT INTO compliance_run (id, instance_id, project, contract, pass, violations, run_at) \
    VALUES (?, ?, ?, ?, ?, ?, ?)";
const PRUNE: &str = "DELETE FROM compliance_run WHERE id <= ?";

fn read(row: Row<'_>) -> StoreResult<ComplianceRun> {
    Ok(ComplianceRun {
        id: row.number("id", RunId::new)?,
        instance_id: InstanceId::from_bytes(row.bytes("instance_id")?),
        project: row.read("project", |name: &str| ProjectName::new(name))?,
        contract: row.read("contract", |name: &str| SpecName::new(name))?,
        pass: row.flag("pass")?,
        violations: row.json("violations")?,
        run_at: row.time("run_at")?,
    })
}

/// The id of the last run, as the table knows it. The newest run is never pruned.
pub(crate) fn last(conn: &mut Conn) -> StoreResult<Option<RunId>> {
    let statement = Statement::new("read the last compliance run", SELECT_LAST);
    conn.row(statement, TABLE, |row| row.number("id", RunId::new))
}

impl ComplianceLog for Snapshot<'_> {
    fn runs(&mut self, filter: &RunFilter, most: usize) -> StoreResult<Vec<ComplianceRun>> {
        let RunFilter { instance_id, project, pass } = filter;
        let mut conditions = Conditions::default();
        if instance_id.is_some() {
            conditions.and("instance_id = ?");
        }
        if project.is_some() {
            conditions.and("project = ?");
        }
        match pass {
            Some(true) => conditions.and("pass = 1"),
            Some(false) => conditions.and("pass = 0"),
            None => {}
        }
        let sql = format!("{SELECT}{} ORDER BY id DESC LIMIT 0 + ?", conditions.as_str());
        let mut statement = Statement::assembled("list compliance runs", sql.into());
        if let Some(id) = instance_id {
            statement.push(id.as_bytes().as_slice());
        }
        if let Some(project) = project {
            statement.push(project.as_str());
        }
        self.conn.rows(statement.bind(limit(most)), TABLE, read)
    }
}

/// Makes a change.
pub(crate) fn write(conn: &mut Conn, change: &RunChange) -> StoreResult<()> {
    match change {
        RunChange::Append(run) => append_run(conn, run),
        RunChange::Prune { through } => prune_runs(conn, *through),
    }
}

fn append_run(conn: &mut Conn, run: &ComplianceRun) -> StoreResult<()> {
    const ATTEMPTED: &str = "keep a compliance run";
    let statement = Statement::new(ATTEMPTED, APPEND)
        .bind(int(run.id.get()))
        .bind(run.instance_id.as_bytes().as_slice())
        .bind(run.project.as_str())
        .bind(run.contract.as_str())
        .bind(i64::from(run.pass))
        .bind(as_json(ATTEMPTED, &run.violations)?)
        .bind(run.run_at.millis());
    conn.execute(statement).map(drop)
}

fn prune_runs(conn: &mut Conn, through: RunId) -> StoreResult<()> {
    let statement = Statement::new("prune compliance runs", PRUNE).bind(int(through.get()));
    conn.execute(statement).map(drop)
}
