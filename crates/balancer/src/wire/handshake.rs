//! The first packets of a connection: greeting, the client's response, a change of plugin.

use super::auth::{Plugin, SCRAMBLE};
use super::capabilities::Capabilities;
use super::packet::{Malformed, Reader, put_number, put_text};

/// What a client says of itself: names and values, in its order.
pub type Attributes = Vec<(Box<str>, Box<str>)>;
/// The length of a request for TLS, in bytes.
const TLS_REQUEST: usize = 32;

/// What a server says first (protocol version 10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its version, as it stands on the wire.
    pub version: Vec<u8>,
    /// The connection's id.
    pub id: u32,
    /// What proofs are made under.
    pub scramble: Vec<u8>,
    /// What the server can do.
    pub capabilities: Capabilities,
    /// Its default character set and collation.
    pub collation: u8,
    /// The plugin that it expects.
    pub plugin: Vec<u8>,
}

impl Greeting {
    /// Reads a node's greeting.
    pub fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != 10 {
            return Err(Malformed::Unknown);
        }
        let version = reader.zero_ended()?.to_vec();
        let id = reader.u32()?;
        let mut scramble = reader.bytes(8)?.to_vec();
        reader.bytes(1)?;
        let mut capabilities = u64::from(reader.u16()?);
        let collation = reader.u8()?;
        reader.u16()?;
        capabilities |= u64::from(reader.u16()?) << 16;
        let scramble_length = usize::from(reader.u8()?);
        reader.bytes(6)?;
        let extended = reader.u32()?;
        if capabilities & Capabilities::MYSQL.0 == 0 {
            capabilities |= u64::from(extended) << 32;
        }
        let second = reader.bytes(scramble_length.saturating_sub(8).max(13))?;
        scramble.extend_from_slice(&second[..second.len() - 1]);
        scramble.truncate(SCRAMBLE);
        let plugin = reader.zero_ended().unwrap_or(Plugin::Native.name().as_bytes()).to_vec();
        Ok(Self { version, id, scramble, capabilities: Capabilities(capabilities), collation, plugin })
    }

    /// Whether a MySQL server speaks, not a MariaDB server.
    pub fn is_mysql(&self) -> bool {
        self.capabilities.has(Capabilities::MYSQL)
    }

    /// The greeting as a payload.
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![10];
        out.extend_from_slice(&self.version);
        out.push(0);
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.scramble[..8]);
        out.push(0);
        let bits = self.capabilities.0;
        out.extend_from_slice(&(bits as u16).to_le_bytes());
        out.push(self.collation);
        out.extend_from_slice(&super::capabilities::status::AUTOCOMMIT.to_le_bytes());
        out.extend_from_slice(&((bits >> 16) as u16).to_le_bytes());
        out.push(SCRAMBLE as u8 + 1);
        out.extend_from_slice(&[0; 6]);
        let extended = if self.is_mysql() { 0 } else { (bits >> 32) as u32 };
        out.extend_from_slice(&extended.to_le_bytes());
        out.extend_from_slice(&self.scramble[8..]);
        out.push(0);
        out.extend_from_slice(&self.plugin);
        out.push(0);
        out
    }
}

/// Whether a client's first packet asks for TLS, after which it says the rest: a response that ends before the name.
pub fn asks_for_tls(payload: &[u8]) -> bool {
    let bits = Reader::new(payload).u32().unwrap_or_default();
    payload.len() == TLS_REQUEST && u64::from(bits) & Capabilities::SSL.0 != 0
}

/// A request for TLS as a payload: what the response will ask for, up to its name.
pub fn tls_request(response: &Response) -> Vec<u8> {
    let mut out = response.write();
    out.truncate(TLS_REQUEST);
    out
}

/// What a client answers to the greeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// What it asks for.
    pub capabilities: Capabilities,
    /// Its character set and collation.
    pub collation: u8,
    /// Its account.
    pub name: Vec<u8>,
    /// Its proof.
    pub proof: Vec<u8>,
    /// The schema that it wants to begin in.
    pub schema: Option<Vec<u8>>,
    /// The plugin that made the proof.
    pub plugin: Option<Vec<u8>>,
    /// What it says of itself.
    pub attributes: Attributes,
}

impl Response {
    /// Reads a client's response.
    pub fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let mut bits = u64::from(reader.u32()?);
        if bits & Capabilities::PROTOCOL_41.0 == 0 {
            return Err(Malformed::Unknown);
        }
        reader.u32()?;
        let collation = reader.u8()?;
        reader.bytes(19)?;
        let extended = reader.u32()?;
        if bits & Capabilities::MYSQL.0 == 0 {
            bits |= u64::from(extended) << 32;
        }
        let capabilities = Capabilities(bits);
        let name = reader.zero_ended()?.to_vec();
        let proof = read_proof(&mut reader, capabilities)?;
        let with_schema = capabilities.has(Capabilities::CONNECT_WITH_DB) && !reader.is_empty();
        let schema = with_schema.then(|| reader.zero_ended()).transpose()?;
        let with_plugin = capabilities.has(Capabilities::PLUGIN_AUTH) && !reader.is_empty();
        let plugin = with_plugin.then(|| ended_or_rest(&mut reader));
        let attributes = read_attributes(&mut reader, capabilities);
        Ok(Self {
            capabilities,
            collation,
            name,
            proof,
            schema: schema.filter(|schema| !schema.is_empty()).map(<[u8]>::to_vec),
            plugin: plugin.map(<[u8]>::to_vec),
            attributes,
        })
    }

    /// The response as a payload; with attributes, if they were agreed on.
    pub fn write(&self) -> Vec<u8> {
        let bits = self.capabilities.0;
        let mut out = (bits as u32).to_le_bytes().to_vec();
        out.extend_from_slice(&(1u32 << 30).to_le_bytes());
        out.push(self.collation);
        out.extend_from_slice(&[0; 19]);
        out.extend_from_slice(&((bits >> 32) as u32).to_le_bytes());
        out.extend_from_slice(&self.name);
        out.push(0);
        put_number(&mut out, self.proof.len() as u64);
        out.extend_from_slice(&self.proof);
        if let Some(schema) = &self.schema {
            out.extend_from_slice(schema);
            out.push(0);
        }
        out.extend_from_slice(self.plugin.as_deref().unwrap_or(Plugin::Native.name().as_bytes()));
        out.push(0);
        if self.capabilities.has(Capabilities::CONNECT_ATTRS) {
            put_attributes(&mut out, &self.attributes);
        }
        out
    }
}

/// What a client says of itself; what cannot be read of it is left out, as by servers.
fn read_attributes(reader: &mut Reader<'_>, capabilities: Capabilities) -> Attributes {
    let mut attributes = Attributes::new();
    if !capabilities.has(Capabilities::CONNECT_ATTRS) {
        return attributes;
    }
    let mut rest = Reader::new(reader.text().unwrap_or_default());
    while let (Ok(name), Ok(value)) = (rest.text(), rest.text()) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
        attributes.push((text(name), text(value)));
    }
    attributes
}

fn read_proof(reader: &mut Reader<'_>, capabilities: Capabilities) -> Result<Vec<u8>, Malformed> {
    let lenenc = capabilities.has(Capabilities::PLUGIN_AUTH_LENENC);
    let secure = capabilities.0 & (1 << 15) != 0;
    let proof = match (lenenc, secure) {
        (true, _) => reader.text()?,
        (false, true) => {
            let length = usize::from(reader.u8()?);
            reader.bytes(length)?
        }
        (false, false) => reader.zero_ended()?,
    };
    Ok(proof.to_vec())
}

fn ended_or_rest<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    let rest = reader.rest();
    reader.zero_ended().unwrap_or(rest)
}

/// COM_CHANGE_USER without its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeUser {
    /// The new account.
    pub name: Vec<u8>,
    /// The proof under the greeting's scramble. It counts only for a client without plugins, which cannot be asked for
    /// another one under a fresh scramble.
    pub proof: Vec<u8>,
    /// The schema to begin in.
    pub schema: Option<Vec<u8>>,
    /// The collation, if told.
    pub collation: Option<u16>,
    /// The plugin that made the proof, if told.
    pub plugin: Option<Vec<u8>>,
    /// What the client says of itself.
    pub attributes: Attributes,
}

impl ChangeUser {
    /// Reads it.
    pub fn read(payload: &[u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let name = reader.zero_ended()?.to_vec();
        let length = usize::from(reader.u8()?);
        let proof = reader.bytes(length)?.to_vec();
        let schema = ended_or_rest(&mut reader);
        let collation = reader.u16().ok();
        let with_plugin = capabilities.has(Capabilities::PLUGIN_AUTH) && !reader.is_empty();
        let plugin = with_plugin.then(|| ended_or_rest(&mut reader).to_vec());
        let attributes = read_attributes(&mut reader, capabilities);
        let schema = (!schema.is_empty()).then(|| schema.to_vec());
        Ok(Self { name, proof, schema, collation, plugin, attributes })
    }
}

/// A request to prove the password again with a plugin and a scramble, as a payload.
pub fn auth_switch(plugin: Plugin, scramble: &[u8]) -> Vec<u8> {
    let mut out = vec![0xFE];
    out.extend_from_slice(plugin.name().as_bytes());
    out.push(0);
    out.extend_from_slice(scramble);
    // Ed25519's scramble may end with a zero of its own; clients expect 32 bytes.
    if plugin != Plugin::Ed25519 {
        out.push(0);
    }
    out
}

/// The plugin and the scramble in such a request, without its first byte.
pub fn read_auth_switch(payload: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut reader = Reader::new(payload);
    let plugin = reader.zero_ended()?;
    let scramble = reader.rest();
    let ended = scramble.len() == SCRAMBLE + 1;
    Ok((plugin, if ended { scramble.strip_suffix(&[0]).unwrap_or(scramble) } else { scramble }))
}

fn put_attributes(out: &mut Vec<u8>, attributes: &[(Box<str>, Box<str>)]) {
    let mut inner = Vec::new();
    for (key, value) in attributes {
        put_text(&mut inner, key.as_bytes());
        put_text(&mut inner, value.as_bytes());
    }
    put_text(out, &inner);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Greeting {
        Greeting {
            version: b"5.5.5-10.11.19-MariaDB".to_vec(),
            id: 77,
            scramble: (1..=20).collect(),
            capabilities: Capabilities::OFFERED,
            collation: 45,
            plugin: b"mysql_native_password".to_vec(),
        }
    }

    #[test]
    fn a_greeting_is_read_as_it_was_written() {
        let bytes = greeting().write();
        assert_eq!(Greeting::read(&bytes), Ok(greeting()));
        for end in 0..bytes.len() - "mysql_native_password".len() - 1 {
            assert!(Greeting::read(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_response_is_read_as_it_was_written_attributes_or_not() {
        let response = Response {
            capabilities: Capabilities(
                Capabilities::PROTOCOL_41.0
                    | Capabilities::PLUGIN_AUTH.0
                    | Capabilities::PLUGIN_AUTH_LENENC.0
                    | Capabilities::CONNECT_WITH_DB.0
                    | Capabilities::BULK.0,
            ),
            collation: 45,
            name: b"shop".to_vec(),
            proof: vec![9; 20],
            schema: Some(b"tpcw".to_vec()),
            plugin: Some(b"caching_sha2_password".to_vec()),
            attributes: Vec::new(),
        };
        assert_eq!(Response::read(&response.write()), Ok(response.clone()));
        let telling = Response {
            capabilities: response.capabilities.or(Capabilities::CONNECT_ATTRS),
            attributes: vec![("_client_name".into(), "x".into()), ("program_name".into(), "".into())],
            ..response
        };
        let bytes = telling.write();
        assert_eq!(Response::read(&bytes), Ok(telling.clone()));
        let cut = Response::read(&bytes[..bytes.len() - 3]).expect("attributes are no reason to refuse");
        assert_eq!((cut.attributes, cut.plugin), (Vec::new(), telling.plugin));
    }

    #[test]
    fn a_mysql_greeting_has_no_upper_half() {
        let mut mysql = greeting();
        mysql.capabilities = mysql.capabilities.or(Capabilities::MYSQL);
        let read = Greeting::read(&mysql.write()).unwrap();
        assert!(read.is_mysql() && !greeting().is_mysql());
        assert_eq!(read.capabilities.0, mysql.capabilities.0 & 0xFFFF_FFFF);
    }

    #[test]
    fn a_change_of_user_is_read_whole() {
        let all = Capabilities::PLUGIN_AUTH.or(Capabilities::CONNECT_ATTRS);
        let mut bytes = b"shop\0\x02xxtpcw\0\x01\x09client_ed25519\0".to_vec();
        put_attributes(&mut bytes, &[("a".into(), "b".into())]);
        let told = ChangeUser {
            name: b"shop".to_vec(),
            proof: b"xx".to_vec(),
            schema: Some(b"tpcw".to_vec()),
            collation: Some(0x901),
            plugin: Some(b"client_ed25519".to_vec()),
            attributes: vec![("a".into(), "b".into())],
        };
        assert_eq!(ChangeUser::read(&bytes, all), Ok(told));
        let old = ChangeUser::read(b"shop\0\0", Capabilities::default()).unwrap();
        assert_eq!((old.schema, old.collation, old.plugin), (None, None, None));
        assert!(ChangeUser::read(b"shop", all).is_err() && ChangeUser::read(b"shop\0\x09x", all).is_err());
    }

    #[test]
    fn a_switch_is_read_as_it_was_written() {
        for plugin in [Plugin::Native, Plugin::Sha2, Plugin::Ed25519, Plugin::Clear] {
            // A scramble may end with a zero of its own only where its length is known.
            let scramble = vec![if plugin == Plugin::Ed25519 { 0 } else { 7 }; plugin.scramble()];
            let switch = auth_switch(plugin, &scramble);
            assert_eq!(read_auth_switch(&switch[1..]), Ok((plugin.name().as_bytes(), &scramble[..])));
        }
        assert!(read_auth_switch(b"mysql_native_password").is_err());
    }

    #[test]
    fn half_a_response_is_refused() {
        let whole = Response {
            capabilities: Capabilities::PROTOCOL_41.or(Capabilities::PLUGIN_AUTH_LENENC),
            proof: vec![1; 20],
            ..Response::default()
        }
        .write();
        for end in 0..36 {
            assert!(Response::read(&whole[..end]).is_err(), "cut at {end}");
        }
        assert!(Response::read(&[0; 64]).is_err(), "the protocol before 4.1");
    }
}
