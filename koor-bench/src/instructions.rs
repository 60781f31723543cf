//! Instructions that the server takes for a GET and for a PUT, counted by callgrind: they do not move with what else the
//! machine does. Held against what is written down in `koor-bench/instructions.txt`, with room for a tenth more.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    paced::call,
    peers::koor_binary,
    process::Process,
    wire::{Exchange as _, Http, Status, request},
};

/// How much more than what is written down is let pass.
const ROOM: f64 = 1.1;

/// Requests before those that are counted, and those that are.
const FEW: u64 = 200;
const MORE: u64 = 1000;

/// The methods whose requests are counted.
const COUNTED: [&str; 2] = ["GET", "PUT"];

fn written_down() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

/// Counts; fails if it is more than a tenth above what is written down. With `write`, writes it down instead.
pub(crate) fn check(write: bool) -> ExitCode {
    let known = fs::read_to_string(written_down()).unwrap_or_default();
    let mut lines = String::new();
    let mut fine = true;
    for what in COUNTED {
        // What it takes to start and to end is in both.
        let counted = (total(what, FEW + MORE) - total(what, FEW)) / MORE;
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{what} {counted}");
        let before: Option<u64> = known.lines().find_map(|line| line.strip_prefix(what)?.trim().parse().ok());
        match before {
            Some(before) => {
                let ratio = counted as f64 / before as f64;
                println!("{what}: {counted} instructions, {ratio:.3} of the {before} written down");
                fine &= ratio <= ROOM;
            }
            None => println!("{what}: {counted} instructions, and nothing written down"),
        }
    }
    if write {
        fs::write(written_down(), lines).unwrap();
        return ExitCode::SUCCESS;
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All the instructions of a server from start to end that is asked so often.
fn total(what: &str, requests: u64) -> u64 {
    let directory = TempDir::new().unwrap();
    let koor = koor_binary().display().to_string();
    let args = [
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        &koor,
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--dashboard-bind",
        "",
    ];
    let mut process =
        Process::start(directory.path(), Path::new("valgrind"), &args).expect("valgrind is needed");
    let place = process.address_after("listening api=http://");
    ask(place, what, requests);
    process.stop();
    let told = fs::read_to_string(directory.path().join("output")).unwrap();
    let collected = told.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind says so");
    collected.1.trim().parse().unwrap()
}

fn ask(place: SocketAddr, what: &str, requests: u64) {
    let mut stream = TcpStream::connect(place).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let value = format!("{{\"filler\":\"{}\"}}", "x".repeat(1011)).into_bytes();
    let (mut out, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    let mut send = |method: &str| {
        let body: &[u8] = if method == "PUT" { &value } else { b"" };
        let mut exchange = Http {
            next: |out: &mut Vec<u8>| request(out, method, "/api/state/bench/value", body),
            check: |answer: Status<'_>| assert_eq!(answer.code, 200, "{method}"),
        };
        out.clear();
        exchange.ask(&mut out);
        stream.write_all(&out).unwrap();
        call(&mut stream, &mut exchange, &mut buffer);
    };
    send("PUT");
    for _ in 0..requests {
        send(what);
    }
}
