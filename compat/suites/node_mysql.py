"""The suite of mysqljs/mysql, the older of Node's drivers: one program a case."""

import os
import subprocess

from lab import outcome
from lab.fetch import needs, run as must

NAME = "mysqljs/mysql 2.18.1"
LANGUAGE = "Node"
SOURCE = "Debian, source of `node-mysql`"


def prepare(cache):
    needs("node", "npm")
    folder = cache.debian("node-mysql", part=".orig.tar")
    if not (folder / "node_modules").exists():
        must(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)
    return folder


def run(folder, target, results):
    environment = {**os.environ, "MYSQL_HOST": target.host, "MYSQL_PORT": str(target.port), "MYSQL_USER": target.user,
                   "MYSQL_PASSWORD": target.password, "MYSQL_DATABASE": "test"}
    outcomes = outcome.Outcomes()
    for file in sorted((folder / "test" / "integration").rglob("test-*.js")):
        name = str(file.relative_to(folder / "test" / "integration")).removesuffix(".js")
        try:
            done = subprocess.run(["node", file], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
            said = done.stdout + done.stderr
            bad = done.returncode
            skipped = "skipping" in said.lower()
        except subprocess.TimeoutExpired:
            bad, said, skipped = 1, "timed out", False
        word = outcome.SKIPPED if skipped and not bad else outcome.FAILED if bad else outcome.PASSED
        outcomes.put(name, word, said[-400:])
    return outcomes
