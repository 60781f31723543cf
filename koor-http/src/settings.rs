//! What can be set about how the server talks HTTP.

use std::time::Duration;

/// Settings of the HTTP server. The defaults are those of a server without configuration.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The largest body of an ordinary request, in bytes.
    pub max_body: u64,
    /// The largest backup that can be restored, in bytes.
    pub restore_limit: u64,
    /// Origins, beyond the server's own, whose pages may call it: `https://example.com`, as a browser writes them.
    pub allow_origins: Vec<String>,
    /// Names, beyond the loopback ones, under which a server on loopback may be called: a host, with or without a port.
    pub allow_hosts: Vec<String>,
    /// The limit of connections. Idle ones are closed for new ones, those without an identified caller first;
    /// while all are in use, more wait.
    pub max_connections: usize,
    /// How long a client may take to send a request's head.
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body; for a backup, how long it may pause.
    pub body_timeout: Duration,
    /// How long a connection may be silent between requests.
    pub idle_timeout: Duration,
    /// How long a client may not read at all while something is being sent to it.
    pub write_timeout: Duration,
    /// How long requests in flight may still take when the server stops.
    pub drain_timeout: Duration,
    /// How often a WebSocket is pinged.
    pub ping_every: Duration,
    /// After how much silence of a WebSocket's peer it is dropped.
    pub peer_timeout: Duration,
    /// How often a quiet stream of Server-Sent Events carries a comment.
    pub comment_every: Duration,
    /// The API's address as it was configured; shown by `GET /api/metrics`. Empty: where the listeners really are.
    pub api_bind: String,
    /// The dashboard's address as it was configured, likewise.
    pub dashboard_bind: String,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            max_body: 10 << 20,
            restore_limit: 1 << 30,
            allow_origins: Vec::new(),
            allow_hosts: Vec::new(),
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(5),
            ping_every: Duration::from_secs(20),
            peer_timeout: Duration::from_mins(1),
            comment_every: Duration::from_secs(15),
            api_bind: String::new(),
            dashboard_bind: String::new(),
        }
    }
}
