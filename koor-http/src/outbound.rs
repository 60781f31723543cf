//! Calls to the outside, kept away from addresses that this server has no business with.
//!
//! A name is resolved once, what it resolves to is judged by the [policy](OutboundPolicy), and exactly the addresses
//! that pass are connected to: a name that changes its mind between the check and the call gains nothing.

mod connect;
mod policy;
#[cfg(test)]
mod tests;

use std::{error::Error as StdError, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Uri,
    body::Body as _,
    header::{AUTHORIZATION, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use koor_core::ports::{HttpSender, Outbound, OutboundAnswer, OutboundError};
use percent_encoding::percent_decode_str;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::Url;

use connect::{Denied, GuardedConnector};
pub use policy::{AllowedTarget, OutboundPolicy};

/// How long a connection is kept for the next call: a webhook with a backlog is told of it over one connection.
const KEPT_IDLE: Duration = Duration::from_secs(30);

/// How many connections to one receiver are kept. Webhooks are told one event at a time.
const KEPT_PER_HOST: usize = 2;

/// Calls webhooks and live services over HTTP/1.1, with TLS where the URL asks for it. Redirects are not followed,
/// proxies are not used.
pub struct OutboundClient {
    client: Client<HttpsConnector<GuardedConnector>, Full<Bytes>>,
}

/// TLS could not be set up: this program was not built as it should have been.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS for outbound calls")]
pub struct TlsError {
    #[from]
    source: rustls::Error,
}

impl OutboundClient {
    /// A client that keeps to the policy.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(policy: OutboundPolicy) -> Result<Self, TlsError> {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trusted_roots())
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(GuardedConnector::new(policy));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT_IDLE)
            .pool_max_idle_per_host(KEPT_PER_HOST)
            .build(connector);
        Ok(Self { client })
    }

    async fn call(&self, call: Outbound) -> Result<OutboundAnswer, OutboundError> {
        let most = call.most;
        let answer = self.client.request(request(call)?).await.map_err(|error| explain(&error))?;
        let status = answer.status().as_u16();
        let Some(most) = most else { return Ok(OutboundAnswer { status, body: Bytes::new() }) };
        if answer.body().size_hint().lower() > most as u64 {
            return Err(OutboundError::TooLong(most));
        }
        match Limited::new(answer.into_body(), most).collect().await {
            Ok(body) => Ok(OutboundAnswer { status, body: body.to_bytes() }),
            Err(error) if error.is::<LengthLimitError>() => Err(OutboundError::TooLong(most)),
            Err(error) => Err(OutboundError::Failed(format!("the answer broke off: {}", innermost(&*error)))),
        }
    }
}

#[async_trait]
impl HttpSender for OutboundClient {
    async fn send(&self, call: Outbound) -> Result<OutboundAnswer, OutboundError> {
        let timeout = call.timeout;
        tokio::time::timeout(timeout, self.call(call)).await.unwrap_or(Err(OutboundError::TimedOut(timeout)))
    }
}

/// The certificates that the machine trusts; where it has none, as in a bare container, those that Mozilla trusts.
fn trusted_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (found, unreadable) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if found == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    tracing::debug!(found, unreadable, "certificates trusted by this machine");
    roots
}

fn request(call: Outbound) -> Result<Request<Full<Bytes>>, OutboundError> {
    let no_good = |why: &dyn std::fmt::Display| OutboundError::Failed(format!("invalid request: {why}"));
    // The one parser that decides what the host is; the rest gets to see only what it wrote.
    let mut url = Url::parse(&call.url).map_err(|error| no_good(&error))?;
    let credentials = credentials(&url);
    url.set_fragment(None);
    // Neither fails for a URL that has a host; one without is refused when it is connected to.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let uri: Uri = url.as_str().parse().map_err(|error| no_good(&error))?;
    let method: Method = call.method.parse().map_err(|error| no_good(&error))?;
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header(USER_AGENT, concat!("koor/", env!("CARGO_PKG_VERSION")));
    if let Some(credentials) = credentials {
        request = request.header(AUTHORIZATION, credentials);
    }
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(call.body)).map_err(|error| no_good(&error))
}

/// What `https://name:password@host/` asks for.
fn credentials(url: &Url) -> Option<String> {
    let password = url.password().unwrap_or_default();
    if url.username().is_empty() && password.is_empty() {
        return None;
    }
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(password));
    Some(format!("Basic {}", STANDARD.encode(pair)))
}

/// Why a call was not answered, in words fit for a client.
fn explain(error: &hyper_util::client::legacy::Error) -> OutboundError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(this) = cause {
        if let Some(Denied(what)) = this.downcast_ref() {
            return OutboundError::Refused(what.clone());
        }
        cause = this.source();
    }
    let what = if error.is_connect() { "cannot connect" } else { "no valid answer" };
    OutboundError::Failed(format!("{what}: {}", innermost(error)))
}

/// The cause that says most: the wrappers around it say only that something failed.
fn innermost<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}
