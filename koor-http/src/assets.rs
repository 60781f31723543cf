//! The files of the dashboard, which somebody else brings.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;

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
pub struct Assets(Arc<dyn Fn(&str) -> Option<Asset> + Send + Sync>);

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
