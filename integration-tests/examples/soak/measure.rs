//! What the system knows of the server and of itself (Linux).

use std::{fs, path::Path, time::Instant};

use crate::record::Sample;

/// Ticks of the system's clock in a second, as Linux has told programs for ever.
const TICKS: f64 = 100.0;

/// What must be remembered from one look to the next.
pub(crate) struct Watch {
    pid: u32,
    begun: Instant,
    looked: Instant,
    server: u64,
    machine: (u64, u64),
}

impl Watch {
    pub(crate) fn over(pid: u32, begun: Instant) -> Self {
        Self { pid, begun, looked: begun, server: used_by(pid), machine: used_by_all() }
    }

    /// How things stand now.
    pub(crate) fn look(&mut self, data: &Path) -> Sample {
        let (server, machine, now) = (used_by(self.pid), used_by_all(), Instant::now());
        let (busy, all) = (machine.0 - self.machine.0, machine.1 - self.machine.1);
        let seconds = now.duration_since(self.looked).as_secs_f64();
        let size = |name: &str| fs::metadata(data.join(name)).map_or(0, |file| file.len());
        let sample = Sample {
            at: now.duration_since(self.begun).as_secs_f64(),
            latency: Default::default(),
            rss: resident(self.pid),
            files: fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().count() as u64,
            database: size("data.db"),
            wal: size("data.db-wal"),
            server: share((server - self.server) as f64, TICKS * seconds),
            machine: share(busy as f64, all as f64),
        };
        (self.server, self.machine, self.looked) = (server, machine, now);
        sample
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 1000.0).round() / 10.0 } else { 0.0 }
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Ticks that a process has used.
fn used_by(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    // The 14th and 15th field of the line; this begins with the 3rd.
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// Ticks that all processes have used, and those that there were.
fn used_by_all() -> (u64, u64) {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let first = stat.lines().next().unwrap();
    let ticks: Vec<u64> =
        first.split_whitespace().skip(1).take(8).map(|ticks| ticks.parse().unwrap()).collect();
    let all: u64 = ticks.iter().sum();
    // Idle, and waiting for a disk.
    (all - ticks[3] - ticks[4], all)
}
