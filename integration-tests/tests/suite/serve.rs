//! How the server is set up, and what it says when it can't be.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    fs,
    io::Read as _,
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
};

use integration_tests::{Ended, Server, Start, koor};

/// One that did not start, and said why in one line.
fn refused(start: Start) -> (i32, String) {
    let Ended { code, log, out } = start.start().unwrap_err();
    assert_eq!((log.len(), out.len()), (1, 0), "{log:#?} {out:#?}");
    (code.unwrap(), log[0].clone())
}

fn port_of(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Whether the address in such a URL accepts connections.
fn answers(url: &str) -> bool {
    TcpStream::connect(url.trim_start_matches("http://")).is_ok()
}

#[test]
fn the_start_line_names_both_addresses_and_they_answer() {
    let server = Server::start();
    let dashboard = server.dashboard.clone().unwrap();
    assert!(answers(&server.api) && answers(&dashboard));
    assert_ne!(port_of(&server.api), port_of(&dashboard));
    let lines: Vec<_> = server.log().into_iter().filter(|line| line.contains("api=")).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains(&server.api) && lines[0].contains(&dashboard), "{lines:?}");
    let ended = server.stop();
    assert_eq!((ended.code, ended.out.len()), (Some(0), 0));
}

#[test]
fn localhost_is_both_families_on_one_port() {
    let server = Server::start();
    let port = port_of(&server.api);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    if TcpListener::bind("[::1]:0").is_ok() {
        assert!(TcpStream::connect(("::1", port)).is_ok());
    }
}

#[test]
fn a_log_for_machines_has_the_addresses_too_and_shows_them_at_every_level() {
    let server = Start::default().args(["--log-format", "json", "--log-level", "error"]).start().unwrap();
    assert!(answers(&server.api) && answers(server.dashboard.as_ref().unwrap()));
    let ended = server.stop();
    assert_eq!(ended.log.len(), 1, "{:#?}", ended.log);
    assert!(ended.log[0].starts_with('{'), "{:#?}", ended.log);
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let [by_file, by_environment, by_flag] = [free(), free(), free()];
    let start = || {
        let start = Start::default().no_ports();
        let file = format!(
            r#"{{"bind": "127.0.0.1:{by_file}", "dashboard_bind": "", "data_dir": "data", "server": "http://x", "token": "t"}}"#
        );
        fs::write(start.directory().join("settings.json"), file).unwrap();
        start
    };
    let server = start().start().unwrap();
    assert_eq!((port_of(&server.api), server.dashboard.as_deref()), (by_file, None));
    assert!(server.directory().path().join("data/data.db").exists());
    let environment = format!("127.0.0.1:{by_environment}");
    let server = start().env("KOOR_BIND", &environment).start().unwrap();
    assert_eq!(port_of(&server.api), by_environment);
    let flag = format!("127.0.0.1:{by_flag}");
    let server = start().env("KOOR_BIND", &environment).args(["--bind", &flag]).start().unwrap();
    assert_eq!(port_of(&server.api), by_flag);
}

#[test]
fn a_named_config_file_counts_and_settings_json_does_not() {
    let start = Start::default().args(["--config", "koor.json"]);
    fs::write(start.directory().join("koor.json"), r#"{"data_dir": "named"}"#).unwrap();
    fs::write(start.directory().join("settings.json"), r#"{"data_dir": "default"}"#).unwrap();
    let server = start.start().unwrap();
    assert!(server.directory().path().join("named/data.db").exists());
    assert!(!server.directory().path().join("default").exists());
}

#[test]
fn what_can_not_be_meant_is_one_line_and_exit_code_2() {
    let (code, line) = refused(Start::default().args(["--max-body", "lots"]));
    assert_eq!((code, line.contains("invalid --max-body \"lots\": ")), (2, true), "{line}");
    let (code, line) = refused(Start::default().env("KOOR_STALE_AFTER", "soon"));
    assert_eq!((code, line.contains("invalid KOOR_STALE_AFTER \"soon\": ")), (2, true), "{line}");
    for (file, said) in [
        (r#"{"bnid": "x"}"#, "unknown key \"bnid\" in config file settings.json"),
        (r#"{"history_limit": "all"}"#, "invalid history_limit in settings.json \"all\": "),
        ("{", "cannot read config file settings.json: "),
    ] {
        let start = Start::default();
        fs::write(start.directory().join("settings.json"), file).unwrap();
        let (code, line) = refused(start);
        assert_eq!((code, line.contains(said)), (2, true), "{line}");
    }
    let (code, line) = refused(Start::default().args(["--config", "nowhere.json"]));
    assert_eq!((code, line.contains("nowhere.json")), (2, true), "{line}");
    let unknown = Start::default().args(["--frobnicate"]).start().unwrap_err();
    assert_eq!(unknown.code, Some(2));
}

#[test]
fn a_port_that_is_taken_is_one_line_that_names_it() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("localhost:{}", holder.local_addr().unwrap().port());
    let (code, line) = refused(Start::default().no_ports().args(["--bind", &place]));
    assert_eq!((code, line.contains(&place)), (1, true), "{line}");
    let dashboard = ["--bind", "localhost:0", "--dashboard-bind", &place];
    let (code, line) = refused(Start::default().no_ports().args(dashboard));
    assert_eq!((code, line.contains(&place)), (1, true), "{line}");
}

#[test]
fn a_directory_that_another_server_holds_is_one_line_that_names_its_process() {
    let first = Server::start();
    let (code, line) = refused(Start::default().within(first.directory()));
    assert_eq!((code, line.contains(&first.pid().to_string())), (1, true), "{line}");
    // It goes on unharmed, and when it is gone, killed or not, the directory is free.
    let directory = first.directory().clone();
    assert!(answers(&first.api));
    first.signal("KILL");
    assert_eq!(first.wait().code, None);
    assert!(answers(&Server::start_within(&directory).api));
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_as_it_was() {
    let server = Server::start();
    let directory = server.directory().clone();
    assert_eq!(server.stop().code, Some(0));
    // Where SQLite keeps the version of what is in a database.
    let database = directory.path().join("data.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    fs::write(&database, &bytes).unwrap();
    let (code, line) = refused(Start::default().within(&directory));
    assert_eq!((code, line.contains("999") && line.contains("newer")), (1, true), "{line}");
    assert!(fs::read(&database).unwrap() == bytes, "it was touched");
}

#[test]
fn files_beside_the_database_stay() {
    let start = Start::default();
    let directory = start.directory().to_owned();
    fs::write(directory.join("copy-assets.sh"), "x").unwrap();
    fs::write(directory.join("copy-1-0.db"), "x").unwrap();
    fs::create_dir(directory.join("copy-me")).unwrap();
    let server = start.start().unwrap();
    assert!(answers(&server.api));
    for name in ["copy-assets.sh", "copy-1-0.db", "copy-me"] {
        assert!(directory.join(name).exists(), "{name} is gone");
    }
}

#[test]
fn a_database_of_the_original_server_is_refused_and_left_as_it_was() {
    let old = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/original.db")).unwrap();
    let start = Start::default();
    let directory = std::sync::Arc::clone(start.shared_directory());
    let database = directory.path().join("data.db");
    fs::write(&database, &old).unwrap();
    let before = fs::metadata(&database).unwrap().modified().unwrap();
    let (code, line) = refused(start);
    assert_eq!((code, line.contains("koor import --from ./data.db")), (1, true), "{line}");
    assert!(fs::read(&database).unwrap() == old, "it was touched");
    assert_eq!(fs::metadata(&database).unwrap().modified().unwrap(), before);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "a file was made beside it");
}

#[cfg(unix)]
#[test]
fn a_database_behind_a_link_has_one_server() {
    let first = Server::start();
    let start = Start::default();
    let database = first.directory().path().join("data.db");
    std::os::unix::fs::symlink(&database, start.directory().join("data.db")).unwrap();
    let (code, line) = refused(start);
    assert_eq!((code, line.contains(&first.pid().to_string())), (1, true), "{line}");
    assert!(answers(&first.api));
}

#[test]
fn other_machines_reach_a_server_without_a_token_only_if_that_is_asked_for() {
    for ports in [
        ["--bind", "0.0.0.0:0", "--dashboard-bind", ""],
        ["--bind", "localhost:0", "--dashboard-bind", "0.0.0.0:0"],
    ] {
        let start = || Start::default().no_ports().args(ports);
        let (code, line) = refused(start());
        assert_eq!(code, 2, "{line}");
        for part in ["refusing to listen on 0.0.0.0:", "--auth-token-file", "--insecure"] {
            assert!(line.contains(part), "{line}");
        }
        let warned = |server: Server| server.log().iter().any(|line| line.contains("it asks for no token"));
        let server = start().args(["--insecure"]).start().unwrap();
        assert_ne!(port_of(&server.api), 0);
        assert!(warned(server));
        assert!(!warned(start().args(["--auth-token", "t"]).start().unwrap()));
    }
    // It leaves nothing behind where it was refused.
    let directory = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let start = Start::default().no_ports().args(["--bind", "0.0.0.0:0"]).env("KOOR_INSECURE", "false");
    assert_eq!(refused(start.within(&directory)).0, 2);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_start_line_names_each_file_it_read_and_what_that_opens() {
    let start =
        Start::default().args(["--auth-token-file", "the-token"]).env("KOOR_ALLOW_HOST", "koor.internal");
    let directory = start.directory().canonicalize().unwrap();
    fs::write(directory.join("the-token"), "a-token").unwrap();
    let settings = r#"{"data_dir": "theirs", "allow_origin": "https://evil.example", "log_level": "warn"}"#;
    fs::write(directory.join("settings.json"), settings).unwrap();
    let server = start.start().unwrap();
    let line = server.log().into_iter().find(|line| line.contains("api=")).unwrap();
    let directory = directory.display();
    for part in [
        &format!("{directory}/settings.json; {directory}/the-token"),
        "data_dir=theirs from settings.json; allow_origin=https://evil.example from settings.json; \
         allow_host=koor.internal from KOOR_ALLOW_HOST",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(!line.contains("a-token"), "{line}");
    let plain = Server::start();
    let line = plain.log().into_iter().find(|line| line.contains("api=")).unwrap();
    assert!(!line.contains("read=") && !line.contains("opened="), "{line}");
}

#[cfg(unix)]
#[test]
fn the_image_makes_a_token_on_its_first_start_and_keeps_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let entry = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/docker/entrypoint.sh");
    let programs = tempfile::TempDir::new().unwrap();
    std::os::unix::fs::symlink(koor(), programs.path().join("koor")).unwrap();
    let script = format!("PATH={}:$PATH; shift; exec sh {entry} \"$@\"", programs.path().display());
    let start = || {
        let start =
            Start::default().no_ports().env("KOOR_BIND", "0.0.0.0:0").env("KOOR_DASHBOARD_BIND", "0.0.0.0:0");
        start.through(&script, Stdio::null())
    };
    let first = start().start().unwrap();
    let directory = first.directory().clone();
    let kept = directory.path().join("koor-token");
    let token = fs::read_to_string(&kept).unwrap();
    assert_eq!((token.len(), fs::metadata(&kept).unwrap().permissions().mode() & 0o777), (64, 0o600));
    assert!(first.log().iter().any(|line| line.contains("made a token") && !line.contains(&token)));
    assert_eq!(first.stop().code, Some(0));
    let again = start().within(&directory).start().unwrap();
    assert_eq!(fs::read_to_string(&kept).unwrap(), token);
    assert!(!again.log().iter().any(|line| line.contains("made a token")));
    let own = start().args(["--auth-token", "mine"]).start().unwrap();
    assert!(!own.directory().path().join("koor-token").exists());
}

#[cfg(unix)]
#[test]
fn the_demo_stops_where_another_server_has_the_port() {
    let other = Server::start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/demo-server");
    let place = other.api.trim_start_matches("http://");
    let ended = Command::new(script)
        .env("KOOR", koor())
        .env("KOOR_BIND", place)
        .env("KOOR_DASHBOARD_BIND", "")
        .env_remove("KOOR_AUTH_TOKEN")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains(&format!("cannot listen on {place}")), "{said}");
    assert_eq!(other.site().get("/api/state").ok(), serde_json::json!([]));
}

#[test]
fn it_also_goes_by_the_name_of_the_original_server() {
    let directory = Start::default();
    let link = directory.directory().join("koor-server");
    fs::copy(koor(), &link).unwrap();
    let help = Command::new(&link).arg("--help").output().unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("--dashboard-bind"));
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    use std::{os::unix::net::UnixDatagram, time::Duration};
    let start = Start::default();
    let path = start.directory().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let heard = || {
        let mut buffer = [0; 256];
        let read = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..read]).trim().to_owned()
    };
    let server = start.env("NOTIFY_SOCKET", path.to_str().unwrap()).start().unwrap();
    assert_eq!(heard(), "READY=1");
    server.signal("TERM");
    assert_eq!(heard(), "STOPPING=1");
    assert_eq!(server.wait().code, Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_systemd_opened_is_used() {
    use std::os::fd::OwnedFd;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let as_systemd = r#"exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@""#;
    let server = Start::default().through(as_systemd, Stdio::from(OwnedFd::from(listener))).start().unwrap();
    assert_eq!(server.api, format!("http://{address}"));
    let mut stream = TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /health HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1."), "{answer}");
}

#[cfg(unix)]
#[test]
fn more_connections_are_served_than_the_soft_limit_of_open_files_allows() {
    use std::{io::Write as _, time::Duration};
    let low = r#"ulimit -Sn 256; exec "$@""#;
    let server = Start::default().through(low, Stdio::null()).start().unwrap();
    let place = server.api.trim_start_matches("http://");
    let mut open: Vec<_> = (0..400).map(|_| TcpStream::connect(place).unwrap()).collect();
    for (n, stream) in open.iter_mut().enumerate() {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET /health HTTP/1.1\r\nHost: {place}\r\n\r\n").unwrap();
        let mut status = [0; 15];
        stream.read_exact(&mut status).unwrap_or_else(|error| panic!("{error} on connection {n}"));
        assert_eq!(&status, b"HTTP/1.1 200 OK");
    }
}
