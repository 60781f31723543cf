//! Rules: listed, exported, and held against files.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    app::Koor,
    caller::Caller,
    command::Committed,
    domain::{
        metrics::Metric,
        rules::{
            GLOBAL_PROJECT, Input, Intake, RULES_ROOM, Rule, RuleDraft, RuleFilter, RuleSource, RuleStatus,
            RuleViolation,
        },
    },
    error::{Error, Invalid},
    ids::ProjectName,
    use_cases::{ImportRules, ProposeRule, PutRules},
};

/// How long the rules may take for one file, all together: as long as anybody waits for an answer.
const LONGEST: Duration = Duration::from_secs(10);

/// A file as a client sends it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FileToCheck {
    /// Its path or name.
    pub filename: Option<String>,
    /// What is in it.
    pub content: String,
    /// The technology it belongs to.
    pub stack: Option<String>,
    /// Rules to try on it, instead of those that are stored. They are checked like those of an import, and not kept.
    #[schemars(length(max = 5000))]
    pub rules: Option<Vec<RuleDraft>>,
}

/// What a check of a file found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Validation {
    /// The project whose rules were held against it.
    pub project: ProjectName,
    /// What was found.
    pub violations: Vec<RuleViolation>,
    /// How much of that.
    pub count: usize,
}

impl Koor {
    /// Matching rules, by project and id.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn rules(&self, filter: RuleFilter) -> Result<Vec<Rule>, Error> {
        self.read(move |tx| tx.rules(&filter)).await
    }

    /// The accepted rules that came from these sources; from `local` and `learned`, unless told.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn export_rules(&self, sources: Vec<RuleSource>) -> Result<Vec<Rule>, Error> {
        let sources = if sources.is_empty() { vec![RuleSource::Local, RuleSource::Learned] } else { sources };
        let status = Some(RuleStatus::Accepted);
        self.rules(RuleFilter { sources, status, ..RuleFilter::default() }).await
    }

    /// Holds a file against the rules of a project and those of every project; or against rules that came with it, so
    /// that a rule can be tried before it is proposed or accepted.
    ///
    /// # Errors
    /// When the store can't be read, the file has no decent name, or one of the rules to try can't be a rule.
    pub async fn validate(
        &self,
        caller: &Caller,
        project: ProjectName,
        mut file: FileToCheck,
    ) -> Result<Validation, Error> {
        Input::new(file.filename.as_deref(), &file.content, file.stack.as_deref())?;
        if let Some(drafts) = file.rules.take() {
            let (of, now) = (project.clone(), self.now());
            let violations =
                self.run_rules(file, move || RuleDraft::check_all(drafts, Intake::Trial(&of), now)).await?;
            return Ok(Validation { project, count: violations.len(), violations });
        }
        let mut projects = vec![project.clone()];
        projects.extend(ProjectName::new(GLOBAL_PROJECT).ok().filter(|global| *global != project));
        let status = Some(RuleStatus::Accepted);
        let rules = self.rules(RuleFilter { projects, status, ..RuleFilter::default() }).await?;
        let violations = self.run_rules(file, move || Ok(rules)).await?;
        self.count(caller, Metric::Violations, violations.len());
        Ok(Validation { project, count: violations.len(), violations })
    }

    /// Proposes a rule. Like everything that compiles patterns, it does so on a thread of its own: thousands take a second.
    ///
    /// # Errors
    /// When the draft can't be a rule, or the caller may not propose it.
    pub async fn propose_rule(&self, caller: &Caller, draft: RuleDraft) -> Result<Committed<Rule>, Error> {
        let by = caller.clone();
        let command = self.run_limited(RULES_ROOM, move || Ok(ProposeRule::new(&by, draft)?)).await?;
        self.execute(caller, command).await
    }

    /// Replaces a project's own rules; answers how many there are.
    ///
    /// # Errors
    /// When one of them can't be a rule, or the caller may not.
    pub async fn put_rules(
        &self,
        caller: &Caller,
        project: ProjectName,
        drafts: Vec<RuleDraft>,
    ) -> Result<Committed<usize>, Error> {
        let command = self.run_limited(RULES_ROOM, move || Ok(PutRules::new(project, drafts)?)).await?;
        self.execute(caller, command).await
    }

    /// Adds rules, or replaces those of the same id; answers how many were imported.
    ///
    /// # Errors
    /// When one of them can't be a rule, or the caller may not.
    pub async fn import_rules(
        &self,
        caller: &Caller,
        drafts: Vec<RuleDraft>,
    ) -> Result<Committed<usize>, Error> {
        let command = self.run_limited(RULES_ROOM, move || Ok(ImportRules::new(drafts)?)).await?;
        self.execute(caller, command).await
    }

    async fn run_rules(
        &self,
        file: FileToCheck,
        rules: impl FnOnce() -> Result<Vec<Rule>, Invalid> + Send + 'static,
    ) -> Result<Vec<RuleViolation>, Error> {
        let koor = self.clone();
        // Thousands of regexes over megabytes: not on a thread that others wait for.
        self.run_limited(RULES_ROOM, move || {
            let input = Input::new(file.filename.as_deref(), &file.content, file.stack.as_deref())?;
            let rules = rules()?;
            let begun = koor.now();
            let still = || koor.now().since(begun) < LONGEST;
            Ok(koor.inner.engine.validate_while(&rules, &input, &still))
        })
        .await
    }
}
