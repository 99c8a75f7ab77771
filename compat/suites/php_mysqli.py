"""The tests of PHP's mysqli extension over mysqlnd, PHP's own client library: one program a case."""

import os
import subprocess

from lab import outcome
from lab.fetch import needs

NAME = "PHP 8.2 mysqli"
LANGUAGE = "PHP"
SOURCE = "Debian, source of `php8.2`"


def prepare(cache):
    needs("php")  # and the extension: php8.2-mysql
    return cache.debian("php8.2", part=".orig.tar")


def run(folder, target, results):
    environment = {**os.environ, "MYSQL_TEST_HOST": target.host, "MYSQL_TEST_PORT": str(target.port),
                   "MYSQL_TEST_USER": target.user, "MYSQL_TEST_PASSWD": target.password, "MYSQL_TEST_DB": "test",
                   "MYSQL_TEST_SOCKET": "", "TEST_PHP_EXECUTABLE": "/usr/bin/php", "NO_INTERACTION": "1",
                   "SKIP_IO_CAPTURE_TESTS": "1"}
    listing = results.with_suffix(".list")
    listing.unlink(missing_ok=True)
    try:
        subprocess.run(["php", "-d", "open_basedir=", "run-tests.php", "-q", "-n", "-d", "extension=mysqlnd", "-d", "extension=mysqli",
                        "--set-timeout", "30", "-W", listing, "ext/mysqli/tests"],
                       cwd=folder, env=environment, capture_output=True, text=True, errors="replace", timeout=900)
    except subprocess.TimeoutExpired:
        pass
    outcomes = outcome.Outcomes()
    words = {"PASSED": outcome.PASSED, "FAILED": outcome.FAILED, "SKIPPED": outcome.SKIPPED, "XFAILED": outcome.SKIPPED,
             "WARNED": outcome.PASSED, "XLEAKED": outcome.SKIPPED, "LEAKED": outcome.PASSED, "BORKED": outcome.FAILED}
    for line in listing.read_text().splitlines() if listing.exists() else []:
        word, _, path = line.partition("\t")
        name = os.path.basename(path).removesuffix(".phpt")
        found = words.get(word, outcome.FAILED)
        told = folder / "ext" / "mysqli" / "tests" / f"{name}.diff"
        outcomes.put(name, found, told.read_text(errors="replace") if found == outcome.FAILED and told.exists() else "")
    return outcomes
