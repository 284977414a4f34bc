//! The link that a server's operator hands out: `iirs://host:port/#PIN`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};
use thiserror::Error;

use crate::size::HASH;

/// Longest host name that a link may carry (RFC 1035).
pub const HOST_MAX: usize = 253;

const SCHEME: &str = "iirs://";

/// SHA-256 over the SPKI of the server's root key: the server's identity, 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin(pub [u8; HASH]);

/// Where a server is and who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// DNS name or IP address, an IPv6 address without brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// The identity that the server has to prove.
    pub pin: Pin,
}

/// Why a text is not a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// It starts with something else.
    #[error("a link starts with iirs://")]
    Scheme,
    /// The host is missing, too long, or has characters that no host has.
    #[error("the link's host is not a name or an address")]
    Host,
    /// The port is missing or not a number from 1 to 65535.
    #[error("the link's port is not a number from 1 to 65535")]
    Port,
    /// The pin after `/#` is missing or not 43 characters of base64url.
    #[error("the link's pin (after /#) is not 43 characters of base64url; copy the whole link")]
    Pin,
}

impl FromStr for Link {
    type Err = LinkError;

    /// Reads a link; white space around it is ignored.
    fn from_str(text: &str) -> Result<Self, LinkError> {
        let rest = text.trim().strip_prefix(SCHEME).ok_or(LinkError::Scheme)?;
        let (address, pin) = rest.split_once("/#").ok_or(LinkError::Pin)?;
        let (host, port) = address.rsplit_once(':').ok_or(LinkError::Port)?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|&port| digits && port != 0).ok_or(LinkError::Port)?;
        Ok(Self { host: parse_host(host)?, port, pin: pin.parse()? })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, pin } = self;
        if host.contains(':') {
            write!(f, "{SCHEME}[{host}]:{port}/#{pin}")
        } else {
            write!(f, "{SCHEME}{host}:{port}/#{pin}")
        }
    }
}

impl FromStr for Pin {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let mut pin = [0; HASH];
        match Base64UrlUnpadded::decode(text, &mut pin) {
            Ok(bytes) if bytes.len() == HASH => Ok(Self(pin)),
            Ok(_) | Err(_) => Err(LinkError::Pin),
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Base64UrlUnpadded::encode_string(&self.0))
    }
}

fn parse_host(text: &str) -> Result<String, LinkError> {
    if let Some(inner) = text.strip_prefix('[') {
        let address = inner.strip_suffix(']').ok_or(LinkError::Host)?;
        return address.parse::<Ipv6Addr>().map(|_| address.into()).map_err(|_| LinkError::Host);
    }
    let plausible = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    let fits = (1..=HOST_MAX).contains(&text.len()) && text.bytes().all(plausible);
    if fits { Ok(text.to_ascii_lowercase()) } else { Err(LinkError::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back_as_written() {
        for host in ["localhost", "127.0.0.1", "::1", "chat.example.org"] {
            let link = Link { host: host.into(), port: 4433, pin: Pin([0xfe; HASH]) };
            assert_eq!(format!("  {link}\n").parse(), Ok(link));
        }
    }

    #[test]
    fn what_is_no_link_says_what_is_wrong() {
        let pin = Pin([1; HASH]);
        let error = |text: String| text.parse::<Link>().unwrap_err();
        assert_eq!(error(format!("http://h:1/#{pin}")), LinkError::Scheme);
        assert_eq!(error(format!("iirs://:1/#{pin}")), LinkError::Host);
        assert_eq!(error(format!("iirs://h\u{202e}x:1/#{pin}")), LinkError::Host);
        assert_eq!(error(format!("iirs://[::1:1/#{pin}")), LinkError::Host);
        assert_eq!(error(format!("iirs://h/#{pin}")), LinkError::Port);
        assert_eq!(error(format!("iirs://h:0/#{pin}")), LinkError::Port);
        assert_eq!(error(format!("iirs://h:+1/#{pin}")), LinkError::Port);
        assert_eq!(error(format!("iirs://h:65536/#{pin}")), LinkError::Port);
        assert_eq!(error("iirs://h:1/#".into()), LinkError::Pin);
        assert_eq!(error("iirs://h:1".into()), LinkError::Pin);
        assert_eq!(error(format!("iirs://h:1/#{pin}A")), LinkError::Pin);
    }
}
