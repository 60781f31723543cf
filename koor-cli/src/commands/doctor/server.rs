//! The server, the token it asks for, and its clock.

use std::time::Duration;

use koor_core::clock::{Clock as _, SystemClock, Timestamp};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::findings::{Finding, Findings};
use crate::{
    client::{Answer, Client},
    settings::client::ClientSettings,
};

/// How far two clocks may be apart before times of one mean little on the other.
const FAR_APART: Duration = Duration::from_secs(5);

/// Looks at the server; answers whether it lets us in.
pub(super) fn look(client: &Client, settings: &ClientSettings, findings: &mut Findings) -> bool {
    let server = client.server();
    match client.get("/health").send() {
        Ok(answer) => {
            let date = answer.header("date").map(str::to_owned);
            findings.add(version(server, answer));
            findings.add(clock(date.as_deref(), SystemClock.now()));
        }
        // Degraded: it says so itself, and all else can be looked at.
        Err(failure) if failure.status() == Some(503) => findings.add(Finding::fail(
            "server",
            format!("{server} answers, but {}", failure.text()),
            "make room on its disk, or look into its log",
        )),
        Err(failure) => {
            findings.add(Finding::fail(
                "server",
                failure.text(),
                "nothing else of the server can be looked at",
            ));
            return false;
        }
    }
    token(client, settings, findings)
}

fn version(server: &str, answer: Answer) -> Finding {
    #[derive(Deserialize)]
    struct Health {
        #[serde(default)]
        version: String,
        uptime: String,
    }
    let ours = env!("CARGO_PKG_VERSION");
    match answer.json::<Health>() {
        Ok(Health { version, uptime }) if version == ours => {
            Finding::ok("server", format!("{server} answers, version {version}, up for {uptime}"))
        }
        Ok(Health { version, .. }) => Finding::warn(
            "server",
            format!("{server} is version {version:?}, this is {ours}"),
            "use the same version on both sides",
        ),
        Err(failure) => {
            Finding::fail("server", failure.text(), "is it a Koor server? name another with --server")
        }
    }
}

fn clock(date: Option<&str>, now: Timestamp) -> Finding {
    let there = date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok()).map(Timestamp::from);
    let Some(there) = there else {
        return Finding::warn(
            "clock",
            "the server does not say what time it is",
            "is there a proxy in between?",
        );
    };
    let (ahead, behind) = (there.since(now), now.since(there));
    let (apart, how) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    // The header has seconds, no parts of them.
    if apart < FAR_APART + Duration::from_secs(1) {
        Finding::ok("clock", "the server's and this machine's agree")
    } else {
        Finding::warn(
            "clock",
            format!("the server's is {} s {how} this machine's", apart.as_secs()),
            "let both keep time by NTP: what --from and --to select is off by as much",
        )
    }
}

/// Whether the token is right, and what it allows.
fn token(client: &Client, settings: &ClientSettings, findings: &mut Findings) -> bool {
    let open = ClientSettings { token: None, instance_id: None, ..settings.clone() };
    let is_open = settings.token.is_none() || Client::new(&open).get("/api/metrics").send().is_ok();
    match (client.get("/api/metrics").send(), &settings.token) {
        (Ok(_), None) => findings.add(Finding::ok("token", "none is needed")),
        (Ok(_), Some(_)) if is_open => {
            findings.add(Finding::ok("token", "one is set, and the server needs none"));
        }
        // What an agent's token does not allow, changes nothing and is in no log.
        (Ok(_), Some(_)) => findings.add(match client.get("/api/webhooks").send() {
            Ok(_) => Finding::ok("token", "the server takes it; it allows everything"),
            Err(failure) if failure.status() == Some(403) => {
                Finding::ok("token", "the server takes it; it allows what agents may do")
            }
            Err(failure) => Finding::fail("token", failure.text(), "look into the server's log"),
        }),
        (Err(failure), token) if failure.status() == Some(401) => {
            let found =
                if token.is_some() { "the server does not take it" } else { "the server asks for one" };
            let advice = "set the server's with `koor config set token TOKEN`, --token or KOOR_TOKEN";
            findings.add(Finding::fail("token", found, advice));
            return false;
        }
        (Err(failure), _) => {
            findings.add(Finding::fail("token", failure.text(), "look into the server's log"));
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_agree_within_a_few_seconds() {
        let now: Timestamp = "2026-02-09T14:30:00.900Z".parse().unwrap();
        let found = |date: Option<&str>| {
            let json = serde_json::to_value(clock(date, now)).unwrap();
            format!("{} {}", json["level"].as_str().unwrap(), json["found"].as_str().unwrap())
        };
        assert_eq!(found(Some("Mon, 09 Feb 2026 14:30:00 GMT")), "ok the server's and this machine's agree");
        assert_eq!(found(Some("Mon, 09 Feb 2026 14:30:05 GMT")), "ok the server's and this machine's agree");
        let ahead = "warn the server's is 3599 s ahead of this machine's";
        assert_eq!(found(Some("Mon, 09 Feb 2026 15:30:00 GMT")), ahead);
        assert_eq!(
            found(Some("Mon, 09 Feb 2026 14:29:00 GMT")),
            "warn the server's is 60 s behind this machine's"
        );
        for none in [None, Some("yesterday")] {
            assert_eq!(found(none), "warn the server does not say what time it is");
        }
    }
}
