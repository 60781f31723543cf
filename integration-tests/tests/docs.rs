//! The documentation does as it says: every command in it runs, every link leads somewhere, every page can be found.
//!
//! Each page gets a fresh server and an empty directory, and its fenced `sh` blocks run there from top to bottom, as if
//! typed into one shell: what one block sets, and where it goes, holds for the next. The addresses that the pages name
//! stand for those of that server, and the paths of an old database and of a data directory for some of its own.
//!
//! ```` ```sh fails ```` marks what must end with an error, ```` ```sh endless ```` what goes on until it is interrupted,
//! ```` ```sh no-run ```` what can't run in a test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail as tests do")]

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use integration_tests::{Server, koor};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use tempfile::TempDir;

/// What may be between ```` ```sh ```` and the end of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Success,
    Failure,
    NoEnd,
    Nothing,
}

/// A page, as far as these tests look at it.
#[derive(Debug, Default)]
struct Page {
    /// Line, script, and what it must do.
    scripts: Vec<(usize, String, Expected)>,
    /// Line and target.
    links: Vec<(usize, String)>,
    anchors: Vec<String>,
}

/// Takes up where the block before left off, and leaves that for the next one.
const SHELL: &str = r#". "$SESSION"
set -a
leave() { export -p; printf 'cd %q\n' "$PWD"; }
trap 'leave > "$SESSION"' EXIT"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The pages for users, by their path from the root: README, CONTRIBUTING, and everything under `docs`.
fn pages() -> BTreeMap<String, Page> {
    let mut found = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for directory in ["docs", "docs/decisions"] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
                found.push(format!("{directory}/{name}"));
            }
        }
    }
    found.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

fn read(path: &str) -> Page {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let mut page = Page::default();
    let mut script: Option<(usize, String, Expected)> = None;
    let mut heading: Option<String> = None;
    for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
        let line = text[..range.start].lines().count() + 1;
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                script = expected(path, line, &info).map(|expected| (line, String::new(), expected));
            }
            Event::End(TagEnd::CodeBlock) => page.scripts.extend(script.take()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push((line, dest_url.into_string()));
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => page.anchors.extend(heading.take().map(|text| anchor(&text))),
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, script, _)) = &mut script {
                    script.push_str(&words);
                }
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            _ => {}
        }
    }
    page
}

fn expected(path: &str, line: usize, info: &str) -> Option<Expected> {
    match info.split_whitespace().collect::<Vec<_>>()[..] {
        ["sh"] => Some(Expected::Success),
        ["sh", "fails"] => Some(Expected::Failure),
        ["sh", "endless"] => Some(Expected::NoEnd),
        ["sh", "no-run"] => Some(Expected::Nothing),
        ["sh", ..] => panic!("{path}:{line}: `{info}` means nothing here"),
        _ => None,
    }
}

/// What a heading is called in an address, as renderers of Markdown make it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Runs a page's scripts, and says what went wrong.
fn run(path: &str, page: &Page) -> Vec<String> {
    if page.scripts.iter().all(|(.., expected)| *expected == Expected::Nothing) {
        return Vec::new();
    }
    let server = Server::start();
    let place = |url: &str| url.trim_start_matches("http://").to_owned();
    let (api, dashboard) = (place(&server.api), place(server.dashboard.as_ref().unwrap()));
    let directory = TempDir::new().unwrap();
    let programs = TempDir::new().unwrap();
    std::os::unix::fs::symlink(koor(), programs.path().join("koor")).unwrap();
    let found = env::join_paths(
        [programs.path().to_owned()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap())),
    );
    let found = found.unwrap();
    let session = programs.path().join("session");
    fs::write(&session, "").unwrap();
    let mut wrong = Vec::new();
    for (line, script, expected) in &page.scripts {
        if *expected == Expected::Nothing {
            continue;
        }
        let script = script.replace("localhost:9800", &api).replace("localhost:9847", &dashboard);
        let script = script
            .replace("/srv/old/data.db", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/original.db"))
            .replace("/var/lib/koor", &format!("data-{line}"));
        let script = format!("{SHELL}\n{script}");
        let patience = if *expected == Expected::NoEnd { "1" } else { "60" };
        let done = Command::new("timeout")
            .args([patience, "bash", "-euo", "pipefail", "-c", &script])
            .current_dir(directory.path())
            .env("PATH", &found)
            .env("HOME", directory.path())
            .env("SESSION", &session)
            .env("KOOR_SERVER", &server.api)
            .env_remove("KOOR_TOKEN")
            // Otherwise an answer of 4xx or 5xx would pass for success.
            .env("CURL_HOME", curl_settings(programs.path()))
            .output()
            .unwrap();
        let as_expected = match expected {
            Expected::Failure => done.status.code() == Some(1),
            // What `timeout` ends with when it had to end it.
            Expected::NoEnd => done.status.code() == Some(124),
            Expected::Success | Expected::Nothing => done.status.success(),
        };
        if !as_expected {
            let said = String::from_utf8_lossy(&done.stderr);
            wrong.push(format!("{path}:{line}: {:?} from\n{script}{said}", done.status.code()));
        }
    }
    wrong
}

fn curl_settings(directory: &Path) -> &Path {
    fs::write(directory.join(".curlrc"), "fail-with-body\nsilent\nshow-error\n").unwrap();
    directory
}

#[test]
fn every_command_does_as_it_says() {
    let pages = pages();
    let wrong: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = pages.iter().map(|(path, page)| scope.spawn(|| run(path, page))).collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let count = |expected| pages.values().flat_map(|page| &page.scripts).filter(|s| s.2 == expected).count();
    assert!(count(Expected::Success) >= 100, "the runner has not found the commands");
    assert!(count(Expected::Failure) >= 3, "the runner has not found the commands that fail");
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut dead = Vec::new();
    for (path, page) in &pages {
        for (line, target) in &page.links {
            if target.contains("://") || target.is_empty() {
                continue;
            }
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let beside = Path::new(path).parent().unwrap();
            let file = if file.is_empty() { PathBuf::from(path) } else { beside.join(file) };
            let Ok(there) = root().join(&file).canonicalize() else {
                dead.push(format!("{path}:{line}: {target}"));
                continue;
            };
            let known = pages.iter().find(|(path, _)| root().join(path) == there).map(|(_, page)| page);
            if !fragment.is_empty() && known.is_some_and(|page| !page.anchors.iter().any(|a| a == fragment)) {
                dead.push(format!("{path}:{line}: {target}: no such heading"));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn the_summary_has_every_page() {
    let pages = pages();
    let listed: Vec<_> = pages["docs/SUMMARY.md"].links.iter().map(|(_, to)| format!("docs/{to}")).collect();
    let missing = pages.keys().filter(|path| path.starts_with("docs/") && *path != "docs/SUMMARY.md");
    let missing: Vec<_> = missing.filter(|path| !listed.contains(path)).collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}
