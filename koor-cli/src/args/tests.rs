use super::*;

fn parsed(line: &[&str]) -> Cli {
    parse(line.iter().map(OsString::from)).unwrap()
}

/// The value of a setting of `serve`, as it was typed.
fn given<'a>(flags: &'a ServeFlags, key: &str) -> Option<&'a str> {
    let (_, values) = flags.flags.iter().find(|(name, _)| *name == key)?;
    values.first().map(String::as_str)
}

#[test]
fn the_definition_is_sound() {
    definition().debug_assert();
}

#[test]
fn the_name_of_the_original_server_starts_the_server() {
    for name in ["koor-server", "/usr/bin/koor-server", "koor-server.exe"] {
        let Task::Serve(args) = parsed(&[name, "--bind", "x:1"]).command else { panic!("{name}") };
        assert_eq!(given(&args, "bind"), Some("x:1"));
    }
    let Task::Serve(args) = parsed(&["koor", "serve"]).command else { panic!("not serve") };
    assert_eq!(given(&args, "bind"), None);
    assert!(parse(["koor".into()]).is_err());
}

#[test]
fn an_empty_value_is_a_value() {
    let Task::Serve(args) = parsed(&["koor", "serve", "--dashboard-bind", "", "--auth-token="]).command
    else {
        panic!("not serve")
    };
    assert_eq!((given(&args, "dashboard_bind"), given(&args, "auth_token")), (Some(""), Some("")));
}

#[test]
fn an_underscore_is_as_good_as_a_dash() {
    let Task::Serve(args) = parsed(&["koor", "serve", "--data_dir", "x"]).command else {
        panic!("not serve")
    };
    assert_eq!(given(&args, "data_dir"), Some("x"));
}

#[test]
fn what_holds_for_every_command_stands_anywhere() {
    for line in [
        ["koor", "--pretty", "state", "list"],
        ["koor", "state", "--pretty", "list"],
        ["koor", "state", "list", "--pretty"],
    ] {
        assert!(parsed(&line).global.pretty, "{line:?}");
    }
}

/// Every command that does something, with its words.
fn commands(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
    found.push((path.to_owned(), command.clone()));
    for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
        commands(one, &format!("{path} {}", one.get_name()), found);
    }
}

fn all_commands() -> Vec<(String, Command)> {
    let mut all = definition();
    all.build();
    let mut found = Vec::new();
    commands(&all, "koor", &mut found);
    found
}

#[test]
fn every_command_has_an_example_and_every_flag_says_what_it_does() {
    for (path, command) in all_commands() {
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{path}: {} says nothing", arg.get_id());
        }
        assert!(command.get_about().is_some(), "{path} says nothing");
        if command.is_subcommand_required_set() || command.get_name() == "koor" {
            continue;
        }
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let (_, examples) = help.split_once("Example").unwrap_or_else(|| panic!("{path} has no example"));
        assert!(examples.contains(command.get_name()), "{path}: {examples}");
    }
}

#[test]
fn the_reference_is_what_help_says() {
    use std::fmt::Write as _;

    let mut text =
        "# The command line\n\nWhat `--help` says, command by command. This page is written by a test: \
                    `KOOR_REWRITE=1 cargo test -p koor-cli reference`.\n"
            .to_owned();
    for (path, mut command) in all_commands() {
        let help = command.render_help().to_string();
        write!(text, "\n## {path}\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli-reference.md");
    if std::env::var_os("KOOR_REWRITE").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&page).unwrap() == text,
        "docs/cli-reference.md is not what --help says: KOOR_REWRITE=1 cargo test -p koor-cli reference"
    );
}

/// A line as a shell would take it apart, up to where another command begins, or an explanation.
fn words_of(line: &str) -> Vec<String> {
    let line = line.replace("$(date +%F)", "2026-02-16");
    let (mut words, mut word, mut quote, mut spaces) = (Vec::new(), None::<String>, None, 0);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ', None) => {
                words.extend(word.take());
                spaces += 1;
                if spaces == 3 {
                    return words;
                }
                continue;
            }
            ('|' | '>' | '&' | ';' | '#', None) => return words,
            (c, _) => word.get_or_insert_default().push(c),
        }
        spaces = 0;
    }
    words.extend(word);
    words
}

/// That command with what is not an example of it, such as `make report |`, left out before it.
fn calls(line: &str) -> impl Iterator<Item = &str> {
    line.split(" | ").map(str::trim_start).filter(|part| part.starts_with("koor "))
}

#[test]
fn every_example_of_the_reference_is_understood() {
    let mut tried = 0;
    for (path, command) in all_commands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, examples)) = help.split_once("Example") else { continue };
        for line in examples.replace("\\\n", " ").lines().flat_map(calls) {
            // An explanation is set off by a few spaces; the words of a line that goes on are not.
            let line = if line.contains("    --") {
                line.split_whitespace().collect::<Vec<_>>().join(" ")
            } else {
                line.to_owned()
            };
            // Help is what clap answers with, and an error to it.
            if line.ends_with(" --help") {
                continue;
            }
            if let Err(error) = parse(words_of(&line).into_iter().map(OsString::from)) {
                panic!("{path}: {line}\n{error}");
            }
            tried += 1;
        }
    }
    assert!(tried > 110, "only {tried} were found");
}

/// The pages that people read, but for the reference, which is made of the commands themselves.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = vec![root.join("README.md"), root.join("SECURITY.md"), root.join("CHANGELOG.md")];
    for directory in ["docs", "docs/decisions"] {
        let entries = std::fs::read_dir(root.join(directory)).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(entries.filter(|path| {
            path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("cli-reference.md")
        }));
    }
    paths
        .into_iter()
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// Whether the words of a call that may have gaps, such as `koor init … --force`, can be one: its commands and its flags.
fn is_known(call: &str) -> Result<(), String> {
    let mut all = definition();
    all.build();
    let mut command = &all;
    for word in call.split_whitespace().skip(1).take_while(|word| *word != "|") {
        if let Some(flag) = word.strip_prefix("--").filter(|flag| !flag.is_empty()) {
            let flag = flag.split('=').next().unwrap_or_default();
            let known = command.get_arguments().any(|arg| {
                arg.get_long() == Some(flag)
                    || arg.get_all_aliases().is_some_and(|names| names.contains(&flag))
            });
            // Said of every command at once.
            if !known && !["help", "version"].contains(&flag) {
                return Err(format!("{} has no --{flag}", command.get_name()));
            }
        } else if let Some(below) = command.find_subcommand(word) {
            command = below;
        } else if command.is_subcommand_required_set()
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        {
            return Err(format!("{} has no command {word}", command.get_name()));
        }
    }
    Ok(())
}

#[test]
fn every_call_that_the_documentation_speaks_of_exists() {
    let (mut spoken_of, mut shown, mut wrong) = (0, 0, Vec::new());
    for (path, text) in pages() {
        let mut prose = String::new();
        let mut fence = None;
        for line in text.lines() {
            match (line.strip_prefix("```"), &fence) {
                (Some(_), Some(_)) => fence = None,
                (Some(info), None) => fence = Some(info.to_owned()),
                // What runs is tried by running it.
                (None, Some(info)) if info == "sh no-run" => {
                    let Some(at) = line
                        .find("koor ")
                        .filter(|at| line[..*at].is_empty() || line[..*at].ends_with("sudo -u koor "))
                    else {
                        continue;
                    };
                    shown += 1;
                    if let Err(error) = parse(words_of(&line[at..]).into_iter().map(OsString::from))
                        && error.kind() != clap::error::ErrorKind::DisplayVersion
                    {
                        wrong.push(format!("{path}: {line}\n{error}"));
                    }
                }
                (None, Some(_)) => {}
                (None, None) => prose = prose + line + "\n",
            }
        }
        for call in prose.split('`').skip(1).step_by(2).filter(|code| code.starts_with("koor ")) {
            spoken_of += 1;
            wrong.extend(is_known(call).err().map(|error| format!("{path}: `{call}`: {error}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(spoken_of > 40 && shown > 1, "only {spoken_of} and {shown} were found");
}
