//! Clients that mean harm. Whatever they send, the process stays small, and an honest client is served as before.
//!
//! The harmful ones run at the lowest priority, as if they were on other machines: what is measured is the server's
//! doing, not who gets which processor.

mod bodies;
mod collected;
mod rules;
mod telemetry;
mod wire;

use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use integration_tests::{Client, Server, Start};

/// As long as an attack is by hand with `TRUST_HOSTILE=long`, or shorter. Either is too much for a server without bounds.
fn long_or<T>(long: T, short: T) -> T {
    if std::env::var("TRUST_HOSTILE").is_ok_and(|how| how == "long") { long } else { short }
}

/// What the process may take up, in MiB, beside the pages of files that it has mapped: those are the machine's to give
/// and to take.
const MOST_MIB: u64 = 256;

/// How much longer than otherwise an honest client may wait. Otherwise: for this server before the attack, or for another
/// one of the same machine during it, whichever was slower, so that what else the machine does counts for both…
const TIMES: u32 = 10;

/// …but never longer than this…
const TOO_LONG: Duration = Duration::from_secs(1);

/// …and that may be as long as this, in milliseconds: two shared processors can't tell it from chance. By hand it is a
/// release build that is attacked; the debug build of CI takes several times as long for each request of an attack.
const UNNOTICED_BY_HAND: u64 = 20;
const UNNOTICED: u64 = 50;

/// The longest that a write of an honest client may take.
const LONGEST_WRITE: Duration = Duration::from_secs(10);

/// Attacks a new server, and asserts that other clients are served. `attack` says what came of it.
fn attacked(name: &str, attack: impl FnOnce(&Server) -> String + Send) {
    let server = Start::default().args(["--log-level", "error"]).start().unwrap();
    let (honest, other) = (server.client(), Server::start());
    honest.ok("PUT", "/api/state/honest", "1");
    other.client().ok("PUT", "/api/state/honest", "1");
    let quiet = Waits::of(&honest, || thread::sleep(Duration::from_secs(long_or(2, 1))));
    let (said, during, elsewhere, most) = thread::scope(|scope| {
        let attacking = scope.spawn(|| {
            be_humble();
            attack(&server)
        });
        let over = Arc::new(AtomicBool::new(false));
        let (told, client) = (Arc::clone(&over), other.client());
        let elsewhere = scope.spawn(move || {
            Waits::of(&client, || {
                while !told.load(Ordering::Acquire) {
                    thread::sleep(Duration::from_millis(5));
                }
            })
        });
        let mut most = 0;
        let during = Waits::of(&honest, || {
            while !attacking.is_finished() {
                most = most.max(memory(&server, "RssAnon:"));
                thread::sleep(Duration::from_millis(2));
            }
        });
        over.store(true, Ordering::Release);
        (attacking.join().unwrap(), during, elsewhere.join().unwrap(), most)
    });
    let with_files = memory(&server, "VmHWM:");
    eprintln!(
        "trust: hostile: {name}: {said}; others: p99 {:.1} ms, {:.1} before and {:.1} elsewhere; {most} MiB at most, \
         {with_files} with mapped files",
        millis(during.p99()),
        millis(quiet.p99()),
        millis(elsewhere.p99()),
    );
    assert!(most < MOST_MIB, "{name}: {most} MiB");
    let unnoticed = Duration::from_millis(long_or(UNNOTICED_BY_HAND, UNNOTICED));
    let allowed = (quiet.p99().max(elsewhere.p99()) * TIMES).clamp(unnoticed, TOO_LONG);
    assert!(during.p99() < allowed, "{name}: {:?}, with {:?} allowed", during.p99(), allowed);
    assert!(during.longest_write < LONGEST_WRITE, "{name}: a write took {:?}", during.longest_write);
    assert!(!server.log().iter().any(|line| line.contains("panicked")), "{name}: {:#?}", server.log());
    assert_eq!(honest.send("GET", "/health", "").status, 200, "{name}");
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

/// What the system says that the process takes up, in MiB.
fn memory(server: &Server, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

/// Gives this thread, and those that it starts, the lowest priority.
fn be_humble() {
    let thread = fs::read_link("/proc/thread-self").unwrap();
    let id = thread.file_name().unwrap().to_owned();
    let reniced = Command::new("renice").args(["-n", "19", "-p"]).arg(id).output().unwrap();
    assert!(reniced.status.success(), "{reniced:?}");
}

/// How long an honest client waited.
#[derive(Debug, Default)]
struct Waits {
    reads: Vec<Duration>,
    longest_write: Duration,
}

impl Waits {
    /// Reads, and writes now and then, for as long as something else goes on.
    fn of(client: &Client, meanwhile: impl FnOnce()) -> Self {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut waits = Self::default();
                while !over.load(Ordering::Acquire) || waits.reads.len() < 100 {
                    let begun = Instant::now();
                    if waits.reads.len() % 20 == 19 {
                        client.ok("PUT", "/api/state/honest", "1");
                        waits.longest_write = waits.longest_write.max(begun.elapsed());
                    }
                    let begun = Instant::now();
                    client.ok("GET", "/api/state/honest", "");
                    waits.reads.push(begun.elapsed());
                    thread::sleep(Duration::from_millis(2));
                }
                waits.reads.sort_unstable();
                waits
            });
            meanwhile();
            over.store(true, Ordering::Release);
            asking.join().unwrap()
        })
    }

    fn p99(&self) -> Duration {
        self.reads[self.reads.len() * 99 / 100]
    }
}

/// Does something from so many threads at once, and answers what each says.
fn together<T: Send>(count: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let act = &act;
        let acting: Vec<_> = (0..count).map(|n| scope.spawn(move || act(n))).collect();
        acting.into_iter().map(|acting| acting.join().unwrap()).collect()
    })
}

/// How often each status was answered; 0 stands for no answer.
fn tally(statuses: &[u16]) -> String {
    let mut sorted = statuses.to_vec();
    sorted.sort_unstable();
    let runs: Vec<_> =
        sorted.chunk_by(|a, b| a == b).map(|run| format!("{} × {}", run.len(), run[0])).collect();
    runs.join(", ")
}

/// Holds that each status is one of those, and that the server answered at all. A client that is still sending may not
/// hear of a refusal: 0 alone shows nothing.
fn all_of(statuses: &[u16], allowed: &[u16]) -> String {
    let tally = tally(statuses);
    assert!(statuses.iter().all(|status| allowed.contains(status)), "{tally}");
    assert!(statuses.iter().any(|status| *status != 0), "no client was answered: {tally}");
    tally
}

/// A connection on which anything can be written; the server may end it at any moment.
fn wire(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.api.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Writes as far as the server lets it; whether it was all.
fn push(mut stream: &TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}

/// Sends a request; 0 where no whole answer came back in time.
fn status(server: &Server, method: &str, path: &str, body: &str) -> u16 {
    server.client().try_send(method, path, body).map_or(0, |answer| answer.status)
}
