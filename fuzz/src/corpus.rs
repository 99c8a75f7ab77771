//! Real inputs, to begin with.

use balancer::wire::auth::Plugin;
use balancer::wire::capabilities::Capabilities;
use balancer::wire::handshake::{Greeting, Response, auth_switch};
use balancer::wire::packet::{put_packet, put_text};
use balancer::wire::reply::{err, ok};

/// Pieces that mean something in a statement.
pub const WORDS: &[&[u8]] = &[
    b" INTO @x",
    b" FOR UPDATE",
    b"f(1)",
    b"@a:=1",
    b"/*",
    b"*/",
    b"/*!50000 ",
    b"/*M!",
    b"-- ",
    b"#",
    b"'",
    b"\"",
    b"`",
    b"\\",
    b"1e1",
    b".5",
    b"NEXTVAL(s)",
    b"GET_LOCK(",
    b"SET ",
    b"SELECT ",
    b"WITH ",
    b" AS (",
    b"EXPLAIN ",
    b"ROUTE ",
    b";",
    b"@@",
    b"INSERT ",
    b"DELETE ",
    b"/* tpcw: ",
    b"node=",
    b"=",
];

/// Statements, one a line of a file.
pub fn statements() -> Vec<Vec<u8>> {
    include_str!("../corpus/statements.sql").lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// Nothing to begin with but randomness.
pub fn entropy() -> Vec<Vec<u8>> {
    (0..64u64)
        .map(|seed| {
            let mut random = crate::mutate::Random::of(seed, 0, 0);
            (0..48).map(|_| random.next() as u8).collect()
        })
        .collect()
}

fn packets(first: u8, payloads: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![first];
    payloads.iter().fold(1, |sequence, payload| put_packet(&mut out, sequence, payload));
    out
}

/// Answers of nodes behind a byte that says how they are read, see the target of this name.
pub fn answers() -> Vec<Vec<u8>> {
    const EOF: &[u8] = &[0xFE, 0, 0, 2, 0];
    const OK_END: &[u8] = &[0xFE, 0, 0, 2, 0, 0, 0];
    let mut change = vec![0];
    let mut variable = Vec::new();
    put_text(&mut variable, b"last_gtid");
    put_text(&mut variable, b"0-1-7");
    put_text(&mut change, &variable);
    let mut told = vec![0, 1, 0, 2, 0x40, 0, 0, 0];
    put_text(&mut told, &change);
    let error = err(1290, "HY000", "The server is running with the --read-only option");
    vec![
        packets(0, &[&ok(2)]),
        packets(8, &[&told]),
        packets(16, &[&error]),
        packets(24, &[&[1], b"definition", EOF, &[1, b'a'], &[0xFB], EOF]),
        packets(28, &[&[1], b"definition", &[1, b'a'], &[0xFB], OK_END]),
        packets(28, &[&[1], b"definition", &[0xFE, 0, 0, 0xA, 0, 0, 0], &[0, 0, 0, 2, 0, 0, 0]]),
        packets(9, &[&[0, 5, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0], b"p1", b"p2", EOF, b"c1", EOF]),
        packets(13, &[&[0, 5, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0], b"p1", b"p2", b"c1"]),
        packets(2, &[b"d1", b"d2", EOF]),
        packets(0, &[&[0xFB, b'f'], &ok(2)]),
        told,
        error,
    ]
}

/// Commands of clients.
pub fn commands() -> Vec<Vec<u8>> {
    let execute = b"\x17\x05\0\0\0\x01\x01\0\0\0\0\x01\x03\0\xfd\0\x07\0\0\0\x03abc";
    let payloads: [&[u8]; 9] = [
        b"\x03SELECT 1",
        b"\x16SELECT ?",
        execute,
        b"\x18\x05\0\0\0\0\0long",
        b"\x19\x05\0\0\0",
        b"\x02tpcw",
        b"\x0e",
        b"\x1b\0\0",
        b"\x1c\x05\0\0\0\x01\0\0\0",
    ];
    let mut all: Vec<Vec<u8>> = payloads.iter().map(|payload| payload.to_vec()).collect();
    for payload in payloads {
        let mut stream = Vec::new();
        put_packet(&mut stream, 0, payload);
        put_packet(&mut stream, 0, b"\x01");
        all.push(stream);
    }
    all
}

/// First packets of both sides.
pub fn handshakes() -> Vec<Vec<u8>> {
    let greeting = Greeting {
        version: b"5.5.5-10.11.19-MariaDB".to_vec(),
        id: 77,
        scramble: (1..=20).collect(),
        capabilities: Capabilities::OFFERED,
        collation: 45,
        plugin: Plugin::Native.name().into(),
    };
    let response = Response {
        capabilities: Capabilities::OFFERED.or(Capabilities::PLUGIN_AUTH_LENENC),
        collation: 45,
        name: b"shop".to_vec(),
        proof: vec![9; 20],
        schema: Some(b"tpcw".to_vec()),
        plugin: Some(b"caching_sha2_password".to_vec()),
        attributes: Vec::new(),
    };
    let with_attributes = Response {
        capabilities: response.capabilities.or(Capabilities::CONNECT_ATTRS),
        attributes: vec![("_client_name".into(), "x".into()), ("_os".into(), "Linux".into())],
        ..response.clone()
    };
    let change = b"shop\0\x14aaaaaaaaaaaaaaaaaaaatpcw\0\x2d\0mysql_native_password\0".to_vec();
    let switch = auth_switch(Plugin::Native, &[7; 20])[1..].to_vec();
    vec![greeting.write(), response.write(), with_attributes.write(), change, switch]
}

/// Small texts with a form of their own, behind a byte that says which.
pub fn settings() -> Vec<Vec<u8>> {
    let config = "\x01listen = \"127.0.0.1:3306\"\noperator = { name = \"o\", password = \"p\" }\nreplication = { name = \"r\", password = \"p\" }\naccounts = [{ name = \"s\", password = \"p\" }]\n[[nodes]]\nname = \"n1\"\naddress = \"10.0.0.11:3306\"\n";
    ["\x000-1-270,1-2-3", "\x00", config, "\x02sql_mode=it's,autocommit=OFF,character_set_connection=latin1"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}
