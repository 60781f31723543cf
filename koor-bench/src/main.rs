//! Measures the real server beside real peers, in one run.
//!
//! `koor-bench full [part…]` measures everything, or these parts; without parts it writes what it found into
//! `docs/performance.md` and `docs/images`. `koor-bench short [part…]` takes a few minutes, and fails if something is
//! slower than two thirds of what is asked for, twice. `koor-bench instructions` counts the instructions of a request.
//! `koor-bench versions <old> <new>` compares two builds of the server.
//! `KOOR_BENCHED` is the binary under test, else `koor` beside this one.
//!
//! Peers are processes of their own, on loopback, with their data in one temporary directory. What is compared takes
//! turns, round by round, and a ratio is the median of the ratios within each round: what disturbs one side of it mostly
//! disturbs the other. Throughput is measured by a closed loop; latency at a fixed rate, from when a request was due and
//! not from when it was sent, so that a stall counts for everybody it kept waiting.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement that cannot go on ends, and says what stood in its way"
)]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times of a measurement fit, and its figures are rounded anyway"
)]

mod depth;
mod instructions;
mod load;
mod paced;
mod parts;
mod peers;
mod process;
mod report;
mod servers;
mod stats;
mod svg;
mod wire;

use std::{env, path::Path, process::ExitCode};

use depth::Depth;
use parts::Ground;
use report::Report;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["serve", kind, rest @ ..] => servers::serve(kind, rest),
        ["instructions"] => instructions::check(false),
        ["instructions", "write"] => instructions::check(true),
        ["versions", old, new] => {
            let programs = [old, new].map(|program| Path::new(program).canonicalize());
            let [Ok(old), Ok(new)] = programs else {
                eprintln!("koor-bench: cannot find {old} or {new}");
                return ExitCode::from(2);
            };
            let mut report = Report::new(Depth::Full);
            parts::versions::measure(&Ground::new(Depth::Full), &old, &new, &mut report);
            ExitCode::SUCCESS
        }
        ["full", parts @ ..] => measure(Depth::Full, parts),
        ["short", parts @ ..] => measure(Depth::Short, parts),
        _ => {
            eprintln!(
                "usage: koor-bench full|short [part…] | instructions [write] | versions <old> <new>\nparts: {}",
                parts::ALL.map(|(name, _)| name).join(" ")
            );
            ExitCode::from(2)
        }
    }
}

fn measure(depth: Depth, wanted: &[&str]) -> ExitCode {
    if let Some(unknown) = wanted.iter().find(|name| !parts::ALL.iter().any(|(part, _)| part == *name)) {
        eprintln!("koor-bench: there is no part {unknown:?}");
        return ExitCode::from(2);
    }
    let mut report = Report::new(depth);
    let everything = |name: &str| depth == Depth::Full || !parts::LONG.contains(&name);
    for (name, part) in parts::ALL {
        if wanted.contains(&name) || (wanted.is_empty() && everything(name)) {
            eprintln!("== {name}");
            let measure = || {
                let mut found = Report::new(depth);
                part(&Ground::new(depth), &mut found);
                found
            };
            let mut found = measure();
            // Whatever the machine did meanwhile, it seldom does twice: what is really slower is slower again.
            if depth == Depth::Short && found.has_fallen() {
                eprintln!("== {name}, again");
                found = measure();
            }
            report.add(found);
        }
    }
    report.finish(wanted.is_empty())
}
