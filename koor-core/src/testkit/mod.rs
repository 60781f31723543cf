//! For tests: a clock that stands still, ids that can be foretold, stores that fail on purpose, and the suite that
//! every store must pass.

mod clock;

pub use clock::{FakeClock, FakeIds};
