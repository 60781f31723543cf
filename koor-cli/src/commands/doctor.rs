//! `koor doctor`: looks at everything that a client needs, and says what to do.

mod data;
#[cfg(feature = "postgres")]
mod database;
mod findings;
mod hooks;
mod identity;
mod mcp;
mod server;
mod telemetry;
mod work;

use std::path::Path;

use self::findings::{Finding, Findings};
use crate::{
    client::Client,
    exit::Failure,
    global::Global,
    output::Output,
    settings::{client::ClientSettings, file, origin::Origin},
};

/// What `koor doctor --help` ends with.
pub(crate) const EXAMPLES: &str = "\
A line for each thing that was looked at: ok, warn or fail, what was found, and what to do about it. Ends with 1 when
something fails. Nothing is changed.

Examples:
  koor doctor
  koor doctor --server http://koor.internal:9800
  koor doctor --json";

/// Looks at everything.
///
/// # Errors
/// When something fails, or the output can't be written.
pub(crate) fn run(global: &Global) -> Result<(), Failure> {
    let output = Output::new(global)?;
    let mut findings = Findings::default();
    if let Some(settings) = look_at_settings(global, &mut findings) {
        let client = Client::new(&settings);
        let answers = server::look(&client, &settings, &mut findings);
        if answers {
            identity::look(&client, &settings, &mut findings);
            mcp::look(&client, &mut findings);
            work::look(&settings, &mut findings);
            telemetry::look(&settings, &mut findings);
        }
        data::look(&settings, answers, &mut findings);
        hooks::look(&mut findings);
    }
    #[cfg(feature = "postgres")]
    database::look(&mut findings);
    findings.show(&output, global.json || global.pretty)?;
    if findings.has_failed() { Err(Failure::said_already()) } else { Ok(()) }
}

fn look_at_settings(global: &Global, findings: &mut Findings) -> Option<ClientSettings> {
    let settings = match ClientSettings::resolve(global, &|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(failure) => {
            findings.add(Finding::fail(
                "settings",
                failure.text(),
                "correct it: nothing else can be looked at",
            ));
            return None;
        }
    };
    let from = match settings.server.origin {
        Origin::Flag => "--server",
        Origin::Environment => "KOOR_SERVER",
        Origin::File => file::NAME,
        Origin::Store | Origin::Default => "the default",
    };
    let server = &settings.server.value;
    if let Some(line) = &settings.left_out {
        findings.add(Finding::warn("settings", line.clone(), "set each token with the server it is for"));
    }
    let Some(path) = settings.file.as_deref() else {
        findings.add(Finding::ok(
            "settings",
            format!("no {} here; the server is {server} by {from}", file::NAME),
        ));
        return Some(settings);
    };
    if settings.token.as_ref().is_some_and(|token| token.origin == Origin::File) && others_may_read(path) {
        findings.add(Finding::warn(
            "settings",
            format!("others may read {}, and there is a token in it", path.display()),
            format!("run `chmod 600 {}`", path.display()),
        ));
    } else {
        findings.add(Finding::ok(
            "settings",
            format!("{} is fine; the server is {server} by {from}", path.display()),
        ));
    }
    Some(settings)
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_may_read(_: &Path) -> bool {
    false
}
