//! `compliance_run`.

use koor_core::{
    domain::compliance::{ComplianceRun, RunFilter},
    ids::{InstanceId, ProjectName, RunId, SpecName},
    ports::{ComplianceLog, RunChange, StoreResult},
};

use crate::{
    conn::{Conn, Row, int, limit},
    rows::as_json,
    snapshot::Snapshot,
    statement::{Selection, Statement},
};

const TABLE: &str = "compliance_run";
const SELECT: &str =
    "SELECT id, instance_id, project, contract, pass, violations, run_at FROM compliance_run";
const APPEND: &str = "INSERT INTO compliance_run (id, instance_id, project, contract, pass, violations, run_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const PRUNE: &str = "DELETE FROM compliance_run WHERE id <= $1";

fn read(row: Row<'_>) -> StoreResult<ComplianceRun> {
    Ok(ComplianceRun {
        id: row.number("id", RunId::new)?,
        instance_id: InstanceId::from_bytes(row.bytes("instance_id")?),
        project: row.read("project", |name: &str| ProjectName::new(name))?,
        contract: row.read("contract", |name: &str| SpecName::new(name))?,
        pass: row.get("pass")?,
        violations: row.json("violations")?,
        run_at: row.time("run_at")?,
    })
}

impl ComplianceLog for Snapshot<'_> {
    fn runs(&mut self, filter: &RunFilter, most: usize) -> StoreResult<Vec<ComplianceRun>> {
        let RunFilter { instance_id, project, pass } = filter;
        let mut query = Selection::of("list compliance runs", SELECT);
        if let Some(id) = instance_id {
            query.and("instance_id = ?", id.as_bytes().as_slice());
        }
        if let Some(project) = project {
            query.and("project = ?", project.as_str());
        }
        if let Some(pass) = pass {
            query.and("pass = ?", *pass);
        }
        query.then("ORDER BY id DESC LIMIT ?", limit(most));
        self.conn.rows(query.statement(), TABLE, read)
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
        .bind(run.pass)
        .bind(as_json(ATTEMPTED, &run.violations)?)
        .bind(run.run_at.millis());
    conn.execute(statement).map(drop)
}

fn prune_runs(conn: &mut Conn, through: RunId) -> StoreResult<()> {
    let statement = Statement::new("prune compliance runs", PRUNE).bind(int(through.get()));
    conn.execute(statement).map(drop)
}
