//! `koor events`: publish, history, wait.

use integration_tests::{Server, Shell, steady};
use serde_json::json;

#[test]
fn an_event_is_published_with_its_data_as_it_is() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let event = shell
        .koor(&["events", "publish", "a.b", "--data", "{\"z\": 1.50, \"a\": 1e2}", "--source", "me"])
        .ok();
    assert!(event.contains("{\"z\": 1.50, \"a\": 1e2}"), "{event}");
    let event = shell.fed(&["events", "publish", "a.c", "--data", "-"], b"[1]").json();
    assert_eq!(
        steady(event),
        json!({"id": 2, "topic": "a.c", "data": [1], "source": "", "created_at": "<time>"})
    );
    assert_eq!(shell.koor(&["events", "publish", "a.d"]).json()["data"], json!(null));
    shell.koor(&["events", "publish", "a.d", "--data", "hello"]).says(2, "the data is no JSON");
    assert_eq!(shell.koor(&["events", "publish", "a b"]).refused()["code"], 400);
}

#[test]
fn history_takes_every_filter() {
    let server = Server::start();
    let shell = Shell::at(&server);
    for (topic, source) in [("a.1", "x"), ("a.2", "y"), ("b.1", "x")] {
        shell.koor(&["events", "publish", topic, "--source", source]).json();
    }
    let topics = |words: &[&str]| {
        let words = [&["events", "history"], words].concat();
        let events = shell.koor(&words).json();
        let topics = events.as_array().unwrap().iter().map(|one| one["topic"].as_str().unwrap().to_owned());
        topics.collect::<Vec<_>>()
    };
    assert_eq!(topics(&[]), ["b.1", "a.2", "a.1"]);
    assert_eq!(topics(&["--last", "1"]), ["b.1"]);
    assert_eq!(topics(&["--topic", "a.*", "--source", "x"]), ["a.1"]);
    assert_eq!(topics(&["--after", "1"]), ["a.2", "b.1"]);
    assert_eq!(topics(&["--to", "2001-01-01"]), [""; 0]);
    assert_eq!(topics(&["--from", "2001-01-01", "--last", "2"]), ["b.1", "a.2"]);
    assert_eq!(shell.koor(&["events", "history", "--from", "yesterday"]).refused()["code"], 400);
}

#[test]
fn a_wait_prints_the_events_and_the_next_cursor() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let id = shell.koor(&["events", "publish", "a.1"]).json()["id"].clone();
    shell.koor(&["events", "publish", "b.1"]).json();
    let waited = shell.koor(&["events", "wait", "a.*", "c.*", "--since", "0"]).json();
    assert_eq!(waited["events"].as_array().unwrap().len(), 1);
    assert_eq!(waited["events"][0]["id"], id);
    let cursor = waited["cursor"].to_string();
    let nothing = shell.koor(&["events", "wait", "a.*", "--since", &cursor, "--timeout", "100ms"]);
    assert_eq!(nothing.code, 1);
    assert_eq!(nothing.err, "koor: no event within 100ms\n");
    let nothing: serde_json::Value = serde_json::from_str(&nothing.out).unwrap();
    assert_eq!(nothing["events"], json!([]));
    shell.koor(&["state", "set", "k", "--data", "1"]).json();
    let change = shell.koor(&["events", "wait", "$state.changed", "--since", &cursor]).json();
    assert_eq!(change["events"][0]["data"]["key"], "k");
}
