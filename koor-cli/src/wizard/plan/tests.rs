use std::{collections::BTreeSet, env, fs, path::Path};

use tiktoken_rs::o200k_base;

use super::*;
use crate::wizard::{
    project::{Agents, Database},
    write,
};

/// The server's own token, which no file may hold.
const SERVERS_OWN: &str = "the-servers-own";

/// What an agent's instructions may cost each time that they are read.
const MOST_TOKENS: usize = 500;

/// What the controller's may.
const MOST_CONTROLLER_TOKENS: usize = 800;

/// Every stack, with each of its databases.
fn stacks() -> Vec<Stack> {
    let go_api = Database::ALL.into_iter().skip(1).map(Stack::GoApi);
    Stack::ALL.into_iter().chain(go_api).collect()
}

fn project(stack: Stack) -> Project {
    let agent = Agent { name: "frontend".to_owned(), stack };
    Project {
        name: "Truck-Wash".parse().unwrap(),
        agents: Agents::new(vec![agent]).unwrap(),
        with_controller: true,
        server: "http://localhost:9800".to_owned(),
        token: Some(SERVERS_OWN.to_owned()),
        allows_koor: false,
    }
}

/// Identities of both workspaces with these tokens, or none.
fn identities(token: Option<&str>) -> Identities {
    let identity = |token: &str| Identity { id: "an-id".to_owned(), token: Some(token.to_owned()) };
    let folders = ["truck-wash-controller", "truck-wash-frontend"];
    token
        .map(|token| folders.map(|folder| (folder.to_owned(), identity(token))))
        .into_iter()
        .flatten()
        .collect()
}

fn planned(stack: Stack, token: Option<&str>) -> Vec<Planned> {
    plan(&project(stack), &identities(token)).unwrap()
}

/// All files of a folder in one text, each under its path and what it is.
fn shown(files: &[Planned], folder: &str) -> String {
    let files =
        files.iter().filter(|file| file.path.split_once('/').is_some_and(|(first, _)| first == folder));
    let files = files.map(|Planned { path, content }| {
        let text = write::text("", content);
        match content {
            Content::Script(_) => format!("=== {path} (script)\n{text}"),
            Content::Settings(_) => format!("=== {path} (settings)\n{text}"),
            Content::Entry { .. } if write::mode(content) == 0o600 => format!("=== {path} (secret)\n{text}"),
            Content::Text(_) | Content::Block(_) | Content::Entry { .. } | Content::Listed { .. } => {
                format!("=== {path}\n{text}")
            }
            Content::Lines(_) => format!("=== {path} (lines)\n{text}"),
            Content::Program => format!("=== {path} (this program)\n"),
        }
    });
    files.collect()
}

/// Holds a text against a file of `golden/`. `KOOR_WRITE_GOLDEN=1` writes the file instead.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/golden").join(name);
    if env::var_os("KOOR_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{name} is not what it was: look at `git diff` after KOOR_WRITE_GOLDEN=1 cargo test -p koor-cli wizard"
    );
}

#[test]
fn every_file_of_every_stack_is_as_it_was_when_it_was_last_reviewed() {
    let mut controllers = BTreeSet::new();
    for stack in stacks() {
        let name = match stack.database() {
            Some(database) => format!("{}-{}.txt", stack.as_str(), database.as_str()),
            None => format!("{}.txt", stack.as_str()),
        };
        let files = planned(stack, None);
        golden(&name, &shown(&files, "truck-wash-frontend"));
        let note = files.iter().find(|file| file.path.ends_with("agents/frontend.md"));
        assert!(note.is_some());
        let others: Vec<Planned> = files.iter().filter(|file| Some(*file) != note).cloned().collect();
        controllers.insert(shown(&others, "truck-wash-controller"));
    }
    assert_eq!(controllers.len(), 1, "a controller does not depend on its agents");
    let files = planned(Stack::Goth, None);
    golden("controller.txt", &shown(&files, "truck-wash-controller"));
    let files = planned(Stack::Rust, Some("s3cret"));
    golden("with-token.txt", &shown(&files, "truck-wash-frontend"));
    golden("controller-with-token.txt", &shown(&files, "truck-wash-controller"));
}

#[test]
fn the_instructions_of_an_agent_are_short() {
    let encoder = o200k_base().unwrap();
    for stack in stacks() {
        for token in [None, Some("s3cret")] {
            let files = planned(stack, token);
            for (folder, most) in
                [("truck-wash-frontend", MOST_TOKENS), ("truck-wash-controller", MOST_CONTROLLER_TOKENS)]
            {
                let path = format!("{folder}/AGENTS.md");
                let file = files.iter().find(|file| file.path == path).unwrap();
                let Content::Block(text) = &file.content else { panic!("{file:?}") };
                let tokens = encoder.encode_with_special_tokens(text).len();
                println!("{path} for {stack}: {tokens} tokens");
                assert!(tokens <= most, "{path} for {stack}: {tokens} tokens");
            }
        }
    }
}

#[test]
fn a_token_is_only_in_files_that_are_secret_and_ignored_by_git() {
    for (token, holders) in [(None, 0), (Some("s3cret"), 6)] {
        let files = planned(Stack::React, token);
        for folder in ["truck-wash-frontend", "truck-wash-controller"] {
            let own = || files.iter().filter(|file| file.path.starts_with(&format!("{folder}/")));
            let ignored = own()
                .find_map(|file| match &file.content {
                    Content::Lines(text) => Some(text.as_str()),
                    _ => None,
                })
                .unwrap();
            let mut found = 0;
            for file in own() {
                let text = write::text("", &file.content);
                assert!(!text.contains(SERVERS_OWN), "{}", file.path);
                if text.contains("s3cret") {
                    found += 1;
                    let inside = file.path.strip_prefix(folder).unwrap();
                    assert_eq!(write::mode(&file.content), 0o600, "{}", file.path);
                    assert!(ignored.lines().any(|line| line == inside), "{inside} is not ignored");
                }
            }
            assert_eq!(found, holders, "{folder}");
        }
    }
}

#[test]
fn an_agent_more_touches_no_file_of_the_others() {
    let mut project = project(Stack::Flutter);
    project.with_controller = false;
    let files = plan(&project, &Identities::new()).unwrap();
    let outside: Vec<&str> = files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| !path.starts_with("truck-wash-frontend/"))
        .collect();
    assert_eq!(outside, ["truck-wash-controller/agents/frontend.md"]);
}

#[test]
fn a_token_stays_whole_in_json() {
    let files = planned(Stack::C, Some(r#"a"b\c"#));
    for file in
        files.iter().filter(|file| Path::new(&file.path).extension().is_some_and(|kind| kind == "json"))
    {
        let text = write::text("", &file.content);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(json.to_string().contains(r#"a\"b\\c"#), "{text}");
    }
}
