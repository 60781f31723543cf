//! The server as a hook asks it: within a deadline, and with "could not be asked" as an answer of its own.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    client::{Answer, Client, Request},
    exit::Failure,
    settings::client::ClientSettings,
};

/// When a hook gives up.
pub(super) const DEADLINE: Duration = Duration::from_millis(500);

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server refuses: its status and what it says.
    Refused(u16, Value),
    /// The server could not be asked: why.
    Away(String),
}

impl Trouble {
    /// Why, in a few words.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Refused(_, said) => said["error"].as_str().unwrap_or("the server refuses").to_owned(),
            Self::Away(why) => why.clone(),
        }
    }
}

/// A server, asked by one agent until a deadline.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    until: Instant,
    /// Whether it has answered.
    heard: Cell<bool>,
}

impl Server {
    /// The server in the settings, asked until then.
    pub(super) fn new(settings: &ClientSettings, until: Instant) -> Self {
        Self { client: Client::silent(settings), until, heard: Cell::new(false) }
    }

    /// The same server and deadline, asked with other settings.
    pub(super) fn for_settings(&self, settings: &ClientSettings) -> Self {
        Self { client: Client::silent(settings), until: self.until, heard: self.heard.clone() }
    }

    /// The same server, asked until then.
    pub(super) fn until(&self, settings: &ClientSettings, until: Instant) -> Self {
        Self { until, ..self.for_settings(settings) }
    }

    /// Whether it has answered a question of the agent.
    pub(super) fn was_heard(&self) -> bool {
        self.heard.get()
    }

    /// Its URL.
    pub(super) fn url(&self) -> &str {
        self.client.server()
    }

    /// Asks.
    ///
    /// # Errors
    /// When it refuses, or there is no answer in time.
    pub(super) fn ask<'a>(
        &'a self,
        request: impl FnOnce(&'a Client) -> Result<Request<'a>, Failure>,
    ) -> Result<Answer, Trouble> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::Away(format!("{} did not answer in time", self.url())));
        }
        let asked = request(&self.client).and_then(|request| request.within(left).send());
        self.heard.set(self.heard.get() || asked.is_ok());
        asked.map_err(|failure| match (failure.status(), failure.answer()) {
            (Some(status), Some(body)) if (400..500).contains(&status) => {
                Trouble::Refused(status, serde_json::from_slice(body).unwrap_or_default())
            }
            _ => {
                let text = failure.text();
                // What follows is for a person who types commands.
                Trouble::Away(text.split(". Start a server").next().unwrap_or_default().to_owned())
            }
        })
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// As [`Server::ask`], and when it is not JSON.
    pub(super) fn ask_json<'a>(
        &'a self,
        request: impl FnOnce(&'a Client) -> Result<Request<'a>, Failure>,
    ) -> Result<Value, Trouble> {
        self.ask(request)?.json().map_err(|failure| Trouble::Away(failure.text()))
    }
}
