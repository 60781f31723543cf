//! What several targets need: a server inside this process, so that the fuzzer sees where its bytes lead.
//!
//! What cannot be set up ends the run, as in tests: there would be nothing to fuzz.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::OnceLock,
    time::Duration,
};

use koor_core::{Koor, MemoryStore, Settings};
use koor_http::{HttpSettings, Listeners, Server};
use tokio::runtime::{Builder, Runtime};

/// Far longer than any answer takes that does not wait for something.
const PATIENCE: Duration = Duration::from_secs(5);

/// The threads of everything asynchronous.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
}

/// A core that forgets quickly, so that a long run does not fill the memory.
pub fn koor() -> Koor {
    let settings = Settings {
        event_retention: 100,
        change_retention: 100,
        history_limit: Some(2),
        ..Settings::default()
    };
    runtime().block_on(Koor::on(MemoryStore::default()).settings(settings).open()).unwrap()
}

/// Where the server of this process listens.
fn server() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let settings =
            HttpSettings { max_body: 16 << 10, restore_limit: 16 << 10, ..HttpSettings::default() };
        let listeners = Listeners { api: vec![listener], dashboard: Vec::new() };
        let server = Server::new(koor(), settings, listeners).unwrap();
        runtime().spawn(server.run(std::future::pending()));
        address
    })
}

/// Puts bytes on the wire, ends there, and holds what comes back against what every answer must be.
pub fn exchange(bytes: &[u8]) {
    let mut stream = TcpStream::connect(server()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may have refused it, and closed, before all of it is written.
    drop(stream.write_all(bytes));
    drop(stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            // The fuzzer's own alarm.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                // A stream of events has no end as long as it is read.
                let streams = answer.windows(17).any(|part| part == b"text/event-stream");
                assert!(streams, "{error} after {:?}", String::from_utf8_lossy(&answer));
                break;
            }
        }
        if answer.windows(17).any(|part| part == b"text/event-stream") {
            break;
        }
    }
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{:?}", String::from_utf8_lossy(&answer));
    assert!(!answer.starts_with(b"HTTP/1.1 500"), "{:?}", String::from_utf8_lossy(&answer));
}
