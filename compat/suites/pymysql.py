"""PyMySQL's own suite. Version 0.10.1 is the last whose package on PyPI holds it."""

import json

from lab import pytest

NAME = "PyMySQL 0.10.1"
LANGUAGE = "Python"
SOURCE = "PyPI, `pymysql/tests`"


def prepare(cache):
    source = cache.sdist("PyMySQL", "0.10.1")
    return source, cache.venv("pymysql", "pytest", "pytest-timeout", "cryptography")


def run(prepared, target, results):
    source, python = prepared
    account = {"host": target.host, "port": target.port, "user": target.user, "passwd": target.password,
               "use_unicode": True, "local_infile": True}
    databases = [{**account, "db": "compat"}, {**account, "db": "compat2"}]
    (source / "pymysql" / "tests" / "databases.json").write_text(json.dumps(databases))
    return pytest.run(python, source, ["pymysql/tests"], results, {"PYTHONPATH": str(source)})
