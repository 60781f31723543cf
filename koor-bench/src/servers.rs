//! Servers to be measured against that no distribution packages: hyper and nothing else, a query for each read, and durable
//! writes as one writes them without thinking.

mod bare;
mod naive;
mod pool;

use std::{convert::Infallible, net::SocketAddr, process::ExitCode, sync::Arc};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Runs such a server until it is ended.
pub(crate) fn serve(kind: &str, args: &[&str]) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match (kind, args) {
        ("bare", [body, head, known]) => runtime.block_on(bare::run(body, head, known)),
        ("pool", [database, body, how]) => runtime.block_on(pool::run(database, body, *how == "tuned")),
        ("naive", [database]) => runtime.block_on(naive::run(database)),
        _ => {
            eprintln!(
                "usage: koor-bench serve bare BODY HEAD HEAD304 | pool DATABASE BODY plain|tuned | naive DATABASE"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Answers every request as `answer` does.
async fn each<F>(answer: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static)
where
    F: Future<Output = Response<Full<Bytes>>> + Send,
{
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    println!("listening on {} ", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            // A client that goes away is no failure.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
