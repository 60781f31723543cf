//! The store on a real `PostgreSQL`: `KOOR_TEST_POSTGRES` names the server, such as the one that `scripts/postgres-cluster` starts.
//!
//! Without it, one line says that nothing was tested. So this is a program of its own and not a list of `#[test]`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod claims;
mod contract;
mod database;
mod faults;
mod pooler;
mod runner;
mod several;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(server) = database::server() else {
        println!(
            "PostgreSQL is not tested: KOOR_TEST_POSTGRES names no server (scripts/postgres-cluster starts one)"
        );
        return ExitCode::SUCCESS;
    };
    let mut cases = contract::cases();
    cases.extend(several::cases());
    cases.extend(faults::cases());
    cases.extend(claims::cases());
    cases.extend(pooler::cases());
    runner::run(&server, cases)
}
