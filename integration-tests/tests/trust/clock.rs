//! The machine's clock jumps: nothing waits for the lost hour to pass, and nothing that counts runs backwards.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use integration_tests::{Receiver, Start, until};
use serde_json::{Value, json};

/// What makes a program believe in another time.
fn libfaketime() -> PathBuf {
    let places = fs::read_dir("/usr/lib").unwrap().map(|place| place.unwrap().path());
    let mut found = places.map(|place| place.join("faketime/libfaketimeMT.so.1"));
    found.find(|library| library.exists()).expect("Debian's package libfaketime")
}

#[test]
#[ignore = "needs libfaketime; .ci/suites/trust runs it"]
fn a_clock_that_jumps_back_an_hour_holds_nothing_up() {
    let start = Start::default().args(["--log-level", "warn", "--stale-after", "30m"]);
    let offset = start.directory().join("offset");
    let jump = |by: &str| {
        // In one step, so that it is never read by half.
        fs::write(offset.with_extension("new"), by).unwrap();
        fs::rename(offset.with_extension("new"), &offset).unwrap();
    };
    jump("+0");
    let script = format!(
        "export LD_PRELOAD={} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1; exec \"$@\"",
        libfaketime().display(),
        offset.display()
    );
    let server = start.through(&script, Stdio::null()).start().unwrap();
    let (site, client) = (server.site(), server.client());
    let instance = site.post("/api/instances/register", &json!({"name": "early"})).ok();
    let id = instance["id"].as_str().unwrap();
    site.post(&format!("/api/instances/{id}/activate"), &Value::Null).ok();
    let mut events = client.events("since=0&pattern=tick");
    let mut ids = Vec::new();
    let mut publish = |n: u64| {
        ids.push(site.post("/api/events/publish", &json!({"topic": "tick", "data": n})).cursor());
    };
    // A webhook whose receiver is down will be tried again at a time that lies an hour ahead after the jump.
    let address = Receiver::new().address();
    let hook = json!({"id": "h", "url": format!("http://{address}/"), "patterns": ["tick"]});
    site.post("/api/webhooks", &hook).ok();
    publish(1);
    until(|| (site.get("/api/webhooks/h").ok()["fail_count"].as_u64() >= Some(2)).then_some(()));
    let before = site.put("/api/state/k", &json!(1)).ok()["updated_at"].as_str().unwrap().to_owned();

    jump("-3600");
    let after = site.put("/api/state/k", &json!(2)).ok();
    let back = after["updated_at"].as_str().unwrap();
    assert!(back < before.as_str(), "the clock did not jump: {before}, then {back}");
    assert_eq!(after["version"], 2);
    let receiver = Receiver::again(address);
    let begun = Instant::now();
    publish(2);
    assert_eq!(
        [1, 2],
        [receiver.take(1)[0]["data"].clone(), receiver.take(1)[0]["data"].clone()]
            .map(|n| n.as_u64().unwrap())
    );
    let delivered = begun.elapsed();
    assert!(delivered < Duration::from_secs(20), "{delivered:?}");
    // Waiting takes as long as it is asked to.
    let begun = Instant::now();
    site.get("/api/events/wait?timeout=1s&pattern=nothing").ok();
    assert!((Duration::from_millis(900)..Duration::from_secs(5)).contains(&begun.elapsed()));
    // No instance has been silent for longer than before.
    assert_eq!(site.post("/api/liveness/check", &Value::Null).ok()["count"], 0);
    publish(3);
    for n in 1..=3 {
        assert_eq!(events.next_event().unwrap()["data"], n);
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let audit = site.get("/api/audit/verify").ok();
    assert_eq!(audit["valid"], true, "{audit}");
    let listed = site.get("/api/audit?limit=1000").ok();
    let numbers: Vec<_> =
        listed.as_array().unwrap().iter().map(|entry| entry["id"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
    assert_eq!(site.get("/health").ok()["status"], "ok");

    // Nor does a jump ahead harm anybody who then says that it is there.
    jump("+3600");
    site.post(&format!("/api/instances/{id}/heartbeat"), &Value::Null).ok();
    assert_eq!(site.get(&format!("/api/instances/{id}")).ok()["status"], "active");
    site.put("/api/state/k", &json!(3)).ok();
    assert_eq!(site.get("/api/audit/verify").ok()["valid"], true);
    assert_eq!(server.stop().code, Some(0));
    eprintln!(
        "trust: faults: a clock that jumps back an hour and ahead two holds nothing up: a webhook that waited was \
         called after {} ms",
        delivered.as_millis()
    );
}
