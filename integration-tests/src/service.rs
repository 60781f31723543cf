//! A small external service that the server calls.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

/// A call, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method and the path with its query.
    pub line: String,
    /// The headers in order, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Call {
    /// A header, if it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// A service on a free port, that remembers its calls.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    calls: mpsc::Receiver<Call>,
    ended: Arc<AtomicBool>,
}

impl Service {
    /// One that answers with the status, and the body, that the function says.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn new(answer: impl Fn(&Call) -> (u16, String) + Send + 'static) -> Self {
        Self::leading("/elsewhere".to_owned(), answer)
    }

    /// One that sends everybody to another place, with that status.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn redirecting(status: u16, to: &str) -> Self {
        Self::leading(to.to_owned(), move |_| (status, "{}".to_owned()))
    }

    fn leading(place: String, answer: impl Fn(&Call) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (told, calls) = mpsc::channel();
        let ended = Arc::<AtomicBool>::default();
        let over = Arc::clone(&ended);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(SeqCst) {
                    return;
                }
                let Some(call) = read_call(&stream) else { continue };
                let (status, body) = answer(&call);
                // Before the answer: a test that has seen its effect finds the call here.
                drop(told.send(call));
                let head = format!(
                    "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nLocation: {place}\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                drop((&stream).write_all((head + &body).as_bytes()));
            }
        });
        Self { address, calls, ended }
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next call.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn call(&self) -> Call {
        self.calls.recv_timeout(Duration::from_secs(30)).expect("it is called")
    }

    /// The calls that have come and were not taken yet.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls.try_iter().collect()
    }

    /// Whether a call has come that was not taken yet.
    #[must_use]
    pub fn was_called(&self) -> bool {
        self.calls.try_recv().is_ok()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.ended.store(true, SeqCst);
        // Wakes the one that accepts.
        drop(TcpStream::connect(self.address));
    }
}

fn read_call(stream: &TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut call =
        Call { line: first.trim_end_matches(" HTTP/1.1").to_owned(), headers, body: String::new() };
    let length = call.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    call.body = String::from_utf8(body).ok()?;
    Some(call)
}
