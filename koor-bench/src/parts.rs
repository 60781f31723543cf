//! What is measured, part by part.

mod arrival;
mod fan_out;
mod footprint;
mod growth;
mod reads;
mod rules;
mod tasks;

pub(crate) mod versions;
mod writes;

use std::{
    env,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{depth::Depth, report::Report};

/// A part: measures, and says what it found.
type Part = fn(&Ground, &mut Report);

/// Every part by its name, in the order in which they are measured.
pub(crate) const ALL: [(&str, Part); 8] = [
    ("reads", reads::measure),
    ("writes", writes::measure),
    ("tasks", tasks::measure),
    ("fan-out", fan_out::measure),
    ("arrival", arrival::measure),
    ("rules", rules::measure),
    ("growth", growth::measure),
    ("footprint", footprint::measure),
];

/// The parts that a short run leaves out unless they are named: this one grows millions of tasks first.
pub(crate) const LONG: [&str; 1] = ["tasks"];

/// Where it is measured.
pub(crate) struct Ground {
    pub(crate) depth: Depth,
    directory: TempDir,
}

impl Ground {
    /// Beside this program: the system's temporary directory may be in memory, where nothing is durable.
    pub(crate) fn new(depth: Depth) -> Self {
        let here = env::current_exe().unwrap();
        let directory = TempDir::new_in(here.parent().unwrap_or(Path::new("."))).unwrap();
        Self { depth, directory }
    }

    /// A directory in it.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let directory = self.directory.path().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        directory
    }
}

/// Measures one thing once.
type Turn<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// What takes turns, by name.
#[derive(Default)]
pub(crate) struct Lanes<'a>(Vec<(String, Turn<'a>)>);

impl<'a> Lanes<'a> {
    /// Adds something that takes turns with the others.
    pub(crate) fn add(&mut self, name: impl Into<String>, turn: impl FnMut() -> f64 + 'a) {
        self.0.push((name.into(), Box::new(turn)));
    }

    /// Lets all take that many turns; answers what each found, round by round.
    pub(crate) fn run(mut self, rounds: usize) -> Found {
        let mut found: Vec<(String, Vec<f64>)> =
            self.0.iter().map(|(name, _)| (name.clone(), Vec::new())).collect();
        for round in 0..rounds {
            for ((name, turn), (_, found)) in self.0.iter_mut().zip(&mut found) {
                let figure = turn();
                eprintln!("   round {round}: {name}: {figure:.0}");
                found.push(figure);
            }
        }
        Found(found)
    }
}

/// What was found, round by round.
pub(crate) struct Found(pub(crate) Vec<(String, Vec<f64>)>);

impl Found {
    /// What that lane found, if there was one.
    pub(crate) fn get(&self, name: &str) -> Option<&[f64]> {
        self.0.iter().find(|(lane, _)| lane == name).map(|(_, found)| found.as_slice())
    }

    /// The median of the ratios of two lanes, if there were both.
    pub(crate) fn ratio(&self, ours: &str, theirs: &str) -> Option<f64> {
        Some(crate::stats::ratio(self.get(ours)?, self.get(theirs)?))
    }

    /// The median of a lane.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        self.get(name).map(crate::stats::median)
    }

    /// Name, median, least and most of each lane.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        use crate::stats::{median, quantile};
        let row = |(name, found): &(String, Vec<f64>)| {
            let figures = [median(found), quantile(found, 0.0), quantile(found, 1.0)];
            std::iter::once(name.clone()).chain(figures.map(|figure| format!("{figure:.0}"))).collect()
        };
        self.0.iter().map(row).collect()
    }
}
