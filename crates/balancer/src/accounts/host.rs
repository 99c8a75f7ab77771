//! From where an account may log in: the host part of `'name'@'host'`.

use std::net::IpAddr;

/// A host pattern. Host names other than `localhost` are not resolved and fit nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    text: Box<str>,
    netmask: Option<(IpAddr, IpAddr)>,
}

impl Default for HostPattern {
    fn default() -> Self {
        Self::new("%")
    }
}

impl HostPattern {
    /// A pattern as servers write it: an address, with `%` and `_`, or with a netmask after a slash; `localhost`.
    pub fn new(text: &str) -> Self {
        let text = if text.is_empty() { "%" } else { text };
        let netmask =
            text.split_once('/').and_then(|(net, mask)| Some((net.parse().ok()?, mask.parse().ok()?)));
        Self { text: text.into(), netmask }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a client at this address may be meant.
    pub fn fits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        match self.netmask {
            Some((IpAddr::V4(net), IpAddr::V4(mask))) => {
                matches!(peer, IpAddr::V4(peer) if peer.to_bits() & mask.to_bits() == net.to_bits())
            }
            _ if self.text.eq_ignore_ascii_case("localhost") => peer.is_loopback(),
            _ => like(self.text.as_bytes(), peer.to_string().as_bytes()),
        }
    }

    /// Servers try the more specific pattern first: one without wildcards, then the one whose wildcard comes later.
    pub fn specificity(&self) -> usize {
        self.text.find(['%', '_']).unwrap_or(usize::MAX)
    }
}

/// SQL's LIKE without an escape. Addresses and patterns are short: 60 characters in servers' tables.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    // Where to go on if the text after the last `%` does not fit.
    let (mut at, mut from, mut retry) = (0, 0, None);
    while from < text.len() {
        match pattern.get(at) {
            Some(b'%') => {
                retry = Some((at + 1, from));
                at += 1;
            }
            Some(byte) if *byte == b'_' || byte.eq_ignore_ascii_case(&text[from]) => {
                at += 1;
                from += 1;
            }
            _ => match retry {
                Some((after, tried)) => {
                    (at, from) = (after, tried + 1);
                    retry = Some((after, tried + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_on_a_server() {
        for (pattern, peer, fits) in [
            ("%", "10.0.0.1", true),
            ("", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.11", false),
            ("10.0.%", "10.0.3.4", true),
            ("10.0.%", "10.1.0.4", false),
            ("10.%.4", "10.1.4.4", true),
            ("10.0.0._", "10.0.0.7", true),
            ("10.0.0._", "10.0.0.77", false),
            ("10.0.0.0/255.255.255.0", "10.0.0.9", true),
            ("10.0.0.0/255.255.255.0", "10.0.1.9", false),
            ("localhost", "127.0.0.1", true),
            ("localhost", "::1", true),
            ("LOCALHOST", "10.0.0.1", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("fe80::%", "fe80::1", true),
            ("db.example.com", "10.0.0.1", false),
        ] {
            assert_eq!(HostPattern::new(pattern).fits(peer.parse().unwrap()), fits, "{pattern} {peer}");
        }
    }

    #[test]
    fn the_more_specific_pattern_comes_first() {
        let order = ["10.0.0.1", "10.0.%", "10.%", "%"].map(|text| HostPattern::new(text).specificity());
        assert!(order.is_sorted_by(|a, b| a > b), "{order:?}");
    }
}
