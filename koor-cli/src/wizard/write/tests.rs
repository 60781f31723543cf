use std::collections::BTreeMap;

use serde_json::json;

use super::{
    Fate::{Conflict, Create, Extend, Keep, Replace},
    *,
};

/// Everything below a directory: directories as `None`, files as what they hold.
fn tree(base: &Path) -> BTreeMap<String, Option<String>> {
    fn walk(base: &Path, at: &Path, found: &mut BTreeMap<String, Option<String>>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(base).unwrap().display().to_string();
            if path.is_dir() {
                found.insert(name, None);
                walk(base, &path, found);
            } else {
                found.insert(name, Some(fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(base, base, &mut found);
    found
}

fn text(path: &str, text: &str) -> Planned {
    Planned { path: path.to_owned(), content: Content::Text(text.to_owned()) }
}

struct Scene {
    directory: TempDir,
    program: tempfile::NamedTempFile,
}

impl Scene {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let program = tempfile::NamedTempFile::new().unwrap();
        fs::write(program.path(), "the program").unwrap();
        Self { directory, program }
    }

    fn site(&self) -> Site<'_> {
        Site { base: self.directory.path(), program: self.program.path() }
    }

    fn tree(&self) -> BTreeMap<String, Option<String>> {
        tree(self.directory.path())
    }
}

#[test]
fn what_is_not_there_is_created_and_nothing_else_is_left() {
    let scene = Scene::new(&[]);
    let files = [
        text("a/x.txt", "x"),
        Planned { path: "a/bin/koor-cli".to_owned(), content: Content::Program },
        text("top.txt", "t"),
    ];
    let fates = survey(scene.site(), &files, false).unwrap();
    assert_eq!(fates, [Fate::Create; 3]);
    apply(scene.site(), &files, &fates).unwrap();
    let file = |text: &str| Some(text.to_owned());
    let expected = [
        ("a", None),
        ("a/bin", None),
        ("a/bin/koor-cli", file("the program")),
        ("a/x.txt", file("x")),
        ("top.txt", file("t")),
    ];
    assert_eq!(scene.tree(), expected.map(|(path, text)| (path.to_owned(), text)).into());
    assert_eq!(survey(scene.site(), &files, false).unwrap(), [Fate::Keep; 3]);
}

#[test]
fn what_is_there_and_differs_is_in_the_way_unless_it_is_forced() {
    let scene =
        Scene::new(&[("a/same", "1"), ("a/other", "2"), ("a/directory/file", "3"), ("a/blocked", "4")]);
    let files = [
        text("a/same", "1"),
        text("a/other", "new"),
        text("a/directory", "new"),
        text("a/blocked/below", "new"),
        text("a/free", "new"),
    ];
    let fates = survey(scene.site(), &files, false).unwrap();
    assert_eq!(fates, [Keep, Conflict, Conflict, Conflict, Create]);
    let forced = survey(scene.site(), &files[..2], true).unwrap();
    assert_eq!(forced, [Keep, Replace]);
    assert_eq!(survey(scene.site(), &files[2..3], true).unwrap(), [Conflict], "a directory never goes");
    apply(scene.site(), &files[..2], &forced).unwrap();
    assert_eq!(scene.tree()["a/other"].as_deref(), Some("new"));
}

#[test]
fn settings_of_the_same_server_get_what_they_lack() {
    let scene = Scene::new(&[("settings.json", r#"{"server":"http://a","instance_id":"7"}"#)]);
    let settings = |json: Value| {
        let settings = json.as_object().unwrap().clone();
        [Planned { path: "settings.json".to_owned(), content: Content::Settings(settings) }]
    };
    let same = settings(json!({"server": "http://a"}));
    assert_eq!(survey(scene.site(), &same, true).unwrap(), [Fate::Keep]);
    let other = settings(json!({"server": "http://b"}));
    assert_eq!(survey(scene.site(), &other, false).unwrap(), [Fate::Conflict]);
    assert_eq!(survey(scene.site(), &other, true).unwrap(), [Fate::Replace]);
    let more = settings(json!({"server": "http://a", "token": "t"}));
    let fates = survey(scene.site(), &more, false).unwrap();
    assert_eq!(fates, [Fate::Extend]);
    apply(scene.site(), &more, &fates).unwrap();
    let there: Value = serde_json::from_str(scene.tree()["settings.json"].as_deref().unwrap()).unwrap();
    assert_eq!(there, json!({"server": "http://a", "instance_id": "7", "token": "t"}));
    assert_eq!(survey(scene.site(), &more, false).unwrap(), [Fate::Keep]);
}

#[test]
fn a_clients_file_keeps_what_is_in_it_and_gets_the_entry() {
    let scene = Scene::new(&[
        ("a/mcp.json", "{\"mcpServers\": {\"other\": {\"command\":  \"x\"}}}"),
        ("b/mcp.json", "[]"),
    ]);
    let entry = json!({"type": "http", "url": "u"}).as_object().unwrap().clone();
    let files = ["a", "b", "c"].map(|folder| Planned {
        path: format!("{folder}/mcp.json"),
        content: Content::Entry { list: "mcpServers", entry: entry.clone() },
    });
    let fates = survey(scene.site(), &files, false).unwrap();
    assert_eq!(fates, [Fate::Extend, Fate::Conflict, Fate::Create]);
    apply(scene.site(), &files, &fates).unwrap();
    let text = scene.tree()["a/mcp.json"].clone().unwrap();
    assert!(text.contains("\"command\":  \"x\"") && text.contains("\"url\": \"u\""), "{text}");
    assert_eq!(survey(scene.site(), &files, false).unwrap(), [Fate::Keep, Fate::Conflict, Fate::Keep]);
}

#[test]
fn a_list_of_lines_gets_those_that_it_lacks() {
    for (there, expected) in
        [("/target\n/b", Some("/target\n/b\n# why\n/a\n")), ("/a\n/b\n", None), ("", Some("# why\n/a\n/b\n"))]
    {
        assert_eq!(missing_lines(there, "# why\n/a\n/b\n").as_deref(), expected);
    }
    let scene = Scene::new(&[("w/.gitignore", "/target\n")]);
    let files = [Planned { path: "w/.gitignore".to_owned(), content: Content::Lines("/a\n".to_owned()) }];
    let fates = survey(scene.site(), &files, false).unwrap();
    assert_eq!(fates, [Fate::Extend]);
    apply(scene.site(), &files, &fates).unwrap();
    assert_eq!(scene.tree()["w/.gitignore"].as_deref(), Some("/target\n/a\n"));
}

#[test]
fn a_failure_half_way_leaves_everything_as_it_was() {
    let scene = Scene::new(&[("a/old", "old"), ("a/.gitignore", "/target\n")]);
    let files = [
        text("new/x", "x"),
        text("a/old", "new"),
        Planned { path: "a/.gitignore".to_owned(), content: Content::Lines("/x\n".to_owned()) },
        text("a/deep/down/y", "y"),
        text("a/late", "mine"),
    ];
    let fates = survey(scene.site(), &files, true).unwrap();
    assert_eq!(fates, [Create, Replace, Extend, Create, Create]);
    // Another process is faster with the last one.
    fs::write(scene.directory.path().join("a/late"), "theirs").unwrap();
    let before = scene.tree();
    let error = apply(scene.site(), &files, &fates).unwrap_err();
    assert_eq!(error.to_string(), "a/late: entity already exists");
    assert_eq!(scene.tree(), before);
}

#[test]
fn a_failure_before_anything_is_in_place_leaves_not_even_the_directory() {
    let scene = Scene::new(&[]);
    let base = scene.directory.path().join("not/there/yet");
    let gone = scene.directory.path().join("no such program");
    let site = Site { base: &base, program: &gone };
    let files = [text("a/x", "x"), Planned { path: "a/koor-cli".to_owned(), content: Content::Program }];
    let fates = survey(site, &files, false).unwrap();
    assert!(apply(site, &files, &fates).unwrap_err().to_string().starts_with("a/koor-cli: "));
    assert_eq!(scene.tree(), BTreeMap::new());
}

#[cfg(unix)]
#[test]
fn what_holds_a_token_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let scene = Scene::new(&[]);
    let entry = |value: Value| Content::Entry { list: "s", entry: value.as_object().unwrap().clone() };
    let files = [
        ("a/secret", entry(json!({"headers": {}})), 0o077),
        ("a/settings.json", Content::Settings(Map::new()), 0o077),
        ("a/open", Content::Text("{}".to_owned()), 0),
        ("a/entry", entry(json!({})), 0),
    ];
    let planned = files.clone().map(|(path, content, _)| Planned { path: path.to_owned(), content });
    let fates = survey(scene.site(), &planned, false).unwrap();
    apply(scene.site(), &planned, &fates).unwrap();
    for (path, _, closed) in files {
        let mode = fs::metadata(scene.directory.path().join(path)).unwrap().permissions().mode();
        assert_eq!(mode & closed, 0, "{path}: {mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn the_program_is_a_read_only_copy_and_a_link_is_replaced_by_one() {
    use std::os::unix::fs::MetadataExt as _;

    let scene = Scene::new(&[]);
    let files =
        ["a", "b"].map(|folder| Planned { path: format!("{folder}/koor"), content: Content::Program });
    let about =
        |path: &Path| fs::metadata(path).map(|about| (about.ino(), about.nlink(), about.mode() & 0o777));
    let at = |path: &str| scene.directory.path().join(path);
    fs::create_dir(at("a")).unwrap();
    fs::hard_link(scene.program.path(), at("a/koor")).unwrap();
    let fates = survey(scene.site(), &files, false).unwrap();
    assert_eq!(fates, [Replace, Create]);
    apply(scene.site(), &files, &fates).unwrap();
    let inodes =
        [at("a/koor"), at("b/koor"), scene.program.path().to_owned()].map(|path| about(&path).unwrap());
    for (inode, links, mode) in &inodes[..2] {
        assert_eq!((*links, *mode), (1, 0o555));
        assert_eq!(inodes.iter().filter(|(other, ..)| other == inode).count(), 1);
    }
    assert_eq!(survey(scene.site(), &files, false).unwrap(), [Keep, Keep]);
}
