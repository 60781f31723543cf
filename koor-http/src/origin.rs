//! Which pages, and under which names, may call this server.

use std::net::{IpAddr, SocketAddr};

use hyper::{
    HeaderMap, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST,
        HeaderName, HeaderValue, ORIGIN, VARY,
    },
};

use crate::error::Failure;

/// The methods that some path of the server takes.
pub(crate) const EVERY_METHOD: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

/// Decides which origins and hosts are answered.
#[derive(Debug)]
pub(crate) struct Gate {
    allow_origins: Vec<String>,
    allow_hosts: Vec<String>,
    ports: Vec<u16>,
    /// Whether callers must show a token: a page that rebinds a name to this address has none.
    guarded: bool,
}

impl Gate {
    pub(crate) fn new(
        allow_origins: &[String],
        allow_hosts: &[String],
        addresses: impl Iterator<Item = SocketAddr>,
        guarded: bool,
    ) -> Self {
        let tidy = |texts: &[String]| {
            texts.iter().map(|text| text.trim().trim_end_matches('/').to_ascii_lowercase()).collect()
        };
        Self {
            allow_origins: tidy(allow_origins),
            allow_hosts: tidy(allow_hosts),
            ports: addresses.map(|address| address.port()).collect(),
            guarded,
        }
    }

    /// Lets a request pass, or not. `opens_page` says whether it may be what a browser sends when a person follows a link
    /// to a page of the dashboard: that works from every site, since the page asks for everything else itself.
    pub(crate) fn check(
        &self,
        door: IpAddr,
        uri: &Uri,
        headers: &HeaderMap,
        opens_page: impl FnOnce() -> bool,
    ) -> Result<(), Failure> {
        if headers.get_all(HOST).iter().nth(1).is_some() {
            // A proxy in front of us may have checked the other one.
            return Err(Failure::Refused("host not allowed: it is named twice".to_owned()));
        }
        let host = match uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => headers.get(HOST).map(|host| host.to_str().unwrap_or_default()),
        };
        if door.is_loopback()
            && let Some(host) = host
            && !is_loopback(name_of(host))
            && !self.lists(host)
        {
            return Err(Failure::Refused(format!("host not allowed: {}", shown(host))));
        }
        let Some(origin) = headers.get(ORIGIN) else {
            return match other_site(headers) {
                None => Ok(()),
                Some(_) if self.admits_all() || (is_link(headers) && opens_page()) => Ok(()),
                Some(site) => Err(Failure::Refused(format!("request from another site not allowed: {site}"))),
            };
        };
        let origin = origin.to_str().unwrap_or_default();
        if self.admits(origin, host.unwrap_or_default()) {
            return Ok(());
        }
        Err(Failure::Refused(format!("origin not allowed: {}", shown(origin))))
    }

    fn lists(&self, host: &str) -> bool {
        self.allow_hosts
            .iter()
            .any(|listed| listed.eq_ignore_ascii_case(host) || listed.eq_ignore_ascii_case(name_of(host)))
    }

    fn admits_all(&self) -> bool {
        self.allow_origins.iter().any(|listed| listed == "*")
    }

    fn admits(&self, origin: &str, host: &str) -> bool {
        if self.admits_all() || self.allow_origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Some((scheme @ ("http" | "https"), authority)) = origin.split_once("://") else { return false };
        let name = name_of(authority);
        // A page under a foreign name may be one that made its name point here. It has no token, and a browser cannot be
        // made to take an address for a name.
        let trusted = self.guarded
            || is_loopback(name)
            || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
            || self.lists(authority);
        if !trusted {
            return false;
        }
        let near =
            name.eq_ignore_ascii_case(name_of(host)) || (is_loopback(name) && is_loopback(name_of(host)));
        let port = port_of(authority).unwrap_or(if scheme == "https" { 443 } else { 80 });
        authority.eq_ignore_ascii_case(host) || (near && self.ports.contains(&port))
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// How a browser says that a page of another origin makes this request. It does so where it sends no `Origin`, too: for
/// scripts, images, style sheets, and what is fetched with the mode `no-cors`.
fn other_site(headers: &HeaderMap) -> Option<&'static str> {
    let others = ["cross-site", "same-site"];
    let mut said = headers.get_all(SEC_FETCH_SITE).iter();
    said.find_map(|site| others.into_iter().find(|other| site == other))
}

/// Whether a browser asks for what it shows as a page of its own, not inside of another one.
fn is_link(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode == "navigate")
        && headers.get(SEC_FETCH_DEST).is_some_and(|dest| dest == "document")
}

/// Tells the browser that no page of another origin may embed the answer. Those that may fetch it are told by
/// [`add_cors`].
pub(crate) fn add_policy(headers: &mut HeaderMap) {
    const POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(POLICY, HeaderValue::from_static("same-origin"));
}

/// Tells the browser that a page of that origin may read the answer. The request has been let in already.
pub(crate) fn add_cors(asked: &HeaderMap, headers: &mut HeaderMap) {
    let Some(origin) = asked.get(ORIGIN) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.append(VARY, HeaderValue::from_static("origin"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "etag, allow, retry-after, x-koor-version, x-koor-cursor, x-koor-warning, x-request-id, mcp-session-id",
        ),
    );
}

/// Tells the browser what a page may send.
pub(crate) fn add_preflight(asked: &HeaderMap, headers: &mut HeaderMap) {
    if !asked.contains_key(ORIGIN) || !asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(EVERY_METHOD));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization, content-type, accept, if-match, if-none-match, last-event-id, x-koor-instance, \
             x-request-id, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name",
        ),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

fn name_of(authority: &str) -> &str {
    match authority.rfind(':') {
        // The colons of a bare or bracketed IPv6 address are none before a port.
        Some(colon) if !authority[colon..].contains(']') && !authority[..colon].contains(':') => {
            &authority[..colon]
        }
        Some(colon) if authority[..colon].ends_with(']') => &authority[..colon],
        _ => authority,
    }
}

fn port_of(authority: &str) -> Option<u16> {
    authority.get(name_of(authority).len()..)?.strip_prefix(':')?.parse().ok()
}

fn is_loopback(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// As much of a foreign text as an error repeats.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const ANY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

    fn gate(guarded: bool) -> Gate {
        let addresses = ["127.0.0.1:9800", "127.0.0.1:9847"].map(|text| text.parse().unwrap());
        Gate::new(
            &["https://app.example/".to_owned()],
            &["koor.lan".to_owned()],
            addresses.into_iter(),
            guarded,
        )
    }

    fn passes(gate: &Gate, door: IpAddr, host: &'static str, origin: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(HOST, HeaderValue::from_static(host));
        }
        if !origin.is_empty() {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        gate.check(door, &Uri::from_static("/api/state"), &headers, || false).is_ok()
    }

    #[test]
    fn a_server_on_loopback_answers_to_loopback_and_listed_names() {
        for good in [
            "localhost:9800",
            "LOCALHOST",
            "127.0.0.1:9800",
            "127.1.2.3",
            "[::1]:9800",
            "[::1]",
            "koor.lan:9800",
            "",
        ] {
            assert!(passes(&gate(false), LOCAL, good, ""), "{good}");
        }
        for bad in ["evil.example:9800", "localhost.evil.example", "192.168.0.7:9800", "0.0.0.0:9800"] {
            assert!(!passes(&gate(false), LOCAL, bad, ""), "{bad}");
            assert!(passes(&gate(false), ANY, bad, ""), "{bad}");
        }
    }

    #[test]
    fn only_own_and_listed_origins_are_answered() {
        let host = "localhost:9800";
        for good in [
            "http://localhost:9800",
            "http://localhost:9847",
            "http://127.0.0.1:9847",
            "http://[::1]:9847",
            "https://app.example",
        ] {
            assert!(passes(&gate(false), LOCAL, host, good), "{good}");
        }
        for bad in [
            "http://evil.example",
            "http://localhost:5173",
            "null",
            "https://app.example.evil",
            "file://",
            "http://localhost",
        ] {
            assert!(!passes(&gate(false), LOCAL, host, bad), "{bad}");
        }
    }

    #[test]
    fn a_page_under_the_servers_own_name_needs_a_token_or_a_listed_name() {
        for (host, origin, open, guarded) in [
            ("192.168.0.7:9800", "http://192.168.0.7:9847", true, true),
            ("koor.lan:9800", "http://koor.lan:9847", true, true),
            ("rebound.example:9800", "http://rebound.example:9800", false, true),
            ("koor.example", "https://koor.example", false, true),
            ("koor.example", "https://other.example", false, false),
        ] {
            assert_eq!(passes(&gate(false), ANY, host, origin), open, "{origin} without a token");
            assert_eq!(passes(&gate(true), ANY, host, origin), guarded, "{origin} with a token");
        }
    }
}
