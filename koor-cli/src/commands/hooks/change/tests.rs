//! Real settings: hooks go in and come out, and everything else stays byte for byte.

use super::*;

/// Settings as people have them: with comments, trailing commas, tabs, other hooks, on one line, and without an end of line.
const SETTINGS: [&str; 8] = [
    "{}\n",
    "{\n  \"model\": \"opus\",\n  \"permissions\": { \"allow\": [\"Bash(npm test:*)\"] }\n}\n",
    "// mine\n{\n  /* hooks of the team */\n  \"hooks\": {\n    \"PreToolUse\": [\n      {\n        \"matcher\": \"Bash\", // \
     only the shell\n        \"hooks\": [{ \"type\": \"command\", \"command\": \"./guard.sh\" }],\n      },\n    ],\n  },\n}\n",
    "{\n\t\"hooks\": {\n\t\t\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"say done\", \"timeout\": 5}]}],\n\t\t\"BeforeTool\": \
     []\n\t},\n\t\"env\": {\"A\": \"ä\\u00e4\"}\n}",
    "{\"a\":1}",
    "{\n  \"mcpServers\": {\"koor\": {\"type\": \"http\", \"url\": \"http://localhost:9800/mcp\"}},\n  \"hooks\": {}\n}\n",
    "{\r\n  \"theme\": \"dark\"\r\n}\r\n",
    "{\n  \"version\": 1,\n  \"hooks\": {\"afterFileEdit\": [{\"command\": \"fmt\"}]}\n}\n",
];

const JSON_CLIENTS: [Client; 4] = [Client::ClaudeCode, Client::Codex, Client::Gemini, Client::Cursor];

fn wanted(client: Client) -> Wanted<'static> {
    Wanted { target: Target::Client(client), program: "/usr/bin/koor", policy: HookPolicy::default() }
}

#[test]
fn hooks_are_found_where_the_client_looks_and_other_settings_stay() {
    for client in JSON_CLIENTS {
        for before in SETTINGS {
            let after = wanted(client).put_into(before).unwrap();
            let value = parsed(&after).unwrap().to_serde_value().unwrap();
            for (event, _) in client.table().events {
                let hooks = value["hooks"][event].to_string();
                assert!(
                    hooks.contains(&format!("/usr/bin/koor hook {}", client.table().name)),
                    "{client:?} {event}"
                );
            }
            // Every line that was there is still there, in that order.
            let mut lines = after.lines();
            for line in before.lines().filter(|line| line.contains("//") || line.contains("command")) {
                assert!(
                    lines.any(|one| one.contains(line.trim().trim_end_matches(['}', ']', ',']))
                        || line.contains("[{")),
                    "{client:?}: {line}\n{after}"
                );
            }
            assert_eq!(commands(&after, client), [format!("/usr/bin/koor hook {}", client.table().name)]);
            assert_eq!(commands(before, client), [""; 0]);
        }
    }
}

#[test]
fn taken_out_of_a_file_that_was_changed_since_leaves_what_is_not_koors() {
    for client in JSON_CLIENTS {
        for before in SETTINGS {
            let after = wanted(client).put_into(before).unwrap();
            let edited = after.replacen('{', "{\n  \"added\": [1, 2], // by hand\n", 1);
            let out = taken_out(&edited, Target::Client(client)).unwrap().unwrap();
            assert!(out.contains("// by hand") && !out.contains("koor hook"), "{client:?}: {out}");
            let mut left = parsed(&out).unwrap().to_serde_value().unwrap();
            let mut was = parsed(before).unwrap().to_serde_value().unwrap();
            left.as_object_mut().unwrap().remove("added");
            // Lists and objects that became empty go with the hooks; Cursor's file keeps its version.
            for value in [&mut left, &mut was] {
                if let Some(hooks) = value.get_mut("hooks").and_then(Value::as_object_mut) {
                    hooks.retain(|_, list| list.as_array().is_none_or(|list| !list.is_empty()));
                }
                let object = value.as_object_mut().unwrap();
                if object.get("hooks").is_some_and(|hooks| hooks.as_object().is_some_and(Map::is_empty)) {
                    object.remove("hooks");
                }
                object.remove("version");
            }
            assert_eq!(left, was, "{client:?}");
            assert!(taken_out(before, Target::Client(client)).unwrap().is_none());
        }
    }
}

#[test]
fn the_hooks_of_one_client_are_not_taken_for_those_of_another() {
    let text = wanted(Client::ClaudeCode).put_into("").unwrap();
    assert!(taken_out(&text, Target::Client(Client::Codex)).unwrap().is_none());
    let twice = wanted(Client::Codex).put_into(&text).unwrap();
    let out = taken_out(&twice, Target::Client(Client::Codex)).unwrap().unwrap();
    assert_eq!(commands(&out, Client::ClaudeCode), ["/usr/bin/koor hook claude-code"]);
}

#[test]
fn a_plugin_is_one_file_of_koors_own() {
    for client in [Client::Opencode, Client::Kilo] {
        let wanted = Wanted { policy: "work".parse().unwrap(), ..wanted(client) };
        let text = wanted.put_into("").unwrap();
        let line = format!("/usr/bin/koor hook {} --policy work", client.table().name);
        assert_eq!(commands(&text, client), [line]);
        assert_eq!(taken_out(&text, Target::Client(client)).unwrap().as_deref(), Some(""));
        assert!(taken_out("export const Mine = 1\n", Target::Client(client)).unwrap().is_none());
        assert!(wanted.put_into("export const Mine = 1\n").is_err());
    }
}

#[test]
fn what_cannot_be_kept_is_refused() {
    for bad in ["[]", "{\"hooks\": []}", "{\"hooks\": {\"Stop\": 1}}", "{'a': 1}", "x"] {
        assert!(wanted(Client::ClaudeCode).put_into(bad).is_err(), "{bad}");
    }
}

/// What the packages for clients hold is what `koor hooks install --project` writes. `KOOR_REWRITE=1` writes them instead.
#[test]
fn packages_have_the_hooks_that_are_installed() {
    let packaging = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    for (client, file) in [
        (Client::ClaudeCode, "claude-plugin/koor/hooks/hooks.json"),
        (Client::Gemini, "gemini-extension/hooks/hooks.json"),
        (Client::Cursor, "cursor/hooks.json"),
    ] {
        let expected = Wanted { program: "koor", ..wanted(client) }.put_into("").unwrap();
        let path = packaging.join(file);
        if std::env::var_os("KOOR_REWRITE").is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "{file}");
    }
    for directory in ["claude-plugin/koor", "gemini-extension"] {
        let skill = packaging.join(directory).join("skills/koor/SKILL.md");
        assert_eq!(std::fs::read_to_string(skill).unwrap(), crate::skill_files::TEXT, "{directory}");
    }
}
