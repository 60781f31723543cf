//! `If-Match`, `If-None-Match` and `if_version`.

use std::str::FromStr as _;

use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};
use koor_core::{
    domain::state::{Precondition, Tags},
    ids::Hash,
};

use crate::{error::Failure, query::Query};

/// The condition under which a write is wanted.
pub(crate) fn precondition(headers: &HeaderMap, query: Query<'_>) -> Result<Precondition, Failure> {
    Ok(Precondition {
        matches: tags(headers, &IF_MATCH),
        matches_none: tags(headers, &IF_NONE_MATCH),
        version: query.number("if_version")?,
    })
}

/// Whether the client has this version already.
pub(crate) fn not_modified(headers: &HeaderMap, hash: Hash) -> bool {
    headers.contains_key(IF_NONE_MATCH)
        && tags(headers, &IF_NONE_MATCH).is_some_and(|tags| tags.name(Some(hash)))
}

/// The tag of a document.
pub(crate) fn etag(hash: Hash) -> HeaderValue {
    let mut tag = [b'"'; 66];
    tag[1..65].copy_from_slice(&hash.hex());
    HeaderValue::from_bytes(&tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// The tags that a header lists; `None` without the header. A tag that is no hash of ours names nothing.
///
/// Weak tags count as strong ones: ours are hashes of the bytes, and nothing is stronger.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Tags> {
    let mut given = false;
    let mut hashes = Vec::new();
    for value in headers.get_all(name) {
        given = true;
        for tag in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            if tag == "*" {
                return Some(Tags::Any);
            }
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            let bare = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
            // Shown in lower case, and a tag is compared as it is written.
            let written_as_ours = !bare.bytes().any(|byte| byte.is_ascii_uppercase());
            hashes.extend(Hash::from_str(bare).ok().filter(|_| written_as_ours));
        }
    }
    given.then_some(Tags::Of(hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<Tags> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_str(value).unwrap());
        }
        tags(&headers, &IF_MATCH)
    }

    #[test]
    fn a_list_of_tags_is_read_with_weak_and_foreign_ones() {
        let (a, b) = (Hash::of(b"a"), Hash::of(b"b"));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["*"]), Some(Tags::Any));
        assert_eq!(read(&[&format!("\"{a}\"")]), Some(Tags::Of(vec![a])));
        assert_eq!(read(&[&format!("W/\"{a}\", \"xyz\" ,\"{b}\"")]), Some(Tags::Of(vec![a, b])));
        assert_eq!(read(&[&format!("\"{a}\""), &format!("\"{b}\"")]), Some(Tags::Of(vec![a, b])));
        assert_eq!(read(&[&a.to_string()]), Some(Tags::Of(vec![a])));
        assert_eq!(read(&["nonsense"]), Some(Tags::Of(vec![])));
    }

    #[test]
    fn a_tag_shows_the_hash_in_quotes() {
        assert_eq!(etag(Hash::of(b"a")), format!("\"{}\"", Hash::of(b"a")).as_str());
    }
}
