//! A request on its way through a route.

use std::{borrow::Cow, str::FromStr, sync::Arc};

use bytes::Bytes;
use hyper::{Method, body::Incoming, http::request::Parts};
use koor_core::{Caller, Koor};
use serde::de::DeserializeOwned;

use crate::{
    context::ConnectionContext,
    error::Failure,
    json_body::{self, Object},
    params::Params,
    query::{Query, decode},
    request_body::{BodyPermit, read_all},
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

    /// The body as a JSON object, whatever its content type says.
    pub(crate) async fn object<T: DeserializeOwned + Send + 'static>(&mut self) -> Result<T, Failure> {
        self.read(json_body::read::<Object<T>>).await.map(|Object(value)| value)
    }

    /// The same, where the body may be missing.
    pub(crate) async fn object_or_default<T: DeserializeOwned + Default + Send + 'static>(
        &mut self,
    ) -> Result<T, Failure> {
        let read = |bytes: &[u8]| {
            if bytes.trim_ascii().is_empty() {
                return Ok(T::default());
            }
            json_body::read::<Object<T>>(bytes).map(|Object(value)| value)
        };
        self.read(read).await
    }

    /// The body as a JSON object or an array of objects; says whether it is an array.
    pub(crate) async fn object_or_objects<T: DeserializeOwned + Send + 'static>(
        &mut self,
    ) -> Result<(Vec<T>, bool), Failure> {
        let read = |bytes: &[u8]| {
            if bytes.trim_ascii_start().starts_with(b"[") {
                let objects = json_body::read::<Vec<Object<T>>>(bytes)?;
                return Ok((objects.into_iter().map(|Object(value)| value).collect(), true));
            }
            json_body::read::<Object<T>>(bytes).map(|Object(value)| (vec![value], false))
        };
        self.read(read).await
    }

    /// The body as a JSON object whose large part is kept as it was sent.
    pub(crate) async fn object_kept<T: DeserializeOwned + Send + 'static>(&mut self) -> Result<T, Failure> {
        self.read(json_body::read_any::<Object<T>>).await.map(|Object(value)| value)
    }

    /// The body as a JSON array of objects, likewise.
    pub(crate) async fn objects<T: DeserializeOwned + Send + 'static>(&mut self) -> Result<Vec<T>, Failure> {
        let objects = self.read(json_body::read::<Vec<Object<T>>>).await?;
        Ok(objects.into_iter().map(|Object(value)| value).collect())
    }

    /// Reads the body; a large one on a blocking thread.
    async fn read<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(&[u8]) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let bytes = self.bytes().await?;
        if bytes.len() > HEAVY { off_thread(move || read(&bytes)).await } else { read(&bytes) }
    }
}
