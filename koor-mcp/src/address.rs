//! Under which address a client has called.

use std::net::SocketAddr;

use http::{
    HeaderMap,
    header::HOST,
    request::Parts,
    uri::{Authority, Scheme},
};

/// The base of the API as this client can reach it: what it called, or what it called a proxy on this machine.
pub(crate) fn api_base(request: &Parts, otherwise: &str) -> String {
    let headers = &request.headers;
    let by_proxy =
        request.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let forwarded = |name| by_proxy.then(|| first(headers, name)).flatten();
    let scheme = forwarded("x-forwarded-proto")
        .and_then(|proto| Scheme::try_from(proto).ok())
        .filter(|proto| *proto == Scheme::HTTP || *proto == Scheme::HTTPS)
        .unwrap_or(Scheme::HTTP);
    let host = forwarded("x-forwarded-host")
        .and_then(authority)
        .or_else(|| request.uri.authority().cloned())
        .or_else(|| first(headers, HOST.as_str()).and_then(authority));
    host.map_or_else(|| otherwise.to_owned(), |host| format!("{scheme}://{host}"))
}

/// The first of the values that proxies, one after another, have written into a header.
fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    value.split(',').next().map(str::trim)
}

/// A host with its port, and nothing else that an authority may hold.
fn authority(text: &str) -> Option<Authority> {
    Authority::try_from(text).ok().filter(|authority| !authority.as_str().contains('@'))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn base(peer: &str, headers: &[(&str, &str)]) -> String {
        let mut request = Request::post("/mcp");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer: SocketAddr = peer.parse().unwrap();
        let (head, ()) = request.extension(peer).body(()).unwrap().into_parts();
        api_base(&head, "http://localhost:9800")
    }

    #[test]
    fn the_address_is_the_one_that_was_called() {
        let (near, far) = ("127.0.0.1:1", "192.0.2.1:1");
        let host = ("host", "koor.lan:9800");
        let proto = ("x-forwarded-proto", "https");
        let public = ("x-forwarded-host", "koor.example.com, inner:1");
        for (peer, headers, expected) in [
            (near, &[host][..], "http://koor.lan:9800"),
            (near, &[host, proto], "https://koor.lan:9800"),
            (near, &[host, proto, public], "https://koor.example.com"),
            ("[::1]:1", &[host, public], "http://koor.example.com"),
            (far, &[host, proto, public], "http://koor.lan:9800"),
            (near, &[host, ("x-forwarded-host", "a b")], "http://koor.lan:9800"),
            (near, &[host, ("x-forwarded-host", "me@evil.example")], "http://koor.lan:9800"),
            (near, &[host, ("x-forwarded-proto", "javascript")], "http://koor.lan:9800"),
            (near, &[], "http://localhost:9800"),
        ] {
            assert_eq!(base(peer, headers), expected, "{peer} {headers:?}");
        }
    }
}
