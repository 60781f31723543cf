//! The data directory of a server on this machine.

use std::{
    env, fs,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use koor_store_sqlite::check_database;
use url::Url;

use super::findings::{Finding, Findings};
use crate::{
    exit::Failure,
    loopback::is_loopback,
    settings::{client::ClientSettings, file},
};

const NAME: &str = "data";

/// Looks at the data directory, if the server is on this machine and something says where its data is.
pub(super) fn look(settings: &ClientSettings, answers: bool, findings: &mut Findings) {
    if !is_local(&settings.server.value) {
        return;
    }
    if let Some(directory) = directory() {
        findings.add(judge(&directory, answers));
    }
}

fn is_local(server: &str) -> bool {
    Url::parse(server).is_ok_and(|url| is_loopback(&url))
}

/// Where the data is, as far as the environment, `settings.json` or a database in this directory say.
fn directory() -> Option<PathBuf> {
    let set = env::var("KOOR_DATA_DIR").ok().filter(|directory| !directory.is_empty());
    let set = set.or_else(|| {
        let settings = file::read_if_there(Path::new(file::NAME)).ok()?;
        settings.get("data_dir")?.as_str().map(str::to_owned)
    });
    set.map(PathBuf::from).or_else(|| Path::new("data.db").exists().then(|| PathBuf::from(".")))
}

fn judge(directory: &Path, answers: bool) -> Finding {
    let shown = directory.display();
    match fs::metadata(directory) {
        Ok(about) if about.is_dir() => {}
        Ok(_) => {
            return Finding::fail(NAME, format!("{shown} is no directory"), "name another with --data-dir");
        }
        Err(error) => {
            let advice = "make it, or name another with --data-dir";
            return Finding::fail(NAME, format!("cannot look into {shown}: {error}"), advice);
        }
    }
    if let Err(error) = tempfile::tempfile_in(directory) {
        let advice = "make room, or let the server's user write there";
        return Finding::fail(NAME, format!("cannot write into {shown}: {error}"), advice);
    }
    let holder = holder(directory);
    // Only where no server has it open: what is being written cannot be judged.
    if let (Ok(Held::ByNobody), Err(error)) = (&holder, check_database(directory)) {
        return Finding::fail(NAME, Failure::caused_by(&error).text(), "");
    }
    match (holder, answers) {
        (Ok(Held::By(process)), true) => {
            Finding::ok(NAME, format!("{shown} can be written; {process} has it open"))
        }
        (Ok(Held::By(process)), false) => Finding::warn(
            NAME,
            format!("{process} has {shown} open, and does not answer where it was called"),
            "name its address with --server, or end it",
        ),
        (Ok(Held::ByNobody), true) => Finding::warn(
            NAME,
            format!("{shown} can be written, and no server has it open"),
            "the server that answers has its data elsewhere: is it the one you mean?",
        ),
        (Ok(Held::ByNobody), false) => {
            Finding::ok(NAME, format!("{shown} can be written; no server has it open"))
        }
        (Err(error), _) => Finding::fail(
            NAME,
            format!("cannot look at the lock in {shown}: {error}"),
            "let the server's user read and write there",
        ),
    }
}

enum Held {
    By(String),
    ByNobody,
}

/// Who holds the lock that every server takes.
fn holder(directory: &Path) -> io::Result<Held> {
    let path = directory.join("data.lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Held::ByNobody),
        Err(error) => return Err(error),
    };
    // For a moment and shared: other readers do not conflict.
    match file.try_lock_shared() {
        Ok(()) => Ok(Held::ByNobody),
        Err(TryLockError::WouldBlock) => {
            let process = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u32>().ok());
            Ok(Held::By(
                process.map_or_else(|| "a process".to_owned(), |process| format!("process {process}")),
            ))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}
