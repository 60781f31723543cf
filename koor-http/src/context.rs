//! What a connection holds while it is open.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use hyper::StatusCode;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    task::AbortHandle,
};

use crate::{
    connections,
    shared::{Door, Shared},
    socket::{Owner, Turn},
};

/// How far the shutdown of the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Serving,
    Draining,
    Over,
}

/// The context of one connection. Requests reach the shared state through it, and count references to it alone: a
/// reference count that all requests of all connections changed would be contended.
pub(crate) struct ConnectionContext {
    pub(crate) shared: Arc<Shared>,
    pub(crate) door: Door,
    pub(crate) stage: watch::Receiver<Stage>,
    /// The address of the peer, unless it has gone already.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) turn: Turn,
    id: connections::Id,
    /// Whether a caller was identified on it.
    known: AtomicBool,
    _permit: OwnedSemaphorePermit,
    /// Dropped with the connection; the server waits for that when it stops.
    _shutdown_guard: mpsc::Sender<()>,
}

impl Drop for ConnectionContext {
    fn drop(&mut self) {
        self.shared.connections.leave(self.id);
    }
}

impl ConnectionContext {
    /// Enters a new connection among those that are open.
    pub(crate) fn new(
        shared: Arc<Shared>,
        door: Door,
        peer: Option<SocketAddr>,
        stage: watch::Receiver<Stage>,
        permit: OwnedSemaphorePermit,
        shutdown_guard: mpsc::Sender<()>,
    ) -> Self {
        let turn = Turn::default();
        let id = shared.connections.enter(&turn, peer);
        Self {
            shared,
            door,
            stage,
            peer,
            turn,
            id,
            known: AtomicBool::new(false),
            _permit: permit,
            _shutdown_guard: shutdown_guard,
        }
    }

    /// Says which task serves the connection, so that it can be ended.
    pub(crate) fn runs_in(&self, task: AbortHandle) {
        self.shared.connections.runs(self.id, task);
    }

    /// Notes that the head of a request is complete.
    pub(crate) fn begin_answer(&self) {
        self.turn.to_server();
        if self.turn.ends_large_head() {
            self.shared.connections.end_head(self.id);
        }
    }

    /// Notes that a caller was identified, so that the connection outlives those of strangers.
    pub(crate) fn mark_identified(&self) {
        if !self.known.load(Relaxed) && !self.known.swap(true, Relaxed) {
            self.shared.connections.know(self.id);
        }
    }

    /// Completes when the server cuts off the requests in flight.
    pub(crate) async fn cut_off(&self) {
        // An error means that the server is gone.
        _ = self.stage.clone().wait_for(|stage| *stage == Stage::Over).await;
    }
}

impl Owner for Arc<ConnectionContext> {
    fn refuse(&self, status: StatusCode) -> Vec<u8> {
        self.shared.refuse_unread(status)
    }

    fn grows_head(&self, bytes: usize) {
        self.shared.connections.grow_head(self.id, bytes);
    }
}
