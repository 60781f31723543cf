//! The dashboard of Koor, as files inside the binary.
//!
//! A debug build reads them from disk each time, so that a reload shows a change. How the pages are put together is told in
//! this crate's `README.md`. The pages of the documentation are made of `docs/` when the crate is built.

use std::{
    io::Read as _,
    path::{Component, Path},
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use include_dir::{Dir, include_dir};

/// One file of the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: Bytes,
}

/// Every file there is, as it was when the binary was built.
static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/static");

/// The documentation, as `build.rs` made and packed it.
static BOOK: Dir<'static> = include_dir!("$OUT_DIR/docs");

/// The document that every page is drawn into.
const SHELL: &str = "index.html";

/// The first segments of the pages' addresses, beside the empty one. What comes after is the page's own affair.
///
/// Listed, so that a mistyped path of the API is an error in JSON and no page.
const PAGES: [&str; 13] = [
    "agents",
    "audit",
    "compliance",
    "costs",
    "events",
    "leases",
    "messages",
    "rules",
    "specs",
    "state",
    "tasks",
    "templates",
    "webhooks",
];

/// The file that is served under that path, which begins with a slash; a page's address leads to the one document that all
/// pages share.
#[must_use]
pub fn file(path: &str) -> Option<File> {
    let path = path.strip_prefix('/')?;
    if let Some(rest) = path.strip_prefix("docs").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        return of_the_book(rest.trim_matches('/'));
    }
    let page = path.is_empty() || path.split('/').next().is_some_and(|first| PAGES.contains(&first));
    let path = if page { SHELL } else { path };
    Some(File { content_type: content_type(path), bytes: read(path)? })
}

/// A page of the documentation, whose address does not say that it is HTML; or one of its drawings.
fn of_the_book(path: &str) -> Option<File> {
    let page = if path.is_empty() { "index.html.gz".to_owned() } else { format!("{path}.html.gz") };
    let file = BOOK.get_file(page).or_else(|| BOOK.get_file(format!("{path}.gz")))?;
    let name = file.path().to_str()?.trim_end_matches(".gz");
    let mut bytes = Vec::new();
    GzDecoder::new(file.contents()).read_to_end(&mut bytes).ok()?;
    Some(File { content_type: content_type(name), bytes: bytes.into() })
}

/// The file as it is on disk, where a developer may just have changed it; the embedded one where the sources are not.
fn read(path: &str) -> Option<Bytes> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !plain {
        return None;
    }
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/static"));
    if cfg!(debug_assertions) && sources.is_dir() {
        return std::fs::read(sources.join(path)).ok().map(Bytes::from);
    }
    FILES.get_file(path).map(|file| Bytes::from_static(file.contents()))
}

fn content_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webp") => "image/webp",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::PathBuf};

    use super::*;

    fn text(path: &str) -> String {
        String::from_utf8(file(path).unwrap().bytes.to_vec()).unwrap()
    }

    fn on_disk(directory: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                on_disk(&path, found);
            } else {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }

    fn embedded(directory: &Dir<'_>, root: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        found.extend(directory.files().map(|file| (root.join(file.path()), file.contents().to_vec())));
        directory.dirs().for_each(|below| embedded(below, root, found));
    }

    #[test]
    fn a_visitor_sees_a_page_and_nothing_outside_it() {
        assert_eq!(file("/").unwrap().content_type, "text/html; charset=utf-8");
        for page in ["/index.html", "/state", "/state/Truck-Wash/plan.js", "/rules/"] {
            assert_eq!(file(page), file("/"), "{page}");
        }
        let outside = ["", "/../Cargo.toml", "/js/../../Cargo.toml", "//etc/passwd", "/static/index.html"];
        for missing in outside.into_iter().chain(["js/main.js", "/js", "/api/state", "/states", "/nope.js"]) {
            assert_eq!(file(missing), None, "{missing}");
        }
    }

    #[test]
    fn the_binary_holds_what_is_on_disk() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
        let (mut sources, mut binary) = (BTreeMap::new(), BTreeMap::new());
        on_disk(&root, &mut sources);
        embedded(&FILES, &root, &mut binary);
        assert_eq!(binary.keys().collect::<Vec<_>>(), sources.keys().collect::<Vec<_>>());
        assert!(binary == sources, "a file's content differs");
    }

    #[test]
    fn every_file_that_the_page_names_is_there() {
        let page = text("/");
        let names =
            ["href=\"", "src=\""].map(|attribute| page.split(attribute).skip(1)).into_iter().flatten();
        for name in names.filter_map(|rest| rest.split('"').next()).filter(|name| !name.starts_with("/api/"))
        {
            assert!(file(name).is_some(), "{name}");
        }
    }

    /// What follows each of those in a text, up to the next quotation mark.
    fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn every_page_of_the_documentation_is_there_and_leads_to_others_that_are() {
        let contents = text("/docs");
        assert_eq!(text("/docs/"), contents);
        let pages: Vec<_> = quoted(&contents, "<li><a href=\"").collect();
        let sources = ["docs", "docs/decisions"].map(|directory| {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(directory);
            let found = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
            found.filter(|path| path.extension().is_some_and(|extension| extension == "md")).count()
        });
        assert_eq!(pages.len(), sources.iter().sum::<usize>() - 1, "all but SUMMARY.md");

        let mut dead = Vec::new();
        for page in pages.iter().copied().chain(["/docs"]) {
            let html = text(page);
            for link in quoted(&html, "href=\"")
                .chain(quoted(&html, "src=\""))
                .filter(|link| !link.starts_with("http"))
            {
                let (target, section) = link.split_once('#').unwrap_or((link, ""));
                let there = if target.is_empty() { file(page) } else { file(target) };
                let id = format!("id=\"{section}\"");
                let found = there.is_some_and(|file| {
                    section.is_empty() || String::from_utf8_lossy(&file.bytes).contains(&id)
                });
                if !found {
                    dead.push(format!("{page}: {link}"));
                }
            }
        }
        assert_eq!(dead, Vec::<String>::new());
    }

    #[test]
    fn a_page_of_the_documentation_holds_nothing_that_a_browser_would_refuse() {
        for page in ["/docs", "/docs/dashboard", "/docs/api-reference", "/docs/performance"] {
            let page = text(page);
            for refused in [" style=", "<style", " onclick=", "<picture", "<!--", "javascript:"] {
                assert!(!page.contains(refused), "{refused}");
            }
            assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/js/").count() + 1);
            assert_eq!(page.matches("<script type=\"module\" src=\"/js/docs.js\"></script>").count(), 1);
        }
        assert_eq!(file("/docs/images/bench-latency.svg").unwrap().content_type, "image/svg+xml");
        for missing in ["/docsx", "/docs/nothing", "/docs/../docs/deployment", "/docs/SUMMARY"] {
            assert_eq!(file(missing), None, "{missing}");
        }
    }

    #[test]
    fn every_module_that_a_module_names_is_there() {
        let mut sources = BTreeMap::new();
        on_disk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("static/js"), &mut sources);
        for (module, source) in sources {
            let source = String::from_utf8(source).unwrap();
            let names =
                ["from \"", "import(\""].map(|before| source.split(before).skip(1)).into_iter().flatten();
            for name in names.filter_map(|rest| rest.split('"').next()).filter(|name| name.starts_with('.')) {
                let there = module.parent().unwrap().join(name);
                assert!(there.is_file(), "{} names {name}", module.display());
            }
        }
    }
}
