//! pgbouncer before the database. Without it on this machine, one line says that it is not tested.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use koor_core::ports::Store as _;
use koor_store_postgres::{PostgresOptions, PostgresStore};

use crate::{database::Schema, runner::Case};

const PATHS: [&str; 2] = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];

pub(crate) fn cases() -> Vec<Case> {
    let Some(program) = PATHS.into_iter().find(|path| Path::new(path).exists()) else {
        println!("pgbouncer is not tested: it is not here (apt-get install pgbouncer)");
        return Vec::new();
    };
    vec![
        Case::new("pooler::one_that_pools_transactions_is_refused", move |schema| async move {
            is_refused(program, &schema, "transaction").await;
        }),
        Case::new("pooler::one_that_pools_statements_is_refused", move |schema| async move {
            is_refused(program, &schema, "statement").await;
        }),
        Case::new("pooler::one_that_pools_sessions_is_taken", move |schema| async move {
            let pooler = Pooler::start(program, &schema, "session");
            let store = PostgresStore::open(pooler.options()).await.unwrap();
            store.close().await;
            assert!(schema.run("SELECT 1 FROM log_head").await.is_ok(), "it wrote through the pooler");
        }),
    ]
}

async fn is_refused(program: &'static str, schema: &Schema, mode: &str) {
    let pooler = Pooler::start(program, schema, mode);
    // Twice: the second finds what the first has left on the pooler's sessions.
    for _ in 0..2 {
        let opened = PostgresStore::open(pooler.options()).await;
        let why = opened.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(why.contains("pool sessions"), "{why}");
    }
    assert!(schema.run("SELECT 1 FROM log_head").await.is_err(), "nothing was written before");
}

/// A pgbouncer of its own, which ends with this.
struct Pooler {
    process: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Pooler {
    fn start(program: &str, schema: &Schema, mode: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let settings = directory.path().join("pgbouncer.ini");
        let log = directory.path().join("log");
        fs::write(&log, "").unwrap();
        let text = format!(
            "[databases]\nkoor = {}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {mode}\nignore_startup_parameters = extra_float_digits\n",
            schema.behind_pooler()
        );
        fs::write(&settings, text).unwrap();
        let mut start = Command::new(program);
        // It does not run as root, and then has no business with the directory: its settings are read before.
        if fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0) {
            start.args(["-u", "postgres"]);
        }
        let process = start
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let pooler = Self { process, port, _directory: directory };
        let begun = Instant::now();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", fs::read_to_string(&log).unwrap());
            std::thread::yield_now();
        }
        pooler
    }

    fn options(&self) -> PostgresOptions {
        let url = format!("postgres://koor@127.0.0.1:{}/koor", self.port);
        PostgresOptions { readers: 2, ..PostgresOptions::new(url.parse().unwrap()) }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It may have ended by itself, when it could not start.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
