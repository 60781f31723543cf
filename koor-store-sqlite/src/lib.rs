//! koor-store-sqlite
