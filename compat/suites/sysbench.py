"""sysbench: every oltp script, each with text and with prepared statements; prepare, run and cleanup through the address."""

import subprocess

from lab import outcome
from lab.fetch import needs

NAME = "sysbench, all oltp scripts"
LANGUAGE = "Lua (C)"
SOURCE = "Debian, `sysbench`"
SCRIPTS = ["oltp_delete", "oltp_insert", "oltp_point_select", "oltp_read_only", "oltp_read_write", "oltp_update_index",
           "oltp_update_non_index", "oltp_write_only", "select_random_points", "select_random_ranges"]
EVENTS = 200


def prepare(_cache):
    needs("sysbench")


def run(_prepared, target, results):
    outcomes = outcome.Outcomes()
    base = ["sysbench", "--db-driver=mysql", f"--mysql-host={target.host}", f"--mysql-port={target.port}",
            f"--mysql-user={target.user}", f"--mysql-password={target.password}", "--mysql-db=test", "--tables=2",
            "--table-size=2000", "--threads=4", f"--events={EVENTS}", "--time=0"]

    def step(script, action, *options):
        name = " ".join([script, action, *options])
        done = subprocess.run([*base, script, *options, action], capture_output=True, text=True, timeout=300)
        said = done.stdout + done.stderr
        wrong = done.returncode or "FATAL" in said
        outcomes.put(name, outcome.FAILED if wrong else outcome.PASSED, said[-400:])

    step("oltp_common", "cleanup")
    outcomes.clear()
    for script in SCRIPTS:
        step(script, "prepare")
        for mode in ("disable", "auto"):
            step(script, "run", f"--db-ps-mode={mode}")
        if script.startswith("oltp"):
            step(script, "run", "--skip-trx=on")
        step(script, "cleanup")
    step("bulk_insert", "prepare")
    step("bulk_insert", "run", "--threads=2")
    step("bulk_insert", "cleanup")
    return outcomes
