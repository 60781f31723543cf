//! Queries, of every route that reads one, and times as they stand in them.
#![no_main]

use koor_core::clock::Timestamp;
use koor_fuzz::exchange;
use libfuzzer_sys::fuzz_target;

const ROUTES: [&str; 16] = [
    "GET /api/state",
    "GET /api/state/k",
    "POST /api/state/k",
    "GET /api/specs/p/s",
    "GET /api/events/history",
    "GET /api/events/wait",
    "GET /api/events/subscribe",
    "GET /api/instances",
    "GET /api/validate/p/rules",
    "GET /api/rules",
    "GET /api/rules/export",
    "GET /api/compliance/history",
    "GET /api/templates",
    "GET /api/audit",
    "GET /api/metrics/agents",
    "GET /api/llm/usage/summary",
];

// A letter for the route, and the query.
fuzz_target!(|sent: &str| {
    let mut query = sent.chars();
    let route = query.next().map_or(0, |letter| letter as usize);
    let query = query.as_str();
    if let Ok(time) = Timestamp::parse_from("from", query) {
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        assert!(Timestamp::parse_to("to", query).unwrap() >= time);
    }
    let route = ROUTES[route % ROUTES.len()];
    exchange(format!("{route}?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
});
