//! The queues that people build instead: a table, a script, a daemon. The first two do what Koor does: keep the task, a line of a
//! log and an event, and sync all of it before they answer.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use super::{Rate, rate};
use crate::{
    parts::Ground,
    peers::{self, Peer},
    wire::{Beanstalk, Exchange, Job, Postgres, Redis, command},
};

/// So many tasks are there to be claimed before each turn: more than are claimed in it.
const STOCK: usize = 60_000;

/// Another queue.
pub(super) struct Rival {
    pub(super) name: &'static str,
    /// How many times as fast Koor is meant to be.
    pub(super) target: Option<f64>,
    pub(super) fill: fn(SocketAddr),
    /// `None` where a claim is not written down.
    pub(super) claims: Option<Rate>,
    /// Each cycle is three answers.
    pub(super) cycles: Rate,
    peer: Peer,
}

impl Rival {
    pub(super) fn place(&self) -> SocketAddr {
        self.peer.place
    }
}

const TABLES: [&str; 4] = [
    "CREATE TABLE task (id bigserial PRIMARY KEY, title text NOT NULL, status text NOT NULL DEFAULT 'open', priority int \
     NOT NULL DEFAULT 2, holder text, fence bigint NOT NULL DEFAULT 0, claimed_at timestamptz)",
    "CREATE INDEX task_open ON task (priority, id) WHERE status = 'open'",
    "CREATE TABLE audit (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), action text, task bigint)",
    "CREATE TABLE event (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), topic text, task bigint)",
];

/// Each is one transaction: fill, create, claim, done.
const STATEMENTS: [&str; 4] = [
    "INSERT INTO task (title) SELECT 't' FROM generate_series(1, $1::int - (SELECT count(*) FROM task WHERE status = 'open'))",
    "WITH made AS (INSERT INTO task (title) VALUES ('t') RETURNING id), \
     audited AS (INSERT INTO audit (action, task) SELECT 'task.create', id FROM made), \
     told AS (INSERT INTO event (topic, task) SELECT '$task.created', id FROM made) SELECT id FROM made",
    "WITH next AS (SELECT id FROM task WHERE status = 'open' ORDER BY priority, id FOR UPDATE SKIP LOCKED LIMIT 1), \
     claimed AS (UPDATE task SET status = 'claimed', holder = 'agent', fence = fence + 1, claimed_at = now() FROM next \
        WHERE task.id = next.id RETURNING task.id, fence), \
     audited AS (INSERT INTO audit (action, task) SELECT 'task.claim', id FROM claimed), \
     told AS (INSERT INTO event (topic, task) SELECT '$task.claimed', id FROM claimed) SELECT id, fence FROM claimed",
    "WITH done AS (UPDATE task SET status = 'done', holder = NULL WHERE id = $1::bigint AND fence = $2::bigint RETURNING id), \
     audited AS (INSERT INTO audit (action, task) SELECT 'task.done', id FROM done), \
     told AS (INSERT INTO event (topic, task) SELECT '$task.done', id FROM done) SELECT id FROM done",
];

pub(super) fn postgres(ground: &Ground) -> Result<Rival, &'static str> {
    const NAME: &str = "PostgreSQL `FOR UPDATE SKIP LOCKED`";
    let peer = peers::postgres(&ground.directory("tasks-postgres"), &TABLES).ok_or("postgres")?;
    Ok(Rival {
        name: NAME,
        target: Some(5.0),
        fill: |place| {
            let fill = || (0, vec![STOCK.to_string()]);
            peers::once(place, &mut Postgres::new(&STATEMENTS, fill, |_: &[&str]| {}));
        },
        claims: Some(|place, count, span| {
            rate(place, count, span, |_| {
                let check = |row: &[&str]| assert_eq!(row.len(), 2, "nothing is left to claim");
                Postgres::new(&STATEMENTS, || (2, Vec::new()), check)
            })
        }),
        cycles: |place, count, span| rate(place, count, span, |_| table_cycle()),
        peer,
    })
}

/// Creates, claims and finishes a task in the table.
fn table_cycle() -> impl Exchange + Send {
    let cycle = Arc::new(Mutex::new((0, Vec::new())));
    let next = {
        let cycle = Arc::clone(&cycle);
        move || {
            let (step, claimed) = &*cycle.lock().unwrap();
            (1 + step, if *step == 2 { claimed.clone() } else { Vec::new() })
        }
    };
    Postgres::new(&STATEMENTS, next, move |row: &[&str]| {
        let (step, claimed) = &mut *cycle.lock().unwrap();
        if *step == 1 {
            assert_eq!(row.len(), 2, "nothing is left to claim");
            *claimed = row.iter().map(|column| (*column).to_owned()).collect();
        }
        *step = (*step + 1) % 3;
    })
}

const CREATE: &[u8] = b"local id = redis.call('INCR', 'last') redis.call('HSET', 'task:' .. id, 'title', 't', 'status', 'open') \
    redis.call('ZADD', 'open', 2, string.format('%012d', id)) redis.call('XADD', 'audit', '*', 'action', 'task.create', 'task', id) \
    redis.call('XADD', 'events', '*', 'topic', '$task.created', 'task', id) return id";
const CLAIM: &[u8] = b"local next = redis.call('ZPOPMIN', 'open') local id = tonumber(next[1]) \
    redis.call('HSET', 'task:' .. id, 'status', 'claimed', 'holder', 'agent') redis.call('HINCRBY', 'task:' .. id, 'fence', 1) \
    redis.call('XADD', 'audit', '*', 'action', 'task.claim', 'task', id) \
    redis.call('XADD', 'events', '*', 'topic', '$task.claimed', 'task', id) return id";
const DONE: &[u8] = b"local id = ARGV[1] redis.call('HSET', 'task:' .. id, 'status', 'done') redis.call('HDEL', 'task:' .. id, 'holder') \
    redis.call('XADD', 'audit', '*', 'action', 'task.done', 'task', id) \
    redis.call('XADD', 'events', '*', 'topic', '$task.done', 'task', id) return id";
const FILL: &[u8] = b"for n = redis.call('ZCARD', 'open') + 1, tonumber(ARGV[1]) do local id = redis.call('INCR', 'last') \
    redis.call('HSET', 'task:' .. id, 'title', 't', 'status', 'open') redis.call('ZADD', 'open', 2, string.format('%012d', id)) end return 1";

pub(super) fn redis(ground: &Ground) -> Result<Rival, &'static str> {
    const NAME: &str = "Redis `appendfsync always`, in Lua";
    let peer = peers::redis(&ground.directory("tasks-redis"), "always").ok_or("redis-server")?;
    Ok(Rival {
        name: NAME,
        target: Some(0.8),
        fill: |place| drop(peers::ask_redis(place, &[b"EVAL", FILL, b"0", STOCK.to_string().as_bytes()])),
        claims: Some(|place, count, span| {
            rate(place, count, span, |_| Redis(|out: &mut Vec<u8>| command(out, &[b"EVAL", CLAIM, b"0"])))
        }),
        cycles: |place, count, span| rate(place, count, span, |_| ScriptCycle::default()),
        peer,
    })
}

/// Creates, claims and finishes a task by scripts.
#[derive(Default)]
struct ScriptCycle {
    step: usize,
    claimed: usize,
}

impl Exchange for ScriptCycle {
    fn ask(&mut self, out: &mut Vec<u8>) {
        match self.step {
            0 => command(out, &[b"EVAL", CREATE, b"0"]),
            1 => command(out, &[b"EVAL", CLAIM, b"0"]),
            _ => command(out, &[b"EVAL", DONE, b"0", self.claimed.to_string().as_bytes()]),
        }
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<usize> {
        let used = Redis(|_: &mut Vec<u8>| {}).answer(bytes)?;
        if self.step == 1 {
            self.claimed = crate::wire::number(&bytes[1..]);
        }
        self.step = (self.step + 1) % 3;
        Some(used)
    }
}

pub(super) fn beanstalkd(ground: &Ground) -> Result<Rival, &'static str> {
    // What is reserved is in memory only: no line of a log, and after a restart it can be reserved again.
    const NAME: &str = "beanstalkd `-b -f 0`";
    let peer = peers::beanstalkd(&ground.directory("tasks-beanstalkd")).ok_or("beanstalkd")?;
    Ok(Rival {
        name: NAME,
        target: None,
        fill: |_| {},
        claims: None,
        cycles: |place, count, span| rate(place, count, span, |_| JobCycle::default()),
        peer,
    })
}

/// Puts, reserves and deletes a job.
#[derive(Default)]
struct JobCycle {
    step: usize,
    reserved: usize,
}

impl Exchange for JobCycle {
    fn ask(&mut self, out: &mut Vec<u8>) {
        let job = [Job::Put, Job::Reserve, Job::Delete(self.reserved)][self.step];
        Beanstalk { next: || job, take: |_| {} }.ask(out);
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<usize> {
        let reserved = &mut self.reserved;
        let used = Beanstalk { next: || Job::Put, take: |id| *reserved = id }.answer(bytes)?;
        self.step = (self.step + 1) % 3;
        Some(used)
    }
}
