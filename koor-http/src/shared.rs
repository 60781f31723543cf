//! What all connections of a server share.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use hyper::StatusCode;
use koor_core::Koor;

use crate::{
    connections::Connections,
    error::Failure,
    log::{self, RequestIds},
    prometheus::{Meters, RouteLabel},
    request_body::BodyBudget,
    settings::HttpSettings,
};

/// A listener's address, and whether it is the API's or the dashboard's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) is_api: bool,
}

/// The addresses of the API and the dashboard, as `GET /api/metrics` shows them.
#[derive(Debug, Clone)]
pub(crate) struct Binds {
    pub(crate) api: String,
    pub(crate) dashboard: String,
}

impl Binds {
    /// The addresses as configured, or those of the listeners.
    pub(crate) fn new(settings: &HttpSettings, doors: &[Door]) -> Self {
        let bind = |configured: &str, is_api: bool| {
            if !configured.is_empty() {
                return configured.to_owned();
            }
            let doors = doors.iter().filter(|door| door.is_api == is_api);
            doors.map(|door| door.address.to_string()).collect::<Vec<_>>().join(",")
        };
        Self { api: bind(&settings.api_bind, true), dashboard: bind(&settings.dashboard_bind, false) }
    }
}

/// What all connections share. It is below the table of routes: what depends on that table is handed in.
pub(crate) struct Shared {
    pub(crate) koor: Koor,
    pub(crate) settings: HttpSettings,
    pub(crate) meters: Meters,
    pub(crate) body_budget: BodyBudget,
    pub(crate) connections: Connections,
    pub(crate) request_ids: RequestIds,
    pub(crate) binds: Binds,
    /// The `OpenAPI` document; the argument says whether callers must show a token.
    pub(crate) openapi: fn(bool) -> Bytes,
}

impl Shared {
    /// Answers a request whose head can't be read, so that nothing is known of it.
    pub(crate) fn refuse_unread(&self, status: StatusCode) -> Vec<u8> {
        let request_id = self.request_ids.next();
        self.meters.count(RouteLabel::Unmatched, status, Duration::ZERO);
        log::unread(status, &request_id);
        Failure::Unread(status).write(&request_id)
    }
}
