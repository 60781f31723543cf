//! Where the database is: `postgres://user:password@host1:5432,host2:5432/koor?sslmode=verify-full`.

use std::{fmt, str::FromStr};

use sqlx::postgres::PgConnectOptions;
use url::Url;

/// The parameters that are understood. sqlx would log the value of any other one, which may be a misspelled password.
const PARAMETERS: [&str; 7] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "options", "target_session_attrs"];

/// Why an address is no good. It never repeats the address, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDatabaseUrl(String);

fn invalid(why: impl Into<String>) -> InvalidDatabaseUrl {
    InvalidDatabaseUrl(why.into())
}

/// Where a database is, and how to sign in to it. Shown without its password.
#[derive(Clone)]
pub struct DatabaseUrl {
    hosts: Vec<PgConnectOptions>,
    shown: String,
}

impl DatabaseUrl {
    /// How to connect to each host, in order.
    pub(crate) fn hosts(&self) -> &[PgConnectOptions] {
        &self.hosts
    }

    /// Whether a text is meant to be one.
    #[must_use]
    pub fn is_meant_by(text: &str) -> bool {
        text.starts_with("postgres:") || text.starts_with("postgresql:")
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or_else(|| invalid("the address of a PostgreSQL database begins with postgres://"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (user, hosts) = authority.rsplit_once('@').map_or((None, authority), |(u, h)| (Some(u), h));
        let name = user.map(|user| user.split_once(':').map_or(user, |(name, _)| name));
        let before = user.map(|user| format!("{user}@")).unwrap_or_default();
        let hosts: Vec<&str> = hosts.split(',').collect();
        let options = hosts.iter().map(|host| {
            let url = Url::parse(&format!("postgres://{before}{host}{tail}"))
                .map_err(|error| invalid(format!("the host {host:?} is no good: {error}")))?;
            connect_options(&url)
        });
        let options = options.collect::<Result<Vec<_>, _>>()?;
        let shown_user = name.map(|name| format!("{name}@")).unwrap_or_default();
        Ok(Self { hosts: options, shown: format!("postgres://{shown_user}{}{tail}", hosts.join(",")) })
    }
}

fn connect_options(url: &Url) -> Result<PgConnectOptions, InvalidDatabaseUrl> {
    let mut clean = url.clone();
    clean.set_query(None);
    for (key, value) in url.query_pairs() {
        match (PARAMETERS.contains(&&*key), &*key, &*value) {
            (true, "target_session_attrs", "read-write") => {}
            (true, "target_session_attrs", _) => {
                return Err(invalid("target_session_attrs can only be read-write, which it always is"));
            }
            (true, ..) => {
                clean.query_pairs_mut().append_pair(&key, &value);
            }
            (false, "password" | "user", _) => {
                return Err(invalid(format!(
                    "write the {key} before the host: postgres://user:password@host/"
                )));
            }
            (false, ..) => {
                return Err(invalid(format!(
                    "the parameter {key} is not known; known are {}",
                    PARAMETERS.join(", ")
                )));
            }
        }
    }
    if clean.path().trim_matches('/').is_empty() {
        return Err(invalid(
            "the address names no database: write it after the host, as in postgres://host/koor",
        ));
    }
    let options: PgConnectOptions =
        clean.as_str().parse().map_err(|error| invalid(format!("the address is no good: {error}")))?;
    Ok(if options.get_application_name().is_none() { options.application_name("koor") } else { options })
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseUrl, String> {
        text.parse().map_err(|error: InvalidDatabaseUrl| error.to_string())
    }

    #[test]
    fn each_host_is_connected_to_with_the_same_user_and_database() {
        let url = parse("postgres://koor:s3cret@a:5433,[::1],c.example/db?sslmode=require").unwrap();
        let hosts: Vec<_> = url.hosts().iter().map(|host| (host.get_host(), host.get_port())).collect();
        assert_eq!(hosts, [("a", 5433), ("[::1]", 5432), ("c.example", 5432)]);
        for host in url.hosts() {
            assert_eq!((host.get_username(), host.get_database()), ("koor", Some("db")));
            assert_eq!(host.get_application_name(), Some("koor"));
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = parse("postgres://koor:s3cret@a,b/db?sslmode=require").unwrap();
        assert_eq!(url.to_string(), "postgres://koor@a,b/db?sslmode=require");
        assert!(!format!("{url:?}").contains("s3cret"));
        for bad in [
            "postgres://koor:s3cret@a/db?password=s3cret",
            "postgres://koor:s3cret@a/db?passwrod=s3cret",
            "postgres://koor:s3cret@a/",
            "postgres://koor:s3cret@a:port/db",
            "mysql://koor:s3cret@a/db",
        ] {
            let refused = parse(bad).unwrap_err();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }

    #[test]
    fn what_is_no_good_is_named() {
        assert!(parse("postgres://a").unwrap_err().contains("names no database"));
        assert!(parse("postgres://a/db?sslmodus=require").unwrap_err().contains("sslmodus"));
        assert!(parse("postgres://a/db?target_session_attrs=any").unwrap_err().contains("read-write"));
        assert!(parse("postgres://a/db?target_session_attrs=read-write").is_ok());
    }
}
