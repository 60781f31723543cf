//! A fixed rate: each request is due at a moment that no answer changes, and its latency counts from then.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::wire::Exchange;

/// How long an answer may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The latencies, in milliseconds, of `per_second` requests that are spread evenly over time and over the connections.
///
/// A connection whose answer is late sends what has become due meanwhile one after the other, as late as it is.
/// Each connection has a thread that sleeps until its next request is due: how late the system wakes it counts too.
pub(crate) fn latencies<E: Exchange + Send + 'static>(
    place: SocketAddr,
    connections: usize,
    per_second: f64,
    span: Duration,
    exchange: impl Fn(usize) -> E,
) -> Vec<f64> {
    let begin = Instant::now() + Duration::from_millis(100);
    let threads: Vec<_> = (0..connections)
        .map(|index| {
            let mut stream = TcpStream::connect(place).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut exchange = exchange(index);
            let first = begin + Duration::from_secs_f64(index as f64 / per_second);
            let step = Duration::from_secs_f64(connections as f64 / per_second);
            thread::spawn(move || {
                let (mut out, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
                let mut latencies = Vec::new();
                let mut due = first;
                while due < begin + span {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    out.clear();
                    exchange.ask(&mut out);
                    stream.write_all(&out).unwrap();
                    call(&mut stream, &mut exchange, &mut buffer);
                    latencies.push(due.elapsed().as_secs_f64() * 1000.0);
                    due += step;
                }
                latencies
            })
        })
        .collect();
    threads.into_iter().flat_map(|thread| thread.join().expect("a connection has failed")).collect()
}

/// Reads one answer.
pub(crate) fn call(stream: &mut TcpStream, exchange: &mut impl Exchange, buffer: &mut Vec<u8>) {
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            buffer.resize(2 * filled, 0);
        }
        let count = stream.read(&mut buffer[filled..]).unwrap();
        assert_ne!(count, 0, "the peer hung up");
        filled += count;
        if exchange.answer(&buffer[..filled]).is_some() {
            return;
        }
    }
}
