//! A request on its way through a route.

use std::{borrow::Cow, str::FromStr, sync::Arc};

use bytes::Bytes;
use hyper::{Method, body::Incoming, http::request::Parts};
use koor_core::{Caller, Koor};

use crate::{
    context::ConnectionContext,
    error::Failure,
    gzip::{unpack, unpacked_size},
    params::Params,
    query::{Query, decode},
    request_body::{BodyPermit, drop_body, read_all},
    response::{HEAVY, off_thread},
    shared::Shared,
};

/// A request that has been routed, with its caller.
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) head: Parts,
    pub(crate) body: Incoming,
    pub(crate) params: Params,
    pub(crate) context: Arc<ConnectionContext>,
    /// Whether this is counted as a call.
    pub(crate) counted: bool,
    /// The share of the body budget, held until the call is answered.
    pub(crate) permit: BodyPermit,
}

impl Call {
    pub(crate) fn shared(&self) -> &Shared {
        &self.context.shared
    }

    pub(crate) fn koor(&self) -> &Koor {
        &self.context.shared.koor
    }

    pub(crate) fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    /// Completes when a long poll should end early: at once for HEAD, which asks for the current headers and not for
    /// news, and when the client has closed its side, because a connection must not be held for a client that is gone.
    pub(crate) async fn no_use_in_waiting(&self) {
        if !self.is_head() {
            self.context.turn.client_has_ended().await;
        }
    }

    pub(crate) fn query(&self) -> Query<'_> {
        Query(self.head.uri.query().unwrap_or_default())
    }

    /// The path parameter of that number, decoded.
    pub(crate) fn param(&self, number: usize) -> Result<Cow<'_, str>, Failure> {
        let raw = self.params.get(number, self.head.uri.path());
        decode(raw, false).ok_or_else(|| Failure::invalid("invalid path: it is not UTF-8"))
    }

    /// As [`param`](Self::param), as a checked name.
    pub(crate) fn name<T: FromStr<Err: Into<Failure>>>(&self, number: usize) -> Result<T, Failure> {
        self.param(number)?.parse().map_err(Into::into)
    }

    /// The whole body.
    pub(crate) async fn bytes(&mut self) -> Result<Bytes, Failure> {
        let Shared { settings, body_budget, .. } = &*self.context.shared;
        let (limit, within) = (settings.max_body, settings.body_timeout);
        let (bytes, permit) =
            read_all(&self.head.headers, &mut self.body, limit, within, body_budget).await?;
        self.permit = permit;
        Ok(bytes)
    }

    /// The whole body, unpacked with gzip.
    pub(crate) async fn unpacked(&mut self) -> Result<Bytes, Failure> {
        let packed = self.bytes().await?;
        let context = Arc::clone(&self.context);
        let Shared { settings, body_budget, .. } = &*context.shared;
        let (limit, within) = (settings.max_body, settings.body_timeout);
        let counted = packed.clone();
        let size = off_thread(move || unpacked_size(&counted, limit)).await?;
        // What is held for the packed bytes goes back first: who holds a share must not wait for another.
        self.permit = None;
        self.permit = body_budget.share(size.saturating_add(packed.len() as u64), within).await?;
        off_thread(move || unpack(&packed, size)).await
    }

    /// Reads and drops a body that is not wanted.
    pub(crate) async fn drop_body(&mut self) {
        drop_body(&self.head.headers, &mut self.body).await;
    }

    /// The body as JSON, whatever its content type says; a large one is read on a blocking thread.
    pub(crate) async fn read_json<T: Send + 'static>(
        &mut self,
        read: fn(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let bytes = self.bytes().await?;
        if bytes.len() > HEAVY { off_thread(move || read(&bytes)).await } else { read(&bytes) }
    }
}
