use super::*;

fn parsed(line: &[&str]) -> Cli {
    parse(line.iter().map(OsString::from)).unwrap()
}

#[test]
fn the_definition_is_sound() {
    definition().debug_assert();
}

#[test]
fn the_name_of_the_original_server_starts_the_server() {
    for name in ["koor-server", "/usr/bin/koor-server", "koor-server.exe"] {
        let Task::Serve(args) = parsed(&[name, "--bind", "x:1"]).command else { panic!("{name}") };
        assert_eq!(args.bind.as_deref(), Some("x:1"));
    }
    let Task::Serve(args) = parsed(&["koor", "serve"]).command else { panic!("not serve") };
    assert_eq!(args.bind, None);
    assert!(parse(["koor".into()]).is_err());
}

#[test]
fn an_empty_value_is_a_value() {
    let Task::Serve(args) = parsed(&["koor", "serve", "--dashboard-bind", "", "--auth-token="]).command
    else {
        panic!("not serve")
    };
    assert_eq!((args.dashboard_bind.as_deref(), args.auth_token.as_deref()), (Some(""), Some("")));
}

#[test]
fn an_underscore_is_as_good_as_a_dash() {
    let Task::Serve(args) = parsed(&["koor", "serve", "--data_dir", "x"]).command else {
        panic!("not serve")
    };
    assert_eq!(args.data_dir.as_deref(), Some("x"));
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
