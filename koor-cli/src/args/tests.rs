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
