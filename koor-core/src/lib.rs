//! Koor's core: the domain, the ports it needs, and the use cases that everything else calls.
//!
//! No HTTP, no SQL, no command line in here: those are adapters, and they know the core, never the reverse.

pub mod clock;
pub mod diff;
pub mod domain;
pub mod error;
pub mod ids;
pub mod page;
pub mod pattern;
pub mod ports;
pub mod signature;
