//! The least that can answer a GET: hyper, one answer, the same to everybody. What a server is measured against.
//!
//! Usage: `bare <file with the body> <file with the head> [<file with the head of a 304>]`. A head is what `curl -D`
//! writes; who sends `If-None-Match` gets the 304. Prints the address at which it listens.

#![expect(clippy::unwrap_used, reason = "a tool that is set up wrongly may just end")]

use std::{convert::Infallible, env, fs, sync::Arc};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{HeaderName, HeaderValue, IF_NONE_MATCH},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// An answer, ready to be sent.
struct Canned {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Canned {
    fn new(head: &str, body: Bytes) -> Self {
        let mut lines = fs::read_to_string(head).unwrap();
        lines.retain(|c| c != '\r');
        let mut lines = lines.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            // These two hyper writes itself.
            .filter(|(name, _)| !["content-length", "date"].contains(name))
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        Self { status, headers, body }
    }

    fn answer(&self) -> Response<Full<Bytes>> {
        let mut answer = Response::new(Full::new(self.body.clone()));
        *answer.status_mut() = self.status;
        for (name, value) in &self.headers {
            answer.headers_mut().insert(name.clone(), value.clone());
        }
        answer
    }
}

#[tokio::main]
async fn main() {
    let mut args = env::args().skip(1);
    let body = Bytes::from(fs::read(args.next().unwrap()).unwrap());
    let found = Canned::new(&args.next().unwrap(), body);
    let known = args.next().map(|head| Canned::new(&head, Bytes::new()));
    let answers = Arc::new((found, known));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    #[expect(clippy::print_stdout, reason = "whoever started it must know where it is")]
    {
        println!("http://{}", listener.local_addr().unwrap());
    }
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (found, known) = &*answers;
                let known = known.as_ref().filter(|_| request.headers().contains_key(IF_NONE_MATCH));
                std::future::ready(Ok::<_, Infallible>(known.unwrap_or(found).answer()))
            });
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
