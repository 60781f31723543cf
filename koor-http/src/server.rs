//! Accepting connections, and ending them in order.

use std::{
    future::poll_fn,
    io,
    net::TcpListener,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use koor_core::Koor;
use tokio::{
    net::TcpStream,
    select,
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    app::{App, Connection},
    assets::Assets,
    body::{Body, BodyError},
    context::{ConnectionContext, Stage},
    mount::{Mount, MountFuture},
    settings::HttpSettings,
    shared::Door,
    socket::{Socket, Timeouts},
};

/// The sockets to accept on; more than one each where a name has several addresses.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For the API, and what is mounted beside it.
    pub api: Vec<TcpListener>,
    /// For the dashboard; none where there is no dashboard.
    pub dashboard: Vec<TcpListener>,
}

/// Why the server can't begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener is no good.
    #[error("cannot {attempted}")]
    Listener {
        /// What was being done with it.
        attempted: &'static str,
        /// What the machine said.
        source: io::Error,
    },
}

impl ServeError {
    fn on(attempted: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Listener { attempted, source }
    }
}

/// A server that is put together and not running yet.
pub struct Server {
    koor: Koor,
    settings: HttpSettings,
    assets: Assets,
    mounts: Vec<Mount>,
    listeners: Vec<(TcpListener, Door)>,
}

impl Server {
    /// A server for that core, on those listeners.
    ///
    /// # Errors
    /// When a listener does not know its address.
    pub fn new(koor: Koor, settings: HttpSettings, listeners: Listeners) -> Result<Self, ServeError> {
        let Listeners { api, dashboard } = listeners;
        let api = api.into_iter().map(|listener| (listener, true));
        let dashboard = dashboard.into_iter().map(|listener| (listener, false));
        let listeners = api
            .chain(dashboard)
            .map(|(listener, is_api)| {
                let address =
                    listener.local_addr().map_err(ServeError::on("ask a listener for its address"))?;
                Ok((listener, Door { address, is_api }))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { koor, settings, assets: Assets::default(), mounts: Vec::new(), listeners })
    }

    /// Serves these files to visitors of the dashboard.
    #[must_use]
    pub fn assets(mut self, assets: Assets) -> Self {
        self.assets = assets;
        self
    }

    /// Hands requests for that path, and those below it, to another service, on the API's listeners.
    ///
    /// The service gets a request that has passed the limits, whose body is here already, and whose extensions hold the
    /// [`Caller`](koor_core::Caller) and the [`SocketAddr`](std::net::SocketAddr) of the peer. Its bytes are counted as MCP's; it says itself
    /// what is a call in its [answer](crate::MountAnswer).
    #[must_use]
    pub fn mount(
        mut self,
        path: &str,
        service: impl Fn(Request<Full<Bytes>>) -> MountFuture + Send + Sync + 'static,
    ) -> Self {
        self.mounts.push(Mount::new(path, service));
        self
    }

    /// Serves until `shutdown` answers. Then: no new connections, subscribers are told that nothing will follow,
    /// requests in flight get their time.
    ///
    /// # Errors
    /// When a listener can't be used.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let serving = self.start()?;
        shutdown.await;
        serving.stop().await;
        Ok(())
    }

    /// Begins to serve. Apart from [`run`](Self::run), which is generic: a caller's crate compiles that, and would compile all of
    /// the server with it, the way the caller is compiled.
    fn start(self) -> Result<Serving, ServeError> {
        let Self { koor, settings, assets, mounts, listeners } = self;
        let drain = settings.drain_timeout;
        let permits = Arc::new(Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let doors: Vec<_> = listeners.iter().map(|(_, door)| *door).collect();
        let app = Arc::new(App::new(koor.clone(), settings, assets, mounts, &doors));
        let (stage, _) = watch::channel(Stage::Serving);
        // Nothing is ever sent: the channel closes when the last connection has dropped its sender.
        let (shutdown_guard, all_gone) = mpsc::channel::<()>(1);
        let listeners = listeners
            .into_iter()
            .map(|(listener, door)| {
                listener.set_nonblocking(true).map_err(ServeError::on("prepare a listener"))?;
                let listener = tokio::net::TcpListener::from_std(listener);
                Ok((listener.map_err(ServeError::on("watch a listener"))?, door))
            })
            .collect::<Result<_, _>>()?;
        let acceptor = Acceptor { listeners, app, permits, stage: stage.subscribe(), shutdown_guard };
        let accepting = tokio::spawn(acceptor.run());
        Ok(Serving { koor, drain, stage, all_gone, accepting })
    }
}

/// A server that runs.
struct Serving {
    koor: Koor,
    drain: Duration,
    stage: watch::Sender<Stage>,
    /// Closes when the last connection is gone.
    all_gone: mpsc::Receiver<()>,
    accepting: JoinHandle<()>,
}

impl Serving {
    async fn stop(mut self) {
        self.stage.send_replace(Stage::Draining);
        self.koor.close_subscriptions();
        if timeout(self.drain, self.all_gone.recv()).await.is_err() {
            tracing::warn!("some requests were still in flight and are cut off");
            self.stage.send_replace(Stage::Over);
            // Each of them ends the next time it is polled: at once.
            _ = timeout(Duration::from_secs(1), self.all_gone.recv()).await;
        }
        self.accepting.abort();
    }
}

/// Accepts on all listeners in turn: they share the connections that there may be.
struct Acceptor {
    listeners: Vec<(tokio::net::TcpListener, Door)>,
    app: Arc<App>,
    permits: Arc<Semaphore>,
    stage: watch::Receiver<Stage>,
    shutdown_guard: mpsc::Sender<()>,
}

/// The first pause after a failed accept, when the machine is out of something: doubled with each failure in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The longest such pause: a client in the backlog should not wait longer once there is room again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked whether one of many connections that are all in use has become idle.
const FULL_PAUSE: Duration = Duration::from_millis(100);

impl Acceptor {
    async fn run(mut self) {
        let mut stage = self.stage.clone();
        let mut ended = pin!(stage.wait_for(|stage| *stage != Stage::Serving));
        loop {
            // Only for a connection that is there, others may be ended. Behind it, those that can't be served stay in the
            // backlog, where they cost nothing.
            let next = async {
                let accepted = self.accept().await;
                Some((self.permit().await?, accepted))
            };
            let (permit, (stream, door)) = select! {
                _ = &mut ended => return,
                next = next => match next {
                    Some(next) => next,
                    None => return,
                },
            };
            let peer = stream.peer_addr().ok();
            let (stage, shutdown_guard) = (self.stage.clone(), self.shutdown_guard.clone());
            let shared = Arc::clone(&self.app.shared);
            let context = ConnectionContext::new(shared, door, peer, stage, permit, shutdown_guard);
            let connection = Connection { app: Arc::clone(&self.app), context: Arc::new(context) };
            let context = Arc::clone(&connection.context);
            let task = tokio::spawn(serve(stream, connection));
            context.runs_in(task.abort_handle());
        }
    }

    /// The right to one more connection, for which others may be ended; `None` at the end.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            match Arc::clone(&self.permits).try_acquire_owned() {
                Ok(permit) => return Some(permit),
                Err(TryAcquireError::Closed) => return None,
                Err(TryAcquireError::NoPermits) => self.app.shared.connections.make_room(),
            }
            // Those that were ended are gone in a moment. Where none could be, one that is in use may become idle.
            if let Ok(permit) = timeout(FULL_PAUSE, Arc::clone(&self.permits).acquire_owned()).await {
                return permit.ok();
            }
        }
    }

    /// The next connection, however long it takes.
    async fn accept(&mut self) -> (TcpStream, Door) {
        let mut pause = FIRST_PAUSE;
        loop {
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(accepted) => return accepted,
                // That one client's affair.
                Err(error) if is_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept a connection");
                    sleep_until(Instant::now() + pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, Door)>> {
        // The listener that was served last is polled last: a busy one must not keep the others waiting.
        for index in 0..self.listeners.len() {
            let (listener, door) = &self.listeners[index];
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                let door = *door;
                self.listeners[index..].rotate_left(1);
                return Poll::Ready(accepted.map(|(stream, _)| (stream, door)));
            }
        }
        Poll::Pending
    }
}

fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Serves one connection to its end.
async fn serve(stream: TcpStream, connection: Connection) {
    // Without this, small answers wait for the peer's acknowledgement of the one before. If it can't be had, they wait.
    _ = stream.set_nodelay(true);
    let context = Arc::clone(&connection.context);
    let connection = Arc::new(connection);
    let settings = &context.shared.settings;
    let timeouts = Timeouts {
        head: settings.header_timeout,
        idle: settings.idle_timeout,
        write: settings.write_timeout,
    };
    let socket = TokioIo::new(Socket::new(stream, context.turn.clone(), timeouts, Arc::clone(&context)));
    let service = service_fn(|request: Request<Incoming>| {
        let connection = Arc::clone(&connection);
        // Hyper keeps the room for it as long as the connection is open, and most connections are idle: a test keeps it small.
        async move { Ok::<Response<Body>, BodyError>(connection.answer(request).await) }
    });
    // The socket keeps time itself: hyper's own timer would be made anew for each request.
    let connection = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .serve_connection(socket, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut stage = context.stage.clone();
    loop {
        let is = *stage.borrow_and_update();
        match is {
            Stage::Serving => {}
            Stage::Draining => connection.as_mut().graceful_shutdown(),
            Stage::Over => return,
        }
        select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    // Clients go away in the middle of things all the time.
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            changed = stage.changed() => if changed.is_err() { return },
        }
    }
}

/// The most that is buffered of a head, and of a body on its way: 64 KiB is more than any client needs for headers.
const MAX_HEAD: usize = 64 << 10;
