//! koor-http
