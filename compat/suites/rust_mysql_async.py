"""The tests in the crate `mysql_async`."""

from lab import cargo

NAME = "mysql_async 0.37.1"
LANGUAGE = "Rust (async)"
SOURCE = "crates.io, tests in the crate"


def prepare(cache):
    return cargo.prepare(cache, "mysql_async", "0.37.1")


def run(prepared, target, results):
    return cargo.run(prepared, target, results)
