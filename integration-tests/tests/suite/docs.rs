//! The documentation does as it says: every command in it runs, every link leads somewhere, every page can be found.
//!
//! Each page gets a fresh server and an empty directory, and its fenced `sh` blocks run there from top to bottom, as if
//! typed into one shell: what one block sets, and where it goes, holds for the next. The addresses that the pages name
//! stand for those of that server, and the paths of an old database, of a token and of a data directory for some of its own.
//! A server that a block starts is on free ports.
//!
//! ```` ```sh fails ```` marks what must end with an error, ```` ```sh endless ```` what goes on until it is interrupted,
//! ```` ```sh no-run ```` what can't run in a test: [`NOT_RUN`] says why. Addresses of others are not followed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail as tests do")]

use std::{
    collections::{BTreeMap, BTreeSet},
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

/// What a fenced block may hold that is not for a shell.
const OTHERS: [&str; 8] = ["console", "js", "json", "rust", "text", "toml", "xml", "yaml"];

const BUILDS: &str = "builds the program, or tests it, as CI does by itself";
const SYSTEM: &str = "changes the machine";
const DATABASE: &str = "it needs PostgreSQL; `integration-tests/tests/postgres` does it";
const CLUSTER: &str = "`scripts/torture-patroni` runs it";
const CONTAINER: &str = "needs a container engine";
const SETTINGS: &str =
    "changes the settings of the user's clients; `cli_hooks.rs` does it in a home of its own";
const LONG: &str = "takes minutes, or an hour";

/// What does not run here: page, first line or its beginning, and why.
const NOT_RUN: [(&str, &str, &str); 23] = [
    ("README.md", "cargo run --release -- serve", BUILDS),
    ("README.md", "cargo test --workspace", BUILDS),
    ("README.md", "koor hooks install claude-code --policy work", SETTINGS),
    ("docs/agents.md", "koor hooks install claude-code", SETTINGS),
    ("docs/deployment.md", "just release", BUILDS),
    ("docs/deployment.md", "tar xf koor-0.1.0-x86_64-linux.tar.gz", "`.ci/suites/deb` has an archive"),
    ("docs/deployment.md", "sudo apt install ./koor_0.1.0-1_amd64.deb", SYSTEM),
    ("docs/deployment.md", "sudo sh -c 'umask 027; head -c 32 /dev/urandom…", "`.ci/suites/deb` runs it"),
    ("docs/deployment.md", "sudo apt install caddy ./koor_0.1.0-1_amd64.deb", SYSTEM),
    ("docs/deployment.md", "sudo -u postgres createuser --pwprompt koor", SYSTEM),
    ("docs/deployment.md", "KOOR_STORE='postgres://koor:THE-PASSWORD@db1,db2:5432…", DATABASE),
    ("docs/deployment.md", "KOOR_LISTEN=0.0.0.0:9800 KOOR_1=koor1:9800…", CLUSTER),
    ("docs/deployment.md", "sudo apt-get install postgresql patroni…", SYSTEM),
    ("docs/deployment.md", "KOOR_STORE='postgres://koor:THE-PASSWORD@db1,db2,db3…", CLUSTER),
    ("docs/deployment.md", "koor store copy --from sqlite:/var/lib/koor --to postgres://…", DATABASE),
    ("docs/deployment.md", "docker build -f packaging/docker/Dockerfile -t koor .", CONTAINER),
    (
        "docs/deployment.md",
        "sudo install -d -o koor -g koor -m 0700 /var/backups/koor",
        "`.ci/suites/deb` runs it",
    ),
    (
        "docs/deployment.md",
        "koor restore --file koor-backup.json",
        "the page's server is not empty; `cli_backup.rs` does it",
    ),
    ("docs/embedding.md", "cargo run -p koor-core --example embed", BUILDS),
    ("docs/getting-started.md", "cargo build --release", BUILDS),
    ("docs/migration.md", "cd /", "`.ci/suites/deb` runs it"),
    ("docs/performance.md", "…", LONG),
    ("docs/reliability.md", "…", LONG),
];

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

/// The pages for users, by their path from the root: what lies there, everything under `docs`, and the notes of parts.
fn pages() -> BTreeMap<String, Page> {
    let mut found: Vec<_> = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "koor-dashboard/README.md",
        "packaging/windows/README.md",
    ]
    .map(str::to_owned)
    .into();
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
            Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                panic!("{path}:{line}: code without a fence, which nothing looks at")
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                page.links.extend(shown_by(&html).map(|target| (line, target)));
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
        [other] if OTHERS.contains(&other) => None,
        _ => panic!("{path}:{line}: `{info}` means nothing here: `sh` for what runs, or one of {OTHERS:?}"),
    }
}

/// What the attributes of a tag point to.
fn shown_by(html: &str) -> impl Iterator<Item = String> {
    let values = |name: &'static str| html.split(name).skip(1).filter_map(|rest| rest.split('"').next());
    let sets =
        values(" srcset=\"").flat_map(|set| set.split(',')).filter_map(|one| one.split_whitespace().next());
    values(" src=\"").chain(values(" href=\"")).chain(sets).map(ToOwned::to_owned)
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
    let token = programs.path().join("token");
    fs::write(&token, "a-token-for-the-documentation").unwrap();
    let mut wrong = Vec::new();
    for (line, script, expected) in &page.scripts {
        if *expected == Expected::Nothing {
            continue;
        }
        let script = script.replace("localhost:9800", &api).replace("localhost:9847", &dashboard);
        let script = script
            .replace("build-box:9800", &api)
            .replace("/etc/koor/token", &token.display().to_string())
            .replace("/srv/old/data.db", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/original.db"))
            .replace("/var/lib/koor", &format!("data-{line}"));
        let script = format!("{SHELL}\n{script}");
        let patience = if *expected == Expected::NoEnd { "1" } else { "60" };
        let done = Command::new("timeout")
            .args([patience, "bash", "-euo", "pipefail", "-c", &script])
            .current_dir(directory.path())
            .env("PATH", &found)
            .env("HOME", directory.path())
            .env_remove("XDG_CONFIG_HOME")
            .env("SESSION", &session)
            .env("KOOR_SERVER", &server.api)
            .env("KOOR_BIND", "localhost:0")
            .env("KOOR_DASHBOARD_BIND", "localhost:0")
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
fn what_is_not_run_is_known_and_has_a_reason() {
    let mut unknown = Vec::new();
    let mut met = BTreeSet::new();
    for (path, page) in &pages() {
        for (line, script, _) in page.scripts.iter().filter(|(.., expected)| *expected == Expected::Nothing) {
            let first = script.lines().next().unwrap();
            let known = NOT_RUN.into_iter().filter(|(page, begins, _)| {
                page == path
                    && begins.strip_suffix('…').map_or(first == *begins, |start| first.starts_with(start))
            });
            let known: Vec<_> = known.collect();
            if known.is_empty() {
                unknown.push(format!("{path}:{line}: {first}"));
            }
            met.extend(known);
        }
    }
    assert!(unknown.is_empty(), "not run, without a reason:\n{}", unknown.join("\n"));
    assert_eq!(met, BTreeSet::from(NOT_RUN), "a reason that nothing needs any more");
}

/// A board that asks for a number which no server has stays empty, and an alert on it never fires.
#[test]
fn every_number_that_is_looked_at_is_in_a_fresh_servers_metrics() {
    let server = Server::start();
    // Times are there once something was answered.
    server.site().get("/health").ok();
    let metrics = server.site().get("/metrics");
    let there = names_of_numbers(metrics.text());
    let mut missing = Vec::new();
    let mut looked_at = 0;
    for path in [
        "packaging/grafana/koor.json",
        "packaging/prometheus/alerts.yml",
        "packaging/prometheus/koor.yml",
        "docs/deployment.md",
    ] {
        for name in names_of_numbers(&fs::read_to_string(root().join(path)).unwrap()) {
            looked_at += 1;
            if !there.contains(&name) {
                missing.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(looked_at > 20, "only {looked_at} were found");
}

fn names_of_numbers(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words
        .filter(|word| word.strip_prefix("koor_").is_some_and(|rest| rest.starts_with(char::is_alphabetic)));
    names.map(ToOwned::to_owned).collect()
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
