//! Compliance: checking every active instance's contracts, and what came of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    app::Koor,
    caller::Caller,
    command::Committed,
    domain::{
        compliance::{ComplianceRun, RunFilter, project_names},
        contracts::{Contract, Violation, claims_to_be_contract, contract_parts},
        instances::{InstanceFilter, InstanceStatus},
        json::{MOST_TREE, tree},
        state::Document,
    },
    error::Error,
    ids::{ProjectName, SpecKey, SpecName, StateKey},
    page::Limit,
    ports::FactSet,
    use_cases::compliance::commands::{Finding, RecordRuns, write_down},
};

/// The limit of violations that are listed for one contract: more would not be fixed at once.
const MOST_VIOLATIONS: usize = 100;

/// How many bytes these may have. A run is kept, announced and answered with all of them.
const MOST_BYTES: usize = 16 << 10;

/// How many bytes the violations of one check of everything may have: each agent of a project has the same ones.
const MOST_BYTES_OF_ALL: usize = 4 << 20;

/// The time limit for the checks of one contract: no caller waits for them.
const LONGEST: Duration = Duration::from_secs(10);

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
        // One check at a time, since each holds a contract while it waits for others.
        let _turn = self.inner.cpu.checking_permit().await;
        let active = InstanceFilter { status: Some(InstanceStatus::Active), ..InstanceFilter::default() };
        let known: BTreeSet<ProjectName> =
            self.projects().await?.into_iter().map(|project| project.project).collect();
        // Of all agents of a project the same is found.
        let mut checked: BTreeMap<ProjectName, Vec<(SpecName, Vec<Violation>)>> = BTreeMap::new();
        let mut findings = Vec::new();
        let mut bytes_left = MOST_BYTES_OF_ALL;
        for instance in self.instances(active).await? {
            let names = project_names(&instance.workspace);
            let Some(project) = names.into_iter().find(|name| known.contains(name)) else { continue };
            if !checked.contains_key(&project) {
                let found = self.check_project(&project).await?;
                checked.insert(project.clone(), found);
            }
            for (contract, violations) in checked.get(&project).into_iter().flatten() {
                findings.push(Finding {
                    instance_id: instance.id,
                    project: project.clone(),
                    contract: contract.clone(),
                    violations: within(&mut bytes_left, violations),
                });
            }
        }
        Ok(findings)
    }

    /// What is wrong with each contract of a project.
    async fn check_project(&self, project: &ProjectName) -> Result<Vec<(SpecName, Vec<Violation>)>, Error> {
        let claims = |name: &SpecName, document: &Document| {
            claims_to_be_contract(&document.value).then(|| name.clone())
        };
        let mut found = Vec::new();
        let mut bytes_left = MOST_BYTES_OF_ALL;
        for name in self.map_specs(project, claims).await? {
            let key = SpecKey { project: project.clone(), name: name.clone() };
            let Some(document) = self.newest(&key.into()).await? else { continue };
            let violations = self.check_contract(document).await?;
            found.push((name, within(&mut bytes_left, &violations)));
        }
        Ok(found)
    }

    /// What is wrong with a contract, and with the state it says must satisfy it, as far as it can be told.
    async fn check_contract(&self, document: Arc<Document>) -> Result<Vec<Violation>, Error> {
        let mut sum = Sum::default();
        let parse = move || Ok(contract_parts(&document.value).map(|parts| Contract::parse(&parts)));
        let contract = match self.run_limited(MOST_TREE, parse).await? {
            Ok(Ok(contract)) => Arc::new(contract),
            Ok(Err(violations)) => {
                sum.take(0, violations);
                return Ok(sum.into_violations());
            }
            Err(error) => {
                sum.take(0, vec![Violation { path: String::new(), message: error.to_string() }]);
                return Ok(sum.into_violations());
            }
        };
        sum.take(0, contract.lint());
        // Each value is parsed once, for all checks of it.
        let mut by_value: BTreeMap<&StateKey, Vec<usize>> = BTreeMap::new();
        for (index, check) in contract.checks().iter().enumerate() {
            by_value.entry(&check.state).or_default().push(index);
        }
        let begun = self.now();
        for (state, indices) in by_value {
            if sum.is_full() {
                break;
            }
            if self.now().since(begun) >= LONGEST {
                let message =
                    format!("not all checks were made: they took more than {} s", LONGEST.as_secs());
                sum.take(usize::MAX, vec![Violation { path: "checks".to_owned(), message }]);
                break;
            }
            let Some(document) = self.newest(&state.clone().into()).await? else {
                for index in indices {
                    sum.take(index, vec![at(index, format!("key not found: {state}"))]);
                }
                continue;
            };
            let (contract, state) = (Arc::clone(&contract), state.clone());
            let check = move || {
                check_value(&contract, &state, &document.value, &indices, &mut sum);
                Ok(sum)
            };
            sum = self.run_limited(MOST_TREE, check).await?;
        }
        Ok(sum.into_violations())
    }
}

/// Holds one value against all checks of it.
fn check_value(contract: &Contract, state: &StateKey, value: &[u8], indices: &[usize], sum: &mut Sum) {
    let payload = match tree(value) {
        Ok(payload) => payload,
        Err(error) => {
            for index in indices {
                sum.take(*index, vec![at(*index, format!("{state} is not JSON: {error}"))]);
            }
            return;
        }
    };
    for index in indices {
        if sum.is_full() {
            return;
        }
        if let Some(check) = contract.checks().get(*index) {
            sum.take(*index, contract.check(&check.endpoint, check.direction, &payload));
        }
    }
}

fn at(index: usize, message: String) -> Violation {
    Violation { path: format!("checks[{index}]"), message }
}

fn size(violations: &[Violation]) -> usize {
    violations.iter().map(|violation| violation.path.len() + violation.message.len()).sum()
}

/// The violations, where there is room for them yet, or one that says that there was none.
fn within(bytes_left: &mut usize, violations: &[Violation]) -> Vec<Violation> {
    let bytes = size(violations);
    if bytes <= *bytes_left {
        *bytes_left -= bytes;
        return violations.to_vec();
    }
    let message = format!("{} violations are not listed: there are too many in all", violations.len());
    vec![Violation { path: String::new(), message }]
}

/// What was found of one contract so far, with the numbers of the checks that found it.
#[derive(Debug, Default)]
struct Sum {
    violations: Vec<(usize, Violation)>,
    bytes: usize,
    full: bool,
}

impl Sum {
    fn take(&mut self, index: usize, violations: Vec<Violation>) {
        for violation in violations {
            let bytes = violation.path.len() + violation.message.len();
            self.full |= self.violations.len() == MOST_VIOLATIONS || self.bytes + bytes > MOST_BYTES;
            if self.full {
                return;
            }
            self.bytes += bytes;
            self.violations.push((index, violation));
        }
    }

    fn is_full(&self) -> bool {
        self.full
    }

    /// In the order of checks; where it was too much, the last entry says so.
    fn into_violations(mut self) -> Vec<Violation> {
        self.violations.sort_by_key(|(index, _)| *index);
        let mut violations: Vec<_> = self.violations.into_iter().map(|(_, violation)| violation).collect();
        if self.full {
            let message = format!("only the first {} violations are listed", violations.len());
            violations.push(Violation { path: String::new(), message });
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        MemoryStore,
        domain::compliance::ComplianceRun,
        testkit::{Harness, StoreFixture},
    };

    async fn runs(harness: &Harness) -> Vec<ComplianceRun> {
        harness.koor.run_compliance(&Caller::local()).await.unwrap().output
    }

    #[tokio::test]
    async fn what_many_checks_of_one_value_find_is_bounded() {
        let harness = Harness::on(StoreFixture::of(MemoryStore::default())).await;
        let check = json!({"state": "wide", "endpoint": "POST /x"});
        let contract = json!({"kind": "contract", "checks": vec![check; 200],
            "endpoints": {"POST /x": {"request": {"a": {"type": "string"}}}}});
        harness.put_spec("p/c", &contract).await.unwrap();
        harness.put_spec("p/other", &json!({"kind": "x"})).await.unwrap();
        for name in ["one", "two"] {
            harness.agent(name, "p").await;
        }
        let names = |prefix: &str| -> serde_json::Map<String, serde_json::Value> {
            (0..1000).map(|n| (format!("{prefix}{n:04}"), json!(0))).collect()
        };
        for (prefix, listed) in [("", 100), (&*"x".repeat(1000), 7)] {
            harness.put("wide", &json!(names(prefix)).to_string()).await;
            let found = runs(&harness).await;
            assert_eq!(found.len(), 2);
            for run in found {
                assert_eq!((run.pass, run.contract.as_str(), run.violations.len()), (false, "c", listed + 1));
                let last = run.violations.last().unwrap();
                assert_eq!(last.message, format!("only the first {listed} violations are listed"));
            }
        }
        harness.put("wide", r#"{"a":"b"}"#).await;
        assert!(runs(&harness).await.iter().all(|run| run.pass));
        harness.delete("wide").await;
        let missing = runs(&harness).await.remove(0).violations;
        assert_eq!(missing[..2], [at(0, "key not found: wide".into()), at(1, "key not found: wide".into())]);
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let violations = vec![at(1, "abc".into()), at(2, "def".into())];
        let mut bytes_left = 2 * size(&violations) - 1;
        assert_eq!(within(&mut bytes_left, &violations), violations);
        let message = "2 violations are not listed: there are too many in all".to_owned();
        assert_eq!(within(&mut bytes_left, &violations), [Violation { path: String::new(), message }]);
    }
}
