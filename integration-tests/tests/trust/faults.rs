//! What the machine does to the server: no room, no right to write, a lock that another process holds, a broken file, no
//! more files, a long pause. It says what is wrong, loses nothing that it has answered, and goes on when the fault is
//! over, without being started again.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use integration_tests::{Server, Shell, Site, Start, until};
use serde_json::{Map, Value, json};

/// A server on a small disk of its own, in a view of the file system of its own: other programs do not see it.
fn on_small_disk(options: &str) -> Server {
    let start = Start::default().args(["--data-dir", "disk", "--log-level", "warn"]);
    fs::create_dir(start.directory().join("disk")).unwrap();
    let script = format!(
        "exec unshare --user --map-root-user --mount \
         sh -c 'mount -t tmpfs -o {options} tmpfs disk && exec \"$@\"' sh \"$@\""
    );
    start.through(&script, Stdio::null()).start().unwrap()
}

/// A place on the disk of a server, as it sees it.
fn seen_by(server: &Server, path: &str) -> PathBuf {
    let directory = server.directory().path().strip_prefix("/").unwrap();
    Path::new(&format!("/proc/{}/root", server.pid())).join(directory).join(path)
}

/// Writes values of that size until one is refused; how many were not.
fn fill(site: &Site, bytes: usize) -> usize {
    let value = "x".repeat(bytes);
    let mut puts = (0..).map(|n| site.send("PUT", &format!("/api/state/fill/{bytes}/{n}"), &value));
    let done = puts.by_ref().take(5000).take_while(|put| put.status != 503).count();
    assert!(done < 5000, "it never gets full");
    done
}

/// Holds that health says so, and why.
fn degraded(site: &Site) -> String {
    let health = site.get("/health").gives(503);
    assert_eq!(health["status"], "degraded", "{health}");
    let reason = health["reason"].as_str().unwrap().to_owned();
    assert!(!reason.is_empty());
    reason
}

/// Waits until a server does everything again.
fn recovered(site: &Site) {
    until(|| (site.get("/health").status == 200).then_some(()));
    site.put("/api/state/after", &json!("all is well")).ok();
    assert_eq!(site.get("/api/state/after").ok(), "all is well");
    assert_eq!(site.get("/api/audit/verify").ok()["valid"], true);
}

#[test]
#[ignore = "needs a mount of its own; .ci/suites/trust runs it"]
fn a_full_disk_is_told_and_loses_nothing_and_is_over_when_there_is_room() {
    let server = on_small_disk("size=8m");
    let site = server.site();
    site.put("/api/state/kept", &json!(1)).ok();
    let ballast = seen_by(&server, "disk/ballast");
    fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let fitted = fill(&site, 64 << 10);
    let fitted_small = fill(&site, 1000);
    fill(&site, 1);
    let reason = degraded(&site);
    assert_eq!(site.get("/api/state/kept").ok(), 1);
    fs::remove_file(&ballast).unwrap();
    recovered(&site);
    let list = site.get("/api/state?prefix=fill/").ok();
    let count = |size: usize| {
        let prefix = format!("fill/{size}/");
        list.as_array()
            .unwrap()
            .iter()
            .filter(|value| value["key"].as_str().unwrap().starts_with(&prefix))
            .count()
    };
    assert_eq!((count(64 << 10), count(1000)), (fitted, fitted_small));
    eprintln!(
        "trust: faults: a full disk is 503 ({reason}), {} values kept, over when there is room",
        fitted + fitted_small
    );
}

#[test]
#[ignore = "needs `prlimit`; .ci/suites/trust runs it"]
fn a_disk_that_takes_no_more_writes_is_told_and_is_over_when_it_does() {
    let start = Start::default().args(["--log-level", "warn"]);
    let server = start.through("trap '' XFSZ; exec \"$@\"", Stdio::null()).start().unwrap();
    let site = server.site();
    site.put("/api/state/kept", &json!(1)).ok();
    // As a disk that has gone bad would: every write fails from here on.
    let limit = |bytes: &str| {
        let pid = server.pid().to_string();
        let set =
            Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).status().unwrap();
        assert!(set.success());
    };
    limit("0:unlimited");
    let refused = site.put("/api/state/refused", &json!(1));
    assert_eq!(refused.status, 503, "{}", refused.text());
    let reason = degraded(&site);
    assert_eq!(site.get("/api/state/kept").ok(), 1);
    limit("unlimited:unlimited");
    recovered(&site);
    eprintln!("trust: faults: a disk that takes no more writes is 503 ({reason}), and over when it does");
}

#[test]
#[ignore = "needs a mount of its own; .ci/suites/trust runs it"]
fn a_read_only_disk_is_told_at_the_start_and_nothing_on_it_changes() {
    let server = Start::default().args(["--data-dir", "disk"]).start().unwrap();
    server.site().put("/api/state/kept", &json!(1)).ok();
    let directory = server.directory().clone();
    assert_eq!(server.stop().code, Some(0));
    let database = directory.path().join("disk/data.db");
    let before = fs::read(&database).unwrap();
    let script = "exec unshare --user --map-root-user --mount \
         sh -c 'mount --bind disk disk && mount -o remount,bind,ro disk && exec \"$@\"' sh \"$@\"";
    let start = Start::default().within(&directory).args(["--data-dir", "disk"]);
    let ended = start.through(script, Stdio::null()).start().expect_err("it can't write");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = ended.log.join("\n").to_lowercase();
    assert!(said.contains("read-only") && !said.contains("panicked"), "{said}");
    assert!(fs::read(&database).unwrap() == before);
    let server = Start::default().within(&directory).args(["--data-dir", "disk"]).start().unwrap();
    assert_eq!(server.site().get("/api/state/kept").ok(), 1);
    eprintln!("trust: faults: on a disk that is read-only it does not start, and says why");
}

/// Another program, which has the database of a server locked for as long as it runs.
pub(crate) struct Holder(Child);

impl Holder {
    pub(crate) fn of(server: &Server) -> Self {
        let script = "import sqlite3, sys; c = sqlite3.connect('data.db', isolation_level=None); \
            c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()";
        let mut other = Command::new("python3")
            .args(["-c", script])
            .current_dir(server.directory().path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 6];
        other.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        Self(other)
    }

    pub(crate) fn let_go(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

#[test]
#[ignore = "needs Python; .ci/suites/trust runs it"]
fn a_database_that_another_program_has_locked_is_told_and_is_over_when_it_lets_go() {
    let server = Start::default().args(["--log-level", "error"]).start().unwrap();
    let site = server.site();
    site.put("/api/state/kept", &json!(1)).ok();
    let other = Holder::of(&server);
    let refused = site.put("/api/state/refused", &json!(1));
    assert_eq!(refused.status, 503, "{}", refused.text());
    let reason = degraded(&site);
    assert_eq!(site.get("/api/state/kept").ok(), 1);
    other.let_go();
    recovered(&site);
    site.get("/api/state/refused").says(404, "key not found");
    eprintln!(
        "trust: faults: a database that another process has locked is 503 ({reason}) until it is unlocked"
    );
}

/// Changes pages of a database as if they had rotted.
fn rot(database: &Path, rot: impl FnOnce(Vec<&mut [u8]>)) {
    let mut bytes = fs::read(database).unwrap();
    // Where a database says how large its pages are.
    let size = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    rot(bytes.chunks_mut(size).collect());
    fs::write(database, bytes).unwrap();
}

#[test]
#[ignore = "needs Python; .ci/suites/trust runs it"]
fn whoever_looks_into_the_database_takes_nothing_with_him() {
    const ROUNDS: u64 = 20;
    let look = "import sqlite3; c = sqlite3.connect('data.db', isolation_level=None); \
        c.execute('SELECT count(*) FROM sqlite_master').fetchall(); c.close()";
    let directory = Server::start().directory().clone();
    for round in 1..=ROUNDS {
        // Each but the first finds the log of one that was killed.
        let server = Server::start_within(&directory);
        let site = server.site();
        // The more there is in the log, the longer a connection takes that looks at the start which format it has.
        for n in 0..20 {
            site.put(&format!("/api/state/before/{n}"), &json!(round)).ok();
        }
        // Another program opens the database, and closes it as if it were the last that has it.
        let looked =
            Command::new("python3").args(["-c", look]).current_dir(directory.path()).status().unwrap();
        assert!(looked.success());
        assert!(directory.path().join("data.db-wal").exists(), "round {round}: the log is gone");
        let version = site.put("/api/state/after", &json!(round)).ok()["version"].clone();
        assert_eq!(version, round);
        server.signal("KILL");
        assert_eq!(server.wait().code, None);
    }
    let server = Server::start_within(&directory);
    for key in ["before/19", "after"] {
        assert_eq!(server.site().get(&format!("/api/state/{key}")).ok(), ROUNDS, "{key}");
    }
    eprintln!(
        "trust: faults: after {ROUNDS} kills, each after another process had the database open, what was answered is there"
    );
}

#[test]
fn a_broken_page_is_never_answered_as_if_it_were_whole() {
    let server = Server::start();
    let site = server.site();
    let value = |n: usize| json!(format!("{n}:{}", "v".repeat(6000)));
    for n in 0..100 {
        site.put(&format!("/api/state/k/{n}"), &value(n)).ok();
    }
    let directory = server.directory().clone();
    assert_eq!(server.stop().code, Some(0));
    // Pages with nothing but a value on them, so that whatever a start reads is whole. Some are overwritten; of others
    // a bit is another one, which the database itself does not notice.
    let mut rotted = [0, 0];
    rot(&directory.path().join("data.db"), |pages| {
        let others = |page: &[u8]| page.iter().filter(|byte| **byte != b'v').count();
        let values: Vec<_> = pages.into_iter().filter(|page| others(page) < 50).collect();
        let step = values.len() / 24;
        for (n, page) in values.into_iter().step_by(step).enumerate() {
            if n % 2 == 0 {
                page.fill(0xa5);
            } else {
                page[500] ^= 1;
            }
            rotted[n % 2] += 1;
        }
    });
    let [overwritten, flipped] = rotted;
    assert!(flipped >= 12, "{flipped}");
    let server = Start::default().within(&directory).start().unwrap();
    let site = server.site();
    let mut broken = 0;
    for n in 0..100 {
        // An answer of 500 is an error of the server's own, which the client of other tests does not take.
        let answer = server.client().send("GET", &format!("/api/state/k/{n}"), "");
        if answer.status == 200 {
            assert!(answer.json() == value(n), "key {n} came back as something else");
        } else {
            assert_eq!(answer.status, 500, "{n}: {}", answer.body);
            assert_eq!(answer.json(), json!({"error": "internal error", "code": 500}), "{n}");
            broken += 1;
        }
    }
    // A value may lie on several pages.
    assert!((1..=overwritten + flipped).contains(&broken), "{broken}");
    // It can read and write, which is what health reports; it does not know of a page that was not read.
    assert_eq!(site.get("/health").ok()["status"], "ok");
    site.put("/api/state/k/new", &json!(1)).ok();
    assert_eq!(site.get("/api/state/k/new").ok(), 1);
    let told = server.log().iter().filter(|line| line.contains("ERROR")).count();
    assert!(told >= broken, "{told} of {broken} errors are in the log: {:#?}", server.log());
    assert!(!server.log().iter().any(|line| line.contains("panicked")));
    eprintln!(
        "trust: faults: with {overwritten} pages overwritten and a bit of {flipped} others, {broken} of 100 values are \
         500 and the others whole; health is ok, writes go on"
    );
}

#[test]
fn a_backup_that_meets_a_broken_page_ends_with_an_error_that_every_client_notices() {
    let server = Server::start();
    let site = server.site();
    let values: Map<_, _> = (0..400).map(|n| (format!("k/{n:03}"), json!("v".repeat(6000)))).collect();
    site.post("/api/backup/restore", &json!({"state": values})).ok();
    let directory = server.directory().clone();
    assert_eq!(server.stop().code, Some(0));
    // The last page of a value, so that much of the backup has been sent when it is read.
    rot(&directory.path().join("data.db"), |pages| {
        let others = |page: &[u8]| page.iter().filter(|byte| **byte != b'v').count();
        pages.into_iter().rfind(|page| others(page) < 50).unwrap().fill(0xa5);
    });
    let server = Start::default().within(&directory).start().unwrap();
    let site = server.site();

    let mut wire = TcpStream::connect(server.api.trim_start_matches("http://")).unwrap();
    wire.write_all(b"GET /api/backup HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut sent = Vec::new();
    let ended = wire.read_to_end(&mut sent);
    assert!(sent.starts_with(b"HTTP/1.1 200 ") && sent.len() > 100_000, "{}", sent.len());
    assert!(ended.is_err() || !sent.ends_with(b"\r\n0\r\n\r\n"), "the body ends as if it were whole");

    // Without chunks, the end of the connection is the end of the body: only a reset says that it is not whole.
    let mut older = TcpStream::connect(server.api.trim_start_matches("http://")).unwrap();
    older.write_all(b"GET /api/backup HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let ended = older.read_to_end(&mut Vec::new());
    assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));

    let shell = Shell::at(&server);
    for version in ["", "--http1.0"] {
        let curl = shell
            .line(&format!("curl --silent --show-error {version} -o curl.json \"$KOOR_SERVER/api/backup\""));
        // 18: partial file. 56: reset.
        assert!([18, 56].contains(&curl.code), "{version}: {curl:?}");
    }
    let saved = shell.koor(&["backup", "--output", "koor.json"]);
    assert_ne!(saved.code, 0, "{saved:?}");
    assert!(!shell.directory().join("koor.json").exists(), "{saved:?}");

    let entries = site.get("/api/audit?action=backup.create").ok();
    let outcomes: Vec<_> =
        entries.as_array().unwrap().iter().map(|entry| entry["outcome"].as_str()).collect();
    assert_eq!(outcomes, [Some("error"); 5]);
    let detail = json!({"error": "the store failed before the backup was whole"}).to_string();
    assert_eq!(entries[0]["detail"], detail);
    let told = server.log().iter().filter(|line| line.contains("ERROR") && line.contains("backup")).count();
    assert_eq!(told, 5, "{:#?}", server.log());
    eprintln!(
        "trust: faults: a backup that meets a broken page is cut off, which curl and koor notice, and audited as an error"
    );
}

#[test]
fn a_database_whose_first_page_is_broken_is_refused_at_the_start() {
    let server = Server::start();
    server.site().put("/api/state/kept", &json!(1)).ok();
    let directory = server.directory().clone();
    assert_eq!(server.stop().code, Some(0));
    rot(&directory.path().join("data.db"), |mut pages| pages[0][100..].fill(0xa5));
    let ended = Start::default().within(&directory).start().expect_err("it has nothing to start with");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = ended.log.join("\n");
    assert!(said.contains("database") && !said.contains("panicked"), "{said}");
    eprintln!("trust: faults: with its first page broken it does not start: {}", ended.log.last().unwrap());
}

/// How many of that many descriptors a process has. One that it was born with may lie beyond.
fn descriptors(server: &Server, of: u32) -> u32 {
    let numbers = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let numbers =
        numbers.map(|entry| entry.unwrap().file_name().into_string().unwrap().parse::<u32>().unwrap());
    numbers.filter(|number| *number < of).map(|_| 1).sum()
}

/// One request on a connection that stays open: its status.
fn on_the_same(connection: &mut TcpStream, request: &str) -> u16 {
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap().to_lowercase();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
    connection.read_exact(&mut body).unwrap();
    head[9..12].parse().unwrap()
}

#[test]
fn a_server_out_of_files_goes_on_with_those_it_has_and_recovers() {
    const MOST: u32 = 64;
    let script = format!("ulimit -n {MOST}; exec \"$@\"");
    let server = Start::default().through(&script, Stdio::null()).start().unwrap();
    let place = server.api.trim_start_matches("http://").to_owned();
    let mut old = TcpStream::connect(&place).unwrap();
    old.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let ask = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(on_the_same(&mut old, ask), 200);
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(&place).unwrap()).collect();
    until(|| (descriptors(&server, MOST) == MOST).then_some(()));
    assert_eq!(on_the_same(&mut old, ask), 200);
    let put = "PUT /api/state/meanwhile HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n7";
    assert_eq!(on_the_same(&mut old, put), 200);
    assert_eq!(descriptors(&server, MOST), MOST, "there are none left all the while");
    drop(crowd);
    recovered(&server.site());
    assert_eq!(server.site().get("/api/state/meanwhile").ok(), 7);
    // It does not fill the log with what it can't help.
    assert!(server.log().len() < 1000, "{} lines", server.log().len());
    eprintln!(
        "trust: faults: with all of {MOST} file descriptors taken, who is connected reads and writes, and all are served \
         when there are some"
    );
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn a_server_that_was_stopped_for_a_while_answers_everybody_who_waited() {
    let pause = Duration::from_secs(crate::random::number("TRUST_PAUSE", 3));
    let server = Start::default().args(["--log-level", "warn"]).start().unwrap();
    let client = server.client();
    let instance = client.ok("POST", "/api/instances/register", r#"{"name": "sleeper"}"#).json();
    client.ok("POST", &format!("/api/instances/{}/activate", instance["id"].as_str().unwrap()), "");
    server.signal("STOP");
    let begun = Instant::now();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let waiting: Vec<_> = (0..32)
            .map(|n| {
                let client = client.clone();
                scope.spawn(move || client.send("PUT", &format!("/api/state/paused/{n}"), "1").status)
            })
            .collect();
        thread::sleep(pause);
        server.signal("CONT");
        waiting.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(statuses, vec![200; 32]);
    let last = begun.elapsed().saturating_sub(pause);
    assert!(last < Duration::from_secs(5), "{last:?}");
    let kept = client.ok("GET", "/api/state?prefix=paused/", "").json();
    assert_eq!(kept.as_array().map(Vec::len), Some(32));
    recovered(&server.site());
    assert_eq!(client.ok("GET", "/api/instances/stale", "").json(), Value::Array(Vec::new()));
    eprintln!(
        "trust: faults: after a pause of {} s everybody was answered within {} ms",
        pause.as_secs(),
        last.as_millis()
    );
}
