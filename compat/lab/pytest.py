"""Runs pytest in a suite's environment and reads what it says."""

import os
import subprocess

from lab import outcome


def run(python, folder, arguments, results, environment=None, limit_s=900):
    """Runs pytest in `folder`; the outcomes. A run that cannot even begin shows its last lines."""
    results.unlink(missing_ok=True)
    done = subprocess.run([str(python), "-m", "pytest", "-q", "-rN", "-p", "no:cacheprovider",
                           "--timeout=60", f"--junitxml={results}", *map(str, arguments)],
                          cwd=folder, env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=limit_s)
    if not results.exists():
        raise RuntimeError(f"pytest did not run: {(done.stdout + done.stderr)[-2000:]}")
    return outcome.junit(results)
