//! koor-http

pub mod outbound;
