"""Builds and runs the tests that a crate carries within itself."""

import os
import re
import subprocess

from lab import outcome
from lab.fetch import needs, run as must


def suite(name, version):
    """What a suite's module needs: its `prepare` and `run`."""
    return (lambda cache: prepare(cache, name, version)), run


def prepare(cache, name, version):
    """The crate's test program, built once."""
    needs("cargo")
    folder = cache.crate(name, version)
    built = subprocess.run(["cargo", "test", "--lib", "--no-run", "--target-dir", str(cache.folder / "cargo")], cwd=folder,
                           capture_output=True, text=True)
    found = re.search(r"Executable .*\((.*)\)", built.stderr)
    if not found:
        must(["false"]) if built.returncode == 0 else must(["sh", "-c", 'echo "$0" >&2; exit 1', built.stderr[-500:]])
    return folder, folder / found.group(1)


def run(prepared, target, results):
    """Runs it; tests share schemas, so one at a time."""
    folder, program = prepared
    address = f"mysql://{target.user}:{target.password}@{target.host}:{target.port}/test"
    try:
        done = subprocess.run([program, "--test-threads=1"], cwd=folder, env={**os.environ, "DATABASE_URL": address},
                              capture_output=True, text=True, errors="replace", timeout=900)
        said = done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="replace")
    results.with_suffix(".txt").write_text(said)
    return outcome.cargo(said)
