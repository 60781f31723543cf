//! `koor events subscribe`: every event once, whatever becomes of the server.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use integration_tests::{Client, Server, Shell, Start, koor, until};
use serde_json::{Value, json};

/// One who subscribes, in a process of its own.
struct Subscriber {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Subscriber {
    fn start(server: &Server, words: &[&str]) -> Self {
        let mut child = Command::new(koor())
            .args(["events", "subscribe", "--server", &server.api])
            .args(words)
            .current_dir(server.directory().path())
            .env_remove("KOOR_TOKEN")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "it has ended");
        line
    }

    fn event(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Interrupts it; answers its code and what it said.
    fn interrupt(self) -> (Option<i32>, String) {
        let kill = Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status();
        assert!(kill.unwrap().success());
        self.end()
    }

    fn end(self) -> (Option<i32>, String) {
        let ended = self.child.wait_with_output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    }
}

fn publish(client: &Client, n: u64) {
    client.ok("POST", "/api/events/publish", &json!({"topic": "a.b", "data": n}).to_string());
}

/// The same server again, at the same address.
fn again(server: Server, signal: &str) -> Server {
    let (directory, address) = (Arc::clone(server.directory()), server.api.replace("http://", ""));
    server.signal(signal);
    drop(server.wait());
    let args = ["--bind", &address, "--dashboard-bind", ""];
    Start::default().within(&directory).no_ports().args(args).start().unwrap()
}

#[test]
fn a_server_that_restarts_costs_no_event_and_repeats_none() {
    let mut server = Server::start();
    let client = server.client();
    publish(&client, 0);
    let mut subscriber = Subscriber::start(&server, &["a.*", "--since", "0"]);
    assert_eq!(subscriber.event()["data"], 0);
    let over = Arc::new(AtomicBool::new(false));
    let publisher = {
        let (client, over) = (client.clone(), Arc::clone(&over));
        thread::spawn(move || {
            for n in 1.. {
                if over.load(Relaxed) {
                    return;
                }
                // While the server is away this fails: what came through is in the log.
                drop(client.try_send(
                    "POST",
                    "/api/events/publish",
                    &format!("{{\"topic\":\"a.b\",\"data\":{n}}}"),
                ));
                drop(client.try_send("PUT", "/api/state/k", "1"));
            }
        })
    };
    let mut ids = vec![];
    for signal in ["KILL", "TERM", "KILL"] {
        for _ in 0..30 {
            ids.push(subscriber.event()["id"].as_u64().unwrap());
        }
        server = again(server, signal);
    }
    over.store(true, Relaxed);
    publisher.join().unwrap();
    let log = client.ok("GET", "/api/events/history?last=10000&topic=a.*", "").json();
    let mut kept: Vec<_> =
        log.as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap()).collect();
    kept.reverse();
    while ids.last() < kept.last() {
        ids.push(subscriber.event()["id"].as_u64().unwrap());
    }
    // The first one had been read already.
    assert_eq!(ids, kept[1..]);
    let (code, said) = subscriber.interrupt();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("koor: not connected: ") && said.contains("koor: connected again, "), "{said}");
    assert!(!said.contains("gap"), "{said}");
}

#[test]
fn without_a_cursor_it_begins_now_and_misses_nothing_from_then_on() {
    let server = Server::start();
    let client = server.client();
    publish(&client, 0);
    let mut subscriber = Subscriber::start(&server, &[]);
    let follows = |line: &str| line.starts_with("koor_subscribers 1");
    until(|| client.ok("GET", "/metrics", "").body.lines().any(follows).then_some(()));
    let server = again(server, "KILL");
    publish(&client, 1);
    assert_eq!(subscriber.event()["data"], 1);
    drop(server);
    let (code, said) = subscriber.interrupt();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn an_event_is_printed_as_it_was_published_on_one_line() {
    let server = Server::start();
    let client = server.client();
    let body = "{\"topic\":\"a\",\"data\":{\n\"n\": 1.00}}";
    client.ok("POST", "/api/events/publish", body);
    let mut subscriber = Subscriber::start(&server, &["--since", "0"]);
    let line = subscriber.line();
    assert!(line.contains("\"data\":{ \"n\": 1.00}"), "{line}");
    assert_eq!(subscriber.interrupt(), (Some(0), String::new()));
}

#[test]
fn a_command_runs_for_each_event_in_order_and_may_fail() {
    let server = Server::start();
    let client = server.client();
    for n in 1..=3 {
        publish(&client, n);
    }
    let command = "cat >> seen; test $(wc -l < seen) != 2";
    let subscriber = Subscriber::start(&server, &["--since", "0", "--exec", command]);
    let seen = server.directory().path().join("seen");
    let lines = until(|| {
        let text = std::fs::read_to_string(&seen).unwrap_or_default();
        (text.lines().count() == 3).then_some(text)
    });
    let data: Vec<_> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["data"].clone()).collect();
    assert_eq!(data, [1, 2, 3]);
    let (code, said) = subscriber.interrupt();
    assert_eq!((code, said.as_str()), (Some(0), "koor: event 2: the command ended with exit status: 1\n"));
}

#[test]
fn a_cursor_of_another_log_is_told() {
    let server = Server::start();
    let client = server.client();
    publish(&client, 1);
    let mut subscriber = Subscriber::start(&server, &["--since", "999"]);
    let mut said = BufReader::new(subscriber.child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("koor: gap: event 999 is not of this server's log"), "{line}");
    publish(&client, 2);
    assert_eq!(subscriber.event()["data"], 2);
    assert_eq!(subscriber.interrupt().0, Some(0));
}

#[test]
fn it_ends_when_nobody_reads_although_nothing_comes() {
    let server = Server::start();
    publish(&server.client(), 1);
    let line = "\"$koor\" events subscribe --since 0 | head -n 1 > /dev/null; echo ${PIPESTATUS[0]}";
    assert_eq!(Shell::at(&server).line(line).ok(), "141\n");
}

#[test]
fn what_is_refused_is_not_tried_again() {
    let server = Start::default().args(["--auth-token", "right"]).start().unwrap();
    let shell = Shell::at(&server);
    let refused = shell.koor(&["events", "subscribe", "--token", "wrong"]);
    assert_eq!(refused.refused()["code"], 401);
    assert_eq!(shell.koor(&["events", "subscribe", "--token", "right", "[a"]).refused()["code"], 400);
    shell.koor(&["events", "subscribe", "--server", "http://localhost:1"]).says(3, "cannot reach");
    // The same when the token is taken back while it follows.
    let mut subscriber = Subscriber::start(&server, &["--token", "right", "--since", "0"]);
    publish(&server.client().token("right"), 1);
    assert_eq!(subscriber.event()["data"], 1);
    let (directory, address) = (Arc::clone(server.directory()), server.api.replace("http://", ""));
    drop(server.stop());
    let args = ["--bind", &address, "--dashboard-bind", "", "--auth-token", "other"];
    let _server = Start::default().within(&directory).no_ports().args(args).start().unwrap();
    let (code, said) = subscriber.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.ends_with("koor: invalid or missing bearer token (401)\n"), "{said}");
}
