//! How the binary that is shipped is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).as_deref() == Ok(value);
    // Generic code becomes the same instructions many times: the compiler's own linker for this target keeps one of each. Places
    // to relocate are packed, which glibc 2.36 and later read.
    if is("OPT_LEVEL", "z") && is("TARGET", "x86_64-unknown-linux-gnu") {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all,--strip-all,-z,pack-relative-relocs");
    }
}
