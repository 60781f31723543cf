//! What wakes the follower: a commit of another server, a reader that waits for confirmation, or time.

use std::{sync::Arc, time::Duration};

use koor_core::ports::StoreResult;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::{
    runtime::{Builder, Runtime},
    select,
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{connect::Connector, error::broken};

/// How often the log is looked at, whether or not there was a notification: those only wake.
const POLL: Duration = Duration::from_millis(250);

/// The same, while notifications cannot be had.
const POLL_WITHOUT_LISTEN: Duration = Duration::from_millis(20);

/// How long it may take to ask for notifications.
const TO_LISTEN: Duration = Duration::from_secs(2);

/// Readers that may wait for confirmation: each is answered with the next look at the log.
pub(crate) const MAX_WAITING: usize = 16_384;

/// Waits for confirmation that every commit before now has been seen.
pub(crate) type Confirmation = oneshot::Sender<StoreResult<()>>;

/// Why the follower is woken.
pub(crate) enum Wakeup {
    /// To look at the log, and to confirm to these that it has.
    Look(Vec<Confirmation>),
    /// The store is closed.
    Closed,
}

/// What wakes the follower.
pub(crate) struct Wakeups {
    runtime: Runtime,
    connector: Arc<Connector>,
    waiting: mpsc::Receiver<Confirmation>,
    listener: Option<PgListener>,
    channel: String,
    /// As this server's own notifications say, which need no look.
    own: String,
}

impl Wakeups {
    /// Wakes for notifications in that channel that are not this server's own.
    pub(crate) fn new(
        connector: Arc<Connector>,
        waiting: mpsc::Receiver<Confirmation>,
        channel: String,
        own: String,
    ) -> StoreResult<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| broken("prepare to follow the log", error))?;
        Ok(Self { runtime, connector, waiting, listener: None, channel, own })
    }

    /// Asks for notifications anew: the database may be elsewhere now.
    pub(crate) fn reconnect(&mut self) {
        let _guard = self.runtime.enter();
        self.listener = None;
    }

    /// Waits until there is a reason to look.
    pub(crate) fn next(&mut self) -> Wakeup {
        let Self { runtime, connector, waiting, listener, channel, own } = self;
        runtime.block_on(async {
            if listener.is_none() {
                *listener = listen(connector, channel).await;
            }
            let poll = if listener.is_some() { POLL } else { POLL_WITHOUT_LISTEN };
            let first = select! {
                biased;
                first = waiting.recv() => match first {
                    Some(first) => Some(first),
                    None => return Wakeup::Closed,
                },
                lost = notified(listener, own) => {
                    if lost {
                        *listener = None;
                    }
                    None
                }
                // Nothing happens in it: it is how long the others may take.
                _ = timeout(poll, std::future::pending::<()>()) => None,
            };
            let mut confirmations: Vec<_> = first.into_iter().collect();
            while let Ok(more) = waiting.try_recv() {
                confirmations.push(more);
            }
            Wakeup::Look(confirmations)
        })
    }
}

impl Drop for Wakeups {
    fn drop(&mut self) {
        self.reconnect();
    }
}

/// Asks the host that takes writes for notifications.
async fn listen(connector: &Connector, channel: &str) -> Option<PgListener> {
    let asked = async {
        let pool =
            PgPoolOptions::new().max_connections(1).connect_lazy_with(connector.current_host().clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(channel).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    match timeout(TO_LISTEN, asked).await {
        Ok(Ok(listener)) => Some(listener),
        Ok(Err(error)) => {
            tracing::debug!(%error, "cannot listen to the database; the log is looked at more often");
            None
        }
        Err(_) => None,
    }
}

/// Waits for a notification of another server; answers whether the connection was lost.
async fn notified(listener: &mut Option<PgListener>, own: &str) -> bool {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) if notification.payload() == own => {}
            Ok(Some(_)) => {
                // One look is enough for all that have come.
                while listener.next_buffered().is_some() {}
                return false;
            }
            Ok(None) | Err(_) => return true,
        }
    }
}
