//! koor-dashboard
