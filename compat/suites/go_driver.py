"""The suite of Go's driver, as Debian ships it."""

import os
import shutil
import subprocess

from lab import outcome
from lab.fetch import Missing, needs

NAME = "go-sql-driver/mysql 1.5.0"
LANGUAGE = "Go"
SOURCE = "Debian, `golang-github-go-sql-driver-mysql-dev`"
INSTALLED = "/usr/share/gocode/src/github.com/go-sql-driver/mysql"


def prepare(cache):
    needs("go")
    if not os.path.isdir(INSTALLED):
        raise Missing("golang-github-go-sql-driver-mysql-dev is not installed")
    home = cache.folder / "go"
    folder = home / "src" / "github.com" / "go-sql-driver" / "mysql"
    if not folder.exists():
        shutil.copytree(INSTALLED, folder)
    return home, folder


def run(prepared, target, results):
    home, folder = prepared
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(home), "GOCACHE": str(home / "cache"), "MYSQL_TEST_USER": target.user,
                   "MYSQL_TEST_PASS": target.password, "MYSQL_TEST_ADDR": f"{target.host}:{target.port}",
                   "MYSQL_TEST_PROT": "tcp", "MYSQL_TEST_DBNAME": "test"}
    done = subprocess.run(["go", "test", "-json", "-vet=off", "-timeout", "300s"], cwd=folder, env=environment,
                          capture_output=True, text=True, timeout=600)
    results.with_suffix(".txt").write_text(done.stdout + done.stderr)
    return outcome.go(done.stdout)
