//! One publisher and many who listen: deliveries a second, in bursts that everybody has before the next begins.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    task::{JoinHandle, LocalSet},
};

use super::{Ground, Lanes};
use crate::{
    depth::Depth,
    load::connect,
    peers,
    report::{Report, Target},
    svg::Plot,
    wire::{command, find, frames, head_of, request, upgrade},
};

/// Events in a burst.
const BURST: usize = 100;

/// What an event says, beside what it says about itself.
const FILLER: &str = "0123456789012345678901234567890123456789";

/// The buffer for reading from a subscriber.
const BUFFER: usize = 64 << 10;

pub(super) fn measure(ground: &Ground, report: &mut Report) {
    let span = ground.depth.span();
    let koor = peers::koor(&ground.directory("fan-out-koor"), &["--event-retention", "1000"]);
    let redis = peers::redis(&ground.directory("fan-out-redis"), "everysec");
    let counts: &[usize] = if ground.depth == Depth::Full { &[100, 1000, 5000] } else { &[1000] };
    let mut lanes = Lanes::default();
    for &count in counts {
        lanes.add(format!("koor, {count} WebSockets"), move || koor_deliveries(koor.place, count, span));
        if let Some(redis) = &redis {
            let place = redis.place;
            lanes.add(format!("Redis pub/sub, {count}"), move || redis_deliveries(place, count, span));
        }
    }
    if redis.is_none() {
        report.missing("redis-server");
    }
    let found = lanes.run(ground.depth.rounds());
    report.table(
        "Deliveries a second, one publisher, bursts of 100 events",
        &["who listens", "median", "least", "most"],
        &found.rows(),
    );
    if let Some(ratio) = found.ratio("koor, 1000 WebSockets", "Redis pub/sub, 1000") {
        let what = "deliveries to 1,000 WebSockets, bursts, each event durable first";
        report.target(
            what,
            "Redis pub/sub, 1,000 subscribers, nothing kept",
            ratio,
            "×",
            Target::AtLeast(1.0),
        );
    }
    if counts.len() > 1 {
        let line = |shown: &str, lane: &dyn Fn(usize) -> String| {
            let point = |count: &usize| Some((*count as f64, found.median(&lane(*count))?));
            (shown.to_owned(), counts.iter().filter_map(point).collect::<Vec<_>>())
        };
        let drawn = [
            line("Koor, WebSockets", &|count| format!("koor, {count} WebSockets")),
            line("Redis pub/sub", &|count| format!("Redis pub/sub, {count}")),
        ];
        let drawn = drawn.into_iter().filter(|(_, points)| !points.is_empty()).collect();
        let title = "Deliveries of events a second".to_owned();
        report.plot("fan-out", &Plot { title, across: "subscribers", up: "deliveries/s", lines: drawn });
    }
}

/// What has arrived, of all who listen.
#[derive(Default)]
struct Arrived {
    count: Cell<usize>,
    wanted: Cell<usize>,
    all: Notify,
}

impl Arrived {
    fn more(&self, count: usize) {
        self.count.set(self.count.get() + count);
        if self.count.get() >= self.wanted.get() {
            self.all.notify_one();
        }
    }

    async fn wait_for(&self, wanted: usize) {
        self.wanted.set(wanted);
        while self.count.get() < wanted {
            self.all.notified().await;
        }
    }
}

/// Lets events arrive burst by burst; answers deliveries a second.
fn bursts<F: Future<Output = Vec<JoinHandle<()>>>, P: Publisher>(
    listeners: usize,
    span: Duration,
    listen: impl FnOnce(Rc<Arrived>) -> F,
    publisher: impl AsyncFnOnce() -> P,
) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let arrived = Rc::new(Arrived::default());
        let tasks = listen(Rc::clone(&arrived)).await;
        let mut publisher = publisher().await;
        let mut wanted = 0;
        let mut begin = Instant::now();
        // The first burst is for warming up.
        for burst in 0.. {
            if burst == 1 {
                begin = Instant::now();
            }
            wanted += BURST * listeners;
            publisher.burst().await;
            arrived.wait_for(wanted).await;
            if burst > 0 && begin.elapsed() > span {
                break;
            }
        }
        let rate = (wanted - BURST * listeners) as f64 / begin.elapsed().as_secs_f64();
        tasks.iter().for_each(JoinHandle::abort);
        rate
    })
}

trait Publisher {
    /// Publishes a burst.
    async fn burst(&mut self);
}

/// A connection for each event of a burst.
struct OverHttp(Vec<TcpStream>);

impl Publisher for OverHttp {
    async fn burst(&mut self) {
        let mut out = Vec::new();
        let body = format!("{{\"topic\":\"bench.burst\",\"data\":\"{FILLER}\"}}");
        request(&mut out, "POST", "/api/events/publish", body.as_bytes());
        for stream in &mut self.0 {
            stream.write_all(&out).await.unwrap();
        }
        let mut answer = Vec::new();
        for stream in &mut self.0 {
            answer.clear();
            while head_of(&answer).is_none_or(|(_, head, body)| answer.len() < head + body) {
                assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the server hung up");
            }
            assert_eq!(head_of(&answer).map(|(code, ..)| code), Some(200), "publishing");
        }
    }
}

fn koor_deliveries(place: SocketAddr, listeners: usize, span: Duration) -> f64 {
    let listen = async move |arrived: Rc<Arrived>| {
        let mut tasks = Vec::new();
        for _ in 0..listeners {
            let mut stream = connect(place).await;
            stream.write_all(&upgrade("/api/events/subscribe?pattern=bench.*")).await.unwrap();
            let mut read = Vec::new();
            while find(&read, b"\r\n\r\n").is_none() {
                assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "no WebSocket");
            }
            let (code, head, _) = head_of(&read).unwrap();
            assert_eq!((code, read.len()), (101, head), "a WebSocket on which nothing happens yet");
            let arrived = Rc::clone(&arrived);
            tasks.push(tokio::task::spawn_local(async move {
                let mut buffer = Vec::with_capacity(BUFFER);
                loop {
                    if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                        return;
                    }
                    let mut count = 0;
                    let used = frames(&buffer, |_| count += 1);
                    buffer.drain(..used);
                    arrived.more(count);
                }
            }));
        }
        tasks
    };
    bursts(listeners, span, listen, async move || {
        let mut streams = Vec::new();
        for _ in 0..BURST {
            streams.push(connect(place).await);
        }
        OverHttp(streams)
    })
}

/// A whole burst in one write.
struct Pipelined(TcpStream, Vec<u8>);

impl Publisher for Pipelined {
    async fn burst(&mut self) {
        self.0.write_all(&self.1).await.unwrap();
        let mut answer = Vec::new();
        while answer.split(|byte| *byte == b'\n').count() <= BURST {
            assert_ne!(self.0.read_buf(&mut answer).await.unwrap(), 0, "Redis hung up");
        }
        assert!(answer.starts_with(b":"), "{}", String::from_utf8_lossy(&answer));
    }
}

fn redis_deliveries(place: SocketAddr, listeners: usize, span: Duration) -> f64 {
    // As long as what a WebSocket carries.
    let event = format!(
        "{{\"id\":123456,\"topic\":\"bench.burst\",\"data\":\"{FILLER}\",\"source\":\"\",\
         \"created_at\":\"2026-02-09T14:30:00.123Z\"}}"
    );
    let message = format!("*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n${}\r\n{event}\r\n", event.len());
    let length = message.len();
    let listen = async move |arrived: Rc<Arrived>| {
        let mut tasks = Vec::new();
        for _ in 0..listeners {
            let mut stream = connect(place).await;
            let mut out = Vec::new();
            command(&mut out, &[b"SUBSCRIBE", b"bench"]);
            stream.write_all(&out).await.unwrap();
            let mut read = Vec::new();
            while !read.ends_with(b":1\r\n") {
                assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "no subscription");
            }
            let arrived = Rc::clone(&arrived);
            tasks.push(tokio::task::spawn_local(async move {
                let mut buffer = Vec::with_capacity(BUFFER);
                loop {
                    if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                        return;
                    }
                    let count = buffer.len() / length;
                    buffer.drain(..count * length);
                    arrived.more(count);
                }
            }));
        }
        tasks
    };
    bursts(listeners, span, listen, async move || {
        let mut burst = Vec::new();
        for _ in 0..BURST {
            command(&mut burst, &[b"PUBLISH", b"bench", event.as_bytes()]);
        }
        Pipelined(connect(place).await, burst)
    })
}
