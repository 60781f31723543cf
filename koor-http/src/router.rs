//! Finding the route for a path and a method.

use std::sync::LazyLock;

use hyper::Method;

use crate::{
    params::Params,
    table::{ROUTES, Route},
};

/// A path with its routes.
struct Path {
    /// What the path must begin with; all of it, where it has no parameters.
    prefix: &'static str,
    segments: Vec<Segment>,
    routes: Vec<(usize, &'static Route)>,
    /// The paths without parameters that this one would match, too: they win, so that `/stale` is not taken for an id.
    exceptions: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    /// One segment, which may be empty: what it must be, its type says.
    One,
    /// All that is left of the path.
    Rest,
}

impl Path {
    fn new(pattern: &'static str) -> Self {
        let prefix = pattern.find('{').map_or(pattern, |end| &pattern[..end]);
        let rest = pattern.get(prefix.len()..).unwrap_or_default();
        let segments = rest
            .split('/')
            .filter(|_| !rest.is_empty())
            .map(|segment| match segment.strip_prefix('{') {
                Some(name) if name.ends_with("*}") => Segment::Rest,
                Some(_) => Segment::One,
                None => Segment::Literal(segment),
            })
            .collect();
        Self { prefix, segments, routes: Vec::new(), exceptions: Vec::new() }
    }

    fn matches(&self, path: &str) -> Option<Params> {
        if self.segments.is_empty() {
            // Most have another length, and then not a byte is looked at.
            return (path == self.prefix).then(Params::default);
        }
        let mut rest = path.strip_prefix(self.prefix)?;
        let mut params = Params::default();
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                rest = rest.strip_prefix('/')?;
            }
            let from = path.len() - rest.len();
            let end = rest.find('/').unwrap_or(rest.len());
            match segment {
                Segment::Rest => {
                    params.push(from, path.len());
                    return Some(params);
                }
                Segment::One => params.push(from, from + end),
                Segment::Literal(literal) if rest.get(..end) == Some(*literal) => {}
                Segment::Literal(_) => return None,
            }
            rest = rest.get(end..)?;
        }
        rest.is_empty().then_some(params)
    }

    /// Its methods, as `Allow` lists them.
    fn allowed(&self) -> String {
        let mut methods = vec!["OPTIONS"];
        for (_, route) in &self.routes {
            methods.push(route.method().as_str());
            if *route.method() == Method::GET {
                methods.push("HEAD");
            }
        }
        methods.sort_unstable();
        methods.join(", ")
    }
}

/// The paths, in the order of the table, which has what is asked for most at the top.
static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    let mut paths: Vec<(&str, Path)> = Vec::new();
    for (number, route) in ROUTES.iter().enumerate() {
        if let Some((_, path)) = paths.iter_mut().find(|(pattern, _)| *pattern == route.path) {
            path.routes.push((number, route));
        } else {
            let mut path = Path::new(route.path);
            path.routes.push((number, route));
            paths.push((route.path, path));
        }
    }
    let mut paths: Vec<Path> = paths.into_iter().map(|(_, path)| path).collect();
    let fixed: Vec<(usize, &str)> = paths
        .iter()
        .enumerate()
        .filter(|(_, path)| path.segments.is_empty())
        .map(|(index, path)| (index, path.prefix))
        .collect();
    for path in paths.iter_mut().filter(|path| !path.segments.is_empty()) {
        let caught = fixed.iter().filter(|(_, fixed)| path.matches(fixed).is_some());
        path.exceptions = caught.map(|(index, _)| *index).collect();
    }
    paths
});

/// What a path and a method lead to.
#[derive(Debug)]
pub(crate) enum Found {
    /// To a route, with its number in the table and the parameters of the path.
    Route(usize, &'static Route, Params),
    /// To nothing, but with these methods the path leads somewhere.
    OtherMethods(String),
    /// To nothing.
    Nothing,
}

/// Finds the route. HEAD leads where GET does.
pub(crate) fn find(method: &Method, path: &str) -> Found {
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let Some((mut entry, mut params)) = PATHS.iter().find_map(|entry| Some((entry, entry.matches(path)?)))
    else {
        return Found::Nothing;
    };
    // For all methods: an id of the same name would answer only some of them.
    if let Some(&exception) = entry.exceptions.iter().find(|&&exception| PATHS[exception].prefix == path) {
        (entry, params) = (&PATHS[exception], Params::default());
    }
    match entry.routes.iter().find(|(_, route)| route.method() == wanted) {
        Some((number, route)) => Found::Route(*number, route, params),
        None => Found::OtherMethods(entry.allowed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(method: &Method, path: &str) -> (&'static str, Vec<String>) {
        match find(method, path) {
            Found::Route(_, route, params) => {
                (route.path, (0..params.count).map(|n| params.get(n, path).to_owned()).collect())
            }
            Found::OtherMethods(allow) => ("", vec![allow]),
            Found::Nothing => ("", vec![]),
        }
    }

    fn strings(expected: &[&str]) -> Vec<String> {
        expected.iter().map(|&s| s.to_owned()).collect()
    }

    #[test]
    fn paths_lead_to_their_routes() {
        for (method, path, route, params) in [
            (Method::GET, "/health", "/health", &[][..]),
            (Method::HEAD, "/health", "/health", &[]),
            (Method::GET, "/api/state", "/api/state", &[]),
            (Method::PUT, "/api/state/a/b%2Fc", "/api/state/{key*}", &["a/b%2Fc"]),
            (Method::PUT, "/api/state/", "/api/state/{key*}", &[""]),
            (Method::GET, "/api/instances/stale", "/api/instances/stale", &[]),
            (Method::DELETE, "/api/instances/stale1", "/api/instances/{id}", &["stale1"]),
            (Method::GET, "/api/validate/p/rules", "/api/validate/{project}/rules", &["p"]),
            (Method::POST, "/api/validate/rules", "/api/validate/{project}", &["rules"]),
            (Method::POST, "/api/rules/p/r/accept", "/api/rules/{project}/{rule_id}/accept", &["p", "r"]),
            (Method::POST, "/api/templates/capture", "/api/templates/capture", &[]),
            (Method::GET, "/api/specs/", "/api/specs/{project}", &[""]),
        ] {
            assert_eq!(to(&method, path), (route, strings(params)), "{method} {path}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_told_apart_from_the_wrong_method() {
        for path in ["/", "/nope", "/api", "/api/states", "/api/specs/a/b/c", "/healthy", "/api/health"] {
            assert_eq!(to(&Method::GET, path), ("", vec![]), "{path}");
        }
        assert_eq!(to(&Method::POST, "/health"), ("", strings(&["GET, HEAD, OPTIONS"])));
        assert_eq!(
            to(&Method::PATCH, "/api/state/x"),
            ("", strings(&["DELETE, GET, HEAD, OPTIONS, POST, PUT"]))
        );
        // What a path names wins over an id of that name, for every method.
        assert_eq!(to(&Method::DELETE, "/api/instances/stale"), ("", strings(&["GET, HEAD, OPTIONS"])));
        for path in ["/api/instances/register", "/api/templates/capture"] {
            for method in [Method::GET, Method::DELETE, Method::PUT] {
                assert_eq!(to(&method, path), ("", strings(&["OPTIONS, POST"])), "{method} {path}");
            }
        }
    }
}
