//! What a soak writes down, and reads again to draw it.

use std::{fs, path::Path};

use serde_json::{Value, json};

/// What is asked of the server, by what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    /// From when an event was to be published to when a subscriber had it.
    Delivery,
    Mcp,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Delivery, Self::Mcp];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
            Self::Delivery => "events delivered",
            Self::Mcp => "MCP calls",
        }
    }
}

/// How long things took, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

impl Latency {
    /// Of these.
    pub(crate) fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        let at = |per_mille: usize| {
            let index = (micros.len() * per_mille / 1000).min(micros.len().saturating_sub(1));
            micros.get(index).copied().unwrap_or(0)
        };
        Self { count: micros.len() as u64, p50: at(500), p99: at(990), p999: at(999), max: at(1000) }
    }

    fn json(self) -> Value {
        json!([self.count, self.p50, self.p99, self.p999, self.max])
    }

    fn read(value: &Value) -> Self {
        let at = |index: usize| value[index].as_u64().unwrap();
        Self { count: at(0), p50: at(1), p99: at(2), p999: at(3), max: at(4) }
    }
}

/// How things stood at a moment, and what had happened since the one before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Seconds since the beginning.
    pub(crate) at: f64,
    /// By [`Kind`], in the order of [`Kind::ALL`].
    pub(crate) latency: [Latency; 4],
    /// What the server holds in memory, in bytes.
    pub(crate) rss: u64,
    /// The server's open file descriptors.
    pub(crate) files: u64,
    /// The database, in bytes.
    pub(crate) database: u64,
    /// Its write-ahead log, in bytes.
    pub(crate) wal: u64,
    /// How much of one core the server used, in percent.
    pub(crate) server: f64,
    /// How busy the machine was, in percent of all cores.
    pub(crate) machine: f64,
}

/// A whole soak.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) seconds: u64,
    pub(crate) rate: u64,
    pub(crate) day: String,
    pub(crate) cores: u64,
    pub(crate) samples: Vec<Sample>,
    /// Over the whole time.
    pub(crate) whole: [Latency; 4],
    /// What was asked, by name, with how often.
    pub(crate) asked: Vec<(String, u64)>,
    /// Conditional writes that came too late.
    pub(crate) refused: u64,
    pub(crate) subscribers: u64,
    /// Events that each subscriber saw, each once.
    pub(crate) events: u64,
    /// Entries of the audit log that verify.
    pub(crate) audited: u64,
}

impl Record {
    /// How often that was asked.
    pub(crate) fn asked_of(&self, what: &str) -> u64 {
        self.asked.iter().find(|(name, _)| name == what).map_or(0, |(_, count)| *count)
    }

    pub(crate) fn write(&self, directory: &Path) {
        let four = |latency: &[Latency; 4]| latency.map(Latency::json);
        let samples: Vec<Value> = (self.samples.iter())
            .map(|sample| {
                json!({
                    "at": sample.at, "latency": four(&sample.latency), "rss": sample.rss, "files": sample.files,
                    "database": sample.database, "wal": sample.wal, "server": sample.server,
                    "machine": sample.machine,
                })
            })
            .collect();
        let record = json!({
            "seconds": self.seconds, "rate": self.rate, "day": self.day, "cores": self.cores,
            "whole": four(&self.whole), "asked": self.asked, "refused": self.refused,
            "subscribers": self.subscribers, "events": self.events, "audited": self.audited, "samples": samples,
        });
        fs::write(directory.join("soak.json"), record.to_string()).unwrap();
    }

    pub(crate) fn read(directory: &Path) -> Self {
        let text = fs::read_to_string(directory.join("soak.json")).expect("a soak that has run");
        let record: Value = serde_json::from_str(&text).unwrap();
        let four = |value: &Value| [0, 1, 2, 3].map(|kind| Latency::read(&value[kind]));
        let whole = |value: &Value| value.as_u64().unwrap();
        let part = |value: &Value| value.as_f64().unwrap();
        let samples = (record["samples"].as_array().unwrap().iter())
            .map(|sample| Sample {
                at: part(&sample["at"]),
                latency: four(&sample["latency"]),
                rss: whole(&sample["rss"]),
                files: whole(&sample["files"]),
                database: whole(&sample["database"]),
                wal: whole(&sample["wal"]),
                server: part(&sample["server"]),
                machine: part(&sample["machine"]),
            })
            .collect();
        let asked = (record["asked"].as_array().unwrap().iter())
            .map(|asked| (asked[0].as_str().unwrap().to_owned(), whole(&asked[1])))
            .collect();
        Self {
            seconds: whole(&record["seconds"]),
            rate: whole(&record["rate"]),
            day: record["day"].as_str().unwrap().to_owned(),
            cores: whole(&record["cores"]),
            samples,
            whole: four(&record["whole"]),
            asked,
            refused: whole(&record["refused"]),
            subscribers: whole(&record["subscribers"]),
            events: whole(&record["events"]),
            audited: whole(&record["audited"]),
        }
    }
}
