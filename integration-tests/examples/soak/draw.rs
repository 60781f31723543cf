//! The plots of a soak, and what a page says of it.

use std::{fmt::Write as _, fs, path::Path};

use crate::{
    plot::{Axis, Panel, plot},
    record::{Kind, Record, Sample},
};

const MIB: f64 = 1024.0 * 1024.0;
const BEGIN: &str = "<!-- soak: written by scripts/soak -->";
const END: &str = "<!-- soak: end -->";

/// A line's name, and what of a sample it shows.
type Line = (&'static str, fn(&Sample) -> f64);

/// Draws what is in `directory` into `images`, and puts the figures into the section of `page` that is marked for them.
pub(crate) fn all(directory: &Path, images: &Path, page: &Path) {
    let record = Record::read(directory);
    let draw = |name: &str, says: &str, panels: &[Panel]| {
        fs::write(images.join(format!("soak-{name}.svg")), plot(says, panels)).unwrap();
    };
    let latency = |title: &str, of: fn(&Sample, usize) -> u64| {
        let lines = Kind::ALL.iter().enumerate().map(|(kind, name)| {
            (name.name().to_owned(), line(&record, |sample| of(sample, kind) as f64 / 1000.0))
        });
        Panel { title: title.to_owned(), unit: "ms", axis: Axis::Log, lines: lines.collect() }
    };
    let one = |title: &str, unit: &'static str, lines: &[Line]| Panel {
        title: title.to_owned(),
        unit,
        axis: Axis::FromZero,
        lines: lines.iter().map(|(name, of)| ((*name).to_owned(), line(&record, of))).collect(),
    };
    draw(
        "latency",
        "Latency over time: medians and 99th percentiles, with how busy the machine was",
        &[
            latency("Median latency", |sample, kind| sample.latency[kind].p50),
            latency("99th percentile", |sample, kind| sample.latency[kind].p99),
            one(
                "Busy",
                "%",
                &[
                    ("the machine, all cores", |sample| sample.machine),
                    ("the server, of one core", |sample| sample.server),
                ],
            ),
        ],
    );
    draw(
        "memory",
        "The server's memory and open files over time",
        &[
            one("Memory (RSS)", "MiB", &[("resident", |sample| sample.rss as f64 / MIB)]),
            one("Open file descriptors", "", &[("open", |sample| sample.files as f64)]),
        ],
    );
    draw(
        "disk",
        "The size of the database and of its log over time",
        &[
            one("Database", "MiB", &[("data.db", |sample| sample.database as f64 / MIB)]),
            one("Write-ahead log", "MiB", &[("data.db-wal", |sample| sample.wal as f64 / MIB)]),
        ],
    );
    let text = fs::read_to_string(page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has a place for the soak");
    let (_, after) = rest.split_once(END).expect("the place ends");
    fs::write(page, format!("{before}{BEGIN}\n\n{}\n{END}{after}", section(&record))).unwrap();
}

fn line(record: &Record, of: impl Fn(&Sample) -> f64) -> Vec<(f64, f64)> {
    record.samples.iter().map(|sample| (sample.at / 60.0, of(sample))).collect()
}

/// The middle one.
fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// What the page says.
fn section(record: &Record) -> String {
    let mut text = String::new();
    let asked: u64 = record.asked.iter().map(|(_, count)| count).sum();
    let writes =
        record.whole[Kind::Write as usize].count - record.refused + record.asked_of("MCP set_intent");
    writeln!(
        text,
        "{} minutes on {}: {} operations at {} a second from 24 connections, {} subscribers by WebSocket, {} cores. Every \
         operation was answered as it must be; {} events were seen by each subscriber, each once and in order; {} entries of \
         the audit log verify; SIGTERM ended it with exit code 0.\n",
        record.seconds / 60,
        record.day,
        thousands(asked),
        record.rate,
        record.subscribers,
        record.cores,
        thousands(record.events),
        thousands(record.audited),
    )
    .unwrap();
    text.push_str("| latency, ms | count | p50 | p99 | p99.9 | longest |\n|---|---:|---:|---:|---:|---:|\n");
    for (kind, latency) in Kind::ALL.iter().zip(record.whole) {
        let ms = |micros: u64| format!("{:.1}", micros as f64 / 1000.0);
        let (p50, p99, p999, max) = (ms(latency.p50), ms(latency.p99), ms(latency.p999), ms(latency.max));
        let count = thousands(latency.count);
        writeln!(text, "| {} | {count} | {p50} | {p99} | {p999} | {max} |", kind.name()).unwrap();
    }
    text.push_str(
        "\nIt counts from when an operation was due, not from when it was sent, so that waiting for the one before shows. The \
         load came from the same machine, and whatever else ran on it shows as \"busy\": read the latencies beside that, \
         of which the server's own share is the lower line, and \
         take absolute ones from [performance.md](performance.md). What an hour shows is whether something grows. Memory \
         counts the pages of the database that are mapped for reading; the system takes those back when it needs \
         them.\n\n",
    );
    let tenth = (record.samples.len() / 10).max(1);
    let (early, late) = (
        &record.samples[tenth.min(record.samples.len() - tenth)..][..tenth],
        &record.samples[record.samples.len() - tenth..],
    );
    text.push_str("| median of | the second tenth | the last tenth |\n|---|---:|---:|\n");
    let mut row = |name: &str, of: &dyn Fn(&Sample) -> f64, digits: usize| {
        let (early, late) = (median(early, of), median(late, of));
        writeln!(text, "| {name} | {early:.digits$} | {late:.digits$} |").unwrap();
    };
    row("p50 of reads, ms", &|sample| sample.latency[0].p50 as f64 / 1000.0, 2);
    row("p50 of writes, ms", &|sample| sample.latency[1].p50 as f64 / 1000.0, 2);
    row("p99 of reads, ms", &|sample| sample.latency[0].p99 as f64 / 1000.0, 1);
    row("p99 of writes, ms", &|sample| sample.latency[1].p99 as f64 / 1000.0, 1);
    row("memory, MiB", &|sample| sample.rss as f64 / MIB, 1);
    row("open file descriptors", &|sample| sample.files as f64, 0);
    row("write-ahead log, MiB", &|sample| sample.wal as f64 / MIB, 1);
    row("database, MiB", &|sample| sample.database as f64 / MIB, 0);
    let grown = record.samples.last().map_or(0, |last| last.database - record.samples[0].database);
    writeln!(
        text,
        "\nThe database grows, and is meant to: by {} bytes for each of {} writes. By default no version of a value is \
         forgotten (`--history-limit` says how many are kept), and no audit entry ever is; events are pruned from 1,000 of \
         clients and 10,000 of the server's own on. Values were 200 to 2,000 bytes long.\n",
        grown / writes.max(1),
        thousands(writes),
    )
    .unwrap();
    for (name, says) in [
        ("latency", "Latency over time: medians and 99th percentiles, with how busy the machine was"),
        ("memory", "The server's memory and open files over time"),
        ("disk", "The size of the database and of its log over time"),
    ] {
        writeln!(text, "![{says}](images/soak-{name}.svg)\n").unwrap();
    }
    text.trim_end().to_owned() + "\n"
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
