use super::*;

#[test]
fn a_name_stands_in_folders_topics_and_shell_commands_as_it_is() {
    for good in ["Truck-Wash", "a", "9lives", "my_app.v2", "Bäckerei"] {
        assert_eq!(good.parse::<Name>().map(|name| name.0), Ok(good.to_owned()));
    }
    assert_eq!("Truck-Wash".parse::<Name>().unwrap().slug(), "truck-wash");
    for (bad, expected) in [
        ("", "a name is needed"),
        (
            "Truck Wash",
            "\"Truck Wash\" has a space in it: a name is made of letters, digits, '-', '_' and '.'",
        ),
        ("a/b", "\"a/b\" has a slash in it: a name is made of letters, digits, '-', '_' and '.'"),
        ("a\\b", "\"a\\\\b\" has a slash in it: a name is made of letters, digits, '-', '_' and '.'"),
        ("$(id)", "\"$(id)\" has a sign in it: a name is made of letters, digits, '-', '_' and '.'"),
        ("..", "\"..\" must begin with a letter or a digit, and not end in '.'"),
        ("a..b", "\"a..b\" must begin with a letter or a digit, and not end in '.'"),
        ("-x", "\"-x\" must begin with a letter or a digit, and not end in '.'"),
    ] {
        assert_eq!(bad.parse::<Name>().unwrap_err().to_string(), expected);
    }
    assert!("x".repeat(65).parse::<Name>().is_err());
}

#[test]
fn an_agent_is_a_name_a_stack_and_for_a_go_api_a_database() {
    for (text, name, stack) in [
        ("frontend:goth", "frontend", Stack::Goth),
        ("Backend:go-api:postgres", "backend", Stack::GoApi(Database::Postgres)),
        ("backend:GO-API", "backend", Stack::GoApi(Database::Sqlite)),
        ("notes", "notes", Stack::Generic),
    ] {
        let mut warnings = Vec::new();
        assert_eq!(Agent::parse(text, &mut warnings), Ok(Agent { name: name.to_owned(), stack }));
        assert_eq!(warnings, [""; 0]);
    }
    for (text, expected) in [
        ("a:b:c:d", Wrong::Shape("a:b:c:d".to_owned())),
        ("a:react:sqlite", Wrong::NoDatabase("react", "sqlite".to_owned())),
        ("a:go-api:mysql", Wrong::Database("mysql".to_owned())),
        ("Controller:rust", Wrong::Reserved),
        (":rust", Wrong::EmptyName),
    ] {
        assert_eq!(Agent::parse(text, &mut Vec::new()), Err(expected));
    }
}

#[test]
fn an_unknown_stack_becomes_generic_and_is_told() {
    let mut warnings = Vec::new();
    assert_eq!(Agent::parse("ui:svelte", &mut warnings).unwrap().stack, Stack::Generic);
    assert_eq!(
        warnings,
        ["unknown stack \"svelte\" for ui: it becomes generic \
             (known: goth, go-api, react, flutter, c, rust, python, node, generic)"]
    );
}

#[test]
fn no_two_agents_have_one_name() {
    let agent = |text: &str| Agent::parse(text, &mut Vec::new()).unwrap();
    assert_eq!(Agents::new(vec![]), Err(Wrong::NoAgent));
    assert_eq!(Agents::new(vec![agent("a:c"), agent("A:rust")]), Err(Wrong::Twice("a".to_owned())));
    assert_eq!(Agents::new((0..51).map(|n| agent(&format!("a{n}"))).collect()), Err(Wrong::TooMany));
}

#[test]
fn a_server_of_this_machine_has_a_place_to_listen_at() {
    let agents = Agents::new(vec![Agent { name: "a".to_owned(), stack: Stack::C }]).unwrap();
    let name: Name = "p".parse().unwrap();
    let mut project = Project {
        name,
        agents,
        with_controller: true,
        server: String::new(),
        token: None,
        allows_koor: false,
    };
    for (server, place) in [
        ("http://localhost:9800", Some("localhost:9800")),
        ("http://127.0.0.1", Some("127.0.0.1:80")),
        ("http://[::1]:7", Some("[::1]:7")),
        ("http://koor.example:9800", None),
        ("https://localhost:9800", None),
        ("http://localhost:9800/base", None),
    ] {
        server.clone_into(&mut project.server);
        assert_eq!(project.on_loopback().as_deref(), place, "{server}");
    }
}
