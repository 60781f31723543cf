//! Which servers there are, and which of them does the background work: the one whose row in `leader` has not run out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use koor_core::ports::StoreResult;
use tokio::sync::watch;

use crate::{conn::Conn, statement::Statement};

/// Takes the row if it has run out, and renews it if it is this server's own. It holds for 15 s by the clock of the database.
const TAKE: &str = "INSERT INTO leader (server, term, until) \
    VALUES ($1, 1, clock_timestamp() + interval '15 seconds') ON CONFLICT (one) DO UPDATE SET \
    server = excluded.server, term = leader.term + (leader.server <> excluded.server)::integer, until = excluded.until \
    WHERE leader.server = excluded.server OR leader.until < clock_timestamp() RETURNING term";
const RESIGN: &str = "UPDATE leader SET until = '-infinity' WHERE server = $1";

/// Says that this server is there; answers how many are.
const SHOW_UP: &str = "WITH own AS (INSERT INTO server (id, until) \
    VALUES ($1, clock_timestamp() + interval '15 seconds') ON CONFLICT (id) DO UPDATE SET until = excluded.until), \
    gone AS (DELETE FROM server WHERE until < clock_timestamp() AND id <> $1) \
    SELECT 1 + count(*) AS servers FROM server WHERE until >= clock_timestamp() AND id <> $1";
const LEAVE: &str = "DELETE FROM server WHERE id = $1";

/// How often the row is renewed, or looked at.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// Without renewal for so long, this server no longer leads by its own judgement. The row runs out later than that plus the time
/// that one look at the database can take.
const GIVE_UP_AFTER: Duration = Duration::from_secs(8);

/// Whether this server leads.
pub(crate) struct Leader {
    server: [u8; 16],
    leads: watch::Sender<bool>,
    servers: Arc<AtomicU64>,
    /// When the row was asked for the last time that it was this server's.
    renewed: Option<Instant>,
    looked: Option<Instant>,
}

impl Leader {
    pub(crate) fn new(server: [u8; 16], leads: watch::Sender<bool>, servers: Arc<AtomicU64>) -> Self {
        Self { server, leads, servers, renewed: None, looked: None }
    }

    /// Looks at the row, if it is time to.
    pub(crate) fn tend(&mut self, conn: &mut Conn) {
        let now = Instant::now();
        if self.looked.is_none_or(|looked| now.duration_since(looked) >= RENEW_EVERY) {
            self.looked = Some(now);
            self.show_up(conn);
            match self.take(conn) {
                Ok(true) => self.renewed = Some(now),
                Ok(false) => self.renewed = None,
                Err(error) => tracing::debug!(%error, "cannot renew the leadership"),
            }
        }
        let leads = self.renewed.is_some_and(|renewed| renewed.elapsed() < GIVE_UP_AFTER);
        self.leads.send_if_modified(|led| {
            let changed = *led != leads;
            if changed && leads {
                tracing::info!("this server does the background work from now on");
            } else if changed {
                tracing::info!("this server no longer does the background work");
            }
            *led = leads;
            changed
        });
    }

    fn show_up(&self, conn: &mut Conn) {
        let statement =
            Statement::new("show that this server is there", SHOW_UP).bind(self.server.as_slice());
        match conn.row(statement, "server", |row| row.count("servers")) {
            Ok(servers) => self.servers.store(servers.unwrap_or(1), Relaxed),
            Err(error) => tracing::debug!(%error, "cannot find out how many servers there are"),
        }
        conn.begin_anew();
    }

    fn take(&self, conn: &mut Conn) -> StoreResult<bool> {
        let statement = Statement::new("take the leadership", TAKE).bind(self.server.as_slice());
        Ok(conn.row(statement, "leader", |row| row.get::<i64>("term"))?.is_some())
    }

    /// Leaves the background work to another server at once.
    pub(crate) fn resign(self, conn: &mut Conn) {
        self.leads.send_replace(false);
        let left = conn.execute(Statement::new("leave", LEAVE).bind(self.server.as_slice()));
        if let Err(error) = left {
            tracing::debug!(%error, "cannot leave; the row of this server runs out");
        }
        conn.begin_anew();
        if self.renewed.is_some() {
            let resigned = conn.execute(Statement::new("resign", RESIGN).bind(self.server.as_slice()));
            if let Err(error) = resigned {
                tracing::debug!(%error, "cannot resign; another server takes over when the row has run out");
            }
        }
    }
}
