//! The files of the dashboard, which the embedding program brings.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use hyper::{
    Method, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
    http::request::Parts,
};
use koor_core::ids::Hash;

use crate::{
    body::Body,
    conditional::{etag, not_modified},
    error::Failure,
    response::{self, Answer},
};

/// One file to serve.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its media type.
    pub content_type: Cow<'static, str>,
    /// What is in it.
    pub body: Bytes,
}

/// Finds a file by its path, which begins with a slash. Cheap to clone.
#[derive(Clone)]
pub struct Assets(Arc<Find>);

type Find = dyn Fn(&str) -> Option<Asset> + Send + Sync;

impl Assets {
    /// Finds files by that function; `/` is what a visitor sees first.
    pub fn new(find: impl Fn(&str) -> Option<Asset> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    pub(crate) fn find(&self, path: &str) -> Option<Asset> {
        (self.0)(path)
    }
}

impl Default for Assets {
    /// One plain page that says where the API is.
    fn default() -> Self {
        const PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Koor</title>\n\
            <h1>Koor</h1>\n<p>This server has no dashboard. Its API is described in \
            <a href=\"/api/openapi.json\">/api/openapi.json</a>.</p>\n</html>\n";
        Self::new(|path| {
            (path == "/").then(|| Asset {
                content_type: "text/html; charset=utf-8".into(),
                body: Bytes::from_static(PAGE.as_bytes()),
            })
        })
    }
}

impl fmt::Debug for Assets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assets")
    }
}

/// What a page of ours may load and talk to: this server, and nothing else. No text becomes markup or script, not even by
/// a mistake of ours: the browser refuses the calls that would do it (`trusted-types 'none'`).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Answers a visitor of the dashboard.
pub(crate) fn answer(assets: &Assets, head: &Parts) -> Result<Answer, Failure> {
    let path = head.uri.path();
    let asset = assets.find(path).ok_or_else(|| Failure::NoRoute(path.to_owned()))?;
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Failure::WrongMethod("GET, HEAD, OPTIONS".to_owned()));
    }
    let hash = Hash::of(&asset.body);
    let mut answer = if not_modified(&head.headers, hash) {
        response::empty(StatusCode::NOT_MODIFIED)
    } else {
        let mut answer = Answer::new(Body::Full(asset.body));
        if let Ok(kind) = HeaderValue::from_str(&asset.content_type) {
            answer.headers_mut().insert(CONTENT_TYPE, kind);
        }
        answer
    };
    let headers = answer.headers_mut();
    headers.insert(ETAG, etag(hash));
    // Asked for again each time, which costs a 304: a new server must not meet an old page.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(answer)
}
