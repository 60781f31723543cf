//! Who may do what, what leaks where, and what holds when things go wrong: experiments on the real server.
//!
//! Those that are quick run with every test. The others are marked `#[ignore]`: `.ci/suites/trust` runs them, each with
//! a line at its end that says what it found, and `just torture` runs them long.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail as tests do"
)]

mod broken;
mod claims;
mod clock;
mod crash;
mod doors;
mod faults;
mod hostile;
mod injection;
mod linear;
mod outbound;
mod race;
mod random;
mod secrets;
mod timing;
mod work;
