//! Requests to a server, and what becomes of its answers.

mod request;

use std::{
    error::Error as _,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ureq::{
    Agent, Body, Error, Proxy, Timeout,
    http::{HeaderMap, Response},
    tls::{Certificate, RootCerts, TlsConfig},
};
use url::Url;

use crate::{
    exit::{self, Failure},
    loopback::is_loopback,
    settings::client::ClientSettings,
};

pub(crate) use request::Request;

/// How long a server may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// The largest answer that is held in memory: the largest value that a server can be told to take.
const LARGEST: u64 = 512 << 20;

/// A client of one server, as one caller.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    server: String,
    headers: Vec<(&'static str, String)>,
    /// What the server has warned of already.
    warned: Mutex<Vec<String>>,
    /// Whether warnings of the server are said.
    warns: bool,
}

impl Client {
    /// A client for the server and the identity in the settings. It connects with the first request.
    pub(crate) fn new(settings: &ClientSettings) -> Self {
        let server = settings.server.value.clone();
        let url = Url::parse(&server).ok();
        let secure = url.as_ref().is_some_and(|url| url.scheme() == "https");
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect must take neither a body nor a token along: the user is told the right URL instead.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("koor/", env!("CARGO_PKG_VERSION")));
        // A proxy can't reach this machine's own servers.
        if url.as_ref().is_some_and(is_loopback) {
            config = config.proxy(None::<Proxy>);
        }
        // Reading the machine's certificates takes longer than a request.
        if secure {
            config = config.tls_config(TlsConfig::builder().root_certs(roots()).build());
        }
        let token = settings.token.as_ref().map(|token| ("Authorization", format!("Bearer {}", token.value)));
        let instance = settings.instance_id.as_ref().map(|id| ("X-Koor-Instance", id.clone()));
        Self {
            agent: config.build().into(),
            server,
            headers: token.into_iter().chain(instance).collect(),
            warned: Mutex::default(),
            warns: true,
        }
    }

    /// A client that does not say what the server warns of: for programs, which no one reads.
    pub(crate) fn silent(settings: &ClientSettings) -> Self {
        Self { warns: false, ..Self::new(settings) }
    }

    /// The server's URL, without a slash at its end.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The headers that say who calls.
    pub(crate) fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// Says on stderr what the server warns of, unless it was said before.
    fn warn_once(&self, warning: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if self.warns && !warned.iter().any(|one| one == warning) {
            exit::warn(warning);
            warned.push(warning.to_owned());
        }
    }

    /// Reads.
    pub(crate) fn get(&self, path: &str) -> Request<'_> {
        Request::new(self, "GET", path)
    }

    /// Writes.
    pub(crate) fn put(&self, path: &str) -> Request<'_> {
        Request::new(self, "PUT", path)
    }

    /// Changes a part.
    pub(crate) fn patch(&self, path: &str) -> Request<'_> {
        Request::new(self, "PATCH", path)
    }

    /// Does something.
    pub(crate) fn post(&self, path: &str) -> Request<'_> {
        Request::new(self, "POST", path)
    }

    /// Deletes.
    pub(crate) fn delete(&self, path: &str) -> Request<'_> {
        Request::new(self, "DELETE", path)
    }

    /// No connection to the server came about.
    fn unreachable(&self, error: &Error) -> Failure {
        let server = &self.server;
        let why = match error {
            Error::Http(error) => return Failure::usage(format_args!("cannot ask {server}: {error}")),
            Error::HostNotFound => "there is no host of that name".to_owned(),
            Error::ConnectionFailed => "no connection came about".to_owned(),
            Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                format!("no connection within {} s", CONNECT.as_secs())
            }
            Error::Timeout(_) => "it does not answer in time".to_owned(),
            Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                "connection refused".to_owned()
            }
            Error::Protocol(_) => "it does not answer in HTTP".to_owned(),
            other => {
                let mut text = other.to_string();
                if let Some(cause) = other.source().map(ToString::to_string)
                    && !text.contains(&cause)
                {
                    text = format!("{text}: {cause}");
                }
                text
            }
        };
        Failure::unreachable(format_args!(
            "cannot reach {server}: {why}. Start a server with `koor serve`, or name another with --server or KOOR_SERVER"
        ))
    }

    /// Another program answered at the server's address.
    fn not_koor(&self, answer: &Answer) -> Failure {
        let Self { server, .. } = self;
        let status = answer.status;
        if let (300..400, Some(to)) = (status, answer.header("location")) {
            return Failure::unreachable(format_args!(
                "{server} answers {status} and points to {to}: name that with --server or KOOR_SERVER"
            ));
        }
        let kind = answer.header("content-type").unwrap_or("no content type");
        Failure::unreachable(format_args!(
            "{server} answers {status} with {kind} where a Koor server answers in JSON: is there a proxy in front of it, or \
             another program?"
        ))
    }
}

/// The root certificates of this machine, or those of browsers where it has none.
fn roots() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    let roots = found.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    RootCerts::Specific(Arc::new(roots))
}

/// What a server answered, whose body has not been read yet.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Body,
}

impl Answer {
    fn new(answer: Response<Body>) -> Self {
        let (head, body) = answer.into_parts();
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// The status: 304, or one that says that all is well.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the body is JSON, as the server says.
    pub(crate) fn is_json(&self) -> bool {
        self.body.mime_type().is_some_and(|kind| kind == "application/json" || kind.ends_with("+json"))
    }

    /// The whole body.
    ///
    /// # Errors
    /// When it breaks off.
    pub(crate) fn bytes(self) -> Result<Vec<u8>, Failure> {
        let mut body = self.body;
        body.with_config().limit(LARGEST).read_to_vec().map_err(|error| Failure::broken_off(&error.into_io()))
    }

    /// The body as JSON of that shape.
    ///
    /// # Errors
    /// When it breaks off, or has another shape.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Failure> {
        let body = self.bytes()?;
        serde_json::from_slice(&body)
            .map_err(|error| Failure::refused(format_args!("cannot understand the server's answer: {error}")))
    }

    /// The length of the body, where it is known in advance.
    pub(crate) fn length(&self) -> Option<u64> {
        self.body.content_length()
    }

    /// The body, piece by piece, however long it is. Errors in reading it are for [`Failure::broken_off`].
    pub(crate) fn reader(self) -> impl io::Read {
        self.body.into_with_config().limit(u64::MAX).reader()
    }
}
