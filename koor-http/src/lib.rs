//! The REST data plane of Koor, on raw hyper.
//!
//! A [`Server`] answers on two kinds of listener: the API's, where agents call, and the dashboard's, which has the same
//! API beside the files that it is given as [`Assets`]. Other services, such as MCP, are mounted under a path and
//! share everything that comes before a route: limits, origins, identity, counting, the log.
//!
//! One static table names every route; the router, `Allow`, the `OpenAPI` document and [`endpoints`] all read it.

mod accept;
mod app;
mod assets;
mod auth;
mod body;
mod conditional;
mod connections;
mod context;
mod error;
mod failure_body;
mod gzip;
mod json_body;
mod log;
mod mount;
mod null_is_absent;
mod openapi;
mod origin;
mod otlp;
pub mod outbound;
mod params;
mod prometheus;
mod query;
mod query_value;
mod render;
mod request;
mod request_body;
mod response;
mod router;
mod routes;
mod server;
mod settings;
mod shape;
mod shared;
mod socket;
mod sse;
mod table;
mod ws;

pub use assets::{Asset, Assets};
pub use body::{BodyError, MountBody};
pub use mount::{MountAnswer, MountFuture};
pub use otlp::{Telemetry, TelemetryKind, Unreadable, read_json, read_protobuf};
pub use server::{Listeners, ServeError, Server};
pub use settings::HttpSettings;
pub use table::{Endpoint, endpoints};
