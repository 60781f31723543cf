//! For tests: a clock that stands still, ids that can be foretold, stores that fail on purpose, and the suite that
//! every store must pass.
//!
//! An adapter runs the suite with [`contract_suite!`](crate::contract_suite), which makes a test of each promise:
//!
//! ```text
//! koor_core::contract_suite!(StoreFixture::of(MemoryStore::default()));
//! ```

#![expect(clippy::missing_panics_doc, reason = "only tests call this, and a panic is how a test fails")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code that adapters share"
)]

pub mod bare;
mod clock;
pub mod contract;
mod dump;
mod harness;
mod intercept;
mod model;

pub use clock::{FakeClock, FakeIds};
pub use contract::{CASES, Case, RESTART_CASES};
pub use dump::dump;
pub use harness::{Harness, StoreFixture};
pub use intercept::{Intercept, intercepted_store};
pub use model::run_random;
