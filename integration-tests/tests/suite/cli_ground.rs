//! What holds for every command: names, settings, forms of output, help, and whatever can go wrong before a server answers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use integration_tests::{Server, Shell, Start, koor};

/// A server that is not Koor and answers every request the same. Lives as long as the test's process.
fn another_server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                asked.extend(byte);
            }
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    url
}

#[test]
fn all_four_names_work() {
    let server = Server::start();
    let shell = Shell::at(&server);
    for name in ["koor", "koor-cli", "koor-server"] {
        fs::hard_link(koor(), shell.directory().join(name))
            .or_else(|_| fs::copy(koor(), shell.directory().join(name)).map(drop))
            .unwrap();
    }
    for name in ["koor", "koor-cli"] {
        let status = shell.line(&format!("./{name} status")).json();
        assert_eq!(status["status"], "ok", "{name}");
    }
    let help = shell.line("./koor-server --help").ok();
    assert!(help.contains("--dashboard-bind"), "{help}");
    let refused = shell.line("./koor-server --bind nonsense");
    refused.says(2, "invalid --bind");
}

#[test]
fn help_of_every_command_is_what_the_reference_says() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli-reference.md")).unwrap();
    let shell = Shell::nowhere();
    let mut commands = 0;
    for part in page.split("\n## ").skip(1) {
        let (path, rest) = part.split_once("\n\n```text\n").unwrap();
        let wanted = rest.split_once("\n```").unwrap().0;
        let words: Vec<&str> = path.split(' ').skip(1).chain(["--help"]).collect();
        assert_eq!(shell.koor(&words).ok().trim_end(), wanted, "{path}");
        commands += 1;
    }
    assert!(commands > 60, "{commands}");
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let server = Start::default().args(["--auth-token", "right"]).start().unwrap();
    let shell = Shell::nowhere();
    shell.koor(&["config", "set", "server", "http://127.0.0.1:1"]).ok();
    shell.koor(&["config", "set", "token", "wrong"]).ok();
    shell.koor(&["status"]).says(3, "cannot reach http://127.0.0.1:1: connection refused");
    let shell = shell.env("KOOR_SERVER", &server.api).env("KOOR_TOKEN", "wrong, too");
    shell.koor(&["state", "list"]).says(2, "invalid KOOR_TOKEN");
    assert_eq!(shell.koor(&["state", "list", "--token", "right"]).ok(), "[]\n");
    let shown = shell.koor(&["--token", "right", "config", "show"]).ok();
    assert!(!shown.contains("right"), "{shown}");
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (shown["server_from"].as_str(), shown["token_from"].as_str()),
        (Some("environment"), Some("flag"))
    );
    shell.koor(&["config", "set", "token", ""]).ok();
    let file = fs::read_to_string(shell.directory().join("settings.json")).unwrap();
    assert_eq!(file, "{\n  \"server\": \"http://127.0.0.1:1\"\n}\n");
    shell.koor(&["config", "set", "server", "ftp://x"]).says(2, "is no URL of a server");
    shell.koor(&["config", "set", "server", "foo"]).says(2, "write http://foo:9800");
}

#[test]
fn settings_that_are_broken_are_named_and_left_alone() {
    let server = Server::start();
    let shell = Shell::at(&server);
    for broken in ["{", "[]", "{\"token\": 7}", "{\"server\": \"a b\"}"] {
        shell.file("settings.json", broken);
        let shell = Shell::nowhere();
        shell.file("settings.json", broken);
        shell.koor(&["status"]).says(2, "settings.json");
    }
    shell.file("settings.json", "{");
    shell.koor(&["config", "set", "token", "t"]).says(2, "cannot read config file settings.json");
    assert_eq!(fs::read_to_string(shell.directory().join("settings.json")).unwrap(), "{");
}

#[test]
fn who_is_not_koor_is_told_apart() {
    const PAGE: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>";
    const PORTAL: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>";
    const MOVED: &str = "HTTP/1.1 301 Moved\r\nLocation: https://koor.example/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let shell = Shell::nowhere();
    let ask = |answer| shell.koor(&["state", "get", "k", "--server", &another_server(answer)]);
    ask(PAGE).says(3, "answers 502 with text/html where a Koor server answers in JSON");
    ask(PORTAL).says(3, "answers 200 with text/html");
    ask(MOVED).says(3, "points to https://koor.example/");
    ask("SSH-2.0-OpenSSH_9.9\r\n").says(3, "cannot reach http://127.0.0.1:");
    shell
        .koor(&["status", "--server", "http://nowhere.invalid"])
        .says(3, "cannot reach http://nowhere.invalid");
}

#[test]
fn what_is_typed_wrongly_is_one_line() {
    let shell = Shell::nowhere();
    shell.koor(&["stat"]).says(2, "unrecognized subcommand 'stat'; tip: some similar subcommands exist:");
    shell.koor(&["state", "get"]).says(2, "<KEY>; usage: koor state get");
    shell.koor(&["state", "get", "k", "--versoin", "1"]).says(2, "a similar argument exists: '--version'");
    shell.koor(&["state", "set", "k"]).says(2, "--data <JSON>|--file <PATH>");
    shell.koor(&["state", "list", "--table", "--json"]).says(2, "exclude each other");
    shell.koor(&["serve", "--token", "t"]).says(2, "--auth-token");
    shell.koor(&["man", "no", "such"]).says(2, "there is no command `koor no such`");
    shell.koor(&["state", "set", "k", "--file", "missing"]).says(2, "cannot read missing");
    shell.koor(&["state", "set", "k", "--file", "."]).says(2, "cannot read .");
    let nothing = shell.koor(&[]);
    assert_eq!((nothing.code, nothing.out.as_str()), (2, ""));
    assert!(nothing.err.contains("Usage: koor"), "{}", nothing.err);
}

#[test]
fn what_is_too_large_is_refused_by_the_server() {
    let server = Start::default().args(["--max-body", "1kB"]).start().unwrap();
    let shell = Shell::at(&server);
    shell.file("large", vec![b'x'; 4 << 20]);
    for length in [2_000, 4 << 20] {
        shell.file("large", vec![b'x'; length]);
        assert_eq!(shell.koor(&["state", "set", "k", "--file", "large"]).refused()["code"], 413, "{length}");
    }
}

#[test]
fn a_closed_pipe_is_no_accident() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let ran = shell.line("$koor state list | head -n 0; echo ${PIPESTATUS[0]}");
    // Whether the reader is gone before the writer begins is the shell's affair.
    assert!(["141\n", "0\n"].contains(&ran.out.as_str()), "{ran:?}");
    let ran = shell.line("($koor man; echo $? >&2) | true");
    assert!(["141\n", "0\n"].contains(&ran.err.as_str()), "{ran:?}");
    let ran = shell.line("exec 3> >(exit 0); sleep 0.3; $koor man >&3");
    assert_eq!((ran.code, ran.err.as_str()), (141, ""));
    let full = shell.line("$koor state list > /dev/full");
    assert_eq!(full.code, 1);
    assert!(full.err.starts_with("koor: cannot write the output: "), "{full:?}");
}

#[test]
fn a_person_sees_tables_and_a_program_json() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let long = "x".repeat(300);
    let value = format!("{{\"note\": \"{long}\"}}");
    shell.koor(&["events", "publish", "a.b", "--data", &value, "--source", "me"]).json();
    let table = shell.at_terminal(100, &["events", "history"]);
    assert_eq!(table.code, 0, "{table:?}");
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!(lines.len(), 2, "{table:?}");
    assert!(lines[0].contains("\u{1b}[1m") && lines[1].contains("\u{1b}[36ma.b"), "{table:?}");
    let plain = Shell::at(&server).env("NO_COLOR", "1").at_terminal(100, &["events", "history"]);
    assert!(!plain.out.contains('\u{1b}'), "{plain:?}");
    let widest = plain.out.lines().map(|line| line.chars().count()).max();
    assert_eq!(widest, Some(100), "{plain:?}");
    for words in [&["events", "history", "--json"][..], &["events", "history", "--pretty"]] {
        let json = shell.at_terminal(100, words);
        let events: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(events[0]["topic"], "a.b");
    }
    let forced = shell.koor(&["events", "history", "--table"]).ok();
    assert!(forced.starts_with("ID  TIME") && forced.contains(&long), "{forced}");
    let status = shell.at_terminal(80, &["status"]);
    assert!(status.out.contains("last event  1"), "{status:?}");
}

#[test]
fn a_terminal_is_told_what_to_do_next_and_spared_bytes() {
    let server = Start::default().args(["--auth-token", "t"]).start().unwrap();
    let shell = Shell::at(&server);
    let refused = shell.at_terminal(200, &["state", "list"]);
    assert_eq!(refused.code, 1);
    let lines: Vec<&str> = refused.out.lines().collect();
    assert_eq!(lines[0], "koor: invalid or missing bearer token");
    assert!(lines[1].contains("koor config set token"), "{refused:?}");
    let shell = shell.env("KOOR_TOKEN", "t");
    shell.fed(&["state", "set", "k", "--file", "-"], &[0, 27, 255]).json();
    let spared = shell.at_terminal(200, &["state", "get", "k"]);
    assert_eq!(spared.code, 1);
    assert!(spared.out.contains("--output FILE"), "{spared:?}");
}

#[test]
fn a_terminal_is_told_what_may_have_been_meant_and_who_was_faster() {
    let server = Server::start();
    let shell = Shell::at(&server);
    for key in ["Truck-Wash/plan", "Truck-Wash/notes", "Car-Park/plan"] {
        shell.koor(&["state", "set", key, "--data", "1"]).json();
    }
    let lines = |words: &[&str]| {
        let refused = shell.at_terminal(200, words);
        assert_eq!(refused.code, 1, "{refused:?}");
        refused.out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        lines(&["state", "get", "truck-wash/plam"]),
        ["koor: key not found: truck-wash/plam", "koor: did you mean Truck-Wash/plan?"]
    );
    assert_eq!(lines(&["state", "get", "nothing-like-it"]), ["koor: key not found: nothing-like-it"]);
    shell.koor(&["specs", "set", "P/button", "--data", "{}"]).json();
    assert_eq!(lines(&["specs", "get", "P/buton"])[1], "koor: did you mean P/button?");

    let writer = Shell::at(&server);
    let id = writer.koor(&["register", "backend"]).json()["id"].as_str().unwrap().to_owned();
    writer.koor(&["state", "set", "Truck-Wash/plan", "--data", "2"]).json();
    let late = ["state", "set", "Truck-Wash/plan", "--data", "3", "--if-version", "1"];
    assert_eq!(
        lines(&late),
        [
            "koor: version conflict: Truck-Wash/plan is at version 2",
            "koor: version 2 was written by backend. Read it, merge your change, and write with --if-version 2",
        ],
        "{id}"
    );
    assert_eq!(shell.koor(&late).refused()["version"], 2, "programs still get JSON");
}

#[test]
fn a_token_that_means_nothing_is_said_once() {
    let server = Server::start();
    let shell = Shell::at(&server).env("KOOR_TOKEN", "of another server");
    let set = shell.koor(&["state", "set", "k", "--data", "1"]);
    assert_eq!(set.code, 2, "a token has no spaces: {set:?}");
    let shell = Shell::at(&server).env("KOOR_TOKEN", "of-another-server");
    let set = shell.koor(&["state", "set", "k", "--data", "1"]);
    let said =
        "koor: this server asks for no token, and the one sent belongs to no instance: it was ignored\n";
    assert_eq!((set.code, set.err.as_str()), (0, said));
    // Two requests, one line.
    let edited = shell.env("EDITOR", "sed -i s/1/2/").koor(&["state", "edit", "k"]);
    assert_eq!((edited.code, edited.err.matches(said).count()), (0, 1), "{edited:?}");
}

#[test]
fn a_write_in_a_directory_of_no_instance_says_so() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.file("settings.json", "{}");
    shell.file("rules.json", r#"[{"project": "P", "rule_id": "r", "pattern": "x", "message": "m"}]"#);
    shell.file(
        "contract.json",
        r#"{"kind": "contract", "endpoints": {"GET /": {"response": {"a": {"type": "string"}}}}}"#,
    );
    for words in [
        &["state", "set", "k", "--data", "1"][..],
        &["state", "rollback", "k", "--version", "1"],
        &["state", "delete", "k"],
        &["specs", "set", "P/s", "--data", "{}"],
        &["contract", "set", "P/c", "--file", "contract.json"],
        &["rules", "import", "--file", "rules.json"],
        &["llm", "record", "--provider", "p", "--model", "m"],
        &["webhooks", "add", "--id", "w", "--url", "http://localhost:9/x"],
    ] {
        let ran = shell.koor(words);
        let told = ran.err.starts_with("koor: settings.json names no instance");
        assert!(ran.code == 0 && told, "{words:?}: {ran:?}");
    }
    assert_eq!(shell.koor(&["state", "list"]).json(), serde_json::json!([]), "reading needs no name");
}

#[test]
fn shells_and_readers_are_served() {
    let shell = Shell::nowhere();
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(shell.koor(&["completions", name]).ok().contains("rollback"), "{name}");
    }
    assert!(shell.koor(&["man"]).ok().contains(".TH koor 1"));
    let page = shell.koor(&["man", "state", "set"]).ok();
    assert!(page.contains("\n.SH NOTES\nA condition") && page.contains("\n.SH EXAMPLES\n"), "{page}");
    assert!(!page.contains("EXTRA"), "{page}");
    assert!(shell.koor(&["--help"]).ok().contains("\nExamples:\n  koor serve\n"));
    assert!(shell.koor(&["man", "state", "set"]).ok().contains("if\\-version"));
    assert!(shell.koor(&["--version"]).ok().starts_with("koor "));
    assert!(shell.koor(&["help", "state", "get"]).ok().contains("koor state get Truck-Wash/plan"));
}
