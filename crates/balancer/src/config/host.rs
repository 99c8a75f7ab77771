//! Addresses in a settings file: `127.0.0.1:3306`, `[::1]:3306` or `db1.example:3306`.
//!
//! A name is resolved once, when the file is read; a node that moves to another address needs a restart of the balancer.
//! Of several addresses the first IPv4 one is taken, else the first.

use std::net::{SocketAddr, ToSocketAddrs};

use serde::de::{Deserialize, Deserializer, Error};

/// `listen`.
pub fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    one(from, "listen")
}

/// `admin`.
pub fn admin<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    maybe(from, "admin")
}

/// `nodes[].address`.
pub fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    one(from, "address")
}

/// `nodes[].direct_address`.
pub fn direct_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    maybe(from, "direct_address")
}

fn one<'de, D: Deserializer<'de>>(from: D, key: &str) -> Result<SocketAddr, D::Error> {
    resolve(key, &String::deserialize(from)?).map_err(D::Error::custom)
}

fn maybe<'de, D: Deserializer<'de>>(from: D, key: &str) -> Result<Option<SocketAddr>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| resolve(key, &text)).transpose().map_err(D::Error::custom)
}

/// Finds the address, or says what is wrong with which key and host.
fn resolve(key: &str, text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let shape = || format!("{key}: `{text}` is not an address; host:port is expected, as in 10.0.0.11:3306");
    let (host, port) = text.rsplit_once(':').ok_or_else(shape)?;
    let port: u16 = port.parse().map_err(|_| shape())?;
    if host.is_empty() || host.contains(':') {
        return Err(shape());
    }
    let found = (host, port).to_socket_addrs();
    let found: Vec<SocketAddr> =
        found.map_err(|error| format!("{key}: the host `{host}` cannot be found: {error}"))?.collect();
    let chosen = found.iter().find(|address| address.is_ipv4()).or(found.first());
    chosen.copied().ok_or_else(|| format!("{key}: the host `{host}` has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_understood_and_nonsense_is_named() {
        for (text, expected) in [
            ("10.0.0.11:3306", Ok("10.0.0.11:3306")),
            ("[::1]:3306", Ok("[::1]:3306")),
            ("localhost:3306", Ok("127.0.0.1:3306")),
            ("10.0.0.11", Err("address: `10.0.0.11` is not an address; host:port is expected")),
            ("localhost:mysql", Err("address: `localhost:mysql` is not an address")),
            ("::1:99999", Err("address: `::1:99999` is not an address")),
            (":3306", Err("address: `:3306` is not an address")),
            ("no such host:3306", Err("address: the host `no such host` cannot be found")),
        ] {
            match (resolve("address", text), expected) {
                (Ok(found), Ok(wanted)) => assert_eq!(found.to_string(), wanted),
                (Err(told), Err(wanted)) => assert!(told.starts_with(wanted), "{told}"),
                (found, wanted) => panic!("{text}: {found:?}, not {wanted:?}"),
            }
        }
    }

    #[test]
    fn a_node_may_be_named_by_host() {
        let node = |text: &str| toml::from_str::<crate::config::Node>(text);
        let found = node("name = 'n1'\naddress = 'localhost:1'\ndirect_address = 'localhost:2'").unwrap();
        assert_eq!((found.address.port(), found.admin_address().port()), (1, 2));
        assert_eq!(node("name = 'n1'\naddress = 'localhost:1'").unwrap().direct_address, None);
        let error = node("name = 'n1'\naddress = 'no such host:1'").unwrap_err().to_string();
        assert!(error.contains("address: the host `no such host` cannot be found"), "{error}");
        assert!(error.contains("line 2"), "{error}");
    }
}
