//! A closed loop: each connection asks again as soon as it was answered. For throughput, not for latency.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::wire::Exchange;

/// How long connections go on before it counts.
const RUN_UP: Duration = Duration::from_millis(200);

/// What a connection reads at a time.
const BUFFER: usize = 16 << 10;

/// Answers a second, over that many connections that each do as their exchange says.
pub(crate) fn rate<E: Exchange + Send + 'static>(
    place: SocketAddr,
    connections: usize,
    span: Duration,
    exchange: impl Fn(usize) -> E,
) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut streams = Vec::with_capacity(connections);
        for _ in 0..connections {
            streams.push(connect(place).await);
        }
        let begin = Instant::now() + RUN_UP;
        let tasks: Vec<_> = streams
            .into_iter()
            .enumerate()
            .map(|(index, stream)| tokio::spawn(drive(stream, exchange(index), begin, begin + span)))
            .collect();
        let mut answers = 0;
        for task in tasks {
            answers += task.await.expect("a connection has failed");
        }
        answers as f64 / span.as_secs_f64()
    })
}

/// Connects, with small packets sent at once.
pub(crate) async fn connect(place: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(place).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The answers that arrive between the two moments.
async fn drive(mut stream: TcpStream, mut exchange: impl Exchange, begin: Instant, end: Instant) -> u64 {
    let mut out = Vec::new();
    let mut read = Vec::with_capacity(BUFFER);
    let mut answers = 0;
    loop {
        out.clear();
        exchange.ask(&mut out);
        stream.write_all(&out).await.unwrap();
        let used = loop {
            let count = stream.read_buf(&mut read).await.unwrap();
            assert_ne!(count, 0, "the peer hung up");
            if let Some(used) = exchange.answer(&read) {
                break used;
            }
        };
        read.drain(..used);
        let now = Instant::now();
        if now >= end {
            return answers;
        }
        answers += u64::from(now >= begin);
    }
}
