//! Hooks put into the text of a client's settings, and taken out. Everything else stays as it is written.

use jsonc_parser::cst::{CstArray, CstNode, CstObject};
use koor_core::domain::hooks::HookPolicy;
use serde_json::{Map, Value, json};

use super::{command, error::ChangeError, pre_commit};
use crate::{
    commands::hook::{
        clients::{Client, Entry, Form, TimeUnit},
        target::Target,
    },
    mcp_files::{MergeError, input, object_in, object_of, parsed, written},
};

/// The most stops in a row that Cursor lets a hook answer.
const LOOP_LIMIT: u32 = koor_core::domain::hooks::MAX_STOPS;

/// What stands in the first line of a plugin of Koor's.
const OWN_PLUGIN: &str = "// Koor's hooks";

/// The hooks that are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) target: Target,
    pub(super) program: &'a str,
    pub(super) policy: HookPolicy,
}

impl Wanted<'_> {
    /// The text of a file with these hooks, in which there are none of Koor's for that target. Empty for a new file.
    pub(super) fn put_into(&self, text: &str) -> Result<String, ChangeError> {
        let line = command::line(self.program, self.target, self.policy);
        let client = match self.target {
            Target::Client(client) => client,
            Target::Git => return pre_commit::put(text, &line),
        };
        match client.table().setup.form {
            Form::Plugin { text: plugin } => {
                let words = json!(command::words(self.program, self.target, self.policy));
                if text.is_empty() {
                    Ok(plugin.replace("{{command}}", &words.to_string()))
                } else {
                    Err(ChangeError::Foreign)
                }
            }
            Form::Groups { entries, unit } => {
                let group = |entry: &Entry| group(entry, unit, &line);
                Ok(appended(text, entries, &group, None)?)
            }
            Form::List { entries } => {
                let hook = |entry: &Entry| hook(entry, &line);
                Ok(appended(text, entries, &hook, Some(("version", json!(1))))?)
            }
        }
    }
}

fn group(entry: &Entry, unit: TimeUnit, line: &str) -> Value {
    let limit = match unit {
        TimeUnit::Seconds => json!(entry.limit.as_secs()),
        TimeUnit::Milliseconds => json!(entry.limit.as_millis()),
    };
    let mut group = Map::new();
    if !entry.matcher.is_empty() {
        group.insert("matcher".to_owned(), json!(entry.matcher));
    }
    group.insert("hooks".to_owned(), json!([{"type": "command", "command": line, "timeout": limit}]));
    Value::Object(group)
}

fn hook(entry: &Entry, line: &str) -> Value {
    let mut hook = Map::new();
    hook.insert("command".to_owned(), json!(line));
    if !entry.matcher.is_empty() {
        hook.insert("matcher".to_owned(), json!(entry.matcher));
    }
    hook.insert("timeout".to_owned(), json!(entry.limit.as_secs()));
    if entry.event == "stop" {
        hook.insert("loop_limit".to_owned(), json!(LOOP_LIMIT));
    }
    Value::Object(hook)
}

fn appended(
    text: &str,
    entries: &[Entry],
    item: &dyn Fn(&Entry) -> Value,
    needed: Option<(&str, Value)>,
) -> Result<String, MergeError> {
    let root = parsed(text)?;
    let object = object_of(&root)?;
    if let Some((key, value)) = needed.filter(|(key, _)| object.get(key).is_none()) {
        object.append(key, input(&value));
    }
    let hooks = object_in(&object, "hooks")?;
    for entry in entries {
        let list = hooks
            .array_value_or_create(entry.event)
            .ok_or_else(|| MergeError::List(entry.event.to_owned()))?;
        list.ensure_multiline();
        list.append(input(&item(entry)));
    }
    Ok(written(&root))
}

/// The text of a file without Koor's hooks of that target; `None` for one in which there are none.
pub(super) fn taken_out(text: &str, target: Target) -> Result<Option<String>, ChangeError> {
    let client = match target {
        Target::Client(client) => client,
        Target::Git => return Ok(pre_commit::taken_out(text)),
    };
    if let Form::Plugin { .. } = client.table().setup.form {
        return Ok(text.starts_with(OWN_PLUGIN).then(String::new));
    }
    let root = parsed(text)?;
    let object = object_of(&root)?;
    let Some(hooks) = object.object_value("hooks") else { return Ok(None) };
    let mut found = false;
    for (event, _) in client.table().events {
        let Some(list) = hooks.array_value(event) else { continue };
        if take_out_of(&list, target) {
            found = true;
            if list.elements().is_empty()
                && let Some(member) = hooks.get(event)
            {
                member.remove();
            }
        }
    }
    if !found {
        return Ok(None);
    }
    if hooks.properties().is_empty()
        && let Some(member) = object.get("hooks")
    {
        member.remove();
    }
    Ok(Some(root.to_string()))
}

/// Takes Koor's hooks out of a list of hooks, or of groups of hooks.
fn take_out_of(list: &CstArray, target: Target) -> bool {
    let mut found = false;
    for element in list.elements() {
        let Some(item) = element.as_object() else { continue };
        if is_own(&item, target) {
            element.remove();
            found = true;
        } else if let Some(inner) = item.array_value("hooks") {
            let own: Vec<CstNode> = inner.elements();
            let own =
                own.into_iter().filter(|hook| hook.as_object().is_some_and(|hook| is_own(&hook, target)));
            let mut taken = false;
            own.for_each(|hook| {
                hook.remove();
                taken = true;
            });
            if taken && inner.elements().is_empty() {
                element.remove();
            }
            found |= taken;
        }
    }
    found
}

fn is_own(hook: &CstObject, target: Target) -> bool {
    let command = hook.get("command").and_then(|member| member.to_serde_value());
    command.as_ref().and_then(Value::as_str).is_some_and(|line| command::read(line, target).is_some())
}

/// The command lines of Koor's hooks of a client in the text of its settings.
pub(super) fn commands(text: &str, client: Client) -> Vec<String> {
    let target = Target::Client(client);
    if let Form::Plugin { .. } = client.table().setup.form {
        let line = text.lines().find_map(|line| line.strip_prefix("const COMMAND = "));
        let words: Option<Vec<String>> = line.and_then(|words| serde_json::from_str(words).ok());
        return words
            .map(|words| words.join(" "))
            .filter(|_| text.starts_with(OWN_PLUGIN))
            .into_iter()
            .collect();
    }
    let Some(value) = parsed(text).ok().and_then(|root| root.to_serde_value()) else { return Vec::new() };
    let lists = client.table().events.iter().filter_map(|(event, _)| value["hooks"][event].as_array());
    let mut found: Vec<String> = lists
        .flatten()
        .flat_map(|item| item["hooks"].as_array().cloned().unwrap_or_else(|| vec![item.clone()]))
        .filter_map(|hook| hook["command"].as_str().map(str::to_owned))
        .filter(|line| command::read(line, target).is_some())
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests;
