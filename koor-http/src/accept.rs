//! What the `Accept` headers of a request ask for.

use hyper::{HeaderMap, header::HeaderName};

/// What a header lists, each with its weight: 1 where it says none, 0 where it refuses.
pub(crate) fn listed<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (&'h str, f32)> + use<'h> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let what = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        // A weight that is no number is worth nothing.
        (what, weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0)))
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::{ACCEPT, HeaderValue};

    use super::*;

    #[test]
    fn each_entry_has_its_weight() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_static("text/plain; charset=utf-8;q=0.5, text/*"));
        headers.append(ACCEPT, HeaderValue::from_static("a/b;q=0,c/d; q=x"));
        let expected = [("text/plain", 0.5), ("text/*", 1.0), ("a/b", 0.0), ("c/d", 0.0)];
        assert_eq!(listed(&headers, &ACCEPT).collect::<Vec<_>>(), expected);
    }
}
