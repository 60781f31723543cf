//! What the five tools do: each calls one use case of the core, and decides nothing.

use http::request::Parts;
use koor_core::{
    Caller, Error, Koor,
    domain::{
        instances::{Instance, InstanceFilter},
        rules::RuleDraft,
    },
    ids::InstanceId,
    use_cases::{InstanceDraft, RegisterInstance, Registered, SetIntent},
};
use serde_json::{Map, Value, json};

use crate::{
    Guide, address,
    arguments::Arguments,
    tools::{Definition, Name},
};

/// The file, in the directory of an agent, in which a hook, `koor register` and `koor init` keep its token.
const TOKEN_FILE: &str = "settings.json";

/// The instance that the arguments of a call name.
pub(crate) fn instance_named(tool: &str, arguments: &Map<String, Value>) -> Option<InstanceId> {
    let argument = match Definition::find(tool)?.name {
        Name::SetIntent => "instance_id",
        Name::ProposeRule => "proposed_by",
        Name::RegisterInstance | Name::DiscoverInstances | Name::GetEndpoints => return None,
    };
    arguments.get(argument)?.as_str()?.trim().parse().ok()
}

/// Calls a tool.
///
/// # Errors
/// When the core refuses, or fails.
pub(crate) async fn call(
    tool: Name,
    arguments: Arguments,
    koor: &Koor,
    caller: &Caller,
    guide: &Guide,
    request: &Parts,
) -> Result<Value, Error> {
    match tool {
        Name::RegisterInstance => register_instance(arguments, koor, caller).await,
        Name::DiscoverInstances => discover_instances(arguments, koor).await,
        Name::SetIntent => set_intent(arguments, koor, caller).await,
        Name::GetEndpoints => Ok(get_endpoints(guide, request)),
        Name::ProposeRule => propose_rule(arguments, koor, caller).await,
    }
}

async fn register_instance(mut sent: Arguments, koor: &Koor, caller: &Caller) -> Result<Value, Error> {
    let draft = InstanceDraft {
        name: sent.text("name"),
        workspace: sent.text("workspace"),
        intent: sent.text("intent"),
        stack: sent.text("stack"),
        capabilities: sent.text("capabilities").split(',').map(str::to_owned).collect(),
    };
    if let Some(own) = registered_already(koor, caller, &draft).await? {
        return Ok(own);
    }
    let command = RegisterInstance::new(koor, &draft)?;
    let Registered { instance, token } = koor.execute(caller, command).await?.output;
    let message = format!(
        "Registered as pending. Activate: koor-cli activate {}. Read and write data by REST or koor-cli, as \
         get_endpoints says.",
        instance.id
    );
    let mut answer = shown(&instance);
    answer.remove("id");
    answer.remove("last_seen");
    answer.insert("instance_id".to_owned(), json!(instance.id));
    answer.insert("token".to_owned(), json!(token));
    answer.insert("message".to_owned(), json!(message));
    Ok(Value::Object(answer))
}

/// What is answered to an agent that calls with the token it was registered with: it is registered, and its token stays where
/// it is. What a tool answers goes through the model's context, and into what clients report of it.
async fn registered_already(
    koor: &Koor,
    caller: &Caller,
    draft: &InstanceDraft,
) -> Result<Option<Value>, Error> {
    let Some(own) = caller.as_instance() else { return Ok(None) };
    let named = InstanceFilter { name: Some(draft.name.trim().to_owned()), ..InstanceFilter::default() };
    let named = koor.instances(named).await?;
    let same_place = |one: &Instance| draft.workspace.is_empty() || one.workspace == draft.workspace;
    let Some(instance) = named.into_iter().find(|one| one.id == own.id && same_place(one)) else {
        return Ok(None);
    };
    let instance = match draft.intent.as_str() {
        "" => instance,
        intent => koor.execute(caller, SetIntent::new(instance.id, intent)?).await?.output,
    };
    let mut answer = shown(&instance);
    answer.remove("id");
    answer.remove("last_seen");
    answer.insert("instance_id".to_owned(), json!(instance.id));
    answer.insert("token".to_owned(), json!(""));
    answer.insert("token_file".to_owned(), json!(TOKEN_FILE));
    answer
        .insert("message".to_owned(), json!("You are registered already; koor finds your token by itself."));
    Ok(Some(Value::Object(answer)))
}

async fn discover_instances(mut sent: Arguments, koor: &Koor) -> Result<Value, Error> {
    let filter = InstanceFilter {
        name: sent.given("name"),
        workspace: sent.given("workspace"),
        stack: sent.given("stack"),
        capability: sent.given("capability"),
        status: None,
    };
    let instances: Vec<_> = koor.instances(filter).await?.iter().map(shown).collect();
    Ok(json!({"count": instances.len(), "instances": instances}))
}

async fn set_intent(mut sent: Arguments, koor: &Koor, caller: &Caller) -> Result<Value, Error> {
    let named = sent.text("instance_id");
    let unknown = || Error::NotFound { what: "instance", name: named.clone() };
    let id: InstanceId = named.trim().parse().map_err(|_| unknown())?;
    let command = SetIntent::new(id, &sent.text("intent"))?;
    let instance = koor.execute(caller, command).await?.output;
    Ok(json!({"instance_id": id, "intent": instance.intent, "message": "Intent set, last_seen refreshed."}))
}

fn get_endpoints(guide: &Guide, request: &Parts) -> Value {
    let endpoints: Map<String, Value> =
        guide.endpoints.iter().map(|(name, route)| ((*name).to_owned(), json!(route))).collect();
    let base = address::api_base(request, &guide.api_base);
    json!({
        "endpoints": endpoints,
        "cli": {
            "install": "koor-cli is the program koor under another name: ln -s \"$(command -v koor)\" koor-cli",
            "usage": format!(
                "export KOOR_SERVER={base}; koor-cli state get <key> --output <file>; koor-cli state set <key> --file \
                 <file>; koor-cli events publish <topic> --data <json>; koor-cli events wait <pattern>; koor-cli --help"
            ),
        },
        "message": "Read and write data by REST or koor-cli: files stay out of your context. If the server asks for a \
            token, send Authorization: Bearer <token>.",
        "api_base": base,
    })
}

async fn propose_rule(mut sent: Arguments, koor: &Koor, caller: &Caller) -> Result<Value, Error> {
    let draft = RuleDraft {
        project: sent.given("project"),
        rule_id: sent.given("rule_id"),
        pattern: sent.given("pattern"),
        message: sent.given("message"),
        severity: sent.given("severity"),
        match_type: sent.given("match_type"),
        stack: sent.given("stack"),
        proposed_by: sent.given("proposed_by"),
        context: sent.given("context"),
        ..RuleDraft::default()
    };
    let rule = koor.propose_rule(caller, draft).await?.output;
    Ok(json!({
        "project": rule.project,
        "rule_id": rule.rule_id,
        "status": rule.status,
        "message": "Proposed. It checks nothing until a person accepts it.",
    }))
}

/// An instance without what it does not say: every byte is read by a model.
fn shown(instance: &Instance) -> Map<String, Value> {
    let Value::Object(mut fields) = json!(instance) else { return Map::new() };
    fields.retain(|_, value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    });
    fields
}
