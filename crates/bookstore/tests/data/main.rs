//! The population as bytes, and loading and checking it in a real server.

mod check;
mod load;
mod plain;
mod population;
mod server;
