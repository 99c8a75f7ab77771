"""The suite of mysqlclient, the C client library's binding for Python."""

from lab import pytest

NAME = "mysqlclient 2.3.1"
LANGUAGE = "Python (C)"
SOURCE = "PyPI, `tests`"


def prepare(cache):
    source = cache.sdist("mysqlclient", "2.3.1")
    return source, cache.venv("mysqlclient", "pytest", "pytest-timeout", "mysqlclient==2.3.1", "sqlalchemy")


def run(prepared, target, results):
    source, python = prepared
    file = results.with_suffix(".cnf")
    file.write_text(f"[MySQLdb-tests]\nhost={target.host}\nport={target.port}\nuser={target.user}\n"
                    f"password={target.password}\ndatabase=test\ndefault-character-set=utf8mb4\n")
    return pytest.run(python, source, ["tests"], results, {"TESTDB": str(file)})
