"""The tests in the crate `mysql_async`."""

from lab import cargo

NAME = "mysql_async 0.37.1"
LANGUAGE = "Rust (async)"
SOURCE = "crates.io, tests in the crate"

prepare, run = cargo.suite("mysql_async", "0.37.1")
