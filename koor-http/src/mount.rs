//! Services of others under a path of this server.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use http_body_util::{Full, combinators::UnsyncBoxBody};
use hyper::{Request, Response};
use koor_core::Caller;

use crate::body::BodyError;

/// The body of what a mounted service answers.
pub type MountBody = UnsyncBoxBody<Bytes, BodyError>;

/// What a mounted service gives back at once, and its answer later.
pub type MountFuture = Pin<Box<dyn Future<Output = Response<MountBody>> + Send>>;

/// Says, among the extensions of what a mounted service answers, that this is the answer to a call, and on whose behalf
/// it counts. Of any other answer, the bytes alone are counted.
#[derive(Debug, Clone)]
pub struct CalledBy(pub Caller);

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
