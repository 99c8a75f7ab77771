"""The tests in the crate `mysql`."""

from lab import cargo

NAME = "mysql 28.0.4"
LANGUAGE = "Rust"
SOURCE = "crates.io, tests in the crate"

prepare, run = cargo.suite("mysql", "28.0.4")
