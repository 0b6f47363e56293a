//! Where a webhook goes: parsed once, and the machines it may reach.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::Uri;
use hyper::http::uri::Scheme;

/// The longest address, in letters.
pub(crate) const ADDRESS_MAX: usize = 500;

/// An address that can be posted to. Its path may hold a password: it is shown to administrators and never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    encrypted: bool,
    host: String,
    port: u16,
    /// Path and query, from the first slash.
    path: String,
}

/// Why a text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// It is no address, as `https://host/path`, or longer than [`ADDRESS_MAX`].
    #[error("it must be an address as https://receiver.example.cn/path, of at most 500 letters")]
    Form,
    /// It would be told in clear. `http` is for receivers on the server itself, where they are allowed.
    #[error("it must begin with https://")]
    Clear,
    /// It is of a machine that no webhook may reach: link-local, of many at once, or of none.
    #[error("it must not be a link-local address, or one of many machines at once")]
    Never,
    /// It names a user: what is in front of an `@` is easily mistaken for the host.
    #[error("it must not name a user")]
    User,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressFault> {
        let text = text.trim();
        if text.len() > ADDRESS_MAX || !text.is_ascii() || text.contains('#') {
            return Err(AddressFault::Form);
        }
        let uri: Uri = text.parse().map_err(|_| AddressFault::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(AddressFault::Form);
        };
        if authority.as_str().contains('@') {
            return Err(AddressFault::User);
        }
        let encrypted = *scheme == Scheme::HTTPS;
        if !encrypted && *scheme != Scheme::HTTP {
            return Err(AddressFault::Form);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() || authority.as_str().len() > authority.host().len() && authority.port().is_none()
        {
            return Err(AddressFault::Form);
        }
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if host.parse::<IpAddr>().is_ok_and(|ip| !may_reach(ip, true)) {
            return Err(AddressFault::Never);
        }
        if !(encrypted || here) {
            return Err(AddressFault::Clear);
        }
        let port = match authority.port() {
            Some(port) if port.as_u16() > 0 => port.as_u16(),
            Some(_) => return Err(AddressFault::Form),
            None if encrypted => 443,
            None => 80,
        };
        let path = match uri.path_and_query().map_or("/", |path| path.as_str()) {
            // `https://host?query` has no path of its own, and a request line begins with one.
            path if !path.starts_with('/') => format!("/{path}"),
            path => path.to_owned(),
        };
        Ok(Self { text: text.to_owned(), encrypted, host, port, path })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host's name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Host and port, as the `Host` header has them.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.encrypted, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Whether a webhook may reach a machine. Asked of what a name stands for when it is connected to, so that a name cannot
/// be made to stand for something else after it was typed in. Never the machine itself (unless the configuration says so:
/// what listens there on loopback trusts whoever can reach it), nor what is only ever found on one's own cable: link-local
/// addresses, where clouds keep their machines' credentials, and those of many at once.
pub(crate) fn may_reach(ip: IpAddr, loopback: bool) -> bool {
    let ip = ip.to_canonical();
    if let IpAddr::V6(six) = ip
        && let Some(four) = carried(six)
        && !may_reach(four.into(), false)
    {
        return false;
    }
    if ip.is_loopback() {
        return loopback;
    }
    let on_the_cable = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(on_the_cable || ip.is_unspecified() || ip.is_multicast())
}

/// The IPv4 address that an IPv6 one carries: IPv4-compatible, NAT64 (RFC 6052, RFC 8215), 6to4.
fn carried(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => four(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x64, 0xff9b, 1, _, _, _, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = Address::parse(" https://Hooks.example.cn:8443/in?key=a%20b ").unwrap();
        assert_eq!((address.host(), address.port()), ("hooks.example.cn", 8443));
        assert_eq!((address.path(), &*address.authority()), ("/in?key=a%20b", "hooks.example.cn:8443"));
        let plain = Address::parse("https://[2001:db8::7]").unwrap();
        assert_eq!((plain.host(), plain.port(), plain.path()), ("2001:db8::7", 443, "/"));
        assert_eq!(plain.authority(), "[2001:db8::7]");
        assert!(!Address::parse("http://127.0.0.1:1880/gate").unwrap().is_encrypted());
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_reason() {
        for (text, fault) in [
            ("", AddressFault::Form),
            ("hooks.example.cn/in", AddressFault::Form),
            ("/in", AddressFault::Form),
            ("ftp://hooks.example.cn/", AddressFault::Form),
            ("file:///etc/passwd", AddressFault::Form),
            ("https://", AddressFault::Form),
            ("https://hooks.example.cn:0/", AddressFault::Form),
            ("https://hooks.example.cn:99999/", AddressFault::Form),
            ("https://hooks.example.cn:/", AddressFault::Form),
            ("https://hooks.example.cn/in#there", AddressFault::Form),
            ("https://hooks.example.cn/in\r\nx: y", AddressFault::Form),
            ("https://钩子.例子/", AddressFault::Form),
            ("http://hooks.example.cn/", AddressFault::Clear),
            ("http://127.0.0.1.example.cn/", AddressFault::Clear),
            ("https://hooks.example.cn@10.0.0.1/", AddressFault::User),
        ] {
            assert_eq!(Address::parse(text), Err(fault), "{text}");
        }
        let long = format!("https://hooks.example.cn/{}", "a".repeat(ADDRESS_MAX));
        assert_eq!(Address::parse(&long), Err(AddressFault::Form));
    }

    #[test]
    fn neither_the_machine_itself_nor_its_cable_is_reached() {
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::127.0.0.1",
            "2002:7f00:1::",
            "fe80::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(!may_reach(text.parse().unwrap(), false), "{text}");
        }
        for text in ["10.1.2.3", "192.168.1.9", "172.16.0.4", "8.8.8.8", "fd00::7", "2001:db8::7"] {
            assert!(may_reach(text.parse().unwrap(), false), "{text}");
        }
        assert!(may_reach("127.0.0.1".parse().unwrap(), true) && may_reach("::1".parse().unwrap(), true));
        assert!(!may_reach("169.254.169.254".parse().unwrap(), true));
    }
}
