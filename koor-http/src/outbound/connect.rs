//! Connecting to what the policy lets through, and to nothing else.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

use crate::outbound::policy::OutboundPolicy;

/// How many addresses of one name are tried: enough for any honest one, and it bounds what a name can set in motion.
const TRIED: usize = 8;

/// How long one address may take when there are others: short enough that one which swallows everything leaves time
/// for the next.
const ONE_OF_MANY: Duration = Duration::from_secs(3);

/// The target is one that this server does not call.
#[derive(Debug, thiserror::Error)]
#[error("address not allowed: {0}")]
pub(super) struct Denied(pub(super) String);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Resolves, judges, connects.
#[derive(Clone)]
pub(super) struct GuardedConnector {
    policy: Arc<OutboundPolicy>,
}

impl GuardedConnector {
    pub(super) fn new(policy: OutboundPolicy) -> Self {
        Self { policy: Arc::new(policy) }
    }
}

impl Service<Uri> for GuardedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move { connect(&policy, &uri).await })
    }
}

async fn connect(policy: &OutboundPolicy, uri: &Uri) -> Result<TokioIo<TcpStream>, BoxError> {
    let host = uri.host().ok_or("the URL names no host")?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let found = addresses(host, port).await?;
    let passed: Vec<_> =
        found.into_iter().filter(|address| policy.permits(host, address.ip())).take(TRIED).collect();
    if passed.is_empty() {
        // The name alone: what it resolves to inside is not the caller's to learn.
        return Err(Denied(host.to_owned()).into());
    }
    let limit = (passed.len() > 1).then_some(ONE_OF_MANY);
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in passed {
        match attempt(address, limit).await {
            Ok(stream) => return Ok(TokioIo::new(stream)),
            Err(error) => failure = error,
        }
    }
    Err(failure.into())
}

async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, BoxError> {
    if let Ok(literal) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(literal, port)]);
    }
    let found: Vec<_> = lookup_host((host, port)).await.map_err(|_| format!("{host} is unknown"))?.collect();
    if found.is_empty() { Err(format!("{host} has no address").into()) } else { Ok(found) }
}

async fn attempt(address: SocketAddr, limit: Option<Duration>) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect(address);
    let stream = match limit {
        Some(limit) => tokio::time::timeout(limit, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?,
        None => connecting.await?,
    };
    // Calls are short and answered one by one: nothing is gained by waiting for more to send.
    stream.set_nodelay(true)?;
    Ok(stream)
}
