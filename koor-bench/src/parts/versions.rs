//! Two builds of Koor beside each other: what a change costs, or gains.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    Ground, Lanes,
    writes::{conditional, get, publish, put},
};
use crate::{load, paced, peers, report::Report, stats::quantile};

const OLD: &str = "old";
const NEW: &str = "new";

/// What is asked of the new build, as a share of the old one.
const RATES: [&str; 7] = [
    "PUT, 1 connection",
    "PUT, 16 connections",
    "PUT, 64 connections",
    "PUT, 256 connections",
    "publish, 64 connections",
    "conditional PUTs on one key, 64 connections",
    "GET, 64 connections",
];

const TAIL: &str = "PUT at 2,000/s over 16 connections, p99 in µs";

/// Measures both in turns, and prints the median of the ratios within each round.
pub(crate) fn measure(ground: &Ground, old: &Path, new: &Path, report: &mut Report) {
    let span = ground.depth.span();
    let builds = [(OLD, old), (NEW, new)].map(|(name, program)| {
        (name, peers::koor_at(program, &ground.directory(&format!("versions-{name}")), &[]))
    });
    let mut lanes = Lanes::default();
    // Load by load, so that the two builds do the same right after one another.
    let all = RATES.into_iter().chain([TAIL]);
    for (what, (name, build)) in all.flat_map(|what| builds.iter().map(move |build| (what, build))) {
        let place = build.place;
        let version = Arc::new(AtomicU64::new(0));
        let rate: Box<dyn FnMut() -> f64> = match what {
            "PUT, 1 connection" => Box::new(move || load::rate(place, 1, span, |_| put())),
            "PUT, 16 connections" => Box::new(move || load::rate(place, 16, span, |_| put())),
            "PUT, 64 connections" => Box::new(move || load::rate(place, 64, span, |_| put())),
            "PUT, 256 connections" => Box::new(move || load::rate(place, 256, span, |_| put())),
            "publish, 64 connections" => Box::new(move || load::rate(place, 64, span, |_| publish())),
            "GET, 64 connections" => Box::new(move || load::rate(place, 64, span, |_| get())),
            TAIL => Box::new(move || {
                let found = paced::latencies(place, 16, 2000.0, span.max(Duration::from_secs(4)), |_| put());
                quantile(&found, 0.99) * 1000.0
            }),
            _ => Box::new(move || {
                // A round of its own begins at the version that the key has by now.
                version.store(0, Ordering::Relaxed);
                load::rate(place, 64, span, |_| conditional(Arc::clone(&version), Arc::default()))
            }),
        };
        lanes.add(format!("{what}: {name}"), rate);
    }
    let found = lanes.run(ground.depth.rounds());
    let rows: Vec<Vec<String>> = RATES
        .into_iter()
        .chain([TAIL])
        .filter_map(|what| {
            let (old, new) = (format!("{what}: {OLD}"), format!("{what}: {NEW}"));
            let figures = [found.median(&old)?, found.median(&new)?].map(|figure| format!("{figure:.0}"));
            let ratio = format!("{:.2}", found.ratio(&new, &old)?);
            Some([what.to_owned()].into_iter().chain(figures).chain([ratio]).collect())
        })
        .collect();
    report.table("Two builds in turns", &["what", "old", "new", "new / old"], &rows);
}
