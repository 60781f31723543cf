//! A receiver of webhooks.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::{self, Receiver as Inbox},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long to wait for a call.
const PATIENCE: Duration = Duration::from_secs(30);

/// A receiver that takes every call and says so. Dropping it closes its port and every connection.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    told: Inbox<Value>,
    ended: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    acceptor: Option<thread::JoinHandle<()>>,
}

impl Receiver {
    /// On a free port.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn new() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), |_| true)
    }

    /// On that port again, which must be free.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn again(address: SocketAddr) -> Self {
        Self::on(TcpListener::bind(address).unwrap(), |_| true)
    }

    /// On a free port, and it never answers.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn hanging() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), |_| false)
    }

    fn on(listener: TcpListener, answers: impl Fn(&Value) -> bool + Copy + Send + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let (tell, told) = mpsc::channel();
        let ended = Arc::<AtomicBool>::default();
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let acceptor = {
            let (ended, open) = (Arc::clone(&ended), Arc::clone(&open));
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if ended.load(SeqCst) {
                        return;
                    }
                    open.lock().unwrap().push(stream.try_clone().unwrap());
                    let tell = tell.clone();
                    thread::spawn(move || take_calls(stream, &tell, answers));
                }
            })
        };
        Self { address, told, ended, open, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it is called by.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The bodies of the next so many calls.
    ///
    /// # Panics
    /// When they do not come.
    #[must_use]
    pub fn take(&self, calls: usize) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        (0..calls)
            .map(|n| {
                let left = until.saturating_duration_since(Instant::now());
                self.told.recv_timeout(left).unwrap_or_else(|_| panic!("only {n} calls came"))
            })
            .collect()
    }

    /// The body of a call that has come already.
    #[must_use]
    pub fn try_take(&self) -> Option<Value> {
        self.told.try_recv().ok()
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ended.store(true, SeqCst);
        // Wakes the acceptor, so that the port is free when this returns.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Takes calls from one connection until it ends.
fn take_calls(stream: TcpStream, tell: &mpsc::Sender<Value>, answers: impl Fn(&Value) -> bool) {
    let mut to = stream.try_clone().unwrap();
    let mut from = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if from.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if from.read_exact(&mut body).is_err() {
            return;
        }
        let call: Value = serde_json::from_slice(&body).unwrap();
        let answered = answers(&call);
        let _ = tell.send(call);
        if !answered {
            continue;
        }
        if to.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
            return;
        }
    }
}
