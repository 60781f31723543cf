//! Counting calls, and the server in numbers.

mod commands;
mod queries;

pub use commands::ResetMetrics;
pub use queries::{CoordinationMetrics, RuntimeStats, ServerMetrics};
