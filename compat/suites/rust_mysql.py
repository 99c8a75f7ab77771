"""The tests in the crate `mysql`."""

from lab import cargo

NAME = "mysql 28.0.4"
LANGUAGE = "Rust"
SOURCE = "crates.io, tests in the crate"


def prepare(cache):
    return cargo.prepare(cache, "mysql", "28.0.4")


def run(prepared, target, results):
    return cargo.run(prepared, target, results)
