//! Tasks: durable claims, and whole cycles of create, claim and done, beside the queues that people build instead; what a claim
//! costs when there are many tasks; a check of paths against many leases.

mod grown;
mod koor;
mod peers;

use std::net::SocketAddr;

use self::{
    koor::Agents,
    peers::{Rival, beanstalkd, postgres, redis},
};
use super::{Found, Ground, Lanes};
use crate::{
    depth::Depth,
    load,
    report::{Report, Target},
};

/// So many agents and connections there are at most.
const MOST: usize = 256;

/// What takes turns for each number of workers.
#[derive(Clone, Copy)]
enum What {
    Claims,
    Cycles,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Cycles => "create, claim, done",
        }
    }
}

pub(super) fn measure(ground: &Ground, report: &mut Report) {
    throughput(ground, report);
    grown::measure(ground, report);
}

fn throughput(ground: &Ground, report: &mut Report) {
    let span = ground.depth.span();
    let koor = crate::peers::koor(&ground.directory("tasks-koor"), &[]);
    let agents = Agents::register(koor.place, MOST);
    let rivals: Vec<Rival> = [postgres(ground), redis(ground), beanstalkd(ground)]
        .into_iter()
        .filter_map(|rival| match rival {
            Ok(rival) => Some(rival),
            Err(name) => {
                report.missing(name);
                None
            }
        })
        .collect();
    let full = ground.depth == Depth::Full;
    let counts: &[usize] = if full { &[1, 16, 64, 256] } else { &[1, 64] };
    let mut lanes = Lanes::default();
    for &count in counts {
        for what in [What::Claims, What::Cycles] {
            let agents = &agents;
            lanes.add(format!("koor, {}, {count}", what.name()), move || match what {
                What::Claims => agents.claims(count, span),
                What::Cycles => agents.cycles(count, span),
            });
            for rival in &rivals {
                let name = format!("{}, {}, {count}", rival.name, what.name());
                match (what, rival.claims) {
                    (What::Claims, Some(claims)) => lanes.add(name, move || {
                        (rival.fill)(rival.place());
                        claims(rival.place(), count, span)
                    }),
                    (What::Claims, None) => {}
                    (What::Cycles, _) => {
                        lanes.add(name, move || (rival.cycles)(rival.place(), count, span) / 3.0);
                    }
                }
            }
        }
    }
    let found = lanes.run(ground.depth.rounds());
    let head = ["what, over so many connections", "median", "least", "most"];
    report.table("Tasks, durable, a second", &head, &found.rows());
    targets(report, &found, &rivals);
}

fn targets(report: &mut Report, found: &Found, rivals: &[Rival]) {
    for what in [What::Claims, What::Cycles] {
        for rival in rivals {
            let Some(target) = rival.target else { continue };
            let (ours, theirs) =
                (format!("koor, {}, 64", what.name()), format!("{}, {}, 64", rival.name, what.name()));
            if let Some(ratio) = found.ratio(&ours, &theirs) {
                let shown = format!("tasks: {}, 64 workers", what.name());
                report.target(&shown, rival.name, ratio, "×", Target::AtLeast(target));
            }
        }
    }
}

/// A rate of so many connections at a place.
type Rate = fn(SocketAddr, usize, std::time::Duration) -> f64;

/// Answers a second to what `exchange` asks.
fn rate<E: crate::wire::Exchange + Send + 'static>(
    place: SocketAddr,
    count: usize,
    span: std::time::Duration,
    exchange: fn(usize) -> E,
) -> f64 {
    load::rate(place, count, span, exchange)
}
