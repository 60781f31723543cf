//! Finding out who is calling.

use std::borrow::Cow;

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderName},
};
use koor_core::{Credentials, Error, Identified, Koor};

use crate::query::Query;

const X_KOOR_INSTANCE: HeaderName = HeaderName::from_static("x-koor-instance");

/// The parameter by which a browser that can't set headers shows its token.
pub(crate) const ACCESS_TOKEN: &str = "access_token";

/// Finds out on whose behalf a request is made. `in_query` says whether a token in the query counts.
pub(crate) async fn identify(
    koor: &Koor,
    headers: &HeaderMap,
    query: Query<'_>,
    in_query: bool,
) -> Result<Identified, Error> {
    let shown = if in_query && !headers.contains_key(AUTHORIZATION) {
        // One that is not UTF-8 is no token of ours.
        query.get(ACCESS_TOKEN).unwrap_or(Some(Cow::Borrowed("")))
    } else {
        bearer(headers).map(Cow::Borrowed)
    };
    // A name that is no text is no instance's, and must not go unnoticed.
    let instance = headers.get(X_KOOR_INSTANCE).map(|name| name.to_str().unwrap_or("(not ASCII)"));
    koor.identify(Credentials {
        bearer: shown.as_deref(),
        instance: instance.filter(|name| !name.is_empty()),
    })
    .await
}

/// The bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_bearer_token_is_found_however_the_scheme_is_written() {
        for (header, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(header));
            assert_eq!(bearer(&headers), token, "{header}");
        }
    }
}
