//! Templates.

use koor_core::{
    domain::{json, rules::RULES_ROOM},
    ids::{ProjectName, TemplateId},
    use_cases::{CreateTemplate, DeleteTemplate, ReplaceTemplate, TemplateDraft},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let found = call.koor().templates(query.parse("kind")?, query.text("tag")?).await?;
    response::json(&found)
}

pub(crate) async fn get(call: Call) -> Result<Answer, Failure> {
    response::json(&call.koor().template(&call.name(0)?).await?)
}

pub(crate) async fn create(mut call: Call) -> Result<Answer, Failure> {
    let draft: TemplateDraft = call.object_kept().await?;
    let command = call.koor().run_limited(room(&draft), move || Ok(CreateTemplate::new(draft)?)).await?;
    response::committed(&call.koor().execute(&call.caller, command).await?)
}

pub(crate) async fn replace(mut call: Call) -> Result<Answer, Failure> {
    let draft: TemplateDraft = call.object_kept().await?;
    let id: TemplateId = call.name(0)?;
    let command =
        call.koor().run_limited(room(&draft), move || Ok(ReplaceTemplate::new(&id, draft)?)).await?;
    response::committed(&call.koor().execute(&call.caller, command).await?)
}

/// What checking a template may take up in memory.
fn room(draft: &TemplateDraft) -> usize {
    RULES_ROOM + draft.data.as_ref().map_or(0, |data| json::room(data.as_str().as_bytes()))
}

pub(crate) async fn delete(call: Call) -> Result<Answer, Failure> {
    let id: TemplateId = call.name(0)?;
    let done = call.koor().execute(&call.caller, DeleteTemplate(id.clone())).await?;
    response::committed(&done.map(|()| json!({"deleted": id})))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApplyBody {
    project: String,
}

pub(crate) async fn apply(mut call: Call) -> Result<Answer, Failure> {
    let body: ApplyBody = call.object().await?;
    let (id, project): (TemplateId, _) = (call.name(0)?, ProjectName::new(body.project)?);
    let done = call.koor().apply_template(&call.caller, &id, &project).await?;
    response::committed(&done.map(|kind| json!({"applied": id, "project": project, "kind": kind})))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CaptureBody {
    id: String,
    name: String,
    project: String,
    kind: String,
    description: String,
    tags: Vec<String>,
}

pub(crate) async fn capture(mut call: Call) -> Result<Answer, Failure> {
    let CaptureBody { id, name, project, kind, description, tags } = call.object().await?;
    let project = ProjectName::new(project)?;
    let draft = TemplateDraft { id, name, description, kind, data: None, tags };
    response::committed(&call.koor().capture_template(&call.caller, draft, &project).await?)
}
