"""A program of our own with Node's mysql2, whose package holds no tests."""

import os
import pathlib
import subprocess

from lab import outcome

NAME = "mysql2 3.24.6"
LANGUAGE = "Node"
SOURCE = "npm, with `compat/programs/node.js`"


def prepare(cache):
    return cache.npm("mysql2", "mysql2@3.24.6")


def run(folder, target, results):
    program = pathlib.Path(__file__).parent.parent / "programs" / "node.js"
    done = subprocess.run(["node", program, target.host, str(target.port), target.user, target.password],
                          env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
                          capture_output=True, text=True, timeout=600)
    results.with_suffix(".txt").write_text(done.stdout + done.stderr)
    return outcome.tap(done.stdout)
