//! Templates.

use koor_core::{
    domain::{
        json,
        rules::RULES_ROOM,
        templates::{Template, TemplateKind, TemplateSummary},
    },
    ids::{ProjectName, TemplateId},
    schema::{FullLine, Line, Needs, OrEmpty, Prose},
    use_cases::{CreateTemplate, DeleteTemplate, ReplaceTemplate, TemplateDraft},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Failure,
    json_body::{Kept, Object},
    query_value::query,
    request::Call,
    response::{self, Json, Written},
    routes::deleted::Deleted,
};

query! {
    struct ListQuery {
        /// Of this kind.
        kind: Option<TemplateKind>,
        /// With this tag.
        tag: Option<String>,
    }
}

pub(crate) async fn list(call: Call, query: ListQuery) -> Result<Json<Vec<TemplateSummary>>, Failure> {
    let found = call.koor().templates(query.kind, query.tag).await?;
    response::json(&found)
}

pub(crate) async fn get(call: Call) -> Result<Json<Template>, Failure> {
    response::json(&call.koor().template(&call.name(0)?).await?)
}

pub(crate) async fn create(
    call: Call,
    Kept(draft): Kept<TemplateDraft>,
) -> Result<Written<Template>, Failure> {
    let command = call.koor().run_limited(room(&draft), move || Ok(CreateTemplate::new(draft)?)).await?;
    response::committed(&call.koor().execute(&call.caller, command).await?)
}

pub(crate) async fn replace(
    call: Call,
    Kept(draft): Kept<TemplateDraft>,
) -> Result<Written<Template>, Failure> {
    let id: TemplateId = call.name(0)?;
    let command =
        call.koor().run_limited(room(&draft), move || Ok(ReplaceTemplate::new(&id, draft)?)).await?;
    response::committed(&call.koor().execute(&call.caller, command).await?)
}

/// What checking a template may take up in memory.
fn room(draft: &TemplateDraft) -> usize {
    RULES_ROOM + draft.data.as_ref().map_or(0, |data| json::room(data.as_str().as_bytes()))
}

pub(crate) async fn delete(call: Call) -> Result<Written<Deleted>, Failure> {
    let id: TemplateId = call.name(0)?;
    let done = call.koor().execute(&call.caller, DeleteTemplate(id.clone())).await?;
    response::committed(&done.map(|()| Deleted::of(&id)))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["project"]))]
pub(crate) struct ApplyBody {
    #[schemars(with = "ProjectName")]
    project: String,
}

/// A template that was brought to a project.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Applied")]
pub(crate) struct Application {
    applied: TemplateId,
    project: ProjectName,
    kind: TemplateKind,
}

pub(crate) async fn apply(
    call: Call,
    Object(body): Object<ApplyBody>,
) -> Result<Written<Application>, Failure> {
    let (id, project): (TemplateId, _) = (call.name(0)?, ProjectName::new(body.project)?);
    let done = call.koor().apply_template(&call.caller, &id, &project).await?;
    response::committed(&done.map(|kind| Application { applied: id, project, kind }))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["id", "name", "project"]))]
pub(crate) struct CaptureBody {
    #[schemars(with = "TemplateId")]
    id: String,
    #[schemars(with = "FullLine")]
    name: String,
    #[schemars(with = "ProjectName")]
    project: String,
    #[schemars(with = "TemplateKind", transform = OrEmpty)]
    kind: String,
    #[schemars(with = "Prose")]
    description: String,
    #[schemars(with = "Vec<Line>", length(max = 100))]
    tags: Vec<String>,
}

pub(crate) async fn capture(
    call: Call,
    Object(body): Object<CaptureBody>,
) -> Result<Written<Template>, Failure> {
    let CaptureBody { id, name, project, kind, description, tags } = body;
    let project = ProjectName::new(project)?;
    let draft = TemplateDraft { id, name, description, kind, data: None, tags };
    response::committed(&call.koor().capture_template(&call.caller, draft, &project).await?)
}
