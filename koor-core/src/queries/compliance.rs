//! Compliance: checking every active instance's contracts, and what came of it.

use serde_json::Value;

use crate::{
    app::Koor,
    caller::Caller,
    command::Committed,
    commands::{Finding, RecordRuns, write_down},
    domain::json::tree,
    domain::{
        compliance::{ComplianceRun, RunFilter, project_names},
        contracts::{Contract, Violation},
        instances::{InstanceFilter, InstanceStatus},
    },
    error::Error,
    ids::ProjectName,
    page::Limit,
    ports::FactSet,
};

impl Koor {
    /// Matching runs, newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn compliance_history(
        &self,
        filter: RunFilter,
        limit: Limit,
    ) -> Result<Vec<ComplianceRun>, Error> {
        self.read(move |tx| tx.runs(&filter, limit.get())).await
    }

    /// Checks the contracts of every active instance, because the caller asks for it.
    ///
    /// # Errors
    /// When the caller may not.
    pub async fn run_compliance(&self, caller: &Caller) -> Result<Committed<Vec<ComplianceRun>>, Error> {
        self.admit(caller, RecordRuns::operation_of_any()).await?;
        let findings = self.find_violations().await?;
        self.execute(caller, RecordRuns(findings)).await
    }

    /// Checks the contracts of every active instance, because it is time to.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn watch_compliance(&self) -> Result<Vec<ComplianceRun>, Error> {
        let findings = self.find_violations().await?;
        if findings.is_empty() {
            return Ok(Vec::new());
        }
        self.housekeep("compliance-scheduler", FactSet::default(), move |cx| write_down(cx, &findings)).await
    }

    async fn find_violations(&self) -> Result<Vec<Finding>, Error> {
        let active = InstanceFilter { status: Some(InstanceStatus::Active), ..InstanceFilter::default() };
        let known: Vec<ProjectName> =
            self.projects().await?.into_iter().map(|project| project.project).collect();
        let mut findings = Vec::new();
        for instance in self.instances(active).await? {
            let names = project_names(&instance.workspace);
            let Some(project) = names.into_iter().find(|name| known.contains(name)) else { continue };
            for found in self.contracts_of(&project).await? {
                findings.push(Finding {
                    instance_id: instance.id,
                    project: project.clone(),
                    violations: self.check_contract(&found.value).await?,
                    contract: found.name,
                });
            }
        }
        Ok(findings)
    }

    /// Everything that is wrong with a contract, and with the state it says must satisfy it.
    async fn check_contract(&self, contract: &Value) -> Result<Vec<Violation>, Error> {
        let contract = match Contract::parse(contract) {
            Ok(contract) => contract,
            Err(violations) => return Ok(violations),
        };
        let mut violations = contract.lint();
        for (index, check) in contract.checks().iter().enumerate() {
            let at = |message: String| Violation { path: format!("checks[{index}]"), message };
            let Some(document) = self.newest(&check.state.clone().into()).await? else {
                violations.push(at(format!("key not found: {}", check.state)));
                continue;
            };
            match tree(&document.value) {
                Ok(payload) => {
                    violations.extend(contract.check(&check.endpoint, check.direction, &payload));
                }
                Err(error) => violations.push(at(format!("{} is not JSON: {error}", check.state))),
            }
        }
        Ok(violations)
    }
}
