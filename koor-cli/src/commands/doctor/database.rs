//! The `PostgreSQL` database of a server, where the environment or `settings.json` name one.

use std::{env, path::Path};

use koor_store_postgres::{DatabaseReport, DatabaseUrl, OpenError, examine_database};

use super::findings::{Finding, Findings};
use crate::{exit::Failure, settings::file};

const NAME: &str = "database";

/// Clocks that differ by more than this confuse those who read times of several servers.
const CLOCK_MS: u64 = 2_000;

/// About as many connections as one server has.
const PER_SERVER: u64 = 11;

/// Looks at the database, if one is named.
pub(super) fn look(findings: &mut Findings) {
    let Some(address) = address() else { return };
    if !DatabaseUrl::is_meant_by(&address) {
        return;
    }
    let url: DatabaseUrl = match address.parse() {
        Ok(url) => url,
        Err(error) => {
            return findings.add(Finding::fail(
                NAME,
                format!("KOOR_STORE is no good: {error}"),
                "correct it",
            ));
        }
    };
    for finding in judge(&url, examine(&url)) {
        findings.add(finding);
    }
}

fn address() -> Option<String> {
    let set = env::var("KOOR_STORE").ok().filter(|address| !address.is_empty());
    set.or_else(|| {
        let settings = file::read_if_there(Path::new(file::NAME)).ok()?;
        settings.get("store")?.as_str().map(str::to_owned)
    })
}

fn examine(url: &DatabaseUrl) -> Result<DatabaseReport, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(examine_database(url)).map_err(|error: OpenError| Failure::caused_by(&error).text())
}

fn judge(url: &DatabaseUrl, report: Result<DatabaseReport, String>) -> Vec<Finding> {
    let report = match report {
        Ok(report) => report,
        Err(why) => return vec![Finding::fail(NAME, format!("{url}: {why}"), "")],
    };
    let DatabaseReport { version, hosts, synchronous, standbys, clock_ahead_ms, connections, schema } =
        report;
    let tables = if schema == 0 { "no tables yet".to_owned() } else { format!("schema {schema}") };
    let mut findings = vec![Finding::ok(NAME, format!("{url} can be used: PostgreSQL {version}, {tables}"))];
    if synchronous {
        findings.push(Finding::ok(NAME, format!("commits wait for a standby; {standbys} are there now")));
    } else if hosts > 1 {
        findings.push(Finding::warn(
            NAME,
            "several hosts and no synchronous standby: a failover can lose changes that were answered",
            "set synchronous_standby_names",
        ));
    }
    if clock_ahead_ms.unsigned_abs() > CLOCK_MS {
        findings.push(Finding::warn(
            NAME,
            format!("its clock differs from this machine's by {} s", clock_ahead_ms / 1000),
            "let both follow the same time server",
        ));
    }
    if connections < 3 * PER_SERVER {
        findings.push(Finding::warn(
            NAME,
            format!("it takes {connections} connections, and each server has about {PER_SERVER}"),
            "raise max_connections",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(report: DatabaseReport) -> Vec<String> {
        let url = "postgres://koor:hush@a,b/koor".parse().unwrap();
        judge(&url, Ok(report)).iter().map(|finding| format!("{finding:?}")).collect()
    }

    fn good() -> DatabaseReport {
        DatabaseReport {
            version: "15.18".to_owned(),
            hosts: 2,
            synchronous: true,
            standbys: 1,
            clock_ahead_ms: 3,
            connections: 100,
            schema: 1,
        }
    }

    #[test]
    fn what_could_lose_changes_or_confuse_is_warned_of() {
        assert!(lines(good()).iter().all(|line| line.contains("Ok") && !line.contains("hush")));
        for (report, said) in [
            (DatabaseReport { synchronous: false, ..good() }, "a failover can lose changes"),
            (DatabaseReport { clock_ahead_ms: -5_000, ..good() }, "differs from this machine's by -5 s"),
            (DatabaseReport { connections: 20, ..good() }, "takes 20 connections"),
        ] {
            assert!(lines(report).iter().any(|line| line.contains("Warn") && line.contains(said)), "{said}");
        }
        let one = DatabaseReport { hosts: 1, synchronous: false, ..good() };
        assert!(lines(one).iter().all(|line| line.contains("Ok")), "one host alone is a choice");
    }
}
