"""The servers' own command line tools: dump and restore of the bookstore, import, check, admin, slap."""

import pathlib
import shutil
import subprocess

from lab import outcome
from lab.fetch import needs

NAME = "MariaDB's command line tools"
LANGUAGE = "C"
SOURCE = "`compat/programs/shop_dump.sh`"
SHOP = True


def prepare(cache):
    needs("mariadb", "mariadb-dump", "mariadb-import", "mariadb-check", "mariadb-slap", "mariadb-admin")
    return pathlib.Path(__file__).parent.parent / "programs" / "shop_dump.sh"


def run(program, target, results):
    folder = results.with_suffix(".d")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    done = subprocess.run(["sh", program, target.host, str(target.port), target.user, target.password, folder],
                          capture_output=True, text=True, timeout=600)
    return outcome.tap(done.stdout)
