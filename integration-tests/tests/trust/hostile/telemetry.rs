//! Bodies of OTLP that claim to hold more than they are.

use std::{io::Write as _, sync::Arc, thread};

use flate2::{Compression, write::GzEncoder};

use super::{attacked, long_or};

const ATTACKERS: usize = 4;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Nested messages of that many empty ones: two bytes each, which take a hundred times as many where each is kept.
fn empty_records(bytes: usize) -> Vec<u8> {
    let mut body = [0x12, 0x00].repeat(bytes / 2);
    for field in [0x12_u8, 0x0a] {
        let mut length = body.len();
        let mut outer = vec![field];
        while length >= 0x80 {
            outer.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        outer.push(u8::try_from(length).unwrap());
        outer.append(&mut body);
        body = outer;
    }
    body
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn telemetry_that_claims_to_hold_more_than_it_is() {
    attacked("telemetry that claims to hold more than it is", |server| {
        let (records, zeros) = (empty_records(9 << 20), vec![b' '; 64 << 20]);
        let bodies = Arc::new([
            ("application/x-protobuf", "identity", records.clone(), 200),
            ("application/x-protobuf", "gzip", gzip(&records), 200),
            ("application/json", "gzip", gzip(&zeros), 413),
        ]);
        let rounds = long_or(20, 4);
        let attackers = (0..ATTACKERS).map(|_| {
            let (site, bodies) = (server.site(), Arc::clone(&bodies));
            thread::spawn(move || {
                super::be_humble();
                for _ in 0..rounds {
                    for (kind, coding, body, status) in &*bodies {
                        let site = site.with("Content-Type", kind).with("Content-Encoding", coding);
                        let reply = site.send("POST", "/v1/logs", body);
                        // Who finds no room in time is told to come back.
                        assert!([*status, 503].contains(&reply.status), "{kind} {coding}: {}", reply.status);
                    }
                }
            })
        });
        for attacker in attackers.collect::<Vec<_>>() {
            attacker.join().unwrap();
        }
        format!("{} bodies of 9 MiB and more", ATTACKERS * rounds * bodies.len())
    });
}
