//! Harm in bodies: large ones, packed ones, and JSON that is more than it looks.

use std::io::{Read as _, Write as _};

use flate2::{Compression, write::GzEncoder};
use integration_tests::until;
use serde_json::json;

use super::{all_of, attacked, long_or, push, status, tally, together, wire};

/// The largest body that is taken, less what may stand around it.
const LARGE: usize = (10 << 20) - 1000;

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn large_bodies_from_everywhere_at_once() {
    // The fewer of them are still more than the memory that there may be.
    let count = long_or(60, 30);
    let name = format!("{count} bodies of 10 MiB at once, and {count} of which the end never comes");
    attacked(&name, |server| {
        let body = format!("\"{}\"", "x".repeat(LARGE));
        let statuses = together(count, |n| status(server, "PUT", &format!("/api/state/large/{n}"), &body));
        // What there is no room for within ten seconds is refused, and may be tried again. A client that is still
        // sending may not hear of it.
        assert!(statuses.iter().all(|status| [0, 200, 503].contains(status)), "{}", tally(&statuses));
        assert!(statuses.contains(&200), "{}", tally(&statuses));
        let held: Vec<_> = (0..count)
            .map(|n| {
                let stream = wire(server);
                let head = format!(
                    "PUT /api/state/held/{n} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
                    body.len() + 1
                );
                push(&stream, head.as_bytes());
                stream.set_nonblocking(true).unwrap();
                push(&stream, body.as_bytes());
                stream
            })
            .collect();
        // Those that never end go after ten seconds, and what they held is free.
        until(|| (status(server, "PUT", "/api/state/large/again", &body) == 200).then_some(()));
        drop(held);
        tally(&statuses)
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn a_packed_body_is_taken_as_it_is() {
    let mib = long_or(1024, 300);
    attacked(&format!("bodies that say they are packed and would unfold to {mib} MiB"), |server| {
        let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
        let zeros = vec![b' '; 1 << 20];
        for _ in 0..mib {
            bomb.write_all(&zeros).unwrap();
        }
        let bomb = bomb.finish().unwrap();
        let site = server.site().with("Content-Encoding", "gzip");
        let statuses = together(20, |n| {
            // What is a value is kept, byte by byte, and given back so.
            let key = format!("/api/state/bomb/{n}");
            let kept = site.with("Content-Type", "application/octet-stream").send("PUT", &key, &bomb);
            assert_eq!(kept.status, 200);
            let back = server.site().with("Accept-Encoding", "gzip, deflate").get(&key);
            let mut unpacked = Vec::new();
            if back.header("content-encoding") == Some("gzip") {
                let mut packed = flate2::read::GzDecoder::new(&*back.body);
                packed.read_to_end(&mut unpacked).unwrap();
            } else {
                unpacked.clone_from(&back.body);
            }
            assert_eq!(unpacked, bomb);
            // What would have to be read is not.
            let paths = ["/api/events/publish", "/api/rules/import", "/mcp", "/api/validate/p"];
            site.send("POST", paths[n % paths.len()], &bomb).status
        });
        assert!(statuses.iter().all(|status| *status == 400), "{}", tally(&statuses));
        format!("{} KiB each, kept as they are or refused", bomb.len() >> 10)
    });
}

/// Where each value takes the most memory for its bytes.
fn wide(value: &str, bytes: usize) -> String {
    let mut text = format!("{value},").repeat(bytes / (value.len() + 1));
    text.pop();
    format!("[{text}]")
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn json_that_is_deep_or_wide() {
    attacked("JSON of a million objects, five million numbers, and a million levels", |server| {
        let site = server.site();
        let contract = json!({"kind": "contract", "version": 1, "endpoints": {"POST /x": {"request": {}}}});
        site.put("/api/contracts/p/c", &contract).ok();
        site.put("/api/specs/p/s.schema", &json!({"type": "array"})).ok();
        let mut texts = ["{\"\":0}", "1", "[]", "\"\""].map(|value| wide(value, LARGE)).to_vec();
        texts.push("[".repeat(1_000_000));
        let statuses = together(long_or(10, 5), |n| {
            let text = &texts[n % texts.len()];
            let payload = format!("{{\"endpoint\":\"POST /x\",\"payload\":{text}}}");
            let template = format!("{{\"id\":\"t{n}\",\"name\":\"t\",\"data\":{text}}}");
            let asks = [
                ("POST", "/api/contracts/p/c/validate", &payload),
                ("PUT", "/api/specs/p/s", text),
                ("PUT", "/api/specs/p/plain", text),
                ("PUT", "/api/contracts/p/d", text),
                ("POST", "/api/rules/import", text),
                ("POST", "/api/templates", &template),
                ("POST", "/api/events/publish", text),
                ("POST", "/mcp", text),
            ];
            asks.map(|(method, path, body)| status(server, method, path, body))
        })
        .concat();
        assert!(statuses.contains(&400), "none was refused: {}", tally(&statuses));
        all_of(&statuses, &[0, 200, 400, 413, 422, 503])
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn versions_that_are_costly_to_compare() {
    attacked(
        "versions of a hundred thousand objects and of a million numbers, compared with one another",
        |server| {
            let values = ["1", "2", "{\"\":0}", "{\"\":1}"]
                .map(|value| wide(value, if value.len() == 1 { 1_200_000 } else { 350_000 }));
            for (version, value) in values.iter().enumerate() {
                assert_eq!(status(server, "PUT", "/api/state/wide", value), 200, "version {version}");
            }
            let statuses = together(long_or(12, 6), |n| {
                let form = if n % 2 == 0 { "" } else { "&format=json-patch" };
                let versions = ["1,2", "3,4", "1,4"][n % 3];
                status(server, "GET", &format!("/api/state/wide?diff={versions}{form}"), "")
            });
            assert!(statuses.contains(&200), "none was compared: {}", tally(&statuses));
            all_of(&statuses, &[0, 200, 400, 503])
        },
    );
}
