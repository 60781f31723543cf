//! The telemetry settings of clients, so that they report what their models cost.

use serde_json::{Map, Value, json};

use super::{
    clients::Client,
    merge::{MergeError, object_in, object_of, parsed, set, written},
};

/// Where a client's telemetry goes, and on whose behalf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telemetry<'a> {
    /// The URL of the server.
    pub(crate) server: &'a str,
    /// The token that the exporter must send.
    pub(crate) token: Option<&'a str>,
    /// The instance whose usage it is where its session is not known.
    pub(crate) instance: Option<&'a str>,
}

/// Where a client wants to be told of it, and in which way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TelemetryPlace {
    /// Members of an object in a JSON file in the directory of a project: the file, the object, the members.
    Project(&'static str, &'static str, Map<String, Value>),
    /// The same, in a file in the home of the user.
    User(&'static str, &'static str, Map<String, Value>),
    /// A text for a person: the file that it belongs into.
    Printed(&'static str, String),
}

impl Telemetry<'_> {
    /// Where and how that client is told; `None` for one that is not known to have such settings.
    pub(crate) fn of(&self, client: Client) -> Option<TelemetryPlace> {
        let Self { server, token, .. } = self;
        Some(match client {
            Client::ClaudeCode => {
                // It does not take from a project where telemetry goes. So the settings are those of all its agents, whose
                // sessions say which of them it is.
                let mut members = Self { instance: None, ..*self }.variables();
                members.insert("CLAUDE_CODE_ENABLE_TELEMETRY".to_owned(), json!("1"));
                TelemetryPlace::User(".claude/settings.json", "env", members)
            }
            Client::Gemini => {
                let members = json!({
                    "enabled": true, "target": "local", "useCollector": true, "otlpProtocol": "http",
                    "otlpEndpoint": server, "logPrompts": false,
                });
                let members = members.as_object().cloned().unwrap_or_default();
                TelemetryPlace::Project(".gemini/settings.json", "telemetry", members)
            }
            Client::Codex => {
                let headers = token
                    .map(|token| {
                        format!(", headers = {{ Authorization = {} }}", json!(format!("Bearer {token}")))
                    })
                    .unwrap_or_default();
                // A JSON text is a TOML text, too, for what a URL and a token are made of.
                let endpoint = json!(format!("{server}/v1/logs"));
                let text = format!(
                    "[otel]\nlog_user_prompt = false\nexporter = {{ otlp-http = {{ endpoint = {endpoint}, protocol = \
                     \"binary\"{headers} }} }}"
                );
                TelemetryPlace::Printed("~/.codex/config.toml", text)
            }
            Client::Opencode | Client::Kilo => {
                let lines: Vec<String> =
                    self.variables().iter().map(|(name, value)| format!("export {name}={value}")).collect();
                let text = format!(
                    "{}\n# and in opencode.json or kilo.json: {{\"experimental\": {{\"openTelemetry\": true}}}}",
                    lines.join("\n")
                );
                TelemetryPlace::Printed("the environment of the client", text)
            }
            Client::Cursor | Client::Vscode | Client::Windsurf | Client::Generic => return None,
        })
    }

    /// The variables that OpenTelemetry's exporters read.
    fn variables(&self) -> Map<String, Value> {
        let mut variables = Map::new();
        let mut set = |name: &str, value: String| drop(variables.insert(name.to_owned(), json!(value)));
        set("OTEL_LOGS_EXPORTER", "otlp".to_owned());
        set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned());
        set("OTEL_EXPORTER_OTLP_ENDPOINT", self.server.to_owned());
        if let Some(token) = self.token {
            set("OTEL_EXPORTER_OTLP_HEADERS", format!("Authorization=Bearer%20{token}"));
        }
        if let Some(instance) = self.instance {
            set("OTEL_RESOURCE_ATTRIBUTES", format!("koor.instance={instance}"));
        }
        variables
    }
}

/// The text of a file with these members in an object of it, new or replaced; what else is there stays as it is written.
///
/// # Errors
/// When the file is not JSON with comments, or has something else where the object belongs.
pub(crate) fn with_members(
    text: &str,
    object: &str,
    members: &Map<String, Value>,
) -> Result<String, MergeError> {
    let root = parsed(text)?;
    let own = object_in(&object_of(&root)?, object)?;
    members.iter().for_each(|(key, value)| set(&own, key, value));
    Ok(written(&root))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: Telemetry<'_> =
        Telemetry { server: "http://localhost:9800", token: None, instance: Some("an-id") };

    #[test]
    fn other_settings_stay_as_they_are_and_a_second_time_changes_nothing() {
        let Some(TelemetryPlace::User(_, object, members)) = TO.of(Client::ClaudeCode) else {
            panic!("Claude Code has a file")
        };
        let before = "{\n  // mine\n  \"env\": {\"OTEL_LOGS_EXPORTER\": \"console\", \"X\": \"1\"},\n  \"model\": \"m\"\n}\n";
        let after = with_members(before, object, &members).unwrap();
        assert!(
            after.contains("// mine") && after.contains("\"X\": \"1\"") && after.contains("\"model\": \"m\"")
        );
        assert!(after.contains("\"OTEL_LOGS_EXPORTER\": \"otlp\""), "{after}");
        assert_eq!(with_members(&after, object, &members).unwrap(), after);
    }

    #[test]
    fn a_token_goes_where_the_exporter_reads_it() {
        let with = Telemetry { token: Some("t0k"), ..TO };
        let Some(TelemetryPlace::User(_, _, members)) = with.of(Client::ClaudeCode) else { panic!() };
        assert_eq!(members["OTEL_EXPORTER_OTLP_HEADERS"], "Authorization=Bearer%20t0k");
        let Some(TelemetryPlace::Printed(_, text)) = with.of(Client::Codex) else { panic!() };
        assert!(text.contains("headers = { Authorization = \"Bearer t0k\" } } }"), "{text}");
        assert!(TO.of(Client::Cursor).is_none());
    }
}
