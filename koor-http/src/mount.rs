//! Other services under a path of this server.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};
use koor_core::Caller;

use crate::body::MountBody;

/// What a mounted service answers.
#[derive(Debug)]
pub struct MountAnswer {
    /// The answer as the client gets it.
    pub response: Response<MountBody>,
    /// The caller for which the request counts as a call; with `None`, only its bytes are counted.
    pub called_by: Option<Caller>,
}

/// The answer of a mounted service, which may take its time.
pub type MountFuture = Pin<Box<dyn Future<Output = MountAnswer> + Send>>;

type Call = dyn Fn(Request<Full<Bytes>>) -> MountFuture + Send + Sync;

/// A service and where it is mounted.
#[derive(Clone)]
pub(crate) struct Mount {
    path: String,
    call: Arc<Call>,
}

impl Mount {
    pub(crate) fn new(
        path: &str,
        call: impl Fn(Request<Full<Bytes>>) -> MountFuture + Send + Sync + 'static,
    ) -> Self {
        Self { path: path.to_owned(), call: Arc::new(call) }
    }

    /// Whether the path is this mount's, or one below it.
    pub(crate) fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(crate) fn call(&self, request: Request<Full<Bytes>>) -> MountFuture {
        (self.call)(request)
    }
}
