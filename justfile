# What one does every day. `just` alone lists it.

_default:
    @just --list --unsorted

# The server, on an embedded database in this directory.
run *flags:
    cargo run --release -- serve {{ flags }}

# A server in a directory of its own, with a project that several agents work on: http://localhost:9847
demo:
    scripts/demo-server

# Every test.
test:
    cargo test --workspace

# Formatting, and clippy with warnings denied.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# The server beside bare hyper, Redis, etcd and NATS, in one run; without parts, writes docs/performance.md.
bench *parts:
    cargo build --profile dist -p koor-cli -p koor-bench
    "${CARGO_TARGET_DIR:-target}/dist/koor-bench" full {{ parts }}

# A few minutes of the same; fails if something does not reach two thirds of what is asked for.
bench-short *parts:
    cargo build --profile dist -p koor-cli -p koor-bench
    "${CARGO_TARGET_DIR:-target}/dist/koor-bench" short {{ parts }}

# Two builds of the server beside each other: what a change costs, or gains.
bench-versions old new:
    cargo build --profile dist -p koor-bench
    "${CARGO_TARGET_DIR:-target}/dist/koor-bench" versions {{ old }} {{ new }}

# Instructions for a GET and a PUT, by callgrind, against koor-bench/instructions.txt; `write` writes them down.
instructions *write:
    cargo build --profile dist -p koor-cli -p koor-bench
    "${CARGO_TARGET_DIR:-target}/dist/koor-bench" instructions {{ write }}

# The command line beside curl, from start to exit.
bench-cli:
    scripts/bench-cli

# How long the hooks of clients take, beside /bin/true.
bench-hooks:
    cargo build --profile dist -p koor-cli
    scripts/bench-hooks "${CARGO_TARGET_DIR:-target}/dist/koor"

# Real clients of agents with Koor's hooks, by a scripted model; with words, only the scenarios that have one in their names.
clients *scenarios:
    cargo build -p koor-cli
    .ci/suites/clients "${CARGO_TARGET_DIR:-target}/debug/koor" {{ scenarios }}

# Kills, pauses and fills the server, for long.
torture *kills:
    scripts/torture {{ kills }}

# Breaks the database below three servers, in every way it knows; needs PostgreSQL.
torture-postgres *cases:
    scripts/torture-postgres {{ cases }}

# The files of packaging/postgres on this machine, under load; needs Patroni, etcd, HAProxy and PostgreSQL.
torture-patroni:
    scripts/torture-patroni

# An hour of mixed load, as plots and figures in docs/reliability.md; `just soak 60` for a minute, in target/soak alone.
soak *seconds:
    scripts/soak {{ seconds }}

# Feeds each reader of foreign bytes with what nobody would send, for so many seconds.
fuzz seconds="600":
    scripts/fuzz {{ seconds }}

# The documentation of every crate.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# What is shipped: an archive, a .deb, a bill of materials and checksums, in target/release-files.
release:
    scripts/release

# The documentation as a site, in target/book (needs `cargo install mdbook`); `.ci/suites/site` follows its links, too.
docs:
    mdbook build

# Licences, bans and sources of everything that comes in.
deny:
    cargo deny check licenses bans sources

# Look for known vulnerabilities in all crates; fetches the advisory database
advisories:
    cargo deny check advisories

# All that decides whether a change lands.
ci:
    .ci/run
