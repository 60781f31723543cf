//! Which addresses this server calls, and which it never does.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use koor_core::Invalid;

/// Which addresses this server calls.
///
/// Some it never does: link-local ones, those where clouds keep credentials, and those that name no single machine.
/// On a server that is guarded by a token, which people reach who should not reach what is around it, loopback and
/// private ranges are refused as well, unless they are listed.
#[derive(Debug, Clone)]
pub struct OutboundPolicy {
    private: Private,
    allowed: Vec<AllowedTarget>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Private {
    Called,
    Refused,
}

/// A target that is called although it is private: a host, an address, or a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedTarget {
    /// A host by the name that calls use for it.
    Host(String),
    /// All addresses that share their first so many bits with this one.
    Range(IpAddr, u8),
}

/// How an address is treated, the strictest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Public,
    Private,
    Never,
}

impl OutboundPolicy {
    /// For a server without a token: its callers can reach the same private addresses as the server itself.
    #[must_use]
    pub fn local() -> Self {
        Self { private: Private::Called, allowed: Vec::new() }
    }

    /// For a server with a token: what is private is refused, unless listed.
    #[must_use]
    pub fn guarded(allowed: Vec<AllowedTarget>) -> Self {
        Self { private: Private::Refused, allowed }
    }

    /// Whether that address may be connected to, in a call to that host.
    #[must_use]
    pub fn permits(&self, host: &str, address: IpAddr) -> bool {
        match (Kind::of(address), self.private) {
            (Kind::Never, _) => false,
            (Kind::Public, _) | (Kind::Private, Private::Called) => true,
            (Kind::Private, Private::Refused) => self.allowed.iter().any(|allowed| match allowed {
                AllowedTarget::Host(name) => name.eq_ignore_ascii_case(host.trim_end_matches('.')),
                AllowedTarget::Range(base, bits) => {
                    forms(address).into_iter().flatten().any(|form| shares(form, *base, *bits))
                }
            }),
        }
    }
}

impl FromStr for AllowedTarget {
    type Err = Invalid;

    /// Reads `hooks.example`, `10.1.2.3`, `fd00::1` or `10.0.0.0/8`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let plain = |ip: &str| ip.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        if let Some((base, bits)) = text.split_once('/') {
            let base = plain(base).ok_or_else(|| {
                Invalid::new(format!("{text:?} is no range of addresses: write 10.0.0.0/8"))
            })?;
            let most = width(base);
            return match bits.parse() {
                Ok(bits) if bits <= most => Ok(Self::Range(base, bits)),
                _ => Err(Invalid::new(format!("{text:?} is no range: after the / comes 0 to {most}"))),
            };
        }
        if let Some(ip) = plain(text) {
            return Ok(Self::Range(ip, width(ip)));
        }
        // As calls have it: lower case, international names in ASCII.
        match url::Host::parse(text) {
            Ok(url::Host::Domain(name)) => Ok(Self::Host(name.trim_end_matches('.').to_owned())),
            Ok(url::Host::Ipv4(ip)) => Ok(Self::Range(ip.into(), 32)),
            Ok(url::Host::Ipv6(ip)) => Ok(Self::Range(ip.into(), 128)),
            Err(error) => Err(Invalid::new(format!("{text:?} is neither a host nor an address: {error}"))),
        }
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// Whether both have the same first bits.
fn shares(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let differs = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(one.to_bits() ^ other.to_bits()) << 96,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    differs.leading_zeros() >= u32::from(bits)
}

/// The address, and the IPv4 address that it leads to if it is one of the IPv6 forms that carry one.
fn forms(address: IpAddr) -> [Option<IpAddr>; 2] {
    let carried = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => carried(v6).map(IpAddr::V4),
    };
    [Some(address), carried]
}

fn carried(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [front @ .., high, low] = v6.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match front {
        // Nowhere and here: they carry nothing, they are themselves.
        [0, 0, 0, 0, 0, 0] if high == 0 && low <= 1 => None,
        // Compatible, mapped, translated; NAT64 by the well-known prefix and by the one for local use; ISATAP.
        [0, 0, 0, 0, 0, 0 | 0xffff]
        | [0, 0, 0, 0, 0xffff, 0]
        | [0x64, 0xff9b, 0, 0, 0, 0]
        | [0x64, 0xff9b, 1, _, _, _]
        | [_, _, _, _, 0 | 0x200, 0x5efe] => Some(of(high, low)),
        // 6to4.
        [0x2002, high, low, ..] => Some(of(high, low)),
        // Teredo: the client's address, every bit turned over.
        [0x2001, 0, ..] => Some(of(!high, !low)),
        _ => None,
    }
}

/// What an address under the NAT64 prefix for local use leads to, for each length that the network's own prefix below it
/// can have (RFC 6052, 2.2): which of them it has is not known here, so that of these only metadata is refused. The
/// fourth, 96 bits, is one of [`forms`].
fn translations(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let octets = match address {
        IpAddr::V6(v6) if v6.segments().starts_with(&[0x64, 0xff9b, 1]) => Some(v6.octets()),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    // The ninth octet is left out: it is always zero.
    let places = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12]];
    octets.into_iter().flat_map(move |octets| places.map(|place| IpAddr::from(place.map(|at| octets[at]))))
}

/// Where clouds serve metadata and credentials, beyond the link-local addresses that most of them use.
const METADATA: [(IpAddr, u8); 9] = [
    // Alibaba, Oracle's older one, Azure.
    (IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), 32),
    (IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)), 32),
    (IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), 32),
    // Amazon's services of instances: metadata, identity of pods, names, time.
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0)), 32),
    // Google.
    (IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0)), 64),
    // Oracle.
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)), 128),
    // Scaleway.
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)), 128),
    // Akamai (Linode).
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1)), 128),
    // Alibaba.
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200)), 128),
];

/// IPv4 link-local, where most clouds serve metadata.
const LINK_LOCAL_V4: [(Ipv4Addr, u8); 1] = [(Ipv4Addr::new(169, 254, 0, 0), 16)];

const NEVER_V4: [(Ipv4Addr, u8); 3] = [
    // This network, which many systems take for this machine.
    (Ipv4Addr::UNSPECIFIED, 8),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved; broadcast is its last.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

const PRIVATE_V4: [(Ipv4Addr, u8); 7] = [
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Carriers' own, protocols' own, for measuring.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
];

const NEVER_V6: [(Ipv6Addr, u8); 3] = [
    (Ipv6Addr::UNSPECIFIED, 128),
    // Link-local.
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    // Multicast.
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

const PRIVATE_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::LOCALHOST, 128),
    // Unique local; site-local, which it replaced.
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    // NAT64 of this very network.
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
];

impl Kind {
    /// The strictest of what the address is, and what it leads to.
    fn of(address: IpAddr) -> Self {
        if translations(address).any(|form| within(form, METADATA) || within(form, LINK_LOCAL_V4)) {
            return Self::Never;
        }
        forms(address).into_iter().flatten().map(Self::of_form).max().unwrap_or(Self::Never)
    }

    fn of_form(form: IpAddr) -> Self {
        let metadata = within(form, METADATA) || within(form, LINK_LOCAL_V4);
        if metadata || within(form, NEVER_V4) || within(form, NEVER_V6) {
            Self::Never
        } else if within(form, PRIVATE_V4) || within(form, PRIVATE_V6) {
            Self::Private
        } else {
            Self::Public
        }
    }
}

fn within<A: Into<IpAddr>, const N: usize>(form: IpAddr, ranges: [(A, u8); N]) -> bool {
    ranges.into_iter().any(|(base, bits)| shares(form, base.into(), bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn guarded(allowed: &[&str]) -> OutboundPolicy {
        OutboundPolicy::guarded(allowed.iter().map(|text| text.parse().unwrap()).collect())
    }

    /// Every IPv6 address that leads to this IPv4 one.
    fn dressings(v4: Ipv4Addr) -> Vec<IpAddr> {
        let [a, b, c, d] = v4.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        [
            [0, 0, 0, 0, 0, 0xffff, high, low],
            [0, 0, 0, 0, 0xffff, 0, high, low],
            [0x64, 0xff9b, 0, 0, 0, 0, high, low],
            [0x2002, high, low, 0, 0, 0, 0, 1],
            [0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, !high, !low],
            [0x2001, 0xdb8, 0, 0, 0, 0x5efe, high, low],
        ]
        .map(|segments| IpAddr::V6(segments.into()))
        .to_vec()
    }

    #[test]
    fn metadata_and_link_local_are_never_called_whatever_is_listed() {
        let everything = guarded(&["0.0.0.0/0", "::/0", "metadata.internal", "169.254.169.254"]);
        for policy in [everything, OutboundPolicy::local()] {
            for never in [
                "169.254.169.254",
                "169.254.0.1",
                "100.100.100.200",
                "168.63.129.16",
                "192.0.0.192",
                "0.0.0.0",
                "0.1.2.3",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "fe80::1",
                "febf::1",
                "ff02::1",
                "fd00:ec2::254",
                "fd00:ec2::253",
                "fd00:ec2:1::23",
                "fd20:ce::254",
                "fd00:c1::a9fe:a9fe",
                "fd00:42::42",
                "fd00:a9fe:a9fe::1",
                "fd00:100::100:200",
                "fe80::a9fe:a9fe",
                "::ffff:169.254.169.254",
                "::ffff:100.100.100.200",
                "64:ff9b::6464:64c8",
                "::169.254.169.254",
                "64:ff9b::a9fe:a9fe",
                "2002:a9fe:a9fe::1",
                "64:ff9b:1::a9fe:a9fe",
                // The same address where the network's NAT64 prefix has 48, 56 or 64 bits (RFC 6052).
                "64:ff9b:1:a9fe:a9:fe00::",
                "64:ff9b:1:a9:fe:a9fe::",
                "64:ff9b:1:0:a9:fea9:fe00:0",
            ] {
                assert!(!policy.permits("metadata.internal", ip(never)), "{never}");
            }
        }
    }

    #[test]
    fn what_is_private_is_called_only_without_a_token_or_when_listed() {
        for private in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "198.19.0.1",
            "::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "2002:0a00:0001::",
            "64:ff9b:1::808:808",
        ] {
            assert!(OutboundPolicy::local().permits("x", ip(private)), "{private}");
            assert!(!guarded(&[]).permits("x", ip(private)), "{private}");
            assert!(guarded(&[private]).permits("x", ip(private)), "{private}");
            assert!(guarded(&["X.example"]).permits("x.EXAMPLE.", ip(private)), "{private}");
            assert!(!guarded(&["y.example"]).permits("x.example", ip(private)), "{private}");
        }
    }

    #[test]
    fn what_lies_just_outside_the_ranges_is_public() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "223.255.255.255",
            "128.0.0.1",
            "2606:4700::1111",
            "fbff::1",
            "2002:0101:0101::1",
        ] {
            assert!(guarded(&[]).permits("x", ip(public)), "{public}");
        }
    }

    #[test]
    fn a_range_covers_what_it_says_in_every_form() {
        let policy = guarded(&["10.1.0.0/16", "fd12::/16"]);
        for (address, called) in [
            ("10.1.255.255", true),
            ("10.2.0.0", false),
            ("::ffff:10.1.0.1", true),
            ("::ffff:10.2.0.1", false),
            ("fd12::1", true),
            ("fd13::1", false),
        ] {
            assert_eq!(policy.permits("x", ip(address)), called, "{address}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused_by_name() {
        for bad in ["", "10.0.0.0/33", "fd00::/129", "x/8", "10.0.0.0/", "a b", "10.0.0.0/-1"] {
            assert!(bad.parse::<AllowedTarget>().is_err(), "{bad:?}");
        }
        assert_eq!("[::1]".parse(), Ok(AllowedTarget::Range(ip("::1"), 128)));
        assert_eq!("Hooks.Example.".parse(), Ok(AllowedTarget::Host("hooks.example".to_owned())));
    }

    proptest! {
        #[test]
        fn dressing_an_address_up_gains_nothing(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let plain = guarded(&[]).permits("x", v4.into());
            let local = OutboundPolicy::local().permits("x", v4.into());
            for dressed in dressings(v4) {
                prop_assert_eq!(guarded(&[]).permits("x", dressed), plain, "{}", dressed);
                prop_assert_eq!(OutboundPolicy::local().permits("x", dressed), local, "{}", dressed);
            }
        }

        #[test]
        fn a_range_holds_exactly_what_shares_its_bits(base: u32, other: u32, bits in 0_u8..=32) {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            let range = shares(Ipv4Addr::from_bits(other).into(), Ipv4Addr::from_bits(base).into(), bits);
            prop_assert_eq!(range, base & mask == other & mask);
        }
    }
}
