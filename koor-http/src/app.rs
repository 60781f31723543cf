//! What every request needs, and the way of a request from its head to its answer.

use std::{net::SocketAddr, sync::Arc};

use hyper::{Request, Response, body::Incoming};
use koor_core::Koor;

use crate::{assets::Assets, body::Body, mount::Mount, server::Place, settings::HttpSettings, socket::Turn};

/// Where a request came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) is_api: bool,
}

/// What every request needs.
pub(crate) struct App {
    pub(crate) koor: Koor,
    pub(crate) settings: HttpSettings,
    pub(crate) assets: Assets,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) doors: Vec<Door>,
}

impl App {
    pub(crate) fn new(
        koor: Koor,
        settings: HttpSettings,
        assets: Assets,
        mounts: Vec<Mount>,
        doors: Vec<Door>,
    ) -> Self {
        Self { koor, settings, assets, mounts, doors }
    }

    pub(crate) async fn answer(
        &self,
        _request: Request<Incoming>,
        _door: Door,
        _place: Arc<Place>,
        turn: Turn,
    ) -> Response<Body> {
        turn.to_server();
        let body = br#"{"error":"not found","code":404}"#;
        let mut response = Response::new(Body::Full(body.as_slice().into()));
        *response.status_mut() = hyper::StatusCode::NOT_FOUND;
        turn.to_client();
        response
    }
}
