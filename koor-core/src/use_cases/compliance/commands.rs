//! Writing down what compliance checks found.

use serde_json::json;

use crate::{
    announcement::SystemTopic,
    caller::Access,
    command::{Applied, Command, CommandContext, Operation},
    domain::{audit::Action, compliance::ComplianceRun, contracts::Violation},
    error::Error,
    ids::{InstanceId, ProjectName, RunId, SpecName},
    ports::{Change, RunChange},
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
    pub(crate) fn operation_of_any() -> Operation {
        Operation::to(Action::ComplianceRun, "", Access::Admin("force a compliance run"))
    }
}

impl Command for RecordRuns {
    type Output = Vec<ComplianceRun>;

    fn operation(&self) -> Operation {
        Self::operation_of_any()
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Vec<ComplianceRun>>, Error> {
        let runs = write_down(cx, &self.0)?;
        let detail = json!({"count": runs.len()});
        Ok(Applied::with(runs, detail))
    }
}

/// Appends a run for each finding, and announces those that failed.
pub(crate) fn write_down(
    cx: &mut CommandContext<'_>,
    findings: &[Finding],
) -> Result<Vec<ComplianceRun>, Error> {
    let mut last = cx.ends().run;
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
            run_at: cx.now,
        };
        cx.append_run(run.clone());
        if !run.pass {
            cx.announce(
                SystemTopic::ComplianceViolation,
                &json!({
                    "instance_id": run.instance_id, "project": run.project,
                    "contract": run.contract, "violations": run.violations,
                }),
            )?;
        }
        runs.push(run);
    }
    let through = last.and_then(|last| last.get().checked_sub(RUNS_KEPT)).and_then(RunId::new);
    if let Some(through) = through.filter(|_| !runs.is_empty()) {
        cx.prune_runs(through);
    }
    Ok(runs)
}

impl CommandContext<'_> {
    /// Appends a compliance run. Its id is the one after the last.
    pub fn append_run(&mut self, run: ComplianceRun) {
        self.push(Change::Run(RunChange::Append(run)));
    }

    /// Forgets all compliance runs up to an id. The newest one always stays.
    pub fn prune_runs(&mut self, through: RunId) {
        self.push(Change::Run(RunChange::Prune { through }));
    }
}
