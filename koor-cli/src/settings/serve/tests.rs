//! Which layer wins, and what is refused.

use std::{
    collections::HashMap,
    ffi::OsString,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use koor_core::domain::{LeaseTime, webhooks::Secret};
use koor_store_sqlite::Durability;
use tracing::level_filters::LevelFilter;

use super::{
    parse::{host, origin},
    *,
};
use crate::args::{self, Task};
use crate::log;

/// Resolves a command line, an environment and a config file.
fn resolve(
    flags: &[&str],
    environment: &[(&str, &str)],
    file: Option<&str>,
) -> Result<ServeSettings, Failure> {
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("koor.json");
    fs::write(&config, file.unwrap_or("{}")).unwrap();
    let line = ["koor", "serve", "--config", config.to_str().unwrap()];
    let line = line.iter().chain(flags).map(OsString::from);
    let Task::Serve(args) = args::parse(line).unwrap().command else { panic!("not serve") };
    let environment: HashMap<_, _> = environment.iter().copied().collect();
    ServeSettings::resolve(*args, &|name| environment.get(name).map(ToString::to_string))
}

/// The one line that refuses it, without the temporary directory's name.
fn refusal(flags: &[&str], environment: &[(&str, &str)], file: Option<&str>) -> String {
    let failure = resolve(flags, environment, file).unwrap_err();
    let text = format!("{failure:?}");
    assert!(text.starts_with("Failure { code: 2, said: Line(\""), "{text}");
    assert!(!text.contains("\\n"), "{text}");
    text
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = resolve(&[], &[], None).unwrap();
    assert_eq!(settings.bind.to_string(), "localhost:9800");
    assert_eq!(settings.dashboard_bind.unwrap().to_string(), "localhost:9847");
    assert_eq!(settings.data_dir, PathBuf::from("."));
    assert!(matches!(settings.store, StoreAddress::DataDirectory));
    assert_eq!(settings.auth_token, None);
    assert_eq!((settings.log_level, settings.log_format), (LevelFilter::INFO, log::Format::Text));
    assert_eq!((settings.event_retention, settings.change_retention), (1_000, 10_000));
    assert_eq!(settings.history_limit, None);
    assert_eq!(settings.stale_after, Duration::from_mins(5));
    assert_eq!(settings.compliance_every, Duration::from_mins(5));
    let leases = [settings.task_lease, settings.path_lease].map(LeaseTime::get);
    assert_eq!(leases, [Duration::from_mins(15), Duration::from_mins(30)]);
    assert_eq!(settings.message_retention, Duration::from_hours(30 * 24));
    assert_eq!(settings.max_body, 10 << 20);
    assert_eq!(settings.durability, Durability::Full);
    assert!(settings.allow_origin.is_empty() && settings.allow_host.is_empty());
    assert!(settings.allow_outbound.is_empty());
    assert!(!settings.insecure);
    assert_eq!(settings.sources.opened, [""; 0]);
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let file = Some(r#"{"max_body": "1MiB"}"#);
    let environment = [("KOOR_MAX_BODY", "2MiB")];
    assert_eq!(resolve(&[], &[], file).unwrap().max_body, 1 << 20);
    assert_eq!(resolve(&[], &environment, file).unwrap().max_body, 2 << 20);
    assert_eq!(resolve(&["--max-body", "3MiB"], &environment, file).unwrap().max_body, 3 << 20);
}

#[test]
fn every_key_can_be_set_in_every_layer() {
    let file = r#"{"bind": "[::1]:1", "dashboard_bind": "", "data_dir": "d", "store": "sqlite:s", "auth_token": "t", "log_level": "debug",
        "log_format": "json", "event_retention": 5, "change_retention": "6", "history_limit": 7, "stale_after": "8s",
        "compliance_every": "9m", "task_lease": "10s", "path_lease": "24h", "message_retention": "7d", "prices": "built-in", "max_body": 10, "durability": "normal", "allow_origins": ["https://A.example/"],
        "allow_host": "koor.internal", "allow_outbound": ["10.0.0.0/8", "hooks"], "server": "http://x", "token": "y",
        "instance_id": "z", "workspace": "w", "agent": "a", "path_prefix": "p", "insecure": true}"#;
    let without_sources = |settings: ServeSettings| ServeSettings { sources: Sources::default(), ..settings };
    let by_file = without_sources(resolve(&[], &[], Some(file)).unwrap());
    let environment = [
        ("KOOR_BIND", "[::1]:1"),
        ("KOOR_DASHBOARD_BIND", ""),
        ("KOOR_DATA_DIR", "d"),
        ("KOOR_STORE", "sqlite:s"),
        ("KOOR_AUTH_TOKEN", "t"),
        ("KOOR_LOG_LEVEL", "debug"),
        ("KOOR_LOG_FORMAT", "json"),
        ("KOOR_EVENT_RETENTION", "5"),
        ("KOOR_CHANGE_RETENTION", "6"),
        ("KOOR_HISTORY_LIMIT", "7"),
        ("KOOR_STALE_AFTER", "8s"),
        ("KOOR_COMPLIANCE_EVERY", "9m"),
        ("KOOR_TASK_LEASE", "10s"),
        ("KOOR_PATH_LEASE", "24h"),
        ("KOOR_MESSAGE_RETENTION", "7d"),
        ("KOOR_PRICES", "built-in"),
        ("KOOR_MAX_BODY", "10"),
        ("KOOR_DURABILITY", "normal"),
        ("KOOR_ALLOW_ORIGIN", "https://a.example"),
        ("KOOR_ALLOW_HOST", "koor.internal"),
        ("KOOR_ALLOW_OUTBOUND", "10.0.0.0/8, hooks"),
        ("KOOR_INSECURE", "1"),
    ];
    let by_environment = without_sources(resolve(&[], &environment, None).unwrap());
    let flags = [
        "--bind",
        "[::1]:1",
        "--dashboard-bind",
        "",
        "--data-dir",
        "d",
        "--store",
        "sqlite:s",
        "--auth-token",
        "t",
        "--log-level",
        "debug",
        "--log-format",
        "json",
        "--event-retention",
        "5",
        "--change-retention",
        "6",
        "--history-limit",
        "7",
        "--stale-after",
        "8s",
        "--compliance-every",
        "9m",
        "--task-lease",
        "10s",
        "--path-lease",
        "24h",
        "--message-retention",
        "7d",
        "--prices",
        "built-in",
        "--max-body",
        "10",
        "--durability",
        "normal",
        "--allow-origin",
        "https://a.example",
        "--allow-host",
        "koor.internal",
        "--allow-outbound",
        "10.0.0.0/8",
        "--allow-outbound",
        "hooks",
        "--insecure",
    ];
    let by_flags = without_sources(resolve(&flags, &[], None).unwrap());
    // A secret does not show; everything else does.
    assert_eq!(by_file.auth_token, Some(Secret::new("t").unwrap()));
    assert_eq!(
        (&by_environment.auth_token, &by_flags.auth_token),
        (&by_file.auth_token, &by_file.auth_token)
    );
    assert_eq!(format!("{by_environment:?}"), format!("{by_file:?}"));
    assert_eq!(format!("{by_flags:?}"), format!("{by_file:?}"));
    assert_eq!((by_flags.dashboard_bind, by_flags.history_limit), (None, Some(7)));
}

#[test]
fn an_empty_variable_is_none_unless_empty_means_something() {
    let file = Some(r#"{"max_body": "1MiB", "auth_token": "t", "dashboard_bind": "localhost:1"}"#);
    let environment = [("KOOR_MAX_BODY", ""), ("KOOR_AUTH_TOKEN", ""), ("KOOR_DASHBOARD_BIND", "")];
    let settings = resolve(&[], &environment, file).unwrap();
    assert_eq!((settings.max_body, settings.auth_token, settings.dashboard_bind), (1 << 20, None, None));
}

#[test]
fn a_bad_value_is_named_by_where_it_came_from() {
    for (flag, value) in [
        ("--bind", "9800"),
        ("--bind", ""),
        ("--dashboard-bind", "x"),
        ("--log-level", "loud"),
        ("--store", "mysql://x"),
        ("--store", "sqlite:"),
        ("--log-format", "xml"),
        ("--event-retention", "0"),
        ("--event-retention", "many"),
        ("--change-retention", "-1"),
        ("--history-limit", "1.5"),
        ("--stale-after", "soon"),
        ("--stale-after", "0s"),
        ("--compliance-every", "999d"),
        ("--task-lease", "9s"),
        ("--path-lease", "25h"),
        ("--message-retention", "0s"),
        ("--prices", "/nowhere.json"),
        ("--max-body", "0"),
        ("--max-body", "2GiB"),
        ("--durability", "most"),
        ("--allow-origin", "example.com"),
        ("--allow-origin", "https://example.com/path"),
        ("--allow-host", "a/b"),
        ("--allow-outbound", "10.0.0.0/99"),
    ] {
        let line = refusal(&[&format!("{flag}={value}")], &[], None);
        assert!(line.contains(&format!("invalid {flag} ")), "{line}");
    }
    let line = refusal(&[], &[("KOOR_MAX_BODY", "huge")], None);
    assert!(line.contains("invalid KOOR_MAX_BODY \\\"huge\\\": write a size"), "{line}");
    let line = refusal(&[], &[], Some(r#"{"max_body": "huge"}"#));
    assert!(line.contains("invalid max_body in "), "{line}");
    let line = refusal(&[], &[], Some(r#"{"max_body": true}"#));
    assert!(line.contains("it must be a text or a number"), "{line}");
}

#[test]
fn a_file_that_is_no_good_is_refused() {
    assert!(refusal(&[], &[], Some("{")).contains("cannot read config file"));
    assert!(refusal(&[], &[], Some("[]")).contains("it must hold a JSON object"));
    assert!(refusal(&[], &[], Some(r#"{"bnid": "x"}"#)).contains("unknown key \\\"bnid\\\" in config file"));
    let both = r#"{"allow_origin": "https://a", "allow_origins": []}"#;
    assert!(refusal(&[], &[], Some(both)).contains("are the same setting"));
    let line = ["koor", "serve", "--config", "/nowhere/at/all.json"].map(Into::into);
    let Task::Serve(args) = args::parse(line).unwrap().command else { panic!("not serve") };
    assert!(ServeSettings::resolve(*args, &|_| None).is_err());
}

#[test]
fn a_token_comes_from_a_file_or_from_the_layer_itself_but_not_both() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("token");
    let shown = path.to_str().unwrap();
    fs::write(&path, "from-file\n").unwrap();
    let token = |flags: &[&str], environment: &[(&str, &str)]| {
        resolve(flags, environment, None)
            .map(|settings| settings.auth_token.map(|token| token.reveal().to_owned()))
    };
    assert_eq!(token(&["--auth-token-file", shown], &[]), Ok(Some("from-file".to_owned())));
    assert_eq!(
        token(&["--auth-token", "flag"], &[("KOOR_AUTH_TOKEN_FILE", shown)]),
        Ok(Some("flag".to_owned()))
    );
    assert_eq!(
        token(&["--auth-token-file", shown], &[("KOOR_AUTH_TOKEN", "x")]),
        Ok(Some("from-file".to_owned()))
    );
    assert!(token(&["--auth-token-file", shown, "--auth-token", "x"], &[]).is_err());
    assert!(token(&["--auth-token-file", "/nowhere"], &[]).is_err());
    fs::write(&path, "\n").unwrap();
    assert!(token(&["--auth-token-file", shown], &[]).is_err());
}

#[test]
fn a_bad_token_is_not_shown() {
    for bad in ["hush hush", "hush\u{e9}", "whsec_hush!"] {
        let line = refusal(&["--auth-token", bad], &[], None);
        assert!(line.contains("invalid --auth-token") && !line.contains("hush"), "{line}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn the_password_of_a_database_is_not_shown() {
    let good = "postgres://koor:hush@a,b/koor?sslmode=require";
    let settings = resolve(&[], &[("KOOR_STORE", good)], None).unwrap();
    assert_eq!(settings.store.to_string(), "postgres://koor@a,b/koor?sslmode=require");
    assert_eq!(settings.sources.opened, ["store=postgres://… from KOOR_STORE"]);
    assert!(!format!("{settings:?}").contains("hush"));
    for bad in ["postgres://koor:hush@a/", "postgres:hush", "postgres://koor:hush@a/db?password=hush"] {
        let line = refusal(&["--store", bad], &[], None);
        assert!(line.contains("invalid --store") && !line.contains("hush"), "{line}");
    }
}

#[test]
fn hosts_and_origins_are_kept_as_clients_send_them() {
    assert_eq!(origin("HTTPS://Example.com:443/"), Ok("https://example.com".to_owned()));
    assert_eq!(origin("http://localhost:3000"), Ok("http://localhost:3000".to_owned()));
    assert_eq!(host("Koor.Internal:9800"), Ok("koor.internal:9800".to_owned()));
    assert_eq!(host("[::1]"), Ok("[::1]".to_owned()));
    assert_eq!(host("[::1]:80"), Ok("[::1]:80".to_owned()));
}

#[test]
fn every_setting_that_opens_something_is_listed_with_its_source() {
    let file = r#"{"bind": "localhost:1", "data_dir": "d", "allow_origins": ["https://a.example"], "auth_token": "t"}"#;
    let environment = [("KOOR_DASHBOARD_BIND", "0.0.0.0:2"), ("KOOR_ALLOW_HOST", "h")];
    let settings =
        resolve(&["--insecure", "--allow-outbound", "10.0.0.0/8"], &environment, Some(file)).unwrap();
    let config = settings.sources.files[0].display().to_string();
    assert_eq!(settings.sources.files.len(), 1);
    let expected = [
        "dashboard_bind=0.0.0.0:2 from KOOR_DASHBOARD_BIND".to_owned(),
        format!("data_dir=d from {config}"),
        format!("allow_origin=https://a.example from {config}"),
        "allow_host=h from KOOR_ALLOW_HOST".to_owned(),
        "allow_outbound=10.0.0.0/8 from --allow-outbound".to_owned(),
        "insecure=true from --insecure".to_owned(),
        format!("auth_token from {config}"),
    ];
    assert_eq!(settings.sources.opened, expected);
}

/// The table in `docs/configuration.md`, from the declaration of the settings.
fn documented() -> String {
    let mut table =
        "| flag | environment | key in the file | default | meaning |\n|---|---|---|---|---|\n".to_owned();
    for setting in SETTINGS {
        let default = match setting.default {
            Some(default) => format!("`{default}`"),
            None => "none".to_owned(),
        };
        let (flag, variable, key, help) = (setting.flag(), setting.variable(), setting.key, setting.help);
        writeln!(table, "| `--{flag}` | `{variable}` | `{key}` | {default} | {help} |").unwrap();
    }
    table
}

#[test]
fn the_documentation_has_every_setting() {
    const BEGIN: &str = "<!-- written by `KOOR_REWRITE=1 cargo test -p koor-cli documentation`: begin -->\n";
    const END: &str = "<!-- end -->\n";
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    if std::env::var_os("KOOR_REWRITE").is_some() {
        fs::write(&page, format!("{before}{BEGIN}{}{END}{after}", documented())).unwrap();
        return;
    }
    assert!(
        table == documented(),
        "docs/configuration.md is not what the settings say: KOOR_REWRITE=1 cargo test -p koor-cli documentation"
    );
}
