//! Lets a new file in `static/` be noticed: without this, only changes of files that are known already are.

fn main() {
    println!("cargo::rerun-if-changed=static");
}
