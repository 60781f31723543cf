//! Where the binary is.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The path of `koor`, built from these sources, as these tests are: with optimisation if they are.
///
/// `KOOR_BINARY` names another one instead.
///
/// # Panics
/// When it can't be built.
#[must_use]
pub fn koor() -> &'static Path {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BINARY.get_or_init(|| env::var_os("KOOR_BINARY").map(PathBuf::from).or_else(build));
    built.as_ref().expect("koor can be built")
}

fn build() -> Option<PathBuf> {
    // A test is `<target>/<profile>/deps/<name>`: the binary belongs beside it.
    let test = env::current_exe().expect("a test knows its own path");
    let profile_directory = test.ancestors().nth(2).expect("a test lies in deps");
    let target = profile_directory.parent().expect("a profile lies in the target directory");
    let profile = match profile_directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "koor-cli", "--bin", "koor", "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be started");
    built.success().then(|| profile_directory.join(format!("koor{}", env::consts::EXE_SUFFIX)))
}
