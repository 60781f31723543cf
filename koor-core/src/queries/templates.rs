//! Templates: found, packed and unpacked.

use serde_json::{Map, Value, json};

use crate::{
    app::Koor,
    caller::Caller,
    command::Committed,
    commands::{ApplyTemplate, Brought, CreateTemplate, Payload, SchemaCheck, TemplateDraft},
    domain::{
        ContentType, RawJson,
        rules::{Intake, RuleDraft, RuleFilter, RuleStatus},
        templates::{Contents, Template, TemplateKind},
    },
    error::Error,
    ids::{DocumentKey, ProjectName, SpecKey, TemplateId},
    queries::specs::{TRIES, against},
};

impl Koor {
    /// Templates of that kind and with that tag, where these are given; last updated first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn templates(
        &self,
        kind: Option<TemplateKind>,
        tag: Option<String>,
    ) -> Result<Vec<Template>, Error> {
        self.read(move |tx| tx.templates(kind, tag.as_deref())).await
    }

    /// The template of that id.
    ///
    /// # Errors
    /// When there is none.
    pub async fn template(&self, id: &TemplateId) -> Result<Template, Error> {
        let asked = id.clone();
        let found = self.read(move |tx| tx.template(&asked)).await?;
        found.ok_or_else(|| Error::not_found("template", id))
    }

    /// Brings all that a template holds to a project, or nothing.
    ///
    /// # Errors
    /// When there is no such template, what it holds does not fit the project's schemas, or the caller may not.
    pub async fn apply_template(
        &self,
        caller: &Caller,
        id: &TemplateId,
        project: &ProjectName,
    ) -> Result<Committed<TemplateKind>, Error> {
        self.admit(caller, ApplyTemplate::operation_for(id)).await?;
        let mut tried = 0;
        loop {
            let apply = self.unpack(id, project).await?;
            match self.execute(caller, apply).await {
                Err(Error::Moved(_)) if tried < TRIES => tried += 1,
                answer => return answer,
            }
        }
    }

    async fn unpack(&self, id: &TemplateId, project: &ProjectName) -> Result<ApplyTemplate, Error> {
        let unpacked = self.template(id).await?;
        let contents = Contents::read(id, unpacked.kind, &unpacked.data)?;
        let mut specs = Vec::new();
        for (name, value) in &contents.specs {
            let key = SpecKey { project: project.clone(), name: name.clone() };
            let mut schema = self.check_spec(&key, value).await?;
            // A schema that the template brings along counts, not the one it replaces.
            let beside = schema.against.as_ref().and_then(|(schema, _)| contents.specs.get(&schema.name));
            if let Some(beside) = beside {
                schema = SchemaCheck { against: None, violations: against(beside, value) };
            }
            let payload = Payload::of(value.to_string().into(), ContentType::json());
            specs.push(Brought { key, payload, schema });
        }
        let rules = RuleDraft::check_all(contents.rules, Intake::Template(project), self.now())?;
        Ok(ApplyTemplate { id: id.clone(), project: project.clone(), unpacked, rules, specs })
    }

    /// Packs a project's accepted rules, contracts and other specs, as far as the draft's kind holds them, into a new
    /// template.
    ///
    /// # Errors
    /// When the id is taken, or the caller may not.
    pub async fn capture_template(
        &self,
        caller: &Caller,
        draft: TemplateDraft,
        project: &ProjectName,
    ) -> Result<Committed<Template>, Error> {
        let kind = if draft.kind.is_empty() { TemplateKind::default() } else { draft.kind.parse()? };
        let rules = RuleFilter {
            projects: vec![project.clone()],
            status: Some(RuleStatus::Accepted),
            ..RuleFilter::default()
        };
        let rules = json!(self.rules(rules).await?);
        let (contracts, specs) = self.captured_specs(project).await?;
        let data = match kind {
            TemplateKind::Rules => rules,
            TemplateKind::Contracts => Value::Object(contracts),
            TemplateKind::Bundle => json!({"rules": rules, "contracts": contracts, "specs": specs}),
        };
        let draft = TemplateDraft { data: Some(RawJson::from(&data)), ..draft };
        self.execute(caller, CreateTemplate::new(draft)?).await
    }

    /// The contracts of a project, and its other specs.
    async fn captured_specs(
        &self,
        project: &ProjectName,
    ) -> Result<(Map<String, Value>, Map<String, Value>), Error> {
        let contracts: Map<String, Value> = self
            .contracts_of(project)
            .await?
            .into_iter()
            .map(|found| (found.name.to_string(), found.value))
            .collect();
        let mut specs = Map::new();
        for (name, _) in self.specs(project.clone()).await? {
            if contracts.contains_key(name.as_str()) {
                continue;
            }
            let key = DocumentKey::from(SpecKey { project: project.clone(), name: name.clone() });
            if let Some(document) = self.newest(&key).await?
                && let Ok(value) = serde_json::from_slice(&document.value)
            {
                specs.insert(name.to_string(), value);
            }
        }
        Ok((contracts, specs))
    }
}
