//! The dashboard of Koor, as files inside the binary.

/// One file of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

/// Every file there is, by the path it is served under.
const FILES: [(&str, File); 2] = [
    ("/", File { content_type: "text/html; charset=utf-8", bytes: include_bytes!("../static/index.html") }),
    (
        "/koor.css",
        File { content_type: "text/css; charset=utf-8", bytes: include_bytes!("../static/koor.css") },
    ),
];

/// The file that is served under that path, which begins with a slash; `/` is what a visitor sees first.
#[must_use]
pub fn file(path: &str) -> Option<File> {
    let path = if path == "/index.html" { "/" } else { path };
    FILES.iter().find(|(served, _)| *served == path).map(|(_, file)| *file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_sees_a_page_and_nothing_outside_it() {
        assert_eq!(file("/").map(|file| file.content_type), Some("text/html; charset=utf-8"));
        assert_eq!(file("/index.html"), file("/"));
        for missing in ["", "/../Cargo.toml", "/static/index.html", "koor.css"] {
            assert_eq!(file(missing), None, "{missing}");
        }
    }

    #[test]
    fn every_file_that_the_page_names_is_there() {
        let page = str::from_utf8(file("/").unwrap().bytes).unwrap();
        for name in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let api = name.starts_with("/api/") || name == "/health";
            assert!(api || file(name).is_some(), "{name}");
        }
    }
}
