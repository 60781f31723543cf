//! Connecting to the event log by WebSocket.

use std::{io, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self,
        client::IntoClientRequest as _,
        handshake::client::Request,
        http::{HeaderName, HeaderValue, StatusCode},
        protocol::WebSocketConfig,
    },
};
use url::{Host, Url};

use crate::exit::Failure;

/// How long a server may take to let a subscriber in.
const PATIENCE: Duration = Duration::from_secs(15);

/// The largest event that is taken: far above what a server can be set to take.
const LARGEST_EVENT: usize = 1 << 30;

/// A connection, plain or inside TLS.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// The server's end, as events come out of it.
pub(super) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NoSocket {
    /// It may work later.
    NotNow(String),
    /// It would be refused again.
    Refused(Failure),
}

/// Where events come from, and who asks for them.
#[derive(Debug, Clone)]
pub(super) struct Door {
    url: Url,
    headers: Vec<(HeaderName, HeaderValue)>,
    tls: Option<Arc<ClientConfig>>,
}

impl Door {
    /// The event log of the server at `base`, for topics that match one of `patterns`, asked for with those headers.
    ///
    /// # Errors
    /// When the address is of no use, or a header can't be sent.
    pub(super) fn new(
        base: &Url,
        headers: &[(&'static str, String)],
        patterns: &[String],
    ) -> Result<Self, Failure> {
        let (url, secure) = address(base, patterns)
            .ok_or_else(|| Failure::usage(format!("{base} is not the address of a server")))?;
        let header = |(name, value): &(&'static str, String)| {
            let cannot =
                |_| Failure::usage(format!("the header {name} cannot be sent: it has signs beyond ASCII"));
            let name = HeaderName::try_from(*name).map_err(|error| Failure::caused_by(&error))?;
            Ok((name, HeaderValue::try_from(value).map_err(cannot)?))
        };
        let headers = headers.iter().map(header).collect::<Result<_, Failure>>()?;
        let tls = if secure { Some(tls()?) } else { None };
        Ok(Self { url, headers, tls })
    }

    /// Connects, to be sent everything after `since`.
    pub(super) async fn open(&self, since: u64) -> Result<Socket, NoSocket> {
        timeout(PATIENCE, self.try_open(since)).await.unwrap_or_else(|_| {
            Err(NoSocket::NotNow(format!("the server says nothing for {} s", PATIENCE.as_secs())))
        })
    }

    async fn try_open(&self, since: u64) -> Result<Socket, NoSocket> {
        let request = self.request(since).map_err(|error| NoSocket::Refused(Failure::caused_by(&error)))?;
        let wire = self.wire().await.map_err(|error| NoSocket::NotNow(error.to_string()))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_EVENT))
            .max_frame_size(Some(LARGEST_EVENT));
        match client_async_with_config(request, wire, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(answer)) => Err(refusal(answer.status(), answer.body().as_deref())),
            Err(error) => Err(NoSocket::NotNow(error.to_string())),
        }
    }

    fn request(&self, since: u64) -> Result<Request, tungstenite::Error> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("since", &since.to_string());
        let mut request = url.as_str().into_client_request()?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        Ok(request)
    }

    async fn wire(&self) -> io::Result<Box<dyn Wire>> {
        let port = self.url.port_or_known_default().unwrap_or_default();
        let host = self.url.host().ok_or(io::ErrorKind::InvalidInput)?;
        let stream = match host {
            Host::Domain(name) => TcpStream::connect((name, port)).await?,
            Host::Ipv4(address) => TcpStream::connect((address, port)).await?,
            Host::Ipv6(address) => TcpStream::connect((address, port)).await?,
        };
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
            Host::Ipv4(address) => ServerName::from(std::net::IpAddr::from(address)),
            Host::Ipv6(address) => ServerName::from(std::net::IpAddr::from(address)),
        };
        Ok(Box::new(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?))
    }
}

/// The address of the event log at a server, and whether it is inside TLS.
fn address(base: &Url, patterns: &[String]) -> Option<(Url, bool)> {
    let secure = base.scheme() == "https";
    let mut url = base.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(["api", "events", "subscribe"]);
    url.set_query(None);
    url.set_fragment(None);
    if !patterns.is_empty() {
        url.query_pairs_mut().extend_pairs(patterns.iter().map(|pattern| ("pattern", pattern)));
    }
    // `set_scheme` refuses to go from http to ws: the two differ in nothing else.
    let rest = url.as_str().split_once("://")?.1;
    Some((Url::parse(&format!("{}://{rest}", if secure { "wss" } else { "ws" })).ok()?, secure))
}

/// Trusts what the machine trusts, and the usual authorities.
fn tls() -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // What the machine has beyond that, as far as it can be read.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::caused_by(&error).about("cannot set up TLS"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What an answer other than the one hoped for means.
fn refusal(status: StatusCode, body: Option<&[u8]>) -> NoSocket {
    let said = body.and_then(|body| serde_json::from_slice::<serde_json::Value>(body).ok());
    let said = said.as_ref().and_then(|said| said["error"].as_str());
    let text = match said {
        Some(said) => format!("{said} ({})", status.as_u16()),
        None => format!("the server answered {status}"),
    };
    let later = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if later { NoSocket::NotNow(text) } else { NoSocket::Refused(Failure::refused(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(base: &str, patterns: &[&str]) -> Option<(String, bool)> {
        let patterns: Vec<_> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        address(&Url::parse(base).unwrap(), &patterns).map(|(url, secure)| (url.to_string(), secure))
    }

    #[test]
    fn the_address_is_the_servers_with_another_scheme() {
        let at = |address: &str, secure| Some((address.to_owned(), secure));
        assert_eq!(
            shown("http://localhost:9800", &[]),
            at("ws://localhost:9800/api/events/subscribe", false)
        );
        assert_eq!(
            shown("https://koor.test/team/", &["a.*", "b?&"]),
            at("wss://koor.test/team/api/events/subscribe?pattern=a.*&pattern=b%3F%26", true)
        );
        assert_eq!(shown("http://[::1]:1", &[]), at("ws://[::1]:1/api/events/subscribe", false));
        assert_eq!(shown("mailto:a@b", &[]), None);
    }

    #[test]
    fn each_request_says_who_asks_and_from_where_on() {
        let base = Url::parse("http://localhost:9800").unwrap();
        let headers = [("Authorization", "Bearer secret".to_owned()), ("X-Koor-Instance", "me".to_owned())];
        let door = Door::new(&base, &headers, &["a".to_owned()]).unwrap();
        let request = door.request(7).unwrap();
        assert_eq!(request.uri(), "ws://localhost:9800/api/events/subscribe?pattern=a&since=7");
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!((header("authorization"), header("x-koor-instance")), ("Bearer secret", "me"));
    }

    #[test]
    fn what_would_be_refused_again_is_told_from_what_may_pass() {
        let told = |status: u16, body: &str| match refusal(
            StatusCode::from_u16(status).unwrap(),
            Some(body.as_bytes()),
        ) {
            NoSocket::NotNow(text) => (true, text),
            NoSocket::Refused(failure) => (false, format!("{failure:?}")),
        };
        let refused = |text: &str| (false, format!("{:?}", Failure::refused(text)));
        assert_eq!(told(401, r#"{"error":"no token","code":401}"#), refused("no token (401)"));
        assert_eq!(told(404, "<html>"), refused("the server answered 404 Not Found"));
        assert_eq!(told(200, ""), refused("the server answered 200 OK"));
        assert_eq!(told(503, "{}"), (true, "the server answered 503 Service Unavailable".to_owned()));
        assert_eq!(told(429, ""), (true, "the server answered 429 Too Many Requests".to_owned()));
    }
}
