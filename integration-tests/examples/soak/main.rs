//! A server under a mixed load at a fixed rate, for as long as it takes to see whether anything grows.
//!
//! `soak run <directory> <seconds> <operations per second>` loads a server and writes down what it measured;
//! `soak draw <directory> <images> <page>` makes the plots and the section of the page. `scripts/soak` does both.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a script fails by panicking")]
#![expect(clippy::cast_precision_loss, reason = "figures for people are as exact as people need")]

mod draw;
mod load;
mod measure;
mod plot;
mod record;

use std::{env, path::Path};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["run", directory, seconds, rate] => {
            load::run(Path::new(directory), seconds.parse().unwrap(), rate.parse().unwrap());
        }
        ["draw", directory, images, page] => {
            draw::all(Path::new(directory), Path::new(images), Path::new(page));
        }
        _ => panic!("usage: soak run <directory> <seconds> <rate> | soak draw <directory> <images> <page>"),
    }
}
