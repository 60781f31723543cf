//! The OpenAPI document, built from the table of routes.
use bytes::Bytes;
pub(crate) fn text() -> Bytes {
    Bytes::from_static(b"{}")
}
