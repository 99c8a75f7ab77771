"""The suite of DBD::MariaDB, Perl's driver over the C client library: text, server-side prepare, asynchronous."""

import os
import subprocess

from lab import outcome
from lab.fetch import needs, run as must

NAME = "DBD::MariaDB 1.22"
LANGUAGE = "Perl (C)"
SOURCE = "Debian, source of `libdbd-mariadb-perl`"


def prepare(cache):
    needs("perl", "make", "cc", "mariadb_config")  # and libdevel-checklib-perl, libdbi-perl, libtest-deep-perl
    folder = cache.debian("libdbd-mariadb-perl")
    if not (folder / "blib").exists():
        must(["perl", "Makefile.PL", "--testdb=test", "--testuser=x", "--testhost=127.0.0.1", "--testport=1"], cwd=folder)
        must(["make"], cwd=folder)
    return folder


def run(folder, target, results):
    environment = {**os.environ, "PERL_DL_NONLAZY": "1"}
    (folder / "t" / "MariaDB.mtest").write_text(f"""$::test_host = '{target.host}'; $::test_port = {target.port}; $::test_socket = '';
$::test_user = '{target.user}'; $::test_password = '{target.password}'; $::test_db = 'test';
$::test_mysql_config = 'mariadb_config';
$::test_dsn = 'DBI:MariaDB:database=test;host={target.host};port={target.port}';
1;
""")
    outcomes = outcome.Outcomes()
    for file in sorted((folder / "t").glob("*.t")):
        if file.name in ("pod.t", "manifest.t"):
            continue
        try:
            done = subprocess.run(["perl", "-Mblib", f"t/{file.name}"], cwd=folder, env=environment,
                                  capture_output=True, text=True, errors="replace", timeout=120)
            code, text = done.returncode, done.stdout
            errors = done.stderr
        except subprocess.TimeoutExpired:
            code, text, errors = "timed out", "", ""
        found = outcome.tap(text, f"{file.stem}: ")
        outcomes.update(found)
        for name in found:
            if found[name] == outcome.FAILED:
                outcomes.messages[name] = " ".join(errors.split())[:400]
        if code and outcome.FAILED not in found.values():
            outcomes.put(f"{file.stem}: (end)", outcome.FAILED, f"{code}: {errors}")
    return outcomes
