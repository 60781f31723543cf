//! What was found: printed as it is found, and in the end written into the documentation.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{depth::Depth, svg::Plot};

const BEGIN: &str = "<!-- written by `just bench`: begin -->\n";
const END: &str = "<!-- written by `just bench`: end -->\n";

/// How much of what is asked for the short form insists on: the machine may be small and busy.
const INSISTED: f64 = 2.0 / 3.0;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// How much of it a value reaches: 1 and more is all of it.
    fn share(self, value: f64) -> f64 {
        match self {
            Self::AtLeast(target) => value / target,
            Self::AtMost(target) => target / value,
        }
    }
}

/// What was found so far.
pub(crate) struct Report {
    depth: Depth,
    targets: Vec<[String; 5]>,
    /// What fell under what is insisted on.
    fallen: Vec<String>,
    tables: String,
    plots: Vec<(&'static str, String)>,
    missing: Vec<String>,
    load_before: String,
}

impl Report {
    pub(crate) fn new(depth: Depth) -> Self {
        Self {
            depth,
            targets: Vec::new(),
            fallen: Vec::new(),
            tables: String::new(),
            plots: Vec::new(),
            missing: Vec::new(),
            load_before: load(),
        }
    }

    /// Something that was asked for, and what came of it. `unit` stands behind the value: `×`, `ms`, `MB`.
    pub(crate) fn target(&mut self, what: &str, against: &str, value: f64, unit: &str, target: Target) {
        self.target_below(what, against, value, unit, target, f64::INFINITY);
    }

    /// The same where a ceiling was measured too, which nothing built like this can pass: no more than two thirds of
    /// that is insisted on.
    pub(crate) fn target_below(
        &mut self,
        what: &str,
        against: &str,
        value: f64,
        unit: &str,
        target: Target,
        ceiling: f64,
    ) {
        let share = target.share(value);
        let insisted = match target {
            Target::AtLeast(target) => Target::AtLeast(target.min(ceiling)),
            Target::AtMost(target) => Target::AtMost(target),
        };
        let asked = match target {
            Target::AtLeast(target) => format!("≥ {target}{unit}"),
            Target::AtMost(target) => format!("≤ {target}{unit}"),
        };
        let holds = if share >= 1.0 { "yes" } else { "no" };
        let line =
            [what.to_owned(), against.to_owned(), format!("{value:.2}{unit}"), asked, holds.to_owned()];
        eprintln!("   {}", line.join(" | "));
        // A value that is no number has not been measured.
        if share.is_nan() || insisted.share(value) < INSISTED {
            self.fallen.push(format!("{what}, against {against}: {} instead of {}", line[2], line[3]));
        }
        self.targets.push(line);
    }

    /// Figures: a title, what stands above the columns, and the rows.
    pub(crate) fn table(&mut self, title: &str, head: &[&str], rows: &[Vec<String>]) {
        let mut table = format!("\n### {title}\n\n");
        write_table(&mut table, head, rows);
        eprintln!("{table}");
        self.tables.push_str(&table);
    }

    /// A plot, kept as `docs/images/bench-<name>.svg`.
    pub(crate) fn plot(&mut self, name: &'static str, plot: &Plot) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.tables, "\n![{}](images/bench-{name}.svg)", plot.title);
        self.plots.push((name, plot.draw()));
    }

    /// A peer that is not installed.
    pub(crate) fn missing(&mut self, peer: &str) {
        eprintln!("   missing: {peer}");
        if !self.missing.iter().any(|known| known == peer) {
            self.missing.push(peer.to_owned());
        }
    }

    /// Whether something fell under what is insisted on.
    pub(crate) fn has_fallen(&self) -> bool {
        !self.fallen.is_empty()
    }

    /// Takes in what another part found.
    pub(crate) fn add(&mut self, found: Self) {
        self.targets.extend(found.targets);
        self.fallen.extend(found.fallen);
        self.tables.push_str(&found.tables);
        self.plots.extend(found.plots);
        for peer in found.missing {
            if !self.missing.contains(&peer) {
                self.missing.push(peer);
            }
        }
    }

    /// Prints the targets; writes all of it down if it is all there is. Fails if the short form has reason to.
    pub(crate) fn finish(self, whole: bool) -> ExitCode {
        let mut text = format!(
            "Load before: {}; after: {}. Rounds: {}. Missing peers: {}.\n\n",
            self.load_before,
            load(),
            self.depth.rounds(),
            if self.missing.is_empty() { "none".to_owned() } else { self.missing.join(", ") }
        );
        let rows: Vec<Vec<String>> = self.targets.iter().map(|row| row.to_vec()).collect();
        write_table(&mut text, &["what", "against", "measured", "asked for", "holds"], &rows);
        println!("{text}");
        if self.depth == Depth::Full && whole {
            self.write_down(&text);
        }
        for fallen in &self.fallen {
            println!("under two thirds: {fallen}");
        }
        if self.depth == Depth::Short && !self.fallen.is_empty() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    fn write_down(&self, targets: &str) {
        let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let page = docs.join("performance.md");
        let old = fs::read_to_string(&page).unwrap();
        let (before, rest) = old.split_once(BEGIN).expect("the page has a place for it");
        let (_, after) = rest.split_once(END).expect("the place has an end");
        let new = format!("{before}{BEGIN}\n{}\n\n{targets}{}\n{END}{after}", conditions(), self.tables);
        fs::write(page, new).unwrap();
        for (name, drawing) in &self.plots {
            fs::write(docs.join(format!("images/bench-{name}.svg")), drawing).unwrap();
        }
    }
}

fn write_table(out: &mut String, head: &[&str], rows: &[Vec<String>]) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(2).collect::<Vec<_>>().join(", ")
}

/// On what it was measured.
fn conditions() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        model.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown").to_owned();
    let versions: Vec<String> = [
        ("redis-server", "--version"),
        ("etcd", "--version"),
        ("nats-server", "--version"),
        ("psql", "--version"),
        ("beanstalkd", "-v"),
        ("wrk", "--version"),
    ]
    .into_iter()
    .map(|(program, flag)| {
        let told = std::process::Command::new(program).arg(flag).output();
        let told = told.map(|told| String::from_utf8_lossy(&told.stdout).into_owned()).unwrap_or_default();
        let first = told.lines().next().unwrap_or("missing");
        let words: Vec<&str> =
            first.split_whitespace().take(4).filter(|word| !word.contains("sha")).collect();
        format!("{program}: {}", words.join(" "))
    })
    .collect();
    let kernel = fs::read_to_string(Path::new("/proc/sys/kernel/osrelease")).unwrap_or_default();
    format!("{cores} cores ({model}), Linux {}. {}.", kernel.trim(), versions.join("; "))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_target_says_how_much_of_it_was_reached() {
        assert_eq!(Target::AtLeast(2.0).share(1.0), 0.5);
        assert_eq!(Target::AtMost(2.0).share(1.0), 2.0);
    }
}
