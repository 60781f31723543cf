//! Whether a server answers, and what it asks for.

use std::time::Duration;

use crate::{client::Client, settings::client::ClientSettings};

/// Longer than a running server needs, and short enough to wait for.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is known of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// It answers everybody.
    Open,
    /// It answers this token, which may do everything.
    Accepts,
    /// It answers this token, which is only an agent's: no one else can register with it.
    OnlyAnAgent,
    /// It asks for a token, and for another one if one was shown.
    NeedsToken,
    /// It does not answer, or not as Koor does.
    Silent,
}

impl Probe {
    /// What should be said about it before anything is written.
    pub(crate) fn warning(self, server: &str) -> Option<String> {
        match self {
            Self::Silent => Some(format!("no Koor server answers at {server}")),
            Self::Open | Self::Accepts | Self::OnlyAnAgent | Self::NeedsToken => None,
        }
    }
}

/// Asks a server.
pub(crate) fn probe(server: &str, token: Option<&str>) -> Probe {
    let status = |token: Option<&str>, path: &str| {
        let client = Client::new(&ClientSettings::of(server, token));
        client.get(path).patience(PATIENCE).send().map(|answer| answer.status())
    };
    // Only an administrator may see webhooks.
    let open = status(None, "/api/webhooks");
    match (open, token) {
        (Ok(_), _) => Probe::Open,
        (Err(refusal), _) if refusal.status().is_none() => Probe::Silent,
        (Err(_), None) => Probe::NeedsToken,
        (Err(_), Some(token)) => match status(Some(token), "/api/webhooks") {
            Ok(_) => Probe::Accepts,
            Err(_) => match status(Some(token), "/api/instances/stale") {
                Ok(_) => Probe::OnlyAnAgent,
                Err(_) => Probe::NeedsToken,
            },
        },
    }
}
