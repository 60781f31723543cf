//! How long a refusal takes says nothing of the token.

use std::time::{Duration, Instant};

use integration_tests::{Site, Start};

use crate::random::{Random, number, seed};

/// The server's token.
const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqr";

/// Whether two sets of times could have been drawn from one: by the ranks of their values (Mann–Whitney), as a z-score.
fn difference(a: &[Duration], b: &[Duration]) -> f64 {
    let mut all: Vec<_> =
        a.iter().map(|time| (time, true)).chain(b.iter().map(|time| (time, false))).collect();
    all.sort_unstable_by_key(|(time, _)| **time);
    let ranks: usize = all.iter().enumerate().filter(|(_, (_, is_a))| *is_a).map(|(rank, _)| rank + 1).sum();
    let (n, m) = (as_f64(a.len()), as_f64(b.len()));
    let mean = n * (n + m + 1.0) / 2.0;
    let deviation = (n * m * (n + m + 1.0) / 12.0).sqrt();
    (as_f64(ranks) - mean) / deviation
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// Beyond this, chance is no excuse: it happens once in a million.
const SURE: f64 = 5.0;

#[test]
fn the_statistic_finds_a_comparison_that_stops_at_the_first_difference() {
    // Not by a server: by a comparison that takes its time for each byte that fits.
    let compare = |shown: &str| {
        let begun = Instant::now();
        for (own, theirs) in TOKEN.bytes().zip(shown.bytes()) {
            if own != theirs {
                break;
            }
            let until = Instant::now() + Duration::from_micros(1);
            while Instant::now() < until {}
        }
        begun.elapsed()
    };
    let (none, most) = ("X".repeat(64), TOKEN[..63].to_owned() + "X");
    let times = |shown: &str| (0..300).map(|_| compare(shown)).collect::<Vec<_>>();
    let found = difference(&times(&most), &times(&none));
    eprintln!(
        "trust: timing: a comparison that stops early, at a microsecond for each byte, is found (z = {found:.1})"
    );
    assert!(found > SURE, "{found}");
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn a_wrong_token_is_refused_as_fast_whatever_of_it_is_right() {
    let server =
        Start::default().args(["--log-level", "error"]).env("KOOR_AUTH_TOKEN", TOKEN).start().unwrap();
    let guesses = [
        "X".repeat(64),
        TOKEN[..32].to_owned() + &"X".repeat(32),
        TOKEN[..63].to_owned() + "X",
        TOKEN[..63].to_owned(),
        TOKEN.to_owned() + "X",
    ];
    let sites: Vec<Site> = guesses.iter().map(|guess| server.site().token(guess)).collect();
    eprintln!("trust: timing: seed {}", seed());
    let rounds = number("TRUST_GUESSES", 2000);
    let mut times = vec![Vec::new(); guesses.len()];
    let mut random = Random::new(77);
    for _ in 0..rounds {
        // In no order that anything else could keep step with.
        for _ in 0..guesses.len() {
            let guess = usize::try_from(random.below(guesses.len() as u64)).unwrap();
            let begun = Instant::now();
            let refused = sites[guess].get("/api/state/k");
            times[guess].push(begun.elapsed());
            assert_eq!(refused.status, 401);
        }
    }
    let differences: Vec<f64> = times[1..].iter().map(|other| difference(other, &times[0])).collect();
    let worst = differences.iter().map(|z| z.abs()).fold(0.0, f64::max);
    eprintln!(
        "trust: timing: {} wrong tokens: what is right of them shows in no time (z at most {worst:.1}, told from {SURE} on)",
        times.iter().map(Vec::len).sum::<usize>()
    );
    assert!(worst < SURE, "{differences:?}");
}
