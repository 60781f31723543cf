//! Makes the pages of the documentation, and lets a new file in `static/` be noticed: without this, only changes of files that
//! are known already are.

#[path = "build/book.rs"]
mod book;
#[path = "build/markdown.rs"]
mod markdown;
#[path = "build/sheet.rs"]
mod sheet;

use std::{env, io, path::Path};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=static");
    println!("cargo::rerun-if-changed=../docs");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    book::write(Path::new("../docs"), &Path::new(&out).join("docs")).map_err(|error| {
        io::Error::new(error.kind(), format!("`docs/` of the whole repository is needed: {error}"))
    })
}
