//! Writing down what compliance checks found.

use serde_json::json;

use crate::{
    announcement::Announcement,
    caller::Access,
    command::{Command, Done, Intent, Work},
    domain::{audit::Action, compliance::ComplianceRun, contracts::Violation},
    error::Error,
    ids::{InstanceId, ProjectName, RunId, SpecName},
};

/// How many runs are kept: weeks of a busy server, and a bound for a table that would grow for ever.
pub(crate) const RUNS_KEPT: u64 = 50_000;

/// What was found of one contract, for one instance.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) instance_id: InstanceId,
    pub(crate) project: ProjectName,
    pub(crate) contract: SpecName,
    pub(crate) violations: Vec<Violation>,
}

/// Writes down the findings of a compliance check that was asked for.
#[derive(Debug)]
pub struct RecordRuns(pub(crate) Vec<Finding>);

impl RecordRuns {
    /// What the caller must be allowed to do, to be asked before anything is checked.
    pub(crate) fn intent_of_any() -> Intent {
        Intent::to(Action::ComplianceRun, "", Access::Admin("force a compliance run"))
    }
}

impl Command for RecordRuns {
    type Output = Vec<ComplianceRun>;

    fn intent(&self) -> Intent {
        Self::intent_of_any()
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Vec<ComplianceRun>>, Error> {
        let runs = write_down(work, &self.0)?;
        let detail = json!({"count": runs.len()});
        Ok(Done::with(runs, detail))
    }
}

/// Appends a run for each finding, and announces those that failed.
pub(crate) fn write_down(work: &mut Work<'_>, findings: &[Finding]) -> Result<Vec<ComplianceRun>, Error> {
    let mut last = work.tx.last_run()?;
    let mut runs = Vec::with_capacity(findings.len());
    for finding in findings {
        let id = RunId::after(last);
        last = Some(id);
        let run = ComplianceRun {
            id,
            instance_id: finding.instance_id,
            project: finding.project.clone(),
            contract: finding.contract.clone(),
            pass: finding.violations.is_empty(),
            violations: finding.violations.clone(),
            run_at: work.now,
        };
        work.tx.append_run(&run)?;
        if !run.pass {
            work.announce(
                Announcement::ComplianceViolation,
                &json!({
                    "instance_id": run.instance_id, "project": run.project,
                    "contract": run.contract, "violations": run.violations,
                }),
            )?;
        }
        runs.push(run);
    }
    if !runs.is_empty() {
        work.tx.prune_runs(RUNS_KEPT)?;
    }
    Ok(runs)
}
