//! Bytes ↔ values of the MySQL protocol, one kind of packet a file. Only [`transport`] touches a stream.
//!
//! Sources: the MySQL internals manual, "Client/Server Protocol", and the MariaDB knowledge base of the same title.

pub mod auth;
pub mod capabilities;
pub mod codec;
pub mod command;
pub mod compression;
pub mod handshake;
pub mod packet;
pub mod prepared;
pub mod reply;
pub mod resultset;
pub mod trackers;
pub mod transport;
