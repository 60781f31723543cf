//! Where to listen, as people write it, and the sockets that come of it.

use std::{
    collections::BTreeSet,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _},
    str::FromStr,
};

use crate::exit::Failure;

/// How often another free port is picked when the one that is free in one family is taken in the other.
const PICKS: u32 = 16;

/// `localhost:9800`, `[::1]:9800`, `0.0.0.0:0`, `:9800`, `koor.internal:9800`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// Both families of loopback, whatever the machine's resolver thinks of the name.
    Localhost,
    /// Every address of the machine.
    Any,
    Ip(IpAddr),
    Name(String),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTED: &str = "write host:port, such as localhost:9800, 0.0.0.0:9800 or [::1]:9800";
        let (host, port) = text.trim().rsplit_once(':').ok_or(WANTED)?;
        let port = port.parse().map_err(|_| format!("{port:?} is no port: {WANTED}"))?;
        let host = if host.is_empty() {
            Host::Any
        } else if host.eq_ignore_ascii_case("localhost") {
            Host::Localhost
        } else if let Some(v6) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Host::Ip(IpAddr::V6(v6.parse().map_err(|_| format!("{v6:?} is no IPv6 address: {WANTED}"))?))
        } else if let Ok(v4) = host.parse::<Ipv4Addr>() {
            Host::Ip(IpAddr::V4(v4))
        } else if host.contains([':', '/', '[', ']', '@']) || host.contains(char::is_whitespace) {
            return Err(WANTED.to_owned());
        } else {
            Host::Name(host.to_owned())
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost => f.write_str("localhost"),
            Self::Any => Ok(()),
            Self::Ip(IpAddr::V4(v4)) => v4.fmt(f),
            Self::Ip(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Sockets that listen, and how to speak of them.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) listeners: Vec<TcpListener>,
    /// `localhost:9800`: as it was written, with the port that was picked.
    pub(crate) written: String,
}

impl Place {
    /// Whether it is an address of this machine alone. A name may be any.
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Localhost => true,
            Host::Ip(ip) => ip.to_canonical().is_loopback(),
            Host::Any | Host::Name(_) => false,
        }
    }

    /// Listens there.
    ///
    /// # Errors
    /// One line that names the address, when it is taken or not to be had.
    pub(crate) fn bind(&self) -> Result<Bound, Failure> {
        let cannot = |why: &dyn fmt::Display| Failure::refused(format!("cannot listen on {self}: {why}"));
        let listeners = match &self.host {
            Host::Localhost => bind_all(&[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()], self.port),
            // On most systems the IPv6 one takes both; without IPv6 there is the other.
            Host::Any => bind_all(&[Ipv6Addr::UNSPECIFIED.into()], self.port).or_else(|refusal| {
                if refusal.is_absent() {
                    bind_all(&[Ipv4Addr::UNSPECIFIED.into()], self.port)
                } else {
                    Err(refusal)
                }
            }),
            Host::Ip(ip) => bind_all(&[*ip], self.port),
            Host::Name(name) => {
                let found = (name.as_str(), self.port).to_socket_addrs().map_err(|error| cannot(&error))?;
                let ips: BTreeSet<_> = found.map(|address| address.ip()).collect();
                bind_all(&ips.into_iter().collect::<Vec<_>>(), self.port)
            }
        };
        let listeners = listeners.map_err(|refusal| cannot(&refusal))?;
        let port =
            listeners.first().and_then(|first| first.local_addr().ok()).map_or(self.port, |at| at.port());
        let written = Place { host: self.host.clone(), port }.to_string();
        Ok(Bound { listeners, written })
    }
}

impl Bound {
    /// Sockets that the service manager opened.
    pub(crate) fn inherited(listeners: Vec<TcpListener>) -> Self {
        let written: Vec<_> = addresses(&listeners).map(|address| address.to_string()).collect();
        Self { listeners, written: written.join(",") }
    }

    /// No sockets at all.
    pub(crate) fn off() -> Self {
        Self { listeners: Vec::new(), written: String::new() }
    }

    /// Whether other machines can reach them.
    pub(crate) fn is_public(&self) -> bool {
        addresses(&self.listeners).any(|address| !address.ip().to_canonical().is_loopback())
    }

    /// Where a browser finds them.
    pub(crate) fn urls(&self) -> String {
        if self.listeners.is_empty() {
            return "off".to_owned();
        }
        let urls = self.written.split(',').map(|at| match at.strip_prefix(':') {
            Some(port) => format!("http://localhost:{port}"),
            None => format!("http://{at}"),
        });
        urls.collect::<Vec<_>>().join(",")
    }
}

fn addresses(listeners: &[TcpListener]) -> impl Iterator<Item = SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok())
}

/// Why an address can't be listened on.
#[derive(Debug)]
struct Refusal {
    address: Option<SocketAddr>,
    error: io::Error,
}

impl Refusal {
    /// Whether the machine has no such address, or no such family at all.
    fn is_absent(&self) -> bool {
        // "Address family not supported" has no kind of its own: Linux, the BSDs, Windows.
        const NO_SUCH_FAMILY: [i32; 3] = [97, 47, 10047];
        self.error.kind() == io::ErrorKind::AddrNotAvailable
            || self.error.raw_os_error().is_some_and(|code| NO_SUCH_FAMILY.contains(&code))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) if self.error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "{address} is in use by another program")
            }
            Some(address) => write!(f, "{address}: {}", self.error),
            None => self.error.fmt(f),
        }
    }
}

/// Listens on all of these that the machine has, at least on one, and on one port.
fn bind_all(ips: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, Refusal> {
    let mut pick = 0;
    'picking: loop {
        pick += 1;
        let mut listeners = Vec::new();
        let mut chosen = port;
        let nothing_there = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let mut absent = Refusal { address: None, error: nothing_there };
        for &ip in ips {
            let address = SocketAddr::new(ip, chosen);
            match TcpListener::bind(address) {
                Ok(listener) => {
                    chosen = listener.local_addr().map_or(chosen, |at| at.port());
                    listeners.push(listener);
                }
                Err(error) => {
                    let refusal = Refusal { address: Some(address), error };
                    if refusal.is_absent() {
                        absent = refusal;
                    } else if port == 0 && chosen != 0 && pick < PICKS {
                        continue 'picking;
                    } else {
                        return Err(refusal);
                    }
                }
            }
        }
        return if listeners.is_empty() { Err(absent) } else { Ok(listeners) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    fn bound(text: &str) -> Vec<SocketAddr> {
        addresses(&place(text).bind().unwrap().listeners).collect()
    }

    #[test]
    fn places_are_read_as_they_are_written() {
        for text in
            ["localhost:9800", "0.0.0.0:0", "[::1]:9800", "koor.internal:80", ":9800", "127.0.0.1:65535"]
        {
            assert_eq!(place(text).to_string(), text);
        }
        assert_eq!(place("LOCALHOST:1").host, Host::Localhost);
        for bad in [
            "",
            "9800",
            "localhost",
            "localhost:",
            "localhost:65536",
            "localhost:x",
            "::1:9800",
            "[::1]",
            "[x]:1",
            "http://localhost:9800",
            "a b:1",
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    #[test]
    fn localhost_is_one_port_in_every_family_there_is() {
        let at = bound("localhost:0");
        assert!(at.contains(&SocketAddr::new(Ipv4Addr::LOCALHOST.into(), at[0].port())), "{at:?}");
        assert!(
            at.iter().all(|address| address.ip().is_loopback() && address.port() == at[0].port()),
            "{at:?}"
        );
        let has_v6 = TcpListener::bind("[::1]:0").is_ok();
        assert_eq!(at.len(), if has_v6 { 2 } else { 1 });
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = holder.local_addr().unwrap().port();
        let failure = place(&format!("localhost:{port}")).bind().unwrap_err();
        let line =
            format!("cannot listen on localhost:{port}: 127.0.0.1:{port} is in use by another program");
        assert_eq!(failure, Failure::refused(line));
    }

    #[test]
    fn what_others_can_reach_is_public() {
        assert!(!place("localhost:0").bind().unwrap().is_public());
        assert!(place("0.0.0.0:0").bind().unwrap().is_public());
        assert!(place(":0").bind().unwrap().is_public());
        assert!(!Bound::off().is_public());
    }

    #[test]
    fn an_address_that_this_machine_does_not_have_is_refused() {
        assert!(place("192.0.2.1:0").bind().is_err());
        assert!(place("does-not-exist.invalid:0").bind().is_err());
    }

    #[test]
    fn urls_carry_the_port_that_was_picked() {
        let bound = place("127.0.0.1:0").bind().unwrap();
        let port = bound.listeners[0].local_addr().unwrap().port();
        assert_eq!(bound.urls(), format!("http://127.0.0.1:{port}"));
        assert_eq!(Bound::off().urls(), "off");
    }
}
