//! A schema of its own for each test, made by `psql`.

use std::{
    env,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The address of the server that tests use, if there is one.
pub(crate) fn server() -> Option<String> {
    env::var("KOOR_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

/// A schema that no other test uses; it is dropped with this.
pub(crate) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    pub(crate) fn new(server: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("koor_it_{}_{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let schema = Self { server: server.to_owned(), name };
        schema.psql(&format!("CREATE SCHEMA {}", schema.name));
        schema
    }

    fn psql(&self, sql: &str) {
        let done =
            Command::new("psql").args(["-qX", "-v", "ON_ERROR_STOP=1", &self.server, "-c", sql]).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The address of the schema.
    pub(crate) fn url(&self) -> String {
        let more = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{more}options=-c%20search_path%3D{}", self.server, self.name)
    }

    /// The same, with a password, which a server that trusts its clients does not ask for.
    pub(crate) fn url_with_password(&self, password: &str) -> String {
        self.url().replacen('@', &format!(":{password}@"), 1)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.psql(&format!("DROP SCHEMA {} CASCADE", self.name));
        }
    }
}
