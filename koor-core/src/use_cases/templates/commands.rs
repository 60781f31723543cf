//! Templates are made, replaced, deleted and applied.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    announcement::SystemTopic,
    caller::Access,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        RawJson,
        audit::Action,
        line, prose,
        rules::Rule,
        templates::{Contents, Template, TemplateKind},
    },
    error::{Error, Invalid},
    ids::{DocumentKey, MAX_RESTORED, ProjectName, SpecKey, TemplateId},
    ports::{Change, FactSet, TemplateChange},
    schema::{FullLine, Line, Needs, OrEmpty, Prose},
    use_cases::{
        rules::import,
        specs::SchemaCheck,
        state::{Payload, append},
    },
};

/// Under this name, templates are made from projects: one that is called so could be stored and never be read.
const TAKEN: &str = "capture";

/// The most tags a template can have.
const TAGS: usize = 100;

/// A template as a client sends it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["name"]))]
pub struct TemplateDraft {
    /// Its id.
    #[schemars(description = "Ignored where the path names the template.")]
    pub id: String,
    /// What people call it.
    #[schemars(with = "FullLine")]
    pub name: String,
    /// What it is good for.
    #[schemars(with = "Prose")]
    pub description: String,
    /// What its data is; `rules`, unless told.
    #[schemars(with = "TemplateKind", transform = OrEmpty)]
    pub kind: String,
    /// What it holds.
    pub data: Option<RawJson>,
    /// To find it by.
    #[schemars(with = "Vec<Line>", length(max = 100))]
    pub tags: Vec<String>,
}

/// A template that can be stored, but for its version and times.
#[derive(Debug)]
struct Checked {
    id: TemplateId,
    name: String,
    description: String,
    kind: TemplateKind,
    data: RawJson,
    tags: Vec<String>,
}

impl Checked {
    fn new(draft: TemplateDraft) -> Result<Self, Invalid> {
        if draft.id.is_empty() || draft.name.is_empty() {
            return Err(Invalid::new("id and name are required"));
        }
        let id = TemplateId::new(draft.id)?;
        if id.as_str() == TAKEN {
            return Err(Invalid::new(format!(
                "invalid id {TAKEN:?}: that name is taken by the call that captures a project"
            )));
        }
        let kind = if draft.kind.is_empty() { TemplateKind::default() } else { draft.kind.parse()? };
        let data = match draft.data {
            Some(data) => data,
            None => RawJson::parse("{}")?,
        };
        Contents::read(&id, kind, &data)?;
        if draft.tags.len() > TAGS {
            return Err(Invalid::new(format!(
                "{} tags were given, at most {TAGS} are allowed",
                draft.tags.len()
            )));
        }
        Ok(Self {
            id,
            name: line("name", draft.name)?,
            description: prose("description", draft.description)?,
            kind,
            data,
            tags: draft.tags.into_iter().map(|tag| line("tag", tag)).collect::<Result<_, _>>()?,
        })
    }

    /// The template as it will be stored, after `old` if it replaces one.
    fn after(&self, old: Option<&Template>, cx: &CommandContext<'_>) -> Template {
        Template {
            id: self.id.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            kind: self.kind,
            data: self.data.clone(),
            tags: self.tags.clone(),
            version: old.map_or(1, |old| old.version + 1),
            created_at: old.map_or(cx.now, |old| old.created_at),
            updated_at: cx.now,
        }
    }
}

/// A template of a backup, if it could be made as it is.
pub(crate) fn checked(template: Template) -> Result<Template, Invalid> {
    let Template { id, name, description, kind, data, tags, version, created_at, updated_at } = template;
    if version == 0 || version > MAX_RESTORED {
        return Err(Invalid::new(format!("template {id}: no version counts to {version}")));
    }
    let (id, kind) = (id.to_string(), kind.to_string());
    let Checked { id, name, description, kind, data, tags } =
        Checked::new(TemplateDraft { id, name, description, kind, data: Some(data), tags })?;
    Ok(Template { id, name, description, kind, data, tags, version, created_at, updated_at })
}

/// Makes a template.
#[derive(Debug)]
pub struct CreateTemplate(Checked);

impl CreateTemplate {
    /// To make that template.
    ///
    /// # Errors
    /// When it could not be applied.
    pub fn new(draft: TemplateDraft) -> Result<Self, Invalid> {
        Checked::new(draft).map(Self)
    }
}

impl Command for CreateTemplate {
    type Output = Template;

    fn operation(&self) -> Operation {
        Operation::to(Action::TemplateCreate, &self.0.id, Access::Admin("create templates"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.templates.insert(self.0.id.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Template>, Error> {
        if cx.template(&self.0.id)?.is_some() {
            return Err(Error::Exists { what: "template", name: self.0.id.to_string() });
        }
        store(cx, self.0.after(None, cx), SystemTopic::TemplateCreated)
    }
}

/// Replaces a template; its version counts up.
#[derive(Debug)]
pub struct ReplaceTemplate(Checked);

impl ReplaceTemplate {
    /// To replace the template of that id; what the draft calls itself does not matter.
    ///
    /// # Errors
    /// When it could not be applied.
    pub fn new(id: &TemplateId, draft: TemplateDraft) -> Result<Self, Invalid> {
        Checked::new(TemplateDraft { id: id.to_string(), ..draft }).map(Self)
    }
}

impl Command for ReplaceTemplate {
    type Output = Template;

    fn operation(&self) -> Operation {
        Operation::to(Action::TemplateUpdate, &self.0.id, Access::Admin("replace templates"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.templates.insert(self.0.id.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Template>, Error> {
        let old = find(cx, &self.0.id)?;
        store(cx, self.0.after(Some(&old), cx), SystemTopic::TemplateUpdated)
    }
}

fn store(
    cx: &mut CommandContext<'_>,
    template: Template,
    announcement: SystemTopic,
) -> Result<Applied<Template>, Error> {
    cx.put_template(template.clone());
    cx.announce(announcement, &json!({"id": template.id}))?;
    let detail = json!({"kind": template.kind});
    Ok(Applied::with(template, detail))
}

/// Deletes a template; what it was applied to stays as it is.
#[derive(Debug)]
pub struct DeleteTemplate(
    /// Which.
    pub TemplateId,
);

impl Command for DeleteTemplate {
    type Output = ();

    fn operation(&self) -> Operation {
        Operation::to(Action::TemplateDelete, &self.0, Access::Admin("delete templates"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.templates.insert(self.0.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        find(cx, &self.0)?;
        cx.remove_template(self.0.clone());
        cx.announce(SystemTopic::TemplateDeleted, &json!({"id": self.0}))?;
        Ok(Applied::new(()))
    }
}

/// A spec that a template brings, and what it looked like beside its schema.
#[derive(Debug)]
pub(crate) struct Brought {
    pub(crate) key: SpecKey,
    pub(crate) payload: Payload,
    pub(crate) schema: SchemaCheck,
}

/// Brings all that a template holds to a project, or nothing.
#[derive(Debug)]
pub struct ApplyTemplate {
    pub(crate) id: TemplateId,
    pub(crate) project: ProjectName,
    /// The template that was unpacked; it must still be the same.
    pub(crate) unpacked: Template,
    pub(crate) rules: Vec<Rule>,
    pub(crate) specs: Vec<Brought>,
}

impl ApplyTemplate {
    pub(crate) fn operation_for(id: &TemplateId) -> Operation {
        Operation::to(Action::TemplateApply, id, Access::Admin("apply templates"))
    }
}

impl Command for ApplyTemplate {
    type Output = TemplateKind;

    fn operation(&self) -> Operation {
        Self::operation_for(&self.id)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.templates.insert(self.id.clone());
        wanted.project_rules.extend(self.rules.iter().map(|rule| rule.project.clone()));
        for Brought { key, schema, .. } in &self.specs {
            wanted.revisions.insert(key.clone().into());
            wanted.revisions.extend(schema.against.iter().map(|(schema, _)| schema.clone().into()));
        }
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<TemplateKind>, Error> {
        if find(cx, &self.id)? != self.unpacked {
            return Err(Error::StaleCheck(format!("template {}", self.id)));
        }
        for spec in &self.specs {
            spec.schema.still_holds(cx, &spec.key.clone().into())?;
        }
        import(cx, &self.rules)?;
        for spec in &self.specs {
            let key = DocumentKey::from(spec.key.clone());
            let newest = cx.revision(&key)?;
            append(cx, &key, newest.as_ref(), spec.payload.clone())?;
        }
        let kind = self.unpacked.kind;
        cx.announce(SystemTopic::TemplateApplied, &json!({"id": self.id, "project": self.project}))?;
        Ok(Applied::with(kind, json!({"project": self.project, "kind": kind})))
    }
}

fn find(cx: &mut CommandContext<'_>, id: &TemplateId) -> Result<Template, Error> {
    cx.template(id)?.ok_or_else(|| Error::not_found("template", id))
}

impl CommandContext<'_> {
    /// A template.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub fn template(&mut self, id: &TemplateId) -> Result<Option<Template>, Error> {
        Ok(self.view().templates(id)?)
    }

    /// Keeps a template under its id, new or changed.
    pub fn put_template(&mut self, template: Template) {
        self.push(Change::Template(TemplateChange::Put(template)));
    }

    /// Forgets a template.
    pub fn remove_template(&mut self, id: TemplateId) {
        self.push(Change::Template(TemplateChange::Remove(id)));
    }
}
