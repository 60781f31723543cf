//! Templates: found, packed and unpacked.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{
    app::Koor,
    caller::Caller,
    command::Committed,
    domain::{
        ContentType, RawJson,
        contracts::claims_to_be_contract,
        json::room,
        rules::{Intake, RULES_ROOM, Rule, RuleDraft, RuleFilter, RuleStatus},
        state::Document,
        templates::{Contents, Template, TemplateKind, TemplateSummary},
    },
    error::{Error, Invalid},
    ids::{ProjectName, SpecKey, SpecName, TemplateId},
    use_cases::specs::{TRIES, against},
    use_cases::{
        ApplyTemplate, CreateTemplate, SchemaCheck, TemplateDraft, state::Payload,
        templates::commands::Brought,
    },
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
    ) -> Result<Vec<TemplateSummary>, Error> {
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
                Err(Error::StaleCheck(_)) if tried < TRIES => tried += 1,
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
        let rules = self.rules(rules).await?;
        let mut captured = Captured { rules, ..Captured::default() };
        if kind != TemplateKind::Rules {
            self.capture_specs(project, &mut captured).await?;
        }
        let data = self.run_limited(MOST_CAPTURED, move || Ok(captured.into_data(kind)?)).await?;
        let draft = TemplateDraft { data: Some(data), ..draft };
        let check_room = RULES_ROOM + room(draft.data.as_ref().map_or(&[], |data| data.as_str().as_bytes()));
        let command = self.run_limited(check_room, move || Ok(CreateTemplate::new(draft)?)).await?;
        self.execute(caller, command).await
    }

    /// Takes the contracts of a project, and its other specs.
    async fn capture_specs(&self, project: &ProjectName, captured: &mut Captured) -> Result<(), Error> {
        let size: u64 = self.specs(project.clone()).await?.iter().map(|(_, revision)| revision.size).sum();
        if size > MOST_CAPTURED as u64 {
            return Err(Invalid::new(format!(
                "the specs of {project} have {size} bytes, at most {MOST_CAPTURED} fit into a template"
            ))
            .into());
        }
        let take = |name: &SpecName, document: &Document| {
            // Without the spaces and line ends of the spec: an answer is one line.
            let value: Value = serde_json::from_slice(&document.value).ok()?;
            Some((claims_to_be_contract(&document.value), name.clone(), RawJson::from(&value)))
        };
        for (is_contract, name, value) in self.map_specs(project, take).await? {
            let specs = if is_contract { &mut captured.contracts } else { &mut captured.specs };
            specs.insert(name, value);
        }
        Ok(())
    }
}

/// What the specs of a project may have in bytes to be packed into a template: as much as one that is sent.
const MOST_CAPTURED: usize = 10 << 20;

/// What a template is made of.
#[derive(Default, Serialize)]
struct Captured {
    rules: Vec<Rule>,
    contracts: BTreeMap<SpecName, RawJson>,
    specs: BTreeMap<SpecName, RawJson>,
}

impl Captured {
    /// As the data of a template of that kind.
    fn into_data(self, kind: TemplateKind) -> Result<RawJson, Invalid> {
        match kind {
            TemplateKind::Rules => RawJson::of(&self.rules),
            TemplateKind::Contracts => RawJson::of(&self.contracts),
            TemplateKind::Bundle => RawJson::of(&self),
        }
    }
}
