//! The agents of Koor, each with an instance of its own.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    load, peers,
    wire::{Exchange, Http, Status, find, request, request_as},
};

/// So many tasks one call makes.
const AT_ONCE: usize = 500;

/// As many tasks as agents claim in a turn, and some more.
const STOCK: u64 = 60_000;

/// Agents of the project `bench`.
pub(super) struct Agents {
    place: SocketAddr,
    ids: Arc<Vec<String>>,
    /// How many tasks there are that nobody has claimed.
    stock: Arc<AtomicU64>,
}

/// Asks once, by HTTP, and answers the body of what came back.
pub(super) fn ask(place: SocketAddr, instance: &str, method: &str, path: &str, body: &[u8]) -> String {
    let mut exchange = Http {
        next: |out: &mut Vec<u8>| {
            if instance.is_empty() {
                request(out, method, path, body);
            } else {
                request_as(out, instance, method, path, body);
            }
        },
        check: |answer: Status<'_>| {
            let body = String::from_utf8_lossy(answer.body);
            assert!(matches!(answer.code, 200 | 201), "{method} {path}: {} {body}", answer.code);
        },
    };
    let answer = peers::once(place, &mut exchange);
    String::from_utf8_lossy(&answer).trim_end_matches('\0').to_owned()
}

/// Registers an agent of that project; answers its id.
pub(super) fn register(place: SocketAddr, name: &str, project: &str) -> String {
    let body = format!("{{\"name\":\"{name}\",\"workspace\":\"{project}\"}}");
    let answer = ask(place, "", "POST", "/api/instances/register", body.as_bytes());
    let at = answer.find("\"id\":\"").expect("it has an id") + 6;
    answer[at..at + 36].to_owned()
}

impl Agents {
    pub(super) fn register(place: SocketAddr, count: usize) -> Self {
        let ids = (0..count).map(|n| register(place, &format!("agent-{n}"), "bench")).collect();
        Self { place, ids: Arc::new(ids), stock: Arc::default() }
    }

    /// Claims a second.
    pub(super) fn claims(&self, count: usize, span: Duration) -> f64 {
        let tasks = vec!["{\"title\":\"t\"}"; AT_ONCE].join(",");
        let tasks = format!("[{tasks}]");
        while self.stock.load(Relaxed) < STOCK {
            ask(self.place, "", "POST", "/api/tasks/bench", tasks.as_bytes());
            self.stock.fetch_add(AT_ONCE as u64, Relaxed);
        }
        load::rate(self.place, count, span, |index| {
            let (id, stock) = (self.ids[index].clone(), Arc::clone(&self.stock));
            Http {
                next: move |out: &mut Vec<u8>| {
                    request_as(out, &id, "POST", "/api/tasks/bench/claim", b"{}");
                },
                check: move |answer: Status<'_>| {
                    assert!(find(answer.body, b"\"fence\":").is_some(), "nothing is left to claim");
                    stock.fetch_sub(1, Relaxed);
                },
            }
        })
    }

    /// Cycles a second: a task is made, claimed and done.
    pub(super) fn cycles(&self, count: usize, span: Duration) -> f64 {
        load::rate(self.place, count, span, |index| Cycle::new(self.ids[index].clone())) / 3.0
    }
}

/// What comes next in a cycle.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    Claim,
    Done { number: usize, fence: usize },
}

struct Cycle {
    id: String,
    next: Step,
}

impl Cycle {
    fn new(id: String) -> Self {
        Self { id, next: Step::Create }
    }
}

impl Exchange for Cycle {
    fn ask(&mut self, out: &mut Vec<u8>) {
        let Self { id, next } = self;
        match next {
            Step::Create => request_as(out, id, "POST", "/api/tasks/cycle", b"{\"title\":\"t\"}"),
            Step::Claim => request_as(out, id, "POST", "/api/tasks/cycle/claim", b"{}"),
            Step::Done { number, fence } => {
                let (path, body) =
                    (format!("/api/tasks/cycle/{number}/done"), format!("{{\"fence\":{fence}}}"));
                request_as(out, id, "POST", &path, body.as_bytes());
            }
        }
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<usize> {
        let (code, head, length) = crate::wire::head_of(bytes)?;
        let body = bytes.get(head..head + length)?;
        assert!(matches!(code, 200 | 201), "{}", String::from_utf8_lossy(body));
        let field = |name: &[u8]| find(body, name).map(|at| crate::wire::number(&body[at + name.len()..]));
        self.next = match self.next {
            Step::Create => Step::Claim,
            // Each has made one, so there is one for each.
            Step::Claim => Step::Done {
                number: field(b"\"number\":").expect("a task"),
                fence: field(b"\"fence\":").expect("a claim"),
            },
            Step::Done { .. } => Step::Create,
        };
        Some(head + length)
    }
}
