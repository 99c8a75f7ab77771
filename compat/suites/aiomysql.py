"""The suite of aiomysql, PyMySQL's protocol under asyncio."""

from lab import pytest

NAME = "aiomysql 0.3.2"
LANGUAGE = "Python (asyncio)"
SOURCE = "PyPI, `tests`"


def prepare(cache):
    source = cache.sdist("aiomysql", "0.3.2")
    return source, cache.venv("aiomysql", "pytest<8.4", "pytest-timeout", "aiomysql==0.3.2", "pymysql<1.2", "sqlalchemy<2", "uvloop",
                              "cryptography")


def run(prepared, target, results):
    source, python = prepared
    return pytest.run(python, source, ["tests", f"--mysql-address={target.host}:{target.port}"], results,
                      {"MYSQL_ROOT_PASSWORD": ""})
