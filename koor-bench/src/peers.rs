//! Koor and the peers it is measured against, as processes.

use std::{
    env, fs,
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    paced::call,
    process::{Process, free_port},
    wire::{Exchange, Nats, Postgres, Redis, command, create_bucket},
};

/// A program that runs, and where it listens.
pub(crate) struct Peer {
    pub(crate) process: Process,
    pub(crate) place: SocketAddr,
}

/// The binary under test: `KOOR_BENCHED`, or the one that lies beside this program.
pub(crate) fn koor_binary() -> PathBuf {
    let beside = || env::current_exe().unwrap().with_file_name("koor");
    let koor = env::var_os("KOOR_BENCHED").map_or_else(beside, PathBuf::from);
    koor.canonicalize().unwrap_or_else(|error| panic!("cannot use {}: {error}", koor.display()))
}

/// Koor, with everything on: routing, counters, a log line for each request.
pub(crate) fn koor(directory: &Path, more: &[&str]) -> Peer {
    koor_at(&koor_binary(), directory, more)
}

/// The same, of a certain build.
pub(crate) fn koor_at(program: &Path, directory: &Path, more: &[&str]) -> Peer {
    let mut args = vec!["serve", "--bind", "127.0.0.1:0", "--dashboard-bind", "", "--log-level", "info"];
    args.extend(more);
    let mut process = Process::start(directory, program, &args).expect("it is there");
    let place = process.address_after("listening api=http://");
    Peer { process, place }
}

/// A server of this program: `koor-bench serve <kind> …`.
pub(crate) fn own(directory: &Path, kind: &str, more: &[&str]) -> Peer {
    let mut args = vec!["serve", kind];
    args.extend(more);
    let mut process = Process::start(directory, &env::current_exe().unwrap(), &args).expect("it is there");
    let place = process.address_after("listening on ");
    Peer { process, place }
}

/// Redis with an append-only file; `sync` is `always` or `everysec`.
pub(crate) fn redis(directory: &Path, sync: &str) -> Option<Peer> {
    let port = free_port();
    let text = port.to_string();
    let args =
        ["--port", &text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", sync];
    let mut process = Process::start(directory, Path::new("redis-server"), &args)?;
    let place = process.listening(port);
    Some(Peer { process, place })
}

/// `PostgreSQL` as it is configured by default, which syncs each commit, with these statements run first.
pub(crate) fn postgres(directory: &Path, setup: &'static [&'static str]) -> Option<Peer> {
    let programs = postgres_programs()?;
    // It does not run as root, so its own user must get to its data.
    for part in directory.ancestors().take(2) {
        fs::set_permissions(part, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let run = |program: &str, args: &[&str]| {
        let ran = Command::new(program).args(args).current_dir(directory).output().unwrap();
        assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    let data = directory.join("data").display().to_string();
    fs::create_dir(&data).unwrap();
    run("chown", &["postgres", &data]);
    let initdb = programs.join("initdb").display().to_string();
    run("runuser", &["-u", "postgres", "--", &initdb, "-D", &data, "-A", "trust", "-U", "postgres"]);
    let port = free_port();
    let (server, listen) = (programs.join("postgres").display().to_string(), format!("port={port}"));
    let sockets = format!("unix_socket_directories={data}");
    // Without a process in between, which would end without its child.
    let args = [
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "--",
        &server,
        "-D",
        &data,
        "-c",
        &listen,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "max_connections=300",
        "-c",
        "shared_buffers=256MB",
        "-c",
        &sockets,
    ];
    let mut process = Process::start(directory, Path::new("setpriv"), &args)?;
    let place = process.listening(port);
    process.written("database system is ready to accept connections");
    for statement in setup {
        once(place, &mut Postgres::new(std::slice::from_ref(statement), || (0, Vec::new()), |_: &[&str]| {}));
    }
    Some(Peer { process, place })
}

/// Where the programs of the newest `PostgreSQL` are.
fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found.retain(|programs| programs.join("postgres").exists());
    found.sort();
    found.pop()
}

/// `beanstalkd` with a log that is synced with each change.
pub(crate) fn beanstalkd(directory: &Path) -> Option<Peer> {
    let port = free_port();
    let text = port.to_string();
    fs::create_dir(directory.join("log")).unwrap();
    let args = ["-l", "127.0.0.1", "-p", &text, "-b", "log", "-f", "0"];
    let mut process = Process::start(directory, Path::new("beanstalkd"), &args)?;
    let place = process.listening(port);
    Some(Peer { process, place })
}

/// etcd, a cluster of one.
pub(crate) fn etcd(directory: &Path) -> Option<Peer> {
    let (clients, peers) = (free_port(), free_port());
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let (client, peer) = (url(clients), url(peers));
    let cluster = format!("default={peer}");
    let args = [
        "--data-dir",
        "data",
        "--listen-client-urls",
        &client,
        "--advertise-client-urls",
        &client,
        "--listen-peer-urls",
        &peer,
        "--initial-advertise-peer-urls",
        &peer,
        "--initial-cluster",
        &cluster,
        "--logger",
        "zap",
        "--quota-backend-bytes",
        "8000000000",
    ];
    let mut process = Process::start(directory, Path::new("etcd"), &args)?;
    let place = process.listening(clients);
    Some(Peer { process, place })
}

/// NATS with `JetStream`, and a key-value bucket in it.
pub(crate) fn nats(directory: &Path) -> Option<Peer> {
    let port = free_port();
    let text = port.to_string();
    let args = ["--addr", "127.0.0.1", "--port", &text, "--jetstream", "--store_dir", "data"];
    let mut process = Process::start(directory, Path::new("nats-server"), &args)?;
    let place = process.listening(port);
    once(place, &mut Nats::new(0, create_bucket));
    Some(Peer { process, place })
}

/// Asks Redis once.
pub(crate) fn ask_redis(place: SocketAddr, parts: &[&[u8]]) -> Vec<u8> {
    once(place, &mut Redis(|out: &mut Vec<u8>| command(out, parts)))
}

/// Asks once, on a connection for that alone; answers all that came back.
pub(crate) fn once(place: SocketAddr, exchange: &mut impl Exchange) -> Vec<u8> {
    use std::io::Write as _;
    let mut stream = TcpStream::connect(place).unwrap();
    let (mut out, mut buffer) = (Vec::new(), vec![0; 4 << 10]);
    exchange.ask(&mut out);
    stream.write_all(&out).unwrap();
    call(&mut stream, exchange, &mut buffer);
    buffer
}
