"""SQLAlchemy's suite for dialects, and its own tests of the MySQL dialect, over PyMySQL."""

from lab import pytest

NAME = "SQLAlchemy 2.0.50"
LANGUAGE = "Python (ORM)"
SOURCE = "PyPI, `test/dialect/test_suite.py`, `test/dialect/mysql`"
VERSION = "2.0.50"


def prepare(cache):
    source = cache.sdist("sqlalchemy", VERSION)
    return source, cache.venv("sqlalchemy", "pytest", "pytest-timeout", f"sqlalchemy=={VERSION}", "pymysql", "cryptography")


def run(prepared, target, results):
    source, python = prepared
    address = f"mariadb+pymysql://{target.user}:{target.password}@{target.host}:{target.port}/test?charset=utf8mb4"
    return pytest.run(python, source, ["test/dialect/test_suite.py", "test/dialect/mysql", "--dburi", address,
                                       "-p", "no:warnings"], results, limit_s=1800)
